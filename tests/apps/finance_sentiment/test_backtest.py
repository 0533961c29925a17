from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from apps.finance_sentiment.backtest import backtest_files, read_events, tune_files
from apps.finance_sentiment.backtest_counts import RULE, backtest_counts, choose, episodes, judge, read_series
from apps.finance_sentiment.backtest_score import Episode, Score, Window, score
from apps.finance_sentiment.backtest_stream import Event, StreamReport, backtest_stream
from apps.finance_sentiment.backtest_tune import f1, stricter, tune
from apps.finance_sentiment.cli_backtest import app, put_stream, put_tuned
from apps.finance_sentiment.gazetteer import Gazetteer, shipped
from apps.finance_sentiment.reading import Reader
from apps.finance_sentiment.rows import epoch, moment
from apps.finance_sentiment.rule_defaults import default_rules
from apps.finance_sentiment.rules import read
from apps.finance_sentiment.schemas import Analysed, SeriesKey
from apps.finance_sentiment.settings import FinanceSettings
from core.errors import InputError
from tests.apps.finance_sentiment._reading import CapitalLinker, WordLabels
from tests.apps.finance_sentiment._rules import DAY, HOUR, KEY, MINUTE, MONDAY, absolute, ordered, told

WEEK = 7 * DAY


def test_an_episode_is_true_where_it_begins_within_a_window() -> None:
    windows = [Window(100, 200), Window(500, 600)]
    given = [Episode(100, 110), Episode(150, 151), Episode(300, 550), Episode(600, 700)]
    judged = score(given, windows, WEEK)
    assert (judged.true, judged.false, judged.found, judged.windows) == (3, 1, 2, 2)
    assert judged.delays == (0, 50)
    figures = judged.figures()
    assert figures["recall"] == 1 and figures["precision"] == 0.75
    assert figures["false_episodes_per_series_week"] == 1 and figures["median_delay_seconds"] == 25


def test_scores_add_up_and_none_is_zero() -> None:
    both = Score(1, 1, 1, 2, 1.0, (5,)) + Score(2, 0, 2, 2, 3.0, (7, 9))
    assert both == Score(3, 1, 3, 4, 4.0, (5, 7, 9)) and both.f1 == pytest.approx(0.75)
    assert Score().f1 == 0 and Score().figures()["median_delay_seconds"] is None


def test_the_threshold_whose_neighbours_are_good_too_is_chosen() -> None:
    good, fair, poor = Score(2, 0, 2, 2, 1), Score(2, 1, 2, 2, 1), Score(0, 2, 0, 2, 1)
    assert choose([[good, poor, poor, fair, fair, fair]]) == 4


