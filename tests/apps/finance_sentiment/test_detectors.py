from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from apps.finance_sentiment.detectors import (
    KINDS,
    Absolute,
    ChangePoint,
    CountTail,
    Detector,
    NoData,
    Ratio,
    Seasonal,
    ShareShift,
)
from apps.finance_sentiment.schemas import Counts, Observation
from core.errors import InputError

HOUR, DAY = 3600, 86_400
MONDAY = 1_772_409_600
"""2 March 2026, midnight UTC."""


def bucket(start: int, seconds: int, stories: int, negative: int | None = None) -> Observation:
    bad = stories if negative is None else negative
    return Observation(start, seconds, Counts(stories, stories, bad, 0, float(-bad)))


def hours(days: int, a_hour: float, seed: int = 0, share: float = 1.0, start: int = MONDAY) -> Iterator[Observation]:
    """Poisson stories by the hour, by day 1.6 times the mean, by night 0.4 times."""
    rng = np.random.default_rng(seed)
    for i in range(days * 24):
        stories = int(rng.poisson(a_hour * (1.6 if 8 <= i % 24 < 20 else 0.4)))
        yield bucket(start + i * HOUR, HOUR, stories, int(rng.binomial(stories, share)))


def learned(detector: Detector[Any], observations: Iterator[Observation], state: Any = None) -> Any:
    state = detector.fresh() if state is None else state
    for one in observations:
        state = detector.learn(state, one, False)
    return state


def test_an_absolute_rule_clears_below_its_limit_not_at_it() -> None:
    rule = Absolute(limit=10, clear_ratio=0.7)
    verdicts = [rule.judge(rule.fresh(), bucket(0, HOUR, n)) for n in (6, 8, 10)]
    assert [v.breached for v in verdicts] == [False, False, True]
    assert [v.cleared for v in verdicts] == [True, False, False]


def test_an_absolute_rule_on_a_low_mean_score_breaches_downwards() -> None:
    rule = Absolute(measure="mean_score", limit=-0.4, direction="below", clear_ratio=0.5)
    said = [rule.judge(rule.fresh(), Observation(0, HOUR, Counts(10, 10, 0, 0, s))) for s in (-5.0, -3.0, -1.0)]
    assert [v.breached for v in said] == [True, False, False] and [v.cleared for v in said] == [False, False, True]


def test_a_ratio_compares_with_the_windows_before_and_leaves_surges_out() -> None:
    rule = Ratio(windows=4, times=3.0)
    state = rule.fresh()
    assert not rule.judge(state, bucket(0, HOUR, 50)).breached  # nothing to compare with
    for i in range(4):
        state = rule.learn(state, bucket(i * HOUR, HOUR, 4), False)
    state = rule.learn(state, bucket(4 * HOUR, HOUR, 90), True)
    verdict = rule.judge(state, bucket(5 * HOUR, HOUR, 12))
    assert verdict.expected == 4 and verdict.limit == 12 and verdict.breached
    quiet = rule.skip(state, 5 * HOUR, HOUR, 1000, False)
    assert quiet.values == [0.0] * 4 and not rule.judge(quiet, bucket(0, HOUR, 2)).breached  # the floor


def test_ten_times_the_volume_with_the_usual_share_is_no_shift() -> None:
    rule = ShareShift(measure="share_negative", p_value=0.001)
    state = learned(rule, hours(14, 2, share=0.3))
    assert not rule.judge(state, bucket(0, HOUR, 60, 20)).breached
    shifted = rule.judge(state, bucket(0, HOUR, 20, 16))
    assert shifted.breached and shifted.value == 0.8 and 0.2 < shifted.expected < 0.4
    assert shifted.p_value is not None and shifted.p_value < 0.001 and "16 of 20" in shifted.reason
    assert not rule.judge(state, bucket(0, HOUR, 0, 0)).breached


def test_the_usual_share_is_never_held_for_surer_than_it_is() -> None:
    rule = ShareShift(measure="share_negative", most_stories=50)
    state = rule.learn(rule.fresh(), bucket(MONDAY, HOUR, 100_000, 30_000), False)
    verdict = rule.judge(state, bucket(MONDAY + HOUR, HOUR, 10, 6))
    assert verdict.p_value is not None and 0.03 < verdict.p_value < 0.1


def test_where_most_news_is_bad_enough_is_enough() -> None:
    rule = ShareShift(measure="share_negative", least_rise=0.35, p_value=0.1, enough=0.75)
    state = learned(rule, hours(14, 2, share=0.7))
    strict = ShareShift(measure="share_negative", least_rise=0.35, p_value=0.1)
    window = bucket(0, HOUR, 20, 18)
    assert rule.judge(state, window).breached and not strict.judge(state, window).breached
    assert not rule.judge(state, bucket(0, HOUR, 20, 14)).breached


