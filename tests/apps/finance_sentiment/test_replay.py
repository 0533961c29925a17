from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from apps.finance_sentiment.backtest import read_events
from apps.finance_sentiment.backtest_stream import Event, StreamReport, backtest_stream
from apps.finance_sentiment.data import read_texts
from apps.finance_sentiment.gazetteer import Gazetteer, shipped
from apps.finance_sentiment.replay import NOISY, Replay, analysed, make_replay, write
from apps.finance_sentiment.replay_plan import DECOYS, SURGES
from apps.finance_sentiment.rule_defaults import default_rules
from apps.finance_sentiment.schemas import SeriesKey


@pytest.fixture(scope="module")
def replay() -> Replay:
    return make_replay(3)


@pytest.fixture(scope="module")
def report(replay: Replay) -> StreamReport:
    events = [
        Event(
            f"{i}-{h.kind}", SeriesKey("entity", h.member.company.id) if h.member else SeriesKey("topic", h.topic),
            h.start, h.end,
        )
        for i, h in enumerate(replay.surges)
    ]  # fmt: skip
    return backtest_stream(analysed(replay), default_rules(), events)


def test_forty_surges_and_forty_decoys_of_every_kind_in_both_languages(replay: Replay) -> None:
    assert Counter(h.kind for h in replay.happenings) == dict([*SURGES, *DECOYS])
    assert len(replay.surges) == 40 and len(replay.happenings) == 80
    assert {t.language for t in replay.texts} == {"en", "zh"} and len(replay.texts) > 20_000
    assert [t.arrived for t in replay.texts] == sorted(t.arrived for t in replay.texts)


def test_a_seed_gives_the_same_replay_and_another_one_another() -> None:
    one, same, other = (make_replay(seed, 42, size=60) for seed in (5, 5, 6))
    assert one == same and one.texts[:50] != other.texts[:50]


def test_syndicated_stories_come_two_hundred_times_and_late_ones_days_late(replay: Replay) -> None:
    sizes = Counter(t.story for t in replay.texts)
    assert sum(size > 200 for size in sizes.values()) == dict(DECOYS)["syndicated"]
    assert sum(t.arrived - t.published > 2 * 86_400 for t in replay.texts) > 100
    assert sum(t.source == NOISY for t in replay.texts) == 25 * dict(DECOYS)["noisy"]


def test_the_default_rules_find_the_surges(report: StreamReport) -> None:
    figures = report.figures()
    assert isinstance(figures["recall"], float) and figures["recall"] >= 0.9
    assert isinstance(figures["median_delay_seconds"], float) and figures["median_delay_seconds"] <= 3 * 3600


def test_decoys_make_no_alert(replay: Replay, report: StreamReport) -> None:
    false = [alert for alert in report.alerts if not alert.event]
    taken_in = [
        h for h in replay.happenings if h.member and not h.surge
        and any(a.key.value == h.member.company.id and h.start <= a.at <= h.end + 86_400 for a in false)
    ]  # fmt: skip
    assert len(taken_in) <= 1, "of forty"
    figures = report.figures()
    assert isinstance(figures["precision"], float) and figures["precision"] >= 0.9


def test_what_is_read_wrongly_is_read_so_in_every_copy(replay: Replay) -> None:
    part = Replay(replay.texts[:3000], replay.happenings)
    told: dict[str, str] = {}
    for text in analysed(part, missed=0.5, false=0.5):
        assert told.setdefault(text.story, text.labels.sentiment) == text.labels.sentiment
    right = Counter(t.sentiment for t in part.texts)
    assert Counter(a.labels.sentiment for a in analysed(part)) == right


def test_a_replay_in_files_is_read_again_as_it_is(replay: Replay, tmp_path: Path) -> None:
    small = Replay(replay.texts[:300], replay.happenings)
    texts, events = write(small, tmp_path)
    back = read_texts(texts).texts
    assert [t.text for t in back] == [t.text for t in small.texts]
    assert [int(t.published_at.timestamp()) for t in back if t.published_at] == [t.published for t in small.texts]
    assert len(read_events(events, Gazetteer(shipped()))) == 40
    with events.open(newline="") as file:
        assert next(csv.reader(file)) == ["name", "entity", "start", "end"]
