"""Alerts as a running server holds them: the store, the thread that delivers, and the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import sqlalchemy as sa

from apps.finance_sentiment import alerts
from apps.finance_sentiment.alerts import AlertStore, Change, Policy
from apps.finance_sentiment.notify.deliverer import Deliverer, Reached
from apps.finance_sentiment.notify.send import Send
from apps.finance_sentiment.outbox import Retrying


class AlertDesk(AlertStore):
    """`AlertStore` with delivery.

    :param send: from `notify.send.sender`.
    :param clock: seconds since 1970.
    """

    def __init__(
        self,
        engine: sa.Engine,
        send: Send,
        policy: Policy | None = None,
        *,
        retrying: Retrying | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(engine, policy)
        self.clock = clock
        self.deliverer = Deliverer(engine, send, retrying=retrying, clock=clock)

    @property
    def now(self) -> int:
        """Seconds since 1970."""
        return int(self.clock())

    def start(self) -> AlertDesk:
        """Begin to deliver."""
        self.deliverer.start()
        return self

    def apply(self, connection: sa.Connection, changes: Sequence[Change], now: int) -> list[int]:
        """As `alerts.apply`, under this desk's policy."""
        return alerts.apply(connection, changes, now, self.policy)

    def tick(self, now: int | None = None) -> list[int]:
        """As `alerts.tick`, under this desk's policy; what came due goes out at once."""
        looked_at = alerts.tick(self.engine, self.now if now is None else now, self.policy)
        if looked_at:
            self.deliverer.wake()
        return looked_at

    def test_channel(self, name: str) -> Reached:
        """Send a test to a channel.

        :raises NotFound: if there is none.
        """
        return self.deliverer.send_test(name)

    def close(self) -> None:
        """End delivery; what waits goes out after the next start."""
        self.deliverer.close()
