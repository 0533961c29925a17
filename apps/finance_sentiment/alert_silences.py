"""Silences in SQL: who wanted which alerts quiet, from when to when, and why. They end by themselves.

Knows the tables and plain values. `AlertStore` in alerts.py is what others use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from apps.finance_sentiment.alert_acts import checked_name, checked_text
from apps.finance_sentiment.alert_life import OPEN, Alert
from apps.finance_sentiment.alert_routing import FIELDS, Matcher, Silence
from apps.finance_sentiment.alert_rows import silence_row, to_silence
from apps.finance_sentiment.alert_settle import Policy, settle
from apps.finance_sentiment.store_alerts import load, lock, one
from apps.finance_sentiment.tables_alerts import alerts, silences
from core.errors import Conflict, InputError, NotFound
from core.store import retrying, transaction

LONGEST = 366 * 86_400
MOST_MATCHERS = 20


class SilenceStore:
    """The part of `AlertStore` that keeps silences."""

    def __init__(self, engine: sa.Engine, policy: Policy | None = None) -> None:
        self.engine = engine
        self.policy = policy or Policy()

    def silences(self, now: int, *, state: str | None = None, limit: int = 100) -> list[Silence]:
        """Silences in a state (scheduled, active, expired), or all; the newest first."""
        query = sa.select(silences).order_by(silences.c.id.desc()).limit(limit)
        if state == "expired":
            query = query.where(silences.c.ends_at <= now)
        elif state == "scheduled":
            query = query.where(silences.c.ends_at > now, silences.c.starts_at > now)
        elif state == "active":
            query = query.where(silences.c.ends_at > now, silences.c.starts_at <= now)
        with transaction(self.engine) as connection:
            return [to_silence(row) for row in connection.execute(query)]

    def silence(self, id: int) -> Silence:
        """One silence.

        :raises NotFound: if there is none.
        """
        with transaction(self.engine) as connection:
            return _one(connection, id)

    def add_silence(
        self, matchers: Sequence[Matcher], starts_at: int, ends_at: int, reason: str, by: str, now: int
    ) -> Silence:
        """Hold back the notifications of alerts that all these fit.

        :raises InputError: naming what does not fit.
        """
        silence = _checked(Silence(0, tuple(matchers), starts_at, ends_at, reason, by, now), now)

        def work(connection: sa.Connection) -> Silence:
            lock(connection)
            query = silences.insert().values(silence_row(silence)).returning(silences.c.id)
            stored = replace(silence, id=int(connection.execute(query).scalar_one()))
            self._heed(connection, [stored], now)
            return stored

        return retrying(self.engine, work)

    def silence_alert(self, id: int, by: str, reason: str, seconds: int, now: int) -> tuple[Alert, Silence]:
        """Hold back an alert's notifications, and those of later alerts of its rule and series, for a time.

        :raises NotFound: if there is no such alert.
        """
        alert = self._alert(id)
        matchers = [Matcher("rule", alert.rule.id), Matcher("dimension", alert.key.dimension)]
        if alert.key.value:
            matchers.append(Matcher("value", alert.key.value))
        silence = self.add_silence(matchers, now, now + seconds, reason, by, now)
        return self._alert(id), silence

    def change_silence(
        self, id: int, matchers: Sequence[Matcher], starts_at: int, ends_at: int, reason: str, by: str, now: int
    ) -> Silence:
        """Replace what a silence says.

        :raises NotFound: if there is none.
        :raises Conflict: if it is over.
        """

        def work(connection: sa.Connection) -> Silence:
            lock(connection)
            before = _one(connection, id)
            if before.state(now) == "expired":
                raise Conflict(f"Silence {id} is over. Make a new one.")
            after = _checked(Silence(id, tuple(matchers), starts_at, ends_at, reason, by, before.created_at), now)
            connection.execute(silences.update().where(silences.c.id == id).values(silence_row(after)))
            self._heed(connection, [before, after], now)
            return after

        return retrying(self.engine, work)

    def end_silence(self, id: int, by: str, now: int) -> Silence:
        """End a silence now; one that is over stays as it is.

        :raises NotFound: if there is none.
        """
        checked_name(by)

        def work(connection: sa.Connection) -> Silence:
            lock(connection)
            before = _one(connection, id)
            if before.state(now) == "expired":
                return before
            after = replace(before, ends_at=now, starts_at=min(before.starts_at, now), ended_by=by)
            connection.execute(silences.update().where(silences.c.id == id).values(silence_row(after)))
            self._heed(connection, [before], now)
            return after

        return retrying(self.engine, work)

    def _heed(self, connection: sa.Connection, changed: Sequence[Silence], now: int) -> None:
        opened = load(connection, alerts.c.state.in_(OPEN))
        ids = {s.id for s in changed}
        settle(
            connection,
            [a for a in opened if a.silence_id in ids or any(s.fits(a) for s in changed)],
            now,
            self.policy,
        )

    def _alert(self, id: int) -> Alert:
        with transaction(self.engine) as connection:
            return one(connection, id)


def _one(connection: sa.Connection, id: int) -> Silence:
    row = connection.execute(sa.select(silences).where(silences.c.id == id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no silence {id}.")
    return to_silence(row)


def _checked(silence: Silence, now: int) -> Silence:
    if not 0 < len(silence.matchers) <= MOST_MATCHERS:
        raise InputError(f"A silence has 1 to {MOST_MATCHERS} matchers, not {len(silence.matchers)}.")
    for matcher in silence.matchers:
        if matcher.field not in FIELDS:
            raise InputError(f"A matcher's field is {matcher.field!r}; it is one of {', '.join(FIELDS)}.")
        if not 0 < len(matcher.value) <= 200:
            raise InputError(f"A matcher's value has 1 to 200 characters, not {len(matcher.value)}.")
    if silence.ends_at <= max(silence.starts_at, now):
        raise InputError("A silence ends after it begins, and later than now. Give a later end.")
    if silence.ends_at - silence.starts_at > LONGEST:
        raise InputError("A silence lasts 366 days at most: give an earlier end, and switch the rule off instead.")
    if not silence.reason.strip():
        raise InputError("A silence needs a reason: who finds it later must know why.")
    return replace(silence, reason=checked_text(silence.reason), author=checked_name(silence.author))
