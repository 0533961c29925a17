"""The life of one alert, without a database."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.finance_sentiment.alert_life import OPEN, STATES, Alert, AlertCondition, act, step
from apps.finance_sentiment.alert_routing import Matcher, Silence, due, inhibits, next_check, silence_of
from apps.finance_sentiment.schemas import SeriesKey
from tests.apps.finance_sentiment._alerts import NOW, SURGE, change

REOPEN = 1800


def live(*conditions: AlertCondition, every: int = 60) -> Alert:
    """The alert after a rule said these, one a minute."""
    alert: Alert | None = None
    for i, condition in enumerate(conditions):
        taken = step(alert, change(condition), NOW + i * every, REOPEN)
        alert = taken.alert if taken else alert
    assert alert is not None
    return alert


@pytest.mark.parametrize(
    ("conditions", "state"),
    [
        (["pending"], "pending"),
        (["pending", "inactive"], "inactive"),
        (["pending", "firing"], "firing"),
        (["firing", "pending"], "firing"),
        (["firing", "no_data"], "firing"),
        (["firing", "inactive"], "resolved"),
        (["firing", "inactive", "pending"], "resolved"),
        (["firing", "inactive", "pending", "firing"], "firing"),
        (["no_data"], "no_data"),
        (["no_data", "firing"], "firing"),
        (["no_data", "inactive"], "resolved"),
        (["pending", "inactive", "firing"], "firing"),
    ],
)
def test_what_a_rule_says_moves_the_alert(conditions: list[AlertCondition], state: str) -> None:
    assert live(*conditions).state == state


def test_a_rule_that_says_nothing_new_makes_no_alert_and_no_entry() -> None:
    assert step(None, change("inactive"), NOW, REOPEN) is None
    again = step(live("firing"), change("firing"), NOW + 60, REOPEN)
    assert again is not None and again.events == () and again.alert.version == 1


def test_an_incident_stays_one_alert_through_noise() -> None:
    alert = replace(live("firing"), id=7)
    for i in range(1, 20):
        taken = step(alert, change("inactive" if i % 2 else "firing"), NOW + i * 300, REOPEN)
        assert taken is not None
        alert = taken.alert
    assert alert.id == 7 and alert.reopened == 9 and alert.fired_at == NOW


def test_after_the_reopen_window_it_is_another_alert() -> None:
    over = replace(live("firing", "inactive"), id=7)
    ended = over.resolved_at or 0
    inside, outside = (step(over, change(), ended + wait, REOPEN) for wait in (REOPEN, REOPEN + 1))
    assert inside and inside.alert.id == 7 and inside.opens and [e.action for e in inside.events] == ["reopened"]
    assert outside and outside.alert.id == 0 and outside.alert.reopened == 0


def test_the_rules_cooldown_lengthens_the_window() -> None:
    rule = replace(SURGE, cooldown_seconds=3600)
    over = replace(live("firing", "inactive"), id=7, rule=rule)
    taken = step(over, change(rule=rule), (over.resolved_at or 0) + 3600 + REOPEN, REOPEN)
    assert taken is not None and taken.alert.id == 7


def test_who_acknowledged_has_acknowledged_the_whole_incident() -> None:
    alert = act(live("firing"), "acknowledged", "Li Na", NOW + 5, {}).alert
    for i, condition in enumerate(("inactive", "firing"), 1):
        taken = step(alert, change("inactive" if condition == "inactive" else "firing"), NOW + 60 * i, REOPEN)
        assert taken is not None
        alert = taken.alert
    assert alert.state == "acknowledged" and alert.acknowledged_by == "Li Na" and alert.reopened == 1


def test_what_a_person_resolved_stays_so_until_the_rule_cleared_once() -> None:
    alert = act(replace(live("firing"), id=7), "resolved", "Li Na", NOW + 5, {}).alert
    still = step(alert, change("firing"), NOW + 9 * REOPEN, REOPEN)
    assert still is not None and still.alert.state == "resolved" and still.alert.id == 7
    cleared = step(still.alert, change("inactive"), NOW + 9 * REOPEN + 60, REOPEN)
    assert cleared is not None and cleared.alert.state == "resolved"
    again = step(cleared.alert, change("firing"), NOW + 9 * REOPEN + 120, REOPEN)
    assert again is not None and again.alert.id == 0 and again.alert.state == "firing"


def test_times_never_go_back_when_the_clock_does() -> None:
    alert = live("firing")
    taken = step(alert, change("inactive"), NOW - 7200, REOPEN)
    assert taken is not None and taken.alert.resolved_at == NOW and taken.alert.updated_at == NOW


@given(
    st.lists(
        st.tuples(st.sampled_from(["inactive", "pending", "firing", "no_data"]), st.integers(-600, 4000)), max_size=30
    )
)
def test_whatever_rules_say_an_alert_is_in_one_state_and_its_version_only_rises(
    said: list[tuple[AlertCondition, int]],
) -> None:
    alert: Alert | None = None
    now = NOW
    for condition, wait in said:
        now += wait
        taken = step(alert, change(condition), now, REOPEN)
        if taken is None:
            continue
        after = taken.alert
        assert after.state in STATES and after.condition == condition
        assert (after.resolved_at is None) == (after.state != "resolved")
        if after.state in ("firing", "acknowledged", "no_data", "resolved"):
            assert after.fired_at is not None
        if alert is not None and after.id == 1:
            assert after.version >= alert.version and after.updated_at >= alert.updated_at
        alert = replace(after, id=1)


def test_a_firing_alert_is_told_once_then_repeated_and_escalated_until_somebody_looks() -> None:
    rule = replace(SURGE, repeat_seconds=600, escalate_seconds=900)
    alert = replace(live("firing"), rule=rule)
    assert due(alert, NOW) == "firing"
    told = replace(alert, notified_at=NOW, notified_state="firing", notified_rank=1)
    assert due(told, NOW + 599) is None and next_check(told, NOW, ()) == NOW + 600
    assert due(told, NOW + 600) == "repeat"
    again = replace(told, notified_at=NOW + 600)
    assert due(again, NOW + 900) == "escalation" and next_check(again, NOW + 600, ()) == NOW + 900
    assert due(act(again, "acknowledged", "Wei", NOW + 700, {}).alert, NOW + 9000) is None


def test_a_flapping_alert_speaks_once_per_cooldown() -> None:
    rule = replace(SURGE, cooldown_seconds=600)
    alert = replace(live("firing", "inactive", "firing"), rule=rule, notified_at=NOW + 60, notified_state="resolved")
    assert due(alert, NOW + 120) is None and next_check(alert, NOW + 120, ()) == NOW + 660
    assert due(alert, NOW + 660) == "firing"


def test_a_graver_severity_is_told_at_once_and_leaves_an_entry() -> None:
    rule = replace(SURGE, cooldown_seconds=6000)
    told = replace(live("firing"), rule=rule, notified_at=NOW, notified_state="firing", notified_rank=1)
    taken = step(told, change(rule=replace(rule, severity="critical")), NOW + 10, REOPEN)
    assert taken is not None and [e.action for e in taken.events] == ["severity"]
    assert due(taken.alert, NOW + 10) == "firing"


def test_an_alert_of_all_texts_inhibits_those_of_companies_and_one_on_a_series_only_that_series() -> None:
    overall = replace(SURGE, id="overall", inhibits=("negative-*",))
    wide = replace(live("firing"), id=1, rule=overall, key=SeriesKey("all"))
    apple = replace(live("firing"), id=2)
    other = replace(apple, id=3, key=SeriesKey("entity", "HK:0700"))
    assert inhibits(wide, apple) and inhibits(wide, other) and not inhibits(apple, wide)
    narrow = replace(wide, key=apple.key)
    assert inhibits(narrow, apple) and not inhibits(narrow, other)
    assert not inhibits(replace(wide, state="resolved"), apple)


def test_a_silence_fits_by_all_its_matchers_and_only_in_its_time() -> None:
    alert = replace(live("firing"), id=1)
    fits = Silence(1, (Matcher("rule", "negative-*"), Matcher("value", "US:AAPL")), NOW, NOW + 60, "known", "Li", NOW)
    other = replace(fits, id=2, matchers=(Matcher("rule", "negative-*"), Matcher("value", "US:MSFT")))
    brackets = replace(fits, id=3, matchers=(Matcher("value", "US:[AB]APL"),))
    assert silence_of(alert, [other, brackets, fits], NOW) is fits
    assert silence_of(alert, [fits], NOW - 1) is None and silence_of(alert, [fits], NOW + 60) is None


def test_open_states_are_those_that_are_neither_over_nor_never_began() -> None:
    assert set(STATES) - set(OPEN) == {"inactive", "resolved"}
