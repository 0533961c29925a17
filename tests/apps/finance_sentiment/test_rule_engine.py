from __future__ import annotations

import json

import numpy as np
import pytest

from apps.finance_sentiment.rule_defaults import default_rules
from apps.finance_sentiment.rule_engine import Engine
from apps.finance_sentiment.rule_memory import MemoryCounts
from apps.finance_sentiment.rule_program import Program
from apps.finance_sentiment.rules import Rule
from apps.finance_sentiment.schemas import Counts, SeriesKey
from tests.apps.finance_sentiment._rules import DAY, HOUR, KEY, MINUTE, MONDAY, OTHER, Stream, absolute


def test_three_stories_fire_and_the_clock_ends_it() -> None:
    stream = Stream(absolute())
    for minute in (0, 10, 20):
        stream.tell(MONDAY + minute * MINUTE)
    stream.tick(MONDAY + 40 * MINUTE)
    assert stream.seen == [("firing", MONDAY + 20 * MINUTE)]
    stream.tick(MONDAY + 62 * MINUTE)
    assert stream.seen[1:] == [("inactive", MONDAY + 62 * MINUTE)]


def test_hysteresis_one_alert_through_noise_about_the_limit() -> None:
    said = []
    for ratio in (0.5, 1.0):
        stream = Stream(absolute(10, clear_ratio=ratio))
        for minute in range(600):
            if minute % (5 if minute // 30 % 3 else 10) == 0:  # eight an hour, or ten, or twelve
                stream.tell(MONDAY + minute * MINUTE)
            stream.tick(MONDAY + minute * MINUTE)
        said.append(len(stream.seen))
    assert said[0] == 1 and said[1] > 5, "without hysteresis it flaps"


def test_it_stops_only_after_it_stayed_clear_for_a_while() -> None:
    stream = Stream(absolute(3, clear_seconds=1800, window_seconds=600))
    for minute in (0, 1, 2):
        stream.tell(MONDAY + minute * MINUTE)
    stream.tick(MONDAY + 20 * MINUTE)
    for minute in (30, 31, 32):
        stream.tell(MONDAY + minute * MINUTE)
    stream.tick(MONDAY + 60 * MINUTE)
    stream.tick(MONDAY + 80 * MINUTE)
    assert len(stream.seen) == 1, "the clear stretch began anew"
    stream.tick(MONDAY + 95 * MINUTE)
    assert stream.seen[-1] == ("inactive", MONDAY + 95 * MINUTE)


def test_a_breach_must_last_as_long_as_the_pending_period() -> None:
    stream = Stream(absolute(3, pending_seconds=900))
    for minute in (0, 1, 2, 12):
        stream.tell(MONDAY + minute * MINUTE)
    assert stream.seen == [("pending", MONDAY + 2 * MINUTE)]
    stream.tick(MONDAY + 17 * MINUTE)
    assert stream.seen[-1] == ("firing", MONDAY + 17 * MINUTE)


def test_a_breach_that_ends_while_pending_is_no_alert() -> None:
    stream = Stream(absolute(3, pending_seconds=900, window_seconds=300))
    for minute in (0, 1, 2):
        stream.tell(MONDAY + minute * MINUTE)
    stream.tick(MONDAY + 10 * MINUTE)
    stream.tick(MONDAY + 30 * MINUTE)
    assert [after for after, _ in stream.seen] == ["pending", "inactive"]


def test_within_the_cooldown_nothing_fires_again() -> None:
    stream = Stream(absolute(3, window_seconds=600, cooldown_seconds=2 * HOUR))
    for hour in (0, 1, 2, 3):
        for minute in (0, 1, 2):
            stream.tell(MONDAY + hour * HOUR + minute * MINUTE)
        stream.tick(MONDAY + hour * HOUR + 20 * MINUTE)
    assert stream.fired == [MONDAY + 2 * MINUTE, MONDAY + 3 * HOUR + 2 * MINUTE]


def test_too_little_evidence_is_never_a_breach() -> None:
    rule = absolute(2, minimum_evidence=4)
    stream = Stream(rule)
    for minute in range(3):
        stream.tell(MONDAY + minute * MINUTE)
    assert stream.seen == []
    stream.tell(MONDAY + 3 * MINUTE)
    assert stream.fired == [MONDAY + 3 * MINUTE]


def test_nothing_fires_while_it_warms_up() -> None:
    stream = Stream(absolute(3, warmup_seconds=DAY))
    for start in (0, 2 * DAY):
        for minute in range(3):
            stream.tell(MONDAY + start + minute * MINUTE)
        stream.tick(MONDAY + start + 3 * HOUR)
    assert stream.fired == [MONDAY + 2 * DAY + 2 * MINUTE]


def test_a_source_that_cries_wolf_is_no_surge_unless_it_is_half_of_all_there_is() -> None:
    wolf, alone = (Stream(absolute(8, most_of_one_source=0.5)) for _ in range(2))
    for i in range(200):  # others speak, too
        wolf.counts.add(SeriesKey("all"), MONDAY + i, OTHER, "wire")
        wolf.counts.add(SeriesKey("source", "wire"), MONDAY + i, OTHER, "wire")
    for minute in range(12):
        for stream in (wolf, alone):
            for key in (SeriesKey("all"), SeriesKey("source", "rumours")):
                stream.counts.add(key, MONDAY + minute * MINUTE, Counts(1, 1, 1), "rumours")
            stream.tell(MONDAY + minute * MINUTE, source="rumours")
    assert wolf.fired == [] and len(alone.fired) == 1
    for minute in range(12, 24):
        wolf.tell(MONDAY + minute * MINUTE, source=f"wire-{minute}")
    assert len(wolf.fired) == 1, "others say so, too"


def test_volume_and_negativity_together() -> None:
    parts = [
        {"kind": "absolute", "measure": "volume", "parameters": {"limit": 10}},
        {"kind": "absolute", "measure": "share_negative", "parameters": {"limit": 0.6}},
    ]
    many, bad, both = (Stream(absolute(kind="all", parameters={"parts": parts})) for _ in range(3))
    for minute in range(20):
        many.tell(MONDAY + minute * MINUTE, OTHER)
        both.tell(MONDAY + minute * MINUTE)
    for minute in range(4):
        bad.tell(MONDAY + minute * MINUTE)
    assert many.seen == bad.seen == []
    assert both.fired == [MONDAY + 9 * MINUTE] and "share" in both.changes[0].verdict.reason.lower()


def test_of_any_parts_one_is_enough_and_its_window_is_told() -> None:
    parts = [
        {"kind": "absolute", "window_seconds": 3600, "parameters": {"limit": 10}},
        {"kind": "absolute", "window_seconds": 6 * 3600, "parameters": {"limit": 5}},
    ]
    stream = Stream(absolute(kind="any", parameters={"parts": parts}))
    for hour in range(6):
        stream.tell(MONDAY + hour * HOUR)
    assert stream.fired == [MONDAY + 4 * HOUR] and stream.changes[0].window.seconds == 6 * HOUR


def test_two_odd_findings_together_are_one_that_is_not_chance() -> None:
    def parts(limit: float) -> dict[str, object]:
        count = {"kind": "count_tail", "parameters": {"p_value": 0.01}}
        share = {"kind": "share_shift", "measure": "share_negative", "parameters": {"p_value": 0.1}}
        return {"parts": [count, share], "p_value": limit}

    fired = []
    for limit in (1.0, 1e-12, 1e-30):
        stream = Stream(absolute(kind="all", parameters=parts(limit)))
        stream.tell(MONDAY, OTHER)
        for minute in range(5):
            stream.tell(MONDAY + 9 * DAY + minute * MINUTE)
        fired.append(len(stream.fired) and (stream.fired[0] - MONDAY - 9 * DAY) // MINUTE)
    assert fired == [1, 4, 0]


def test_a_clock_that_jumps_back_a_little_is_held() -> None:
    stream = Stream(absolute(3, pending_seconds=600))
    for minute in (0, 1, 2):
        stream.tell(MONDAY + minute * MINUTE)
    stream.tick(MONDAY)
    stream.tell(MONDAY + MINUTE)
    assert [after for after, _ in stream.seen] == ["pending"]
    stream.tick(MONDAY + 13 * MINUTE)
    assert stream.fired == [MONDAY + 13 * MINUTE]


def test_a_clock_that_jumps_back_far_is_followed_and_blocks_nothing() -> None:
    stream = Stream(absolute(3, cooldown_seconds=HOUR))
    for minute in (0, 1, 2):
        stream.tell(MONDAY + 10 * DAY + minute * MINUTE)
    stream.tick(MONDAY + 10 * DAY + 3 * HOUR)
    for hour in (2, 4):
        for minute in (0, 1, 2):
            stream.tell(MONDAY + hour * HOUR + minute * MINUTE)
    blocked = MONDAY + 2 * HOUR + 2 * MINUTE
    assert blocked not in stream.fired, "the cool-down is held to, counted from the new time"
    assert stream.fired == [MONDAY + 10 * DAY + 2 * MINUTE, MONDAY + 4 * HOUR + 2 * MINUTE]


def test_late_texts_count_in_their_own_time_and_raise_no_alarm_now() -> None:
    stream = Stream(absolute(3))
    stream.tell(MONDAY + 10 * DAY)
    for i in range(20):
        stream.tell(MONDAY + 3 * DAY + i * MINUTE, now=MONDAY + 10 * DAY + i)
    assert stream.seen == []


def test_a_source_that_dies_is_told_of_once_and_its_return_ends_it() -> None:
    rule = Rule("silent", "Silent", "source", "no_data", measure="volume", window_seconds=7200, clear_seconds=0)
    stream = Stream(rule, key=SeriesKey("source", "wire"))
    for i in range(10 * 24 * 4):
        stream.tell(MONDAY + i * 900, OTHER)
    end = MONDAY + 10 * DAY
    for i in range(100):
        stream.tick(end + i * 600)
    assert [after for after, _ in stream.seen] == ["firing"] and stream.fired[0] <= end + 6 * HOUR
    for i in range(30):  # what piled up comes at once
        stream.tell(end + 100 * 600 + i, OTHER)
    assert [after for after, _ in stream.seen] == ["firing", "inactive"]


def test_what_was_learned_goes_on_after_a_restart() -> None:
    rule = default_rules()[0]
    stream = Stream(rule)
    for day in range(20):
        stream.tell(MONDAY + day * DAY)
    program = stream.engine.programs[0]
    track = stream.engine.tracks[rule.id, KEY]
    body = json.loads(json.dumps(program.dump(track)))
    again = Engine([rule], stream.counts)
    again.restore(rule.id, KEY, program.load(body, MONDAY + 20 * DAY, MONDAY))
    assert program.dump(again.tracks[rule.id, KEY]) == program.dump(track)
    changed = Program.of(absolute(id=rule.id)).load(body, MONDAY + 20 * DAY, MONDAY)
    assert changed.condition == "inactive" and changed.learned == [MONDAY], "another detector starts afresh"


@pytest.mark.parametrize("seconds", [HOUR, DAY])
def test_counts_in_memory_add_up_under_late_texts(seconds: int) -> None:
    rng = np.random.default_rng(5)
    counts = MemoryCounts()
    times = [MONDAY + int(x) for x in rng.uniform(0, 3 * DAY, 300)]
    for at in times:
        counts.add(KEY, at, Counts(1, 1, at % 2), "a")
    assert counts.began() == min(times) and counts.latest == max(times)
    buckets = counts.filled(KEY, MONDAY, MONDAY + 3 * DAY, seconds)
    assert sum(b.counts.stories for b in buckets) == 300
    for b in buckets:
        assert b.counts.stories == sum(b.start <= at < b.end for at in times)
    assert sum(counts.by_source(KEY, MONDAY, MONDAY + 3 * DAY).values()) == sum(at % 2 for at in times)
