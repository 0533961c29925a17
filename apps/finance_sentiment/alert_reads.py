"""Reading alerts: lists by state, severity, rule, series, owner and time, one alert whole, what happened since.

Knows the tables and plain values. `AlertStore` in alerts.py is what others use.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from apps.finance_sentiment.alert_life import OPEN, RANKS, STATES, Alert, State
from apps.finance_sentiment.alert_rows import to_alert
from apps.finance_sentiment.store_alerts import FIRST, LATEST, one
from apps.finance_sentiment.tables_alerts import alert_events, alert_evidence, alerts
from core.errors import InputError
from core.store import retrying, transaction

Order = Literal["newest", "severity"]
EVENTS = 500
"""Entries of a trail that are shown, the latest."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which alerts; empty and None filter nothing."""

    states: tuple[State, ...] = ()
    """Empty means all but inactive."""
    silenced: bool | None = None
    severities: tuple[str, ...] = ()
    rule: str | None = None
    dimension: str | None = None
    value: str | None = None
    owner: str | None = None
    """Empty asks for those that nobody has."""
    since: int | None = None
    """First second of `started_at`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the audit trail, as stored."""

    id: int
    alert_id: int
    at: int
    actor: str
    action: str
    from_state: str
    to_state: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Whole:
    """An alert with everything that belongs to it."""

    alert: Alert
    evidence: Mapping[str, Any] | None
    latest_evidence: Mapping[str, Any] | None
    trail: tuple[Entry, ...]
    """Oldest first."""


class AlertReads:
    """The part of `AlertStore` that reads alerts."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def list_alerts(
        self, chosen: Filter, *, order: Order = "newest", limit: int = 50, after: str = ""
    ) -> tuple[list[Alert], str | None]:
        """A page of alerts, the newest or the gravest first, and the cursor of the next one.

        Every state (and severity) is asked for by itself and the answers are merged, so that each question is a walk
        along one index, however many alerts there are.

        :param after: the cursor of the page before.
        :raises InputError: if the cursor is none of these.
        """
        states = chosen.states or tuple(s for s in STATES if s != "inactive")
        wanted = chosen.severities or (tuple(RANKS) if order == "severity" else ())
        ranks: Sequence[int | None] = sorted({RANKS[s] for s in wanted}) or [None]
        cursor = _read_cursor(after, order) if after else None
        found: list[Alert] = []
        with transaction(self.engine) as connection:
            for state in states:
                for rank in ranks:
                    query = _query(chosen, state, rank, order, cursor)
                    if query is not None:
                        found += [to_alert(r) for r in connection.execute(query.limit(limit + 1))]
        found.sort(key=lambda a: _place(a, order), reverse=True)
        page = found[:limit]
        return page, _cursor(page[-1], order) if len(found) > limit else None

    def count_alerts(self) -> tuple[dict[str, int], dict[str, int], int]:
        """How many there are by state; of the open ones how many by severity; how many of those are silenced."""
        by_state = sa.select(alerts.c.state, sa.func.count()).group_by(alerts.c.state)
        mute = alerts.c.silence_id.is_not(None) | alerts.c.inhibited_by.is_not(None)
        opened = sa.select(alerts.c.severity, sa.func.count(), sa.func.sum(sa.case((mute, 1), else_=0))).where(
            alerts.c.state.in_(OPEN)
        )
        with transaction(self.engine) as connection:
            counts = {row[0]: int(row[1]) for row in connection.execute(by_state)}
            grave = connection.execute(opened.group_by(alerts.c.severity)).all()
        severities = dict.fromkeys(RANKS, 0) | {row[0]: int(row[1]) for row in grave}
        return {s: counts.get(s, 0) for s in STATES if s != "inactive"}, severities, sum(int(r[2] or 0) for r in grave)

    def alert(self, id: int) -> Alert:
        """One alert.

        :raises NotFound: if there is none.
        """
        with transaction(self.engine) as connection:
            return one(connection, id)

    def whole_alert(self, id: int) -> Whole:
        """One alert with its evidence and trail.

        :raises NotFound: if there is none.
        """
        with transaction(self.engine) as connection:
            alert = one(connection, id)
            kept = sa.select(alert_evidence.c.ordinal, alert_evidence.c.body).where(alert_evidence.c.alert_id == id)
            bodies: dict[int, Any] = {row[0]: row[1] for row in connection.execute(kept)}
            last = sa.select(alert_events).where(alert_events.c.alert_id == id)
            rows = connection.execute(last.order_by(alert_events.c.id.desc()).limit(EVENTS)).all()
        return Whole(alert, bodies.get(FIRST), bodies.get(LATEST), tuple(_entry(r) for r in reversed(rows)))

    def last_event(self) -> int:
        """Id of the latest entry of any trail; 0 before the first."""
        with transaction(self.engine) as connection:
            return int(connection.execute(sa.select(sa.func.max(alert_events.c.id))).scalar_one() or 0)

    def events_after(self, id: int, *, limit: int = 200) -> list[tuple[Entry, Alert]]:
        """What happened since an entry, oldest first, with the alerts as they are now."""
        query = sa.select(alert_events).where(alert_events.c.id > id).order_by(alert_events.c.id).limit(limit)
        with transaction(self.engine) as connection:
            entries = [_entry(row) for row in connection.execute(query)]
            wanted = sa.select(alerts).where(alerts.c.id.in_({e.alert_id for e in entries}))
            known = {row.id: to_alert(row) for row in connection.execute(wanted)} if entries else {}
        return [(e, known[e.alert_id]) for e in entries if e.alert_id in known]

    def put_summary(self, id: int, *, english: str | None = None, chinese: str | None = None) -> None:
        """Replace an alert's summary, as when the generator wrote a better one. No new version comes of it."""
        texts = {"summary_en": english, "summary_zh": chinese}
        values = {name: text for name, text in texts.items() if text is not None}
        if values:
            retrying(self.engine, lambda c: c.execute(alerts.update().where(alerts.c.id == id).values(values)))


