"""The life of an alert: what a rule's word and a person's act make of it. Pure: no clock, no SQL.

    inactive -> pending -> firing -> acknowledged -> resolved
        ^          |          ^                          |
        +----------+          +---- within the window ---+

`no_data` stands beside firing, for rules that watch whether texts come at all. Who gets no notifications (silenced,
inhibited) is not a state but a mark beside it. One incident is one alert: a rule that fires again within the reopen
window after it cleared reopens the same alert and counts it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from apps.finance_sentiment.schemas import SeriesKey, Verdict
from core.store.columns import storable

State = Literal["inactive", "pending", "firing", "acknowledged", "no_data", "resolved"]
AlertCondition = Literal["inactive", "pending", "firing", "no_data"]
STATES: tuple[State, ...] = get_args(State)
OPEN: tuple[State, ...] = ("pending", "firing", "acknowledged", "no_data")
LOUD: tuple[State, ...] = ("firing", "acknowledged", "no_data")
"""States that somebody may have to be told of."""
RANKS = {"info": 0, "warning": 1, "critical": 2}
RULE, SYSTEM = "rule", "system"
"""Who did it, where it was no person."""


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """What an alert must know of its rule, frozen into it, so that it outlives the rule."""

    id: str
    name: str
    severity: str = "warning"
    """info, warning or critical."""
    group_by: tuple[str, ...] = ()
    """Alerts that agree in these of rule, severity, dimension, value share a notification; empty: each has its own."""
    cooldown_seconds: int = 0
    """Least time between two notifications of one alert that say that it fires, or has no data."""
    channels: tuple[str, ...] = ()
    """Names of channels; empty means every default channel."""
    repeat_seconds: int = 0
    """A firing alert that nobody acknowledged is told again so often; 0 is never."""
    escalate_seconds: int = 0
    """After so long without acknowledgement the channels of escalation are told; 0 is never."""
    inhibits: tuple[str, ...] = ()
    """Rules (ids, `*` and `?` allowed) whose alerts get no notifications while this one fires: those on the same
    series, or on all series where this one is about all texts."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a rule says of a series now. Saying the same again is allowed, and brings new values."""

    rule: RuleFacts
    key: SeriesKey
    condition: AlertCondition
    verdict: Verdict
    at: int
    """When it was judged, seconds since 1970."""
    window_start: int
    window_end: int
    evidence: Mapping[str, Any] | None = None
    """From `evidence.collect`; kept where the alert fires or reopens."""


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the audit trail."""

    action: str
    actor: str
    from_state: str
    to_state: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it stands. Times are seconds since 1970."""

    id: int
    """0 before it is stored."""
    version: int
    """Rises with every transition and act; an act names the version it saw."""
    rule: RuleFacts
    key: SeriesKey
    state: State
    condition: AlertCondition
    verdict: Verdict
    window_start: int
    window_end: int
    started_at: int
    updated_at: int
    state_at: int
    """When it entered its state."""
    fired_at: int | None = None
    owner: str = ""
    acknowledged_at: int | None = None
    acknowledged_by: str = ""
    resolved_at: int | None = None
    resolved_by: str = ""
    """Empty where the rule resolved it."""
    held: bool = False
    """Resolved by a person while the rule still fired: it stays so until the rule has cleared once."""
    reopened: int = 0
    silence_id: int | None = None
    inhibited_by: int | None = None
    check_at: int | None = None
    notified_at: int | None = None
    notified_state: str = ""
    """What people were told last: empty, firing, no_data or resolved."""
    notified_rank: int = 0
    """Severity when they were told."""
    escalated_at: int | None = None
    summary_en: str = ""
    summary_zh: str = ""

    @property
    def fingerprint(self) -> str:
        """Names rule and series."""
        return fingerprint(self.rule.id, self.key)

    @property
    def open(self) -> bool:
        """Whether it is neither over nor never began."""
        return self.state in OPEN

    @property
    def silenced(self) -> bool:
        """Whether notifications are held back."""
        return self.silence_id is not None or self.inhibited_by is not None

    @property
    def group_key(self) -> str:
        """Alerts with the same one share notifications."""
        labels = {
            "rule": self.rule.id,
            "severity": self.rule.severity,
            "dimension": self.key.dimension,
            "value": self.key.value,
        }
        if not self.rule.group_by:
            return f"alert={self.fingerprint}"
        return "|".join(f"{name}={labels.get(name, '')}" for name in self.rule.group_by)