def test_a_series_looked_at_more_often_must_be_odder() -> None:
    state = learned(CountTail(), hours(28, 3))
    window = bucket(MONDAY + 28 * DAY + 12 * HOUR, HOUR, 14)
    plain, looked = CountTail().judge(state, window), CountTail(looks=1.0).judge(state, window)
    assert plain.p_value is not None and looked.p_value == pytest.approx(plain.p_value * 73, rel=0.15)
    assert looked.limit > plain.limit


def test_what_is_usual_at_noon_is_a_surge_at_night() -> None:
    rule = Seasonal(measure="volume")
    state = learned(rule, hours(28, 40))
    noon, night = MONDAY + 28 * DAY + 12 * HOUR, MONDAY + 28 * DAY + 3 * HOUR
    assert not rule.judge(state, bucket(noon, HOUR, 70)).breached
    verdict = rule.judge(state, bucket(night, HOUR, 140))
    assert verdict.breached and 10 < verdict.expected < 25 < verdict.limit <= 140
    assert rule.distance(state, bucket(night, HOUR, 140)) > 5.6 > rule.distance(state, bucket(noon, HOUR, 140))


def test_the_seasonal_baseline_follows_a_level_shift_within_days() -> None:
    rule = Seasonal(measure="volume", spreads=3.0)
    before = learned(rule, hours(21, 20))
    later = MONDAY + 21 * DAY
    shifted = bucket(later + 4 * DAY + 12 * HOUR, HOUR, 140)
    assert rule.judge(before, shifted).breached
    after = learned(rule, hours(4, 80, 1, start=later), before)
    assert not rule.judge(after, shifted).breached
    assert rule.judge(after, shifted).expected > 80


def test_the_seasonal_baseline_does_not_learn_from_a_surge() -> None:
    rule = Seasonal(measure="volume")
    state = learned(rule, hours(14, 20))
    at = MONDAY + 14 * DAY
    assert rule.learn(state, bucket(at, HOUR, 900), True) is state
    untold = rule.learn(state, bucket(at, HOUR, 900), False)
    usual = [rule.judge(s, bucket(at + DAY, HOUR, 20)).expected for s in (state, untold)]
    assert usual[1] < 1.2 * usual[0]


def test_a_share_may_be_seasonal_too() -> None:
    rule = Seasonal(measure="share_negative", prior_spread=0.1)
    state = learned(rule, (bucket(MONDAY + i * HOUR, HOUR, 20, 6 + i % 2) for i in range(200)))
    assert rule.judge(state, bucket(MONDAY + 200 * HOUR, HOUR, 20, 18)).breached
    assert not rule.judge(state, bucket(MONDAY + 200 * HOUR, HOUR, 20, 8)).breached


def test_four_stories_on_a_quiet_company_are_a_surge_and_on_a_busy_one_are_not() -> None:
    rule = CountTail(p_value=1e-5)
    quiet, busy = learned(rule, hours(28, 0.01)), learned(rule, hours(28, 3))
    noon = MONDAY + 28 * DAY + 12 * HOUR
    assert rule.judge(quiet, bucket(noon, HOUR, 5)).breached
    assert not rule.judge(busy, bucket(noon, HOUR, 8)).breached
    verdict = rule.judge(busy, bucket(noon, HOUR, 30))
    assert verdict.breached and verdict.p_value is not None and verdict.p_value < 1e-5
    assert 4 < verdict.expected < 6 and "30 negative stories in 1 hour" in verdict.reason


def test_the_limit_is_the_least_count_that_breaches() -> None:
    rule = CountTail(p_value=1e-4)
    state = learned(rule, hours(14, 1))
    noon = MONDAY + 14 * DAY + 12 * HOUR
    limit = int(rule.judge(state, bucket(noon, HOUR, 0)).limit)
    assert rule.judge(state, bucket(noon, HOUR, limit)).breached
    assert not rule.judge(state, bucket(noon, HOUR, limit - 1)).breached


def test_a_multiple_of_the_usual_can_be_asked_for_on_top() -> None:
    state = learned(CountTail(), hours(28, 30))
    noon = MONDAY + 28 * DAY + 12 * HOUR
    assert CountTail(p_value=1e-4).judge(state, bucket(noon, HOUR, 120)).breached
    assert not CountTail(p_value=1e-4, times=3.0).judge(state, bucket(noon, HOUR, 120)).breached