def _series(folder: Path, name: str, seed: int, bursts: Sequence[int]) -> None:
    """Counts of every quarter of an hour for twenty days; a burst is a day's number."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson([20 + 10 * np.sin(i / 96 * 2 * np.pi) for i in range(20 * 96)])
    for day in bursts:
        counts[day * 96 + 40 : day * 96 + 50] += 400
    with (folder / f"{name}.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("timestamp", "value"))
        rows.writerows(
            (f"{datetime.fromtimestamp(MONDAY + i * 900, UTC):%Y-%m-%d %H:%M:%S}", n) for i, n in enumerate(counts)
        )


def _windows(path: Path, bursts: dict[str, Sequence[int]]) -> Path:
    def pair(day: int) -> list[str]:
        return [moment(MONDAY + day * DAY + hour * HOUR).isoformat() for hour in (9, 14)]

    path.write_text(json.dumps({name: [pair(day) for day in days] for name, days in bursts.items()}))
    return path


def test_each_series_of_counts_is_judged_by_the_others_threshold(tmp_path: Path) -> None:
    bursts: dict[str, Sequence[int]] = {"aaa": (10, 15), "bbb": (12,)}
    for seed, (name, days) in enumerate(bursts.items()):
        _series(tmp_path, name, seed, days)
    windows = _windows(tmp_path / "windows.json", bursts)
    figures = backtest_counts(tmp_path, windows, grid=(5.0, 5.6), quietly=True)
    assert figures["recall"] == 1 and figures["false_episodes_per_series_week"] == 0 and figures["f1"] == 1
    assert figures["median_delay_seconds"] is not None and figures["median_delay_seconds"] <= HOUR
    one = read_series(tmp_path, windows)[0]
    assert judge(one, RULE).found == 2 and one.seconds == 20 * DAY - 900


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("timestamp,count\n2026-03-02,1\n", "no column 'value'"),
        ("timestamp,value\n2026-03-02,1\n2026-03-01,1\n", "line 3: the time is not after"),
        ("timestamp,value\n2026-03-02,-4\n2026-03-03,1\n", "-4 is no count"),
        ("timestamp,value\nnever,4\n2026-03-03,1\n", "line 2"),
        ("timestamp,value\n2026-03-02,1\n", "needs a series"),
    ],
)
def test_a_series_that_is_not_usable_names_its_line(tmp_path: Path, rows: str, told: str) -> None:
    (tmp_path / "x.csv").write_text(rows)
    with pytest.raises(InputError, match=told):
        read_series(tmp_path, _windows(tmp_path / "w.json", {}))


def test_windows_of_a_series_that_is_not_there_and_broken_json_are_refused(tmp_path: Path) -> None:
    _series(tmp_path, "aaa", 0, ())
    with pytest.raises(InputError, match=r"has no bbb\.csv"):
        read_series(tmp_path, _windows(tmp_path / "w.json", {"bbb": (1,)}))
    (tmp_path / "w.json").write_text("[1, 2")
    with pytest.raises(InputError, match="is not usable"):
        read_series(tmp_path, tmp_path / "w.json")
    with pytest.raises(InputError, match="takes two or more"):
        backtest_counts(tmp_path, _windows(tmp_path / "w.json", {"aaa": (1,)}))


def test_an_episode_that_goes_on_ends_with_the_series() -> None:
    assert episodes([], 99) == []


def stream(days: int = 28, surges: Sequence[int] = (5, 10, 17, 22)) -> list[Analysed]:
    """A few stories a day on two companies; on some days ten bad ones about ACME."""
    rng = np.random.default_rng(4)
    usual = [
        told(MONDAY + int(x), "negative" if rng.random() < 0.2 else "neutral", entity=name, source=f"wire-{i % 5}")
        for name in ("US:ACME", "US:BOLT")
        for i, x in enumerate(rng.uniform(0, days * DAY, days * 3))
    ]
    bad = [
        told(MONDAY + day * DAY + 9 * HOUR + i * 5 * MINUTE, "negative", source=f"wire-{i % 5}")
        for day in surges
        for i in range(10)
    ]
    return list(ordered(usual, bad))


def happened(surges: Sequence[int] = (5, 10, 17, 22)) -> list[Event]:
    """What the stream holds."""
    return [Event(f"day {d}", KEY, MONDAY + d * DAY + 9 * HOUR, MONDAY + d * DAY + 10 * HOUR) for d in surges]


def test_a_stream_tells_what_was_found_how_late_and_what_each_rule_cost() -> None:
    rules = [absolute(6), absolute(1, id="jumpy", window_seconds=60)]
    report = backtest_stream(stream(), rules, happened())
    figures, by_rule = report.figures(), report.by_rule()
    assert figures["recall"] == 1 and by_rule["many"]["false"] == 0 and by_rule["many"]["events"] == 4
    assert by_rule["many"]["median_delay_seconds"] <= 30 * MINUTE
    assert by_rule["jumpy"]["false"] > 10 and by_rule["jumpy"]["a week"] > by_rule["many"]["a week"]
    assert isinstance(figures["precision"], float) and figures["precision"] < 1
    put_stream(report)


def test_without_events_nothing_is_right_or_wrong() -> None:
    figures = backtest_stream(stream(), [absolute(6)], []).figures()
    assert figures["alerts"] == 4 and figures["recall"] is figures["precision"] is None
    assert backtest_stream([], [absolute(6)], []).figures()["alerts"] == 0


def test_an_alert_on_a_topic_is_right_where_its_stories_belong_to_the_event() -> None:
    rule = absolute(9, series={"dimension": "topic"})
    report = backtest_stream(stream(), [rule], happened())
    assert report.alerts and all(alert.event for alert in report.alerts)
    assert report.figures()["recall"] == 0, "but the event's own series was told of by none"


def test_a_surge_told_of_twice_is_a_repeat_and_not_false() -> None:
    again = [told(MONDAY + 5 * DAY + 15 * HOUR + i * MINUTE, "negative", source="a") for i in range(10)]
    report = backtest_stream(ordered(stream(), again), [absolute(6)], happened())
    assert report.by_rule()["many"]["repeats"] == 1 and report.figures()["precision"] == 1


def test_strictness_is_fitted_on_the_first_half_and_judged_on_the_second() -> None:
    rule = absolute(kind="count_tail", parameters={"p_value": 0.3}, warmup_seconds=2 * DAY)
    tuned = tune(stream(), [rule], happened(), grid=(0.5, 1.0, 4.0, 8.0))
    assert tuned.strictness > 1 and f1(tuned.tried[tuned.strictness]) == max(f1(r) for r in tuned.tried.values())
    assert [e.name for e in tuned.after.events] == ["day 17", "day 22"]
    assert f1(tuned.after) >= f1(tuned.before)
    assert all(a.at >= MONDAY + 13 * DAY for a in tuned.before.alerts)
    assert read(tuned.rules[0]).minimum_evidence == round(tuned.strictness)
    put_tuned(tuned)


def test_tuning_needs_texts_and_events_in_both_halves() -> None:
    with pytest.raises(InputError, match="no texts"):
        tune([], [absolute()], happened())
    with pytest.raises(InputError, match="2 begin in the first half of the time and 0 in the second"):
        tune(stream(), [absolute()], happened((5, 10)))


def test_rules_made_stricter_or_looser_stay_readable() -> None:
    for strictness in (0.3, 1.0, 4.0):
        for rule in default_rules():
            assert read(stricter(rule, strictness))
    company = default_rules()[0]
    assert stricter(company, 1.0).parameters["parts"] == company.parameters["parts"]
    firsts = [stricter(company, s).parameters["parts"][0]["parameters"]["p_value"] for s in (0.5, 1.0, 2.0)]
    assert firsts == sorted(firsts, reverse=True)


def files(folder: Path) -> tuple[Path, Path]:
    """A stream and its events as files: words that `WordLabels` understands."""
    rng = np.random.default_rng(1)
    words = [
        f"{a}{b}" for a in ("or", "ta", "mi", "ke", "su", "lo") for b in ("ban", "cel", "dor", "fim", "gus", "hep")
    ]
    rows: list[tuple[str, str, str]] = []
    for at, sad in [(MONDAY + i * 2 * HOUR, False) for i in range(12 * 20)] + [
        (MONDAY + day * DAY + 9 * HOUR + i * 5 * MINUTE, True) for day in (5, 15) for i in range(8)
    ]:
        said = " ".join(rng.choice(words, 9, replace=False))
        rows.append((moment(at).isoformat(), f"wire-{len(rows) % 5}", f"ACME {'fraud' if sad else 'notes'} {said}"))
    texts, events = folder / "texts.csv", folder / "events.csv"
    for path, head, body in (
        (texts, ("published_at", "source", "text"), sorted(rows)),
        (events, ("name", "entity", "start"), [
            (f"day {day}", "topic:fraud", moment(MONDAY + day * DAY + 9 * HOUR).isoformat()) for day in (5, 15)
        ]),
    ):  # fmt: skip
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([head, *body])
    return texts, events


def a_reader() -> Reader:
    return Reader(WordLabels(), CapitalLinker(), FinanceSettings())


def test_files_are_read_judged_and_tuned_by_the_code_that_serves(tmp_path: Path) -> None:
    texts, events = files(tmp_path)
    companies, settings = Gazetteer(shipped()), FinanceSettings()
    rule = absolute(5, series={"dimension": "topic", "value": "fraud"})
    seen: list[int] = []
    report, figures = backtest_files(
        texts, events, [rule], a_reader(), companies, settings, progress=lambda stage, done, total: seen.append(done)
    )
    assert isinstance(report, StreamReport) and figures["recall"] == figures["precision"] == 1
    assert seen[-1] == report.texts == 256 and figures["texts_per_second"]
    tuned = tune_files(texts, events, [rule], a_reader(), companies, settings)
    assert tuned.strictness == 1 and tuned.after.figures()["recall"] == 1


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("x,Nobody At All,2026-03-02", "line 2: 'Nobody At All' is neither a company"),
        ("x,legal,", "line 2: an event needs a start"),
        ("x,legal,soon", "soon"),
    ],
)
def test_an_event_that_does_not_fit_names_its_line(tmp_path: Path, row: str, told: str) -> None:
    (tmp_path / "e.csv").write_text(f"name,entity,start\n{row}\n")
    with pytest.raises(InputError, match=told):
        read_events(tmp_path / "e.csv", Gazetteer(shipped()))


def test_an_event_may_name_a_company_a_topic_or_all(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text(
        "name,entity,start,end\na,US:AAPL,2026-03-02,2026-03-03\nb,legal,2026-03-02,\nc,,2026-03-02T08:00:00Z,\n"
    )
    found = read_events(tmp_path / "e.csv", Gazetteer(shipped()))
    assert [e.key for e in found] == [SeriesKey("entity", "US:AAPL"), SeriesKey("topic", "legal"), SeriesKey("all")]
    assert found[0].end - found[0].start == DAY and found[1].end - found[1].start == 2 * DAY
    assert found[2].start == epoch(datetime(2026, 3, 2, 8, tzinfo=UTC))


def test_texts_without_any_time_cannot_be_replayed(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("source,text\nwire,ACME fall\n")
    with pytest.raises(InputError, match="needs published_at"):
        backtest_files(tmp_path / "t.csv", None, [absolute()], a_reader(), Gazetteer(shipped()), FinanceSettings())


def test_the_verb_prints_figures_of_counts_and_refuses_to_tune_without_events(tmp_path: Path) -> None:
    (tmp_path / "series").mkdir()
    bursts: dict[str, Sequence[int]] = {"aaa": (10,), "bbb": (12,)}
    for seed, (name, days) in enumerate(bursts.items()):
        _series(tmp_path / "series", name, seed, days)
    windows = _windows(tmp_path / "windows.json", bursts)
    done = CliRunner().invoke(app, ["counts", "--series", str(tmp_path / "series"), "--windows", str(windows)])
    assert done.exit_code == 0 and '"recall"' in done.stdout
    texts, _ = files(tmp_path)
    refused = CliRunner().invoke(app, ["stream", "--texts", str(texts), "--tune"])
    assert isinstance(refused.exception, InputError) and "--events" in str(refused.exception)
    refused = CliRunner().invoke(app, ["stream", "--texts", str(texts), "--save", str(tmp_path / "r.json")])
    assert isinstance(refused.exception, InputError) and "--tune" in str(refused.exception)