def fingerprint(rule_id: str, key: SeriesKey) -> str:
    """32 hexadecimal digits that name a rule on a series."""
    return hashlib.sha256("\x1f".join((rule_id, key.dimension, storable(key.value))).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Step:
    """What a change made of an alert."""

    alert: Alert
    events: tuple[Event, ...] = ()
    opens: bool = False
    """Whether it fired or reopened by this, and keeps the evidence."""


def step(alert: Alert | None, change: Change, now: int, reopen_seconds: int) -> Step | None:
    """What a rule's word makes of the latest alert of its fingerprint. None where there is nothing to keep.

    :param alert: None where there never was one.
    :param now: seconds since 1970; a clock that jumped back counts as standing still.
    :param reopen_seconds: after the rule's cool-down, how long a resolved alert may reopen.
    """
    if alert is not None:
        now = max(now, alert.updated_at)
    if alert is None or (alert.state == "resolved" and not _continues(alert, now, reopen_seconds)):
        return None if change.condition == "inactive" else _born(change, now)
    seen = replace(
        alert,
        rule=change.rule,
        condition=change.condition,
        verdict=change.verdict,
        window_start=change.window_start,
        window_end=change.window_end,
        updated_at=now,
    )
    if change.condition == "inactive":
        seen = replace(seen, held=False)
    to = _next(alert, change.condition)
    events: list[Event] = []
    if RANKS.get(change.rule.severity, 1) != RANKS.get(alert.rule.severity, 1):
        detail = {"before": alert.rule.severity, "after": change.rule.severity}
        events.append(Event("severity", RULE, alert.state, alert.state, detail))
        seen = replace(seen, version=seen.version + 1)
    if to == alert.state:
        return Step(seen, tuple(events))
    reopens = alert.state == "resolved"
    if reopens and not alert.resolved_by and alert.acknowledged_by and to == "firing":
        to = "acknowledged"
    moved = _enter(seen, to, now)
    if reopens:
        moved = replace(moved, reopened=alert.reopened + 1, resolved_at=None, resolved_by="")
    action = "reopened" if reopens else to
    events.append(Event(action, RULE, alert.state, to, {"value": change.verdict.value, "limit": change.verdict.limit}))
    return Step(moved, tuple(events), reopens or (to in ("firing", "no_data") and alert.fired_at is None))


def act(alert: Alert, to: State, actor: str, now: int, detail: Mapping[str, Any]) -> Step:
    """What a person's acknowledgement or resolution makes of it; the caller has looked whether it is allowed."""
    now = max(now, alert.updated_at)
    moved = _enter(alert, to, now)
    if to == "acknowledged":
        moved = replace(moved, acknowledged_at=now, acknowledged_by=actor)
    if to == "resolved":
        moved = replace(moved, resolved_by=actor, held=alert.condition != "inactive")
    return Step(moved, (Event(to, actor, alert.state, to, detail),))


def _continues(alert: Alert, now: int, reopen_seconds: int) -> bool:
    """Whether what comes now is the same incident as the resolved alert."""
    return alert.held or now - (alert.resolved_at or 0) <= alert.rule.cooldown_seconds + reopen_seconds


def _next(alert: Alert, condition: AlertCondition) -> State:
    """Where a condition leads; what is not named here stays: a dip, or a source that falls silent, undoes no alert."""
    match alert.state, condition:
        case (("inactive" | "pending"), _):
            return condition
        case (("firing" | "acknowledged" | "no_data"), "inactive"):
            return "resolved"
        case "no_data", "firing":
            return "firing"
        case "resolved", ("firing" | "no_data") if not alert.held:
            return condition
    return alert.state


def _born(change: Change, now: int) -> Step:
    fires = change.condition != "pending"
    alert = Alert(
        id=0,
        version=1,
        rule=change.rule,
        key=change.key,
        state=change.condition,
        condition=change.condition,
        verdict=change.verdict,
        window_start=change.window_start,
        window_end=change.window_end,
        started_at=now,
        updated_at=now,
        state_at=now,
        fired_at=now if fires else None,
    )
    detail = {"value": change.verdict.value, "limit": change.verdict.limit}
    return Step(alert, (Event(change.condition, RULE, "inactive", change.condition, detail),), fires)


def _enter(alert: Alert, to: State, now: int) -> Alert:
    moved = replace(alert, state=to, state_at=now, updated_at=now, version=alert.version + 1)
    if to in ("firing", "no_data"):
        moved = replace(moved, fired_at=moved.fired_at or now, escalated_at=None)
        if alert.state == "resolved":
            moved = replace(moved, acknowledged_at=None, acknowledged_by="")
    if alert.state == "inactive":
        moved = replace(moved, started_at=now)
    if to == "resolved":
        moved = replace(moved, resolved_at=now, resolved_by="")
    return moved
