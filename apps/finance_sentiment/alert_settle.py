"""After alerts changed: whom silences and other alerts hold back, who must be told, when to look again.

Writes marks, trail and outbox in the caller's transaction. Knows the store's functions and the pure routing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from apps.finance_sentiment import outbox
from apps.finance_sentiment.alert_life import LOUD, RANKS, SYSTEM, Alert, Event
from apps.finance_sentiment.alert_routing import (
    Kind,
    Silence,
    due,
    inhibitor_of,
    inhibits,
    next_check,
    receivers,
    silence_of,
)
from apps.finance_sentiment.evidence import measured_json, stamp
from apps.finance_sentiment.outbox import Grouping
from apps.finance_sentiment.store_alerts import all_channels, inhibitors, loud, save, silences_ahead, trail


@dataclass(frozen=True, slots=True)
class Policy:
    """What the desk sets for all rules."""

    reopen_seconds: int = 1800
    """After a rule's cool-down, how long what comes again belongs to the same incident."""
    grouping: Grouping = field(default_factory=Grouping)


def settle(
    connection: sa.Connection, touched: Iterable[Alert], now: int, policy: Policy, *, named: Mapping[str, str] = {}
) -> list[Alert]:
    """Bring marks, notifications and next looks of these alerts up to date; the alerts as they are now.

    :param touched: stored alerts, as they are in SQL; the caller holds the lock.
    :param named: names for people of values.
    """
    queue = {alert.id: alert for alert in touched}
    if not queue:
        return []
    ahead = silences_ahead(connection, now)
    channels = all_channels(connection)
    sources = inhibitors(connection)
    _add_inhibited(connection, queue)
    told: dict[tuple[str, str, bool], list[tuple[Kind, dict[str, Any]]]] = {}
    settled: list[Alert] = []
    for before in sorted(queue.values(), key=lambda a: a.id):
        moment = max(now, before.updated_at)
        alert, events = _marked(before, ahead, sources, now)
        kind = due(alert, moment)
        if kind is not None:
            chosen = receivers(alert, kind, channels)
            for channel in chosen:
                item = item_of(alert, kind, named.get(alert.key.value, ""), moment)
                told.setdefault((channel.name, alert.group_key, bool(alert.rule.group_by)), []).append((kind, item))
            alert = _noted(alert, kind, moment)
            action = "escalated" if kind == "escalation" else "notified"
            names = [c.name for c in chosen]
            events.append(Event(action, SYSTEM, alert.state, alert.state, {"kind": kind, "channels": names}))
        if not alert.open:
            alert = replace(alert, silence_id=None)
        alert = replace(alert, check_at=next_check(alert, moment, ahead))
        if alert != before:
            save(connection, alert)
        trail(connection, alert.id, events, moment)
        settled.append(alert)
    for (channel_name, group_key, grouped), items in told.items():
        most = max((kind for kind, _ in items), key=outbox.URGENCY.index)
        waits = policy.grouping if grouped else None
        outbox.enqueue(connection, channel_name, group_key, most, [item for _, item in items], now, waits)
    return settled


def item_of(alert: Alert, kind: Kind, name: str, now: int) -> dict[str, Any]:
    """What a notification tells of one alert."""
    return {
        "alert_id": alert.id,
        "kind": kind,
        "state": alert.state,
        "rule": {"id": alert.rule.id, "name": alert.rule.name},
        "severity": alert.rule.severity,
        "dimension": alert.key.dimension,
        "value": alert.key.value,
        "name": name,
        "owner": alert.owner,
        "reopened": alert.reopened,
        "fired_at": None if alert.fired_at is None else stamp(alert.fired_at),
        "at": stamp(now),
        "window": {"start": stamp(alert.window_start), "end": stamp(alert.window_end)},
        "measured": measured_json(alert.verdict),
        "summary": {"en": alert.summary_en, "zh": alert.summary_zh},
    }


def _add_inhibited(connection: sa.Connection, queue: dict[int, Alert]) -> None:
    """What an alert of higher level holds back, or held back, is looked at with it."""
    above = [a for a in queue.values() if a.rule.inhibits]
    if not above:
        return
    ids = {a.id for a in above}
    for alert in loud(connection):
        if alert.id not in queue and (alert.inhibited_by in ids or any(inhibits(a, alert) for a in above)):
            queue[alert.id] = alert


def _marked(before: Alert, ahead: Sequence[Silence], sources: Sequence[Alert], now: int) -> tuple[Alert, list[Event]]:
    watched = before.state in LOUD or (before.state == "resolved" and before.notified_state in ("firing", "no_data"))
    silence = silence_of(before, ahead, now) if watched or before.state == "pending" else None
    source = inhibitor_of(before, sources) if before.state in LOUD else None
    alert = replace(before, silence_id=silence.id if silence else None, inhibited_by=source.id if source else None)
    events: list[Event] = []

    def note(action: str, detail: Mapping[str, Any]) -> None:
        events.append(Event(action, SYSTEM, before.state, before.state, detail))

    if alert.silence_id != before.silence_id:
        if silence and before.open:
            note("silenced", {"silence_id": silence.id, "reason": silence.reason, "author": silence.author})
        elif not silence:
            note("unsilenced", {"silence_id": before.silence_id})
    if alert.inhibited_by != before.inhibited_by:
        if source:
            note("inhibited", {"alert_id": source.id})
        elif before.state in LOUD:
            note("uninhibited", {"alert_id": before.inhibited_by})
    return alert, events


def _noted(alert: Alert, kind: Kind, now: int) -> Alert:
    """The alert once people are told."""
    state = alert.notified_state
    if kind in ("firing", "no_data", "resolved"):
        state = kind
    return replace(
        alert,
        notified_at=now,
        notified_state=state,
        notified_rank=RANKS.get(alert.rule.severity, 1),
        escalated_at=now if kind == "escalation" else alert.escalated_at,
    )
