from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pytest

from core.errors import InputError
from core.evaluate.human import Item, RatingTask
from core.evaluate.human_results import agreement, human_results, results_csv, results_json, safe_cell
from core.evaluate.ratings import RatingLog
from tests.core.evaluate.human_parts import task


def compared(path: Path, said: dict[str, list[str]], items: int = 6) -> RatingLog:
    """A log in which each rater prefers the named system, item by item."""
    log = RatingLog(path, task(items))
    for rater, systems in said.items():
        for key, system in zip(log.task.units, systems, strict=False):
            shown = log.task.shown(rater, key)
            log.add(rater, key, "equal" if system == "tie" else ("left", "right")[shown.index(system)])
    return log


def test_win_rates_count_a_tie_half_and_come_with_intervals(tmp_path: Path) -> None:
    log = compared(tmp_path / "r", {"anna": ["tuned"] * 4 + ["base", "tie"]})
    found = human_results(log.task, log.ratings())
    tuned, base = found["systems"]["tuned"], found["systems"]["base"]
    assert (tuned["wins"], tuned["losses"], tuned["ties"]) == (4, 1, 1)
    assert tuned["win_rate"]["value"] == pytest.approx(4.5 / 6)
    assert base["win_rate"]["value"] == pytest.approx(1.5 / 6)
    assert tuned["decided"]["value"] == pytest.approx(0.8)
    assert tuned["win_rate"]["low"] < 0.75 < tuned["win_rate"]["high"]
    assert found["left_share"]["n"] == 5
    assert found["raters"] == {"anna": 6}


def test_more_raters_of_the_same_items_do_not_narrow_the_interval_as_more_items_would(tmp_path: Path) -> None:
    said = ["tuned", "base", "tuned", "base", "tuned", "tuned"]
    one = compared(tmp_path / "1", {"anna": said})
    three = compared(tmp_path / "3", {"anna": said, "ben": said, "cleo": said})
    figures = [human_results(log.task, log.ratings())["systems"]["tuned"]["win_rate"] for log in (one, three)]
    assert figures[0] == figures[1]


def test_scores_are_means_over_items_with_paired_differences(tmp_path: Path) -> None:
    log = RatingLog(tmp_path / "r", task(8, ("a", "b", "c")))
    scores = {"a": 2, "b": 4, "c": 4}
    for n, unit in enumerate(log.task.units.values()):
        log.add("anna", unit.key, scores[unit.systems[0]] + (n // 3) % 2)
    found = human_results(log.task, log.ratings())
    assert found["systems"]["a"]["mean"]["value"] == pytest.approx(2.5)
    assert found["systems"]["a"]["counts"] == [0, 4, 4, 0, 0]
    gaps = {tuple(row["systems"]): row for row in found["differences"]}
    assert gaps["a", "b"]["value"] == pytest.approx(-2.0)
    assert (gaps["a", "b"]["high"], gaps["b", "c"]["value"], gaps["b", "c"]["p_value"]) == (-2.0, 0.0, 1.0)
    assert gaps["a", "b"]["p_value"] < 0.01


def test_agreement_is_of_systems_not_of_sides(tmp_path: Path) -> None:
    same = ["tuned", "base", "tie", "tuned", "base", "tuned"]
    log = compared(tmp_path / "r", {"anna": same, "ben": same, "cleo": same[::-1]})
    found = agreement(log.task, log.ratings())
    kappas = {tuple(pair["raters"]): pair["kappa"] for pair in found["pairs"]}
    assert kappas["anna", "ben"] == 1.0
    assert kappas["anna", "cleo"] < 0.5
    assert (found["fleiss"]["raters"], found["fleiss"]["units"]) == (3, 6)


def test_only_items_that_all_have_rated_count_for_fleiss(tmp_path: Path) -> None:
    log = compared(tmp_path / "r", {"anna": ["tuned", "base", "tie"], "ben": ["tuned", "base"]})
    assert agreement(log.task, log.ratings())["fleiss"]["units"] == 2
    alone = compared(tmp_path / "a", {"anna": ["tuned"]})
    assert agreement(alone.task, alone.ratings()) == {"pairs": [], "fleiss": None}


def test_a_kappa_that_says_nothing_is_null_in_json(tmp_path: Path) -> None:
    log = compared(tmp_path / "r", {"anna": ["tuned"] * 3, "ben": ["tuned"] * 3})
    assert math.isnan(agreement(log.task, log.ratings())["fleiss"]["kappa"])
    found = results_json(log.task, log.ratings())
    assert found["results"]["agreement"]["fleiss"]["kappa"] is None
    json.dumps(found, allow_nan=False)
    assert found["ratings"][0]["preferred"] == "tuned"
    assert {answer["system"] for answer in found["ratings"][0]["answers"]} == {"base", "tuned"}


def test_all_ties_have_no_decided_share(tmp_path: Path) -> None:
    log = compared(tmp_path / "r", {"anna": ["tie"] * 3})
    found = human_results(log.task, log.ratings())
    assert (found["systems"]["base"]["decided"], found["left_share"]) == (None, None)


def test_no_rating_is_no_result() -> None:
    with pytest.raises(InputError, match=r"no rating of answers\.jsonl yet"):
        human_results(task(), [])


def test_no_cell_of_the_export_is_a_formula(tmp_path: Path) -> None:
    items = (Item('=HYPERLINK("http://x")', "@SUM(1)", {"+base": "a", "-tuned": "b"}),)
    log = RatingLog(tmp_path / "r", RatingTask("t", "pairwise", ("+base", "-tuned"), items))
    log.add("=cmd|'/c calc'!A1", items[0].key, "left")
    text = results_csv(log.task, log.ratings())
    assert text.startswith("\ufeffitem,prompt,rater,left,right,preferred,rated_at")
    (_, row) = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    assert all(not cell.startswith(("=", "+", "-", "@")) for cell in row)
    assert row[0] == '\'=HYPERLINK("http://x")'


@pytest.mark.parametrize(
    ("value", "cell"),
    [("=1", "'=1"), ("\t=1", "'\t=1"), ("plain", "plain"), (-3, -3), (2.5, 2.5), ("", ""), ("中文", "中文")],
)
def test_safe_cells_keep_what_is_harmless(value: object, cell: object) -> None:
    assert safe_cell(value) == cell


def test_scores_are_exported_as_numbers(tmp_path: Path) -> None:
    log = RatingLog(tmp_path / "r", task(1, ("a",)))
    log.add("anna", next(iter(log.task.units)), 4)
    (_, row) = csv.reader(io.StringIO(results_csv(log.task, log.ratings())))
    assert row[2:5] == ["anna", "a", "4"]