@pytest.mark.parametrize("kind", ["count_tail", "change_point"])
def test_a_long_silence_is_learned_at_once_as_if_hour_by_hour(kind: str) -> None:
    rule = KINDS[kind](measure="negative")
    state = learned(rule, hours(7, 1))
    slow = state
    at = MONDAY + 7 * DAY
    for i in range(20 * 24):
        slow = rule.learn(slow, bucket(at + i * HOUR, HOUR, 0), False)
    fast = rule.skip(state, at, HOUR, 20 * 24, False)
    window = bucket(at + 20 * DAY + 12 * HOUR, HOUR, 3)
    one, other = rule.judge(slow, window), rule.judge(fast, window)
    assert other.expected == pytest.approx(one.expected, rel=0.15, abs=1e-9)
    assert math.log(other.p_value or 1) == pytest.approx(math.log(one.p_value or 1), rel=0.15)


def test_a_change_point_finds_a_slow_rise_that_no_single_hour_shows() -> None:
    rule, alone = ChangePoint(), CountTail(p_value=1e-6)
    state, other = learned(rule, hours(28, 1)), learned(alone, hours(28, 1))
    at = MONDAY + 28 * DAY
    found, seen = False, False
    for one in hours(3, 2.4, 5, start=at):
        found |= rule.judge(state, one).breached
        seen |= alone.judge(other, one).breached
        state = rule.learn(state, one, found)
    assert found and not seen
    for one in hours(6, 0.8, 6, start=at + 3 * DAY):
        state = rule.learn(state, one, False)
    assert rule.judge(state, bucket(at + 9 * DAY, HOUR, 0)).cleared


def test_a_change_point_is_quiet_while_nothing_changes() -> None:
    rule = ChangePoint()
    state = learned(rule, hours(28, 1))
    for one in hours(28, 1, 9, start=MONDAY + 28 * DAY):
        assert not rule.judge(state, one).breached
        state = rule.learn(state, one, False)


def test_a_source_that_sleeps_at_night_is_missed_by_day() -> None:
    rule = NoData(measure="volume")
    state = rule.fresh()
    for i in range(21 * 24):
        state = rule.learn(state, bucket(MONDAY + i * HOUR, HOUR, 6 if 7 <= i % 24 < 21 else 0), False)
    last = MONDAY + 20 * DAY + 21 * HOUR  # the evening before
    assert not rule.judge(state, bucket(last + 6 * HOUR, 2 * HOUR, 0)).breached
    verdict = rule.judge(state, bucket(last + 14 * HOUR, 2 * HOUR, 0))
    assert verdict.breached and not verdict.cleared and verdict.value == 16 * HOUR
    assert rule.judge(state, bucket(last + 14 * HOUR, 2 * HOUR, 1)).cleared


def test_a_source_that_never_spoke_is_not_missed() -> None:
    rule = NoData(measure="volume")
    state = rule.skip(rule.fresh(), MONDAY, HOUR, 5000, False)
    assert not rule.judge(state, bucket(MONDAY + 6000 * HOUR, DAY, 0)).breached


def test_silence_is_not_learned_while_it_is_told_of() -> None:
    rule = NoData(measure="volume")
    state = learned(rule, hours(14, 5))
    assert rule.skip(state, MONDAY + 14 * DAY, HOUR, 500, True) is state


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_was_learned_survives_json(kind: str) -> None:
    measure = KINDS[kind].measures[-1] if kind in ("share_shift", "no_data") else "negative"
    given = {"limit": 3} if kind == "absolute" else {}
    rule = KINDS[kind].made(measure, 0.7, given, "Rule 'x'")
    state = learned(rule, hours(3, 2, share=0.5))
    again = rule.load(json.loads(json.dumps(rule.dump(state))))
    window = bucket(MONDAY + 3 * DAY, HOUR, 9, 8)
    assert rule.judge(again, window) == rule.judge(state, window)
    assert rule.load({"something": "else"}) == rule.fresh()


@pytest.mark.parametrize(
    ("kind", "measure", "given", "told"),
    [
        ("absolute", "negative", {}, "needs the parameter 'limit'"),
        ("absolute", "negative", {"limit": "3"}, "limit is '3'; it is a number"),
        ("absolute", "negative", {"limit": 3, "direction": "up"}, "one of above, below"),
        ("ratio", "mean_score", {}, "cannot look at 'mean_score'"),
        ("ratio", "negative", {"windows": 2.5}, "whole number"),
        ("count_tail", "negative", {"p_value": 2}, "between 1e-30 and 0.5"),
        ("count_tail", "negative", {"pvalue": 0.1}, "no parameter 'pvalue'"),
        ("count_tail", "negative", {"p_value": float("nan")}, "between"),
        ("seasonal", "volume", {"spreads": True}, "is a number"),
    ],
)
def test_a_parameter_that_does_not_fit_is_named(kind: str, measure: Any, given: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        KINDS[kind].made(measure, 0.7, given, "Rule 'x'")
    assert str(caught.value).startswith("Rule 'x'")
