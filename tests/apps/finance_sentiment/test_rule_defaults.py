from __future__ import annotations

import numpy as np

from apps.finance_sentiment.rule_defaults import default_rules
from apps.finance_sentiment.rules import Rule
from apps.finance_sentiment.schemas import Counts, SeriesKey
from tests.apps.finance_sentiment._rules import DAY, HOUR, KEY, MINUTE, MONDAY, OTHER, Stream


def test_a_thousand_copies_of_one_story_make_no_alert() -> None:
    stream = Stream(*default_rules())
    rng = np.random.default_rng(3)
    for hour in range(8 * 24):
        for _ in range(rng.poisson(0.3)):
            stream.tell(MONDAY + hour * HOUR, OTHER if rng.random() < 0.7 else Counts(1, 1, 1, 0, -0.8))
    at = MONDAY + 8 * DAY
    stream.tell(at, Counts(1, 1, 1, 0, -0.8))
    for i in range(1000):
        stream.tell(at + i, Counts(0, 1))
    assert stream.seen == []


def _week(
    stream: Stream, days: int, a_day: float, *, start: int = MONDAY, negative: float = 0.3, seed: int = 0
) -> None:
    """Usual stories of a company."""
    rng = np.random.default_rng(seed)
    for at in sorted(rng.uniform(start, start + days * DAY, rng.poisson(days * a_day)).astype(int).tolist()):
        stream.tell(at, Counts(1, 1, 1, 0, -0.8) if rng.random() < negative else OTHER)


def _company() -> Rule:
    return default_rules()[0]


def test_five_bad_stories_on_a_company_nobody_writes_about_are_a_surge() -> None:
    stream = Stream(_company())
    _week(stream, 20, 0.3)
    assert stream.fired == []
    at = MONDAY + 20 * DAY + 10 * HOUR
    for i in range(5):
        stream.tell(at + i * 1500)
    assert len(stream.fired) == 1


def test_an_earnings_day_of_ten_times_the_stories_is_none() -> None:
    stream = Stream(_company())
    _week(stream, 14, 6)
    _week(stream, 1, 60, start=MONDAY + 14 * DAY, seed=1)
    assert stream.fired == []


def test_a_slow_rise_over_a_day_is_found() -> None:
    stream = Stream(_company())
    _week(stream, 14, 5)
    for i in range(20):
        stream.tell(MONDAY + 14 * DAY + int(20 * HOUR * (i / 20) ** 0.5))
    assert len(stream.fired) == 1


def test_a_level_shift_is_no_surge_for_ever() -> None:
    stream = Stream(_company())
    _week(stream, 14, 5)
    _week(stream, 21, 15, start=MONDAY + 14 * DAY, seed=2)
    assert stream.fired == []
    program = stream.engine.programs[0]
    verdict = program.leaves[0].detector
    assert verdict is not None
    track = stream.engine.tracks[_company().id, KEY]
    assert 24 * verdict.model().hourly(track.states[0]) > 2.4  # type: ignore[attr-defined]


def test_nothing_is_learned_from_the_surge_itself() -> None:
    stream = Stream(_company())
    _week(stream, 20, 3)
    track = stream.engine.tracks[_company().id, KEY]
    detector = stream.engine.programs[0].leaves[0].detector
    assert detector is not None
    rate = detector.model().hourly  # type: ignore[attr-defined]
    at = MONDAY + 20 * DAY
    for i in range(6):
        stream.tell(at + i * MINUTE)
    before = rate(track.states[0])
    assert len(stream.fired) == 1 and 0.02 < before < 0.06
    for i in range(1, 60):
        stream.tell(at + i * 10 * MINUTE)
    for hour in range(11, 40):
        stream.tick(at + hour * HOUR)
    assert len(stream.fired) == 1 and track.condition == "inactive"
    stream.tell(at + 41 * HOUR, Counts(1, 1, 1))
    assert rate(track.states[0]) <= before * 1.1


def test_what_one_loud_source_says_is_neither_told_of_nor_learned() -> None:
    stream = Stream(_company())
    for i in range(400):  # there are other sources, and more of them
        for key in (SeriesKey("all"), SeriesKey("source", f"wire-{i % 7}")):
            stream.counts.add(key, MONDAY + i * HOUR, OTHER, f"wire-{i % 7}")
    _week(stream, 14, 0.5)
    at = MONDAY + 14 * DAY
    for i in range(30):
        stream.tell(at + i * 10 * MINUTE, source="rumours")
    assert stream.fired == []
    for i in range(6):
        stream.tell(at + 5 * DAY + i * 20 * MINUTE)
    assert len(stream.fired) == 1
