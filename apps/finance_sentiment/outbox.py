"""The outbox: notifications written in the transaction of what they tell, and sent afterwards, at least once.

`claim` takes the next one under a lease, so that two processes do not send the same; who dies between sending and
`delivered` leaves a lease that runs out, and the notification goes out once more under the same key. Knows SQL and
times; knows no protocol of delivery.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from apps.finance_sentiment.alert_rows import plain
from apps.finance_sentiment.tables_alerts import outbox, outbox_alerts
from core.errors import Conflict, NotFound
from core.store import retrying, transaction

OutboxState = Literal["waiting", "delivered", "dead"]
URGENCY = ("resolved", "repeat", "no_data", "firing", "escalation")
BASE_SECONDS, CAP_SECONDS = 5.0, 120.0
"""Wait after the first failure, and the longest: a channel that was down is told within two minutes of its return."""
FARTHEST = 3600.0
"""Nothing is ever due further ahead than this: what seems to be was written before the clock jumped back."""


@dataclass(frozen=True, slots=True)
class Retrying:
    """How long a notification is tried, in seconds."""

    lease_seconds: float = 120.0
    """Longer than an attempt can take; who was killed while sending is followed by another one after it."""
    dead_seconds: float = 3 * 86_400.0
    """Given up after so long."""
    keep_seconds: float = 30 * 86_400.0
    """Delivered and given-up ones are forgotten after so long."""


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification on its way. Times are seconds since 1970."""

    id: int
    key: str
    """Idempotency key: the same with every attempt."""
    channel: str
    group_key: str
    kind: str
    """What is told: firing, no_data, resolved, repeat or escalation; of several the most urgent."""
    items: tuple[Mapping[str, Any], ...]
    """One per alert, frozen when it was told; see `alert_settle.item_of`."""
    state: OutboxState
    created_at: float
    due_at: float
    attempts: int
    delivered_at: float | None
    error: str


@dataclass(frozen=True, slots=True)
class Grouping:
    """How notifications wait for each other, in seconds."""

    wait_seconds: float = 5.0
    """A group's first notification waits so long for other alerts of the group."""
    interval_seconds: float = 60.0
    """Two notifications of a group are at least so far apart; what happens between goes into the second."""


def enqueue(
    connection: sa.Connection,
    channel: str,
    group_key: str,
    kind: str,
    items: Sequence[Mapping[str, Any]],
    now: float,
    grouping: Grouping | None,
) -> int:
    """Put a notification in line, or join it to one of its group that waits and was not yet tried; the row's id.

    :param grouping: None sends at once and joins nothing.
    """
    due = now
    if grouping is not None:
        mine = (outbox.c.channel == channel) & (outbox.c.group_key == group_key)
        last = connection.execute(
            sa.select(outbox).where(mine).order_by(outbox.c.id.desc()).limit(1).with_for_update()
        ).one_or_none()
        if last is not None and last.state == "waiting" and not last.attempts and last.leased_until is None:
            return _join(connection, last, kind, items)
        due = now + grouping.wait_seconds
        if last is not None:
            due = max(due, min(last.due_at, now) + grouping.interval_seconds)
    row = {
        "key": uuid.uuid4().hex,
        "channel": channel,
        "group_key": group_key,
        "kind": kind,
        "items": plain(list(items)),
        "state": "waiting",
        "created_at": float(now),
        "due_at": float(due),
        "attempts": 0,
        "error": "",
    }
    id = int(connection.execute(outbox.insert().values(row).returning(outbox.c.id)).scalar_one())
    _mark_alerts(connection, id, {int(item["alert_id"]) for item in items})
    return id


def _join(connection: sa.Connection, row: Any, kind: str, items: Sequence[Mapping[str, Any]]) -> int:
    """The latest word on an alert replaces an earlier one that nobody has heard."""
    before = {int(item["alert_id"]): item for item in row.items}
    joined = before | {int(item["alert_id"]): item for item in items}
    kind = max(kind, row.kind, key=URGENCY.index)
    values = {"items": plain(list(joined.values())), "kind": kind}
    connection.execute(outbox.update().where(outbox.c.id == row.id).values(values))
    _mark_alerts(connection, int(row.id), joined.keys() - before.keys())
    return int(row.id)


def _mark_alerts(connection: sa.Connection, id: int, alert_ids: Iterable[int]) -> None:
    rows = [{"alert_id": a, "outbox_id": id} for a in sorted(alert_ids)]
    if rows:
        connection.execute(outbox_alerts.insert(), rows)


def backoff(attempts: int, chance: float) -> float:
    """Seconds to wait after so many failures: doubling to a cap, of which `chance` in [0, 1] takes up to half off."""
    return min(CAP_SECONDS, BASE_SECONDS * 2.0 ** min(attempts - 1, 10)) * (1 - chance / 2)