def _query(
    chosen: Filter, state: State, rank: int | None, order: Order, cursor: Sequence[int] | None
) -> sa.Select[Any] | None:
    """One walk along an index; None where everything of it came on earlier pages."""
    query = sa.select(alerts).where(alerts.c.state == state)
    if rank is not None:
        query = query.where(alerts.c.severity_rank == rank)
    for column, value in (
        (alerts.c.rule_id, chosen.rule),
        (alerts.c.dimension, chosen.dimension),
        (alerts.c.value, chosen.value),
        (alerts.c.owner, chosen.owner),
    ):
        if value is not None:
            query = query.where(column == value)
    if chosen.since is not None:
        query = query.where(alerts.c.started_at >= chosen.since)
    if chosen.silenced is not None:
        mute = alerts.c.silence_id.is_not(None) | alerts.c.inhibited_by.is_not(None)
        query = query.where(mute if chosen.silenced else ~mute)
    if cursor is not None:
        cursor_rank, started_at, id = cursor
        if order == "severity" and rank is not None and rank > cursor_rank:
            return None
        if order == "newest" or rank == cursor_rank:
            query = query.where(sa.tuple_(alerts.c.started_at, alerts.c.id) < (started_at, id))
    return query.order_by(alerts.c.started_at.desc(), alerts.c.id.desc())


def _place(alert: Alert, order: Order) -> tuple[int, int, int]:
    rank = RANKS.get(alert.rule.severity, 1) if order == "severity" else 0
    return rank, alert.started_at, alert.id


def _cursor(alert: Alert, order: Order) -> str:
    text = json.dumps([order, *_place(alert, order)])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(text: str, order: Order) -> list[int]:
    try:
        place: list[int]
        given, *place = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if given == order and len(place) == 3 and all(isinstance(n, int) and abs(n) < 2**62 for n in place):
            return place
    except (ValueError, TypeError):
        pass
    raise InputError(
        f"{text[:80]!r} is no cursor of a list in this order. Take `next` of the page before, or leave it out."
    )


def _entry(row: Any) -> Entry:
    return Entry(
        int(row.id), int(row.alert_id), int(row.at), row.actor, row.action, row.from_state, row.to_state, row.detail
    )
