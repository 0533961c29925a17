"""Alerts in SQL, for those who hold a transaction: lock, load, save, trail.

Knows the tables and plain values; knows neither what makes an alert fire nor who is told. `AlertStore` in alerts.py is
what others use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from apps.finance_sentiment.alert_life import LOUD, Alert, Event
from apps.finance_sentiment.alert_routing import Silence
from apps.finance_sentiment.alert_rows import alert_row, plain, to_alert, to_channel, to_silence
from apps.finance_sentiment.notify.channel import Channel
from apps.finance_sentiment.tables_alerts import alert_events, alert_evidence, alert_state, alerts, channels, silences
from core.errors import NotFound

PART = 500
FIRST, LATEST = 0, 1
"""Ordinals of evidence."""


def lock(connection: sa.Connection) -> None:
    """Wait until nobody else changes alerts; hold it to the end of the transaction."""
    connection.execute(alert_state.update().values(revision=alert_state.c.revision + 1))


def latest(connection: sa.Connection, fingerprints: Iterable[str]) -> dict[str, Alert]:
    """The youngest alert of every fingerprint that has one."""
    wanted = list(dict.fromkeys(fingerprints))
    found: dict[str, Alert] = {}
    for part in (wanted[i : i + PART] for i in range(0, len(wanted), PART)):
        last = sa.select(sa.func.max(alerts.c.id)).where(alerts.c.fingerprint.in_(part)).group_by(alerts.c.fingerprint)
        for row in connection.execute(sa.select(alerts).where(alerts.c.id.in_(last))):
            alert = to_alert(row)
            found[alert.fingerprint] = alert
    return found


def load(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> list[Alert]:
    """Alerts, by their ids in order."""
    return [to_alert(r) for r in connection.execute(sa.select(alerts).where(*conditions).order_by(alerts.c.id))]


def one(connection: sa.Connection, id: int) -> Alert:
    """An alert.

    :raises NotFound: if there is none.
    """
    row = connection.execute(sa.select(alerts).where(alerts.c.id == id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no alert {id}.")
    return to_alert(row)


def save(connection: sa.Connection, alert: Alert) -> Alert:
    """Insert a new alert, or update a stored one; the alert with its id."""
    row = alert_row(alert)
    if alert.id:
        connection.execute(alerts.update().where(alerts.c.id == alert.id).values(row))
        return alert
    id = connection.execute(alerts.insert().values(row).returning(alerts.c.id)).scalar_one()
    return replace(alert, id=int(id))


def trail(connection: sa.Connection, alert_id: int, events: Sequence[Event], now: int) -> None:
    """Add to the audit trail."""
    if events:
        rows = [
            {
                "alert_id": alert_id,
                "at": now,
                "actor": e.actor,
                "action": e.action,
                "from_state": e.from_state,
                "to_state": e.to_state,
                "detail": plain(e.detail),
            }
            for e in events
        ]
        connection.execute(alert_events.insert(), rows)


def keep_evidence(connection: sa.Connection, alert_id: int, body: Mapping[str, Any]) -> None:
    """Freeze evidence: the first stays for ever, later ones replace each other."""
    there = sa.select(alert_evidence.c.ordinal).where(alert_evidence.c.alert_id == alert_id)
    ordinal = LATEST if connection.execute(there.limit(1)).first() else FIRST
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(alert_evidence)
    row = {"alert_id": alert_id, "ordinal": ordinal, "body": plain(body)}
    statement = insert.values(row).on_conflict_do_update(
        index_elements=[alert_evidence.c.alert_id, alert_evidence.c.ordinal], set_={"body": insert.excluded.body}
    )
    connection.execute(statement)


def inhibitors(connection: sa.Connection) -> list[Alert]:
    """Alerts that fire now and hold others back."""
    return load(connection, alerts.c.state.in_(("firing", "acknowledged")), alerts.c.inhibits)


def loud(connection: sa.Connection) -> list[Alert]:
    """Alerts somebody may have to be told of."""
    return load(connection, alerts.c.state.in_(LOUD))


def silences_ahead(connection: sa.Connection, now: int) -> list[Silence]:
    """Silences that are not over."""
    query = sa.select(silences).where(silences.c.ends_at > now).order_by(silences.c.id)
    return [to_silence(row) for row in connection.execute(query)]


def all_channels(connection: sa.Connection) -> dict[str, Channel]:
    """Every channel by its name."""
    return {row.name: to_channel(row) for row in connection.execute(sa.select(channels).order_by(channels.c.name))}