def claim(
    engine: sa.Engine, owner: str, now: float, *, lease_seconds: float, without: Iterable[str] = ()
) -> Notification | None:
    """Take the next notification that is due, for so many seconds; None where nothing is.

    Of one group and channel the older goes first, so that nobody hears of an end before its beginning.

    :param without: channels to leave alone.
    """
    earlier = outbox.alias("earlier")
    blocked = sa.exists().where(
        earlier.c.channel == outbox.c.channel,
        earlier.c.group_key == outbox.c.group_key,
        earlier.c.id < outbox.c.id,
        earlier.c.state == "waiting",
    )
    due = (outbox.c.due_at <= now) | (outbox.c.due_at > now + FARTHEST)
    until = outbox.c.leased_until
    free = until.is_(None) | (until <= now) | (until > now + FARTHEST + lease_seconds)
    query = (
        sa.select(outbox)
        .where(outbox.c.state == "waiting", due, free, ~blocked, outbox.c.channel.not_in(list(without)))
        .order_by(outbox.c.due_at, outbox.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )

    def work(connection: sa.Connection) -> Notification | None:
        row = connection.execute(query).one_or_none()
        if row is None:
            return None
        taken = {"leased_by": owner, "leased_until": now + lease_seconds, "attempts": outbox.c.attempts + 1}
        connection.execute(outbox.update().where(outbox.c.id == row.id).values(taken))
        return to_notification(row, attempts=row.attempts + 1)

    if not any_due(engine, due & free):
        return None  # most of the time: without the lock of a writer
    return retrying(engine, work)


def any_due(engine: sa.Engine, condition: sa.ColumnElement[bool]) -> bool:
    """Whether a waiting notification fulfils a condition."""
    query = sa.select(outbox.c.id).where(outbox.c.state == "waiting", condition).limit(1)
    with transaction(engine) as connection:
        return connection.execute(query).first() is not None


def delivered(engine: sa.Engine, id: int, owner: str, now: float) -> None:
    """It went out. Says nothing where the lease was lost meanwhile and another one sends it."""
    values = {"state": "delivered", "delivered_at": now, "leased_by": None, "leased_until": None, "error": ""}
    mine = (outbox.c.id == id) & (outbox.c.leased_by == owner)
    retrying(engine, lambda c: c.execute(outbox.update().where(mine).values(values)))


def failed(
    engine: sa.Engine, sent: Notification, owner: str, now: float, error: str, retrying_: Retrying, wait: float | None
) -> float:
    """It did not go out: put it back in line, or give it up when its time is over.

    :param wait: seconds the other side asked for; None waits by `backoff`.
    :returns: seconds until the next attempt.
    """
    pause = backoff(sent.attempts, random.random())
    pause = pause if wait is None else min(max(wait, pause), FARTHEST / 2)
    dead = now - sent.created_at >= retrying_.dead_seconds
    values = {
        "state": "dead" if dead else "waiting",
        "due_at": now + pause,
        "leased_by": None,
        "leased_until": None,
        "error": error[:500],
    }
    mine = (outbox.c.id == sent.id) & (outbox.c.leased_by == owner)
    retrying(engine, lambda c: c.execute(outbox.update().where(mine).values(values)))
    return pause


class OutboxStore:
    """The part of `AlertStore` that looks into the outbox."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def notifications(
        self, *, state: str | None = None, alert_id: int | None = None, limit: int = 100
    ) -> list[Notification]:
        """The latest notifications, the newest first."""
        query = sa.select(outbox).order_by(outbox.c.id.desc()).limit(limit)
        if state is not None:
            query = query.where(outbox.c.state == state)
        if alert_id is not None:
            told = sa.select(outbox_alerts.c.outbox_id).where(outbox_alerts.c.alert_id == alert_id)
            query = query.where(outbox.c.id.in_(told))
        with transaction(self.engine) as connection:
            return [to_notification(row) for row in connection.execute(query)]

    def retry_notification(self, id: int, now: float) -> Notification:
        """Put a given-up notification back in line.

        :raises NotFound: if there is none.
        :raises Conflict: if it was not given up.
        """

        def work(connection: sa.Connection) -> Notification:
            row = connection.execute(sa.select(outbox).where(outbox.c.id == id)).one_or_none()
            if row is None:
                raise NotFound(f"There is no notification {id}.")
            if row.state != "dead":
                raise Conflict(f"Notification {id} is {row.state}; only a dead one is put back in line.")
            values = {"state": "waiting", "due_at": now, "created_at": now, "attempts": 0}
            changed = outbox.update().where(outbox.c.id == id).values(values).returning(outbox)
            return to_notification(connection.execute(changed).one())

        return retrying(self.engine, work)

    def delete_notifications_before(self, created_at: float) -> int:
        """Retention: forget notifications that wait no longer and were made before; how many they were."""
        gone = (outbox.c.state != "waiting") & (outbox.c.created_at < created_at)
        return retrying(self.engine, lambda c: c.execute(outbox.delete().where(gone)).rowcount)


def to_notification(row: Any, *, attempts: int | None = None) -> Notification:
    """A stored notification."""
    return Notification(
        int(row.id), row.key, row.channel, row.group_key, row.kind, tuple(row.items), row.state, row.created_at,
        row.due_at, int(row.attempts if attempts is None else attempts), row.delivered_at, row.error,
    )  # fmt: skip
