"""Sources in SQL: what is fetched and watched, when it is due, who is at it, and how it goes.

Knows the table; knows no network and no files. Several processes may share it: a source is polled by whoever holds its
lease, and an outcome counts only while that lease holds. Works over the engine of any `Store`.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa

from apps.finance_sentiment.tables_sources import sources
from core.errors import Conflict, NotFound
from core.store import retrying, transaction

SourceKind = Literal["feed", "folder"]
Health = Literal["ok", "late", "failing", "never", "off"]
HEALTHS: tuple[Health, ...] = ("ok", "late", "failing", "never", "off")

FAILING = 3
"""Failures in a row from which on a source is failing."""
LATE_SECONDS = 60
"""A source that should have been polled this long ago, or one interval ago, is late."""
LEASE_SECONDS = 600
"""A poll that does not say anything for so long counts as dead, and another process takes the source over."""
LONGEST_NOTE = 500


@dataclass(frozen=True, slots=True)
class Source:
    """A feed that is fetched or a folder that is watched."""

    name: str
    kind: SourceKind
    location: str
    """URL of the feed, or path of the folder."""
    interval_seconds: int = 300
    enabled: bool = True
    wait_seconds: int = 300
    """From the last poll to the next one: longer than asked for while nothing new comes, or polls fail."""
    etag: str = ""
    last_modified: str = ""
    next_due: int = 0
    """Seconds since 1970."""
    lease_until: int = 0
    lease_owner: str = ""
    last_try_at: datetime | None = None
    last_success_at: datetime | None = None
    last_new_at: datetime | None = None
    """The last time it brought texts that were not there."""
    last_error: str = ""
    """Why the last poll failed; empty when it did not."""
    problem: str = ""
    """What was wrong with the last content, though it was read."""
    failures: int = 0
    """In a row."""
    texts: int = 0
    """Texts it brought since it was added."""
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def health(self, now: float) -> Health:
        """How it goes: failing after some failures in a row or if it never worked, late if nobody polls it.

        :param now: seconds since 1970.
        """
        if not self.enabled:
            return "off"
        if self.failures >= FAILING or (self.failures and self.last_success_at is None):
            return "failing"
        overdue = now > self.next_due + max(LATE_SECONDS, self.interval_seconds) and now > self.lease_until
        if self.failures or (overdue and self.last_success_at is not None):
            return "late"
        return "ok" if self.last_success_at is not None else "never"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a poll."""

    wait: float
    """Seconds to the next one."""
    new: int = 0
    error: str = ""
    """Why it failed; empty where it did not."""
    problem: str | None = None
    """What was wrong with the content, though it was read; None where there was no new content."""
    etag: str = ""
    last_modified: str = ""
    postponed: bool = False
    """Nothing was tried, because its host wants to be left alone for a while; neither a failure nor a success."""


