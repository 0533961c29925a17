"""The thread that empties the outbox. Any number of processes may run one over the same database.

A notification is claimed, sent, and only then marked; a channel that fails rests for a while as a whole, so that a
dead one neither holds up the others nor is hammered.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from apps.finance_sentiment.alert_channels import ChannelStore
from apps.finance_sentiment.notify.channel import Channel
from apps.finance_sentiment.notify.request import NotDelivered
from apps.finance_sentiment.notify.send import Send
from apps.finance_sentiment.outbox import Notification, OutboxStore, Retrying, claim, delivered, failed
from core.errors import NotFound

POLL_SECONDS = 1.0
PURGE_SECONDS = 3600.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reached:
    """What came of a test."""

    delivered: bool
    detail: str
    seconds: float


class Deliverer:
    """Sends what waits in the outbox.

    :param send: from `notify.send.sender`.
    :param clock: seconds since 1970.
    :param poll: seconds between two looks.
    """

    def __init__(
        self,
        engine: sa.Engine,
        send: Send,
        *,
        retrying: Retrying | None = None,
        clock: Callable[[], float] = time.time,
        poll: float = POLL_SECONDS,
    ) -> None:
        self.engine, self.send, self.clock, self.poll = engine, send, clock, poll
        self.retrying = retrying or Retrying()
        self.problem = ""
        """Why nothing is sent; empty while all is well."""
        self._owner = f"{os.getpid()}-{uuid.uuid4().hex[:12]}"
        self._resting: dict[str, tuple[float, float]] = {}
        self._purged = 0.0
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="finance-notifications", daemon=True)

    def start(self) -> Deliverer:
        """Begin."""
        self._thread.start()
        return self

    def close(self) -> None:
        """End, after the attempt under way."""
        self._closing.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)

    def wake(self) -> None:
        """Look now."""
        self._wake.set()

    def deliver_due(self) -> int:
        """Try everything that is due now, each once; how many went out."""
        sent = 0
        while not self._closing.is_set():
            now = self.clock()
            resting = [name for name, (since, until) in self._resting.items() if since <= now < until]
            due = claim(self.engine, self._owner, now, lease_seconds=self.retrying.lease_seconds, without=resting)
            if due is None:
                return sent
            sent += self._attempt(due)
        return sent

    def send_test(self, name: str) -> Reached:
        """Send a test to a channel at once, past the outbox.

        :raises NotFound: if there is no such channel.
        """
        channel = ChannelStore(self.engine).channel(name)
        began, now = time.perf_counter(), self.clock()
        key = f"test-{uuid.uuid4().hex}"
        test = Notification(0, key, name, "", "test", (), "waiting", now, now, 1, None, "")
        try:
            return Reached(True, self.send(channel, test, now), time.perf_counter() - began)
        except NotDelivered as error:
            return Reached(False, str(error), time.perf_counter() - began)

    def _attempt(self, due: Notification) -> bool:
        channel = self._channel(due.channel)
        try:
            if channel is None or not channel.enabled:
                raise NotDelivered(f"The channel {due.channel!r} is {'gone' if channel is None else 'switched off'}.")
            remark = self.send(channel, due, self.clock())
        except NotDelivered as error:
            wait, text = error.wait, str(error)
        except Exception as error:  # a fault of ours must not stop the line
            wait, text = None, f"{type(error).__name__}: {error}"
            _log.exception("notification %s could not be made", due.key)
        else:
            delivered(self.engine, due.id, self._owner, self.clock())
            self._resting.pop(due.channel, None)
            if remark:
                _log.warning("notification %s to %s: %s", due.key, due.channel, remark)
            return True
        now = self.clock()
        pause = failed(self.engine, due, self._owner, now, text, self.retrying, wait)
        self._resting[due.channel] = (now, now + pause)
        _log.warning("notification %s to %s failed (attempt %d): %s", due.key, due.channel, due.attempts, text)
        return False

    def _channel(self, name: str) -> Channel | None:
        try:
            return ChannelStore(self.engine).channel(name)
        except NotFound:
            return None

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self.deliver_due()
                now = self.clock()
                if abs(now - self._purged) >= PURGE_SECONDS:
                    self._purged = now
                    OutboxStore(self.engine).delete_notifications_before(now - self.retrying.keep_seconds)
                self.problem = ""
            except Exception as error:
                self.problem = f"No notifications are sent: {error}"
                _log.warning("%s", self.problem)
            self._wake.wait(self.poll)
            self._wake.clear()
