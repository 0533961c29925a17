"""Channels in SQL. Secrets go in and come out to whoever sends, never to whoever asks.

Knows the tables and plain values. `AlertStore` in alerts.py is what others use.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import sqlalchemy as sa

from apps.finance_sentiment.alert_rows import channel_row, to_channel
from apps.finance_sentiment.notify.channel import Channel
from apps.finance_sentiment.store_alerts import all_channels
from apps.finance_sentiment.tables_alerts import channels, outbox
from core.errors import NotFound
from core.store import retrying, transaction


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """How delivery to a channel goes."""

    waiting: int = 0
    dead: int = 0
    last_delivered_at: float | None = None
    last_error: str = ""
    """Of a notification that still waits or was given up."""


class ChannelStore:
    """The part of `AlertStore` that keeps channels."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def channels(self) -> list[Channel]:
        """All channels by name."""
        with transaction(self.engine) as connection:
            return list(all_channels(connection).values())

    def channel(self, name: str) -> Channel:
        """One channel.

        :raises NotFound: if there is none.
        """
        query = sa.select(channels).where(channels.c.name == name)
        with transaction(self.engine) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFound(f"There is no channel {name!r}.")
        return to_channel(row)

    def put_channel(self, channel: Channel, *, keep_url: bool = False, keep_secret: bool = False) -> Channel:
        """Add a channel, or replace the one of its name.

        :param keep_url: and `keep_secret`: leave those of the stored one.
        :raises InputError: naming what cannot work.
        """

        def work(connection: sa.Connection) -> Channel:
            row = connection.execute(sa.select(channels).where(channels.c.name == channel.name)).one_or_none()
            wanted = channel
            if row is not None and row.kind == channel.kind:
                if keep_url:
                    wanted = replace(wanted, url=row.url)
                if keep_secret:
                    wanted = replace(wanted, secret=row.secret)
            values = channel_row(wanted.checked())
            if row is None:
                connection.execute(channels.insert().values(values))
            else:
                connection.execute(channels.update().where(channels.c.name == channel.name).values(values))
            return wanted

        return retrying(self.engine, work)

    def delete_channel(self, name: str) -> None:
        """Forget a channel; what waits for it is given up.

        :raises NotFound: if there is none.
        """

        def work(connection: sa.Connection) -> int:
            waits = (outbox.c.channel == name) & (outbox.c.state == "waiting")
            connection.execute(outbox.update().where(waits).values(state="dead", error="The channel was deleted."))
            return connection.execute(channels.delete().where(channels.c.name == name)).rowcount

        if retrying(self.engine, work) == 0:
            raise NotFound(f"There is no channel {name!r}.")

    def channel_health(self) -> dict[str, ChannelHealth]:
        """How delivery goes, by channel, where anything was ever to be sent."""
        counts = sa.select(
            outbox.c.channel, outbox.c.state, sa.func.count(), sa.func.max(outbox.c.delivered_at)
        ).group_by(outbox.c.channel, outbox.c.state)
        errors = (
            sa.select(outbox.c.channel, outbox.c.error)
            .where(outbox.c.state.in_(("waiting", "dead")), outbox.c.error != "")
            .order_by(outbox.c.id)
        )
        found: dict[str, ChannelHealth] = {}
        with transaction(self.engine) as connection:
            for name, state, count, last in connection.execute(counts):
                health = found.get(name, ChannelHealth())
                if state == "waiting":
                    health = replace(health, waiting=int(count))
                elif state == "dead":
                    health = replace(health, dead=int(count))
                else:
                    health = replace(health, last_delivered_at=last)
                found[name] = health
            for name, error in connection.execute(errors.limit(1000)):
                found[name] = replace(found[name], last_error=error)
        return found