class SourceStore:
    """The sources of a database whose tables are there."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def sources(self) -> list[Source]:
        """All of them, by name."""
        with transaction(self.engine) as connection:
            return [_source(row) for row in connection.execute(sa.select(sources).order_by(sources.c.name))]

    def source(self, name: str) -> Source:
        """One of them.

        :raises NotFound: if there is none of that name.
        """
        with transaction(self.engine) as connection:
            return _one(connection, name)

    def add_source(self, source: Source) -> Source:
        """Add a source; it is due at once.

        :raises Conflict: if there is one of that name.
        """

        def work(connection: sa.Connection) -> None:
            if connection.execute(sa.select(sources.c.name).where(sources.c.name == source.name)).first() is not None:
                raise Conflict(f"There is a source {source.name!r} already.")
            row = {f.name: getattr(source, f.name) for f in fields(Source)}
            connection.execute(sources.insert(), [row | {"wait_seconds": source.interval_seconds}])

        retrying(self.engine, work)
        return self.source(source.name)

    def change_source(
        self,
        name: str,
        *,
        kind: SourceKind | None = None,
        location: str | None = None,
        interval_seconds: int | None = None,
        enabled: bool | None = None,
    ) -> Source:
        """Change what is given; the source is due at once. Another location is begun from the start.

        :raises NotFound: if there is none of that name.
        """

        def work(connection: sa.Connection) -> None:
            before = _one(connection, name, lock=True)
            values: dict[str, Any] = {
                "kind": kind or before.kind,
                "location": before.location if location is None else location,
                "interval_seconds": interval_seconds or before.interval_seconds,
                "enabled": before.enabled if enabled is None else enabled,
                "next_due": 0,
            }
            values["wait_seconds"] = values["interval_seconds"]
            if (values["kind"], values["location"]) != (before.kind, before.location):
                fresh = Source(name, before.kind, "")
                for part in ("etag", "last_modified", "last_error", "problem", "failures", "lease_owner"):
                    values[part] = getattr(fresh, part)
                values |= {"lease_until": 0, "last_success_at": None, "last_try_at": None}
            connection.execute(sources.update().where(sources.c.name == name).values(values))

        retrying(self.engine, work)
        return self.source(name)

    def delete_source(self, name: str) -> None:
        """Forget a source; its texts stay.

        :raises NotFound: if there is none of that name.
        """
        if retrying(self.engine, lambda c: c.execute(sources.delete().where(sources.c.name == name)).rowcount) == 0:
            raise NotFound(f"There is no source {name!r}.")

    def has_due(self, now: float) -> bool:
        """Whether there is anything to claim. Reads only."""
        with transaction(self.engine) as connection:
            return connection.execute(sa.select(sources.c.name).where(*_due(now)).limit(1)).first() is not None

    def claim_due(self, now: float, limit: int, *, lease: float = LEASE_SECONDS) -> list[Source]:
        """Lease sources that are due, longest due first; nobody else gets them while the lease holds."""

        def work(connection: sa.Connection) -> list[Source]:
            asked = sa.select(sources).where(*_due(now)).order_by(sources.c.next_due, sources.c.name).limit(limit)
            rows = connection.execute(asked.with_for_update(skip_locked=True)).all()
            return [_leased(connection, _source(row), now + lease) for row in rows]

        return retrying(self.engine, work)

    def claim(self, name: str, now: float, *, lease: float = LEASE_SECONDS) -> Source:
        """Lease one source, due or not.

        :raises NotFound: if there is none of that name.
        :raises Conflict: if it is being polled.
        """

        def work(connection: sa.Connection) -> Source:
            source = _one(connection, name, lock=True)
            if source.lease_until > now:
                raise Conflict(f"{name} is being polled already. Look again in a moment.")
            return _leased(connection, source, now + lease)

        return retrying(self.engine, work)

    def renew(self, source: Source, now: float, *, lease: float = LEASE_SECONDS) -> bool:
        """Hold a lease for longer; False if it was lost."""
        mine = sources.update().where(sources.c.name == source.name, sources.c.lease_owner == source.lease_owner)
        change = mine.values(lease_until=math.ceil(now + lease))
        return retrying(self.engine, lambda c: c.execute(change).rowcount) == 1

    def finish(self, source: Source, outcome: Outcome, now: float) -> bool:
        """Write what came of a poll and give the lease back; False, and nothing is written, if the lease was lost."""
        moment = datetime.fromtimestamp(now, UTC)
        values: dict[str, Any] = {"lease_until": 0, "lease_owner": "", "next_due": math.ceil(now + outcome.wait)}
        if not outcome.postponed:
            values |= {"wait_seconds": math.ceil(outcome.wait), "last_try_at": moment}
            values |= {"last_error": outcome.error[:LONGEST_NOTE]}
            if outcome.error:
                values |= {"failures": sources.c.failures + 1}
            else:
                values |= {
                    "failures": 0,
                    "last_success_at": moment,
                    "etag": outcome.etag,
                    "last_modified": outcome.last_modified,
                }
                if outcome.problem is not None:
                    values["problem"] = outcome.problem[:LONGEST_NOTE]
        if outcome.new:
            values |= {"last_new_at": moment, "texts": sources.c.texts + outcome.new}
        mine = sources.update().where(sources.c.name == source.name, sources.c.lease_owner == source.lease_owner)
        return retrying(self.engine, lambda c: c.execute(mine.values(values)).rowcount) == 1


def _due(now: float) -> Sequence[sa.ColumnElement[bool]]:
    return sources.c.enabled, sources.c.next_due <= now, sources.c.lease_until <= now


def _leased(connection: sa.Connection, source: Source, until: float) -> Source:
    owner = uuid.uuid4().hex
    values = {"lease_until": math.ceil(until), "lease_owner": owner}
    connection.execute(sources.update().where(sources.c.name == source.name).values(values))
    return _one(connection, source.name)


def _one(connection: sa.Connection, name: str, *, lock: bool = False) -> Source:
    asked = sa.select(sources).where(sources.c.name == name)
    row = connection.execute(asked.with_for_update() if lock else asked).first()
    if row is None:
        raise NotFound(f"There is no source {name!r}.")
    return _source(row)


def _source(row: sa.Row[Any]) -> Source:
    return Source(**row._mapping)
