from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import InputError, NotFound, Unavailable
from core.evaluate.ratings import RatingLog, Verdict, rater_name
from tests.core.evaluate.human_parts import task


def test_a_rating_is_in_the_file_and_there_after_a_restart(tmp_path: Path) -> None:
    rated = task()
    key = next(iter(rated.units))
    rating = RatingLog(tmp_path / "r.jsonl", rated).add("anna", key, "left")
    assert rating.preferred == rated.shown("anna", key)[0]
    (line,) = (tmp_path / "r.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["rater"] == "anna"
    assert RatingLog(tmp_path / "r.jsonl", rated).ratings() == [rating]


def test_the_last_rating_of_a_rater_counts_and_the_file_keeps_all(tmp_path: Path) -> None:
    rated = task()
    key = next(iter(rated.units))
    log = RatingLog(tmp_path / "r.jsonl", rated)
    for verdict in ("left", "right", "equal"):
        log.add("anna", key, verdict)
    log.add("ben", key, "right")
    for read in (log, RatingLog(tmp_path / "r.jsonl", rated)):
        assert [(rating.rater, rating.verdict) for rating in read.ratings()] == [("anna", "equal"), ("ben", "right")]
    assert len((tmp_path / "r.jsonl").read_text(encoding="utf-8").splitlines()) == 4


def test_next_goes_through_everything_once_and_what_was_left_for_later_comes_again(tmp_path: Path) -> None:
    rated = task(5, ("a", "b", "c"))
    log = RatingLog(tmp_path / "r.jsonl", rated, ["anna"])
    first = log.next("anna")
    assert first is not None and first.key == rated.order("anna")[0]
    second = log.next("anna", after=first.key)
    assert second is not None and second.key == rated.order("anna")[1]
    met = []
    unit = second
    while unit is not None:
        log.add("anna", unit.key, 3)
        met.append(unit.key)
        unit = log.next("anna", after=unit.key)
    assert met[-1] == first.key
    assert sorted(met) == sorted(rated.units)
    assert log.progress() == {"anna": 15}
    assert log.finished()


def test_a_rater_who_has_not_begun_keeps_the_task_unfinished(tmp_path: Path) -> None:
    log = RatingLog(tmp_path / "r.jsonl", task(1), ["anna", "ben"])
    assert not RatingLog(tmp_path / "none.jsonl", task(1)).finished()
    log.add("anna", next(iter(log.task.units)), "left")
    assert log.progress() == {"anna": 1, "ben": 0}
    assert not log.finished()


def test_a_line_cut_short_by_a_crash_costs_only_itself(tmp_path: Path) -> None:
    rated = task()
    one, other, third = list(rated.units)[:3]
    path = tmp_path / "r.jsonl"
    log = RatingLog(path, rated)
    log.add("anna", one, "left")
    log.add("anna", other, "left")
    path.write_bytes(path.read_bytes()[:-25])
    log = RatingLog(path, rated)
    assert (log.unreadable, [rating.unit for rating in log.ratings()]) == (1, [one])
    log.add("anna", third, "right")
    again = RatingLog(path, rated)
    assert again.unreadable == 1
    assert {rating.unit for rating in again.ratings()} == {one, third}


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    code = (
        "import sys, itertools; from pathlib import Path; from tests.core.evaluate.human_parts import task\n"
        "from core.evaluate.ratings import RatingLog\n"
        f"log = RatingLog(Path({str(tmp_path / 'r.jsonl')!r}), task(200))\n"
        "for n in itertools.count():\n"
        "    for key in log.task.units:\n"
        "        log.add(f'rater {n}', key, 'left'); print(n, key, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = [process.stdout.readline().split() for _ in range(60)]
    os.kill(process.pid, signal.SIGKILL)
    told += [line.split() for line in process.stdout.read().splitlines() if line.count(" ") == 1 and len(line) > 17]
    process.stdout.close()
    process.wait()
    kept = {(rating.rater, rating.unit) for rating in RatingLog(tmp_path / "r.jsonl", task(200)).ratings()}
    assert {(f"rater {n}", key) for n, key in told} <= kept


def test_many_threads_lose_nothing(tmp_path: Path) -> None:
    rated = task(40)
    log = RatingLog(tmp_path / "r.jsonl", rated)
    jobs = [(f"rater {n}", key) for n in range(5) for key in rated.units]
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda job: log.add(*job, "equal"), jobs))
    again = RatingLog(tmp_path / "r.jsonl", rated)
    assert again.unreadable == 0
    assert {(rating.rater, rating.unit) for rating in again.ratings()} == set(jobs)


def test_ratings_of_other_items_raters_or_kinds_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    old = RatingLog(path, task(3))
    for key in old.task.units:
        old.add("anna", key, "left")
        old.add("ben", key, "left")
    log = RatingLog(path, task(2), ["anna"])
    assert (len(log.ratings()), log.strangers) == (2, 4)
    assert RatingLog(path, task(3, mode="scale")).strangers == 6


def test_a_line_that_is_no_rating_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    good = {"at": "2026-01-01", "rater": "a", "unit": "u", "item": "i", "shown": ["x"], "score": 9}
    lines = [
        "[]",
        "7",
        "null",
        "{}",
        '{"at": 1}',
        json.dumps(good),
        json.dumps({**good, "score": "5"}),
        "\xff",
        "[" * 9999,
    ]
    path.write_bytes("\n".join(lines).encode("latin-1"))
    assert RatingLog(path, task()).unreadable == len(lines)


@pytest.mark.parametrize("verdict", ["better", "", 1, True, None])
def test_a_comparison_takes_only_its_three_words(tmp_path: Path, verdict: Verdict) -> None:
    log = RatingLog(tmp_path / "r.jsonl", task())
    with pytest.raises(InputError, match="left, right or equal"):
        log.add("anna", next(iter(log.task.units)), verdict)
    assert not (tmp_path / "r.jsonl").exists()


@pytest.mark.parametrize("verdict", [0, 6, "3", 2.5, True, "left"])
def test_a_scale_takes_only_whole_numbers_from_1_to_5(tmp_path: Path, verdict: Verdict) -> None:
    log = RatingLog(tmp_path / "r.jsonl", task(2, ("a",)))
    with pytest.raises(InputError, match="from 1 to 5"):
        log.add("anna", next(iter(log.task.units)), verdict)


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, "a\nb", "a\x00"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="1 to 40"):
        rater_name(name)


def test_unknown_raters_and_units_are_refused(tmp_path: Path) -> None:
    log = RatingLog(tmp_path / "r.jsonl", task(), [" anna ", "ben", "anna"])
    assert log.raters == ("anna", "ben")
    with pytest.raises(InputError, match="no rater 'eve'; there are anna, ben"):
        log.add("eve", next(iter(log.task.units)), "left")
    with pytest.raises(InputError, match="'eve'"):
        log.next("eve")
    with pytest.raises(NotFound, match="'nope'"):
        log.add("anna", "nope", "left")


def test_a_rating_that_cannot_be_saved_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    log = RatingLog(tmp_path / "file" / "r.jsonl", task())
    with pytest.raises(Unavailable, match="was not saved"):
        log.add("anna", next(iter(log.task.units)), "left")
    assert log.ratings() == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_said(tmp_path: Path) -> None:
    log = RatingLog(tmp_path / "r.jsonl", task())
    (tmp_path / "r.jsonl").symlink_to("/dev/full")
    with pytest.raises(Unavailable, match="No space left"):
        log.add("anna", next(iter(log.task.units)), "left")
    assert log.progress() == {}
