"""What must be done now and then while the bot runs: follow other processes, make vectors that lack, forget the old.

Knows the library and its store; one thread.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime, timedelta

from apps.customer_service.library import Library

FOLLOW_SECONDS = 2.0
"""How often the store is asked whether another process changed it."""
QUIET_SECONDS = 10.0
"""Without a change by others, after which vectors that lack are made here."""
PURGE_SECONDS = 3600.0

_log = logging.getLogger(__name__)


class Caretaker:
    """A thread that keeps a library in order.

    :param retention_days: conversations last used longer ago are deleted, at once and every hour; 0 keeps them.
    """

    def __init__(
        self,
        library: Library,
        retention_days: int = 0,
        *,
        follow: float = FOLLOW_SECONDS,
        quiet: float = QUIET_SECONDS,
    ) -> None:
        self.library, self.retention_days, self.follow, self.quiet = library, retention_days, follow, quiet
        self.problem = ""
        """Why the index does not follow the database; empty while it does."""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="customer-service-index", daemon=True)

    def start(self) -> None:
        """Begin."""
        self.purge()
        self._thread.start()

    def close(self) -> None:
        """End, after what is under way."""
        self._closing.set()
        self._thread.join(timeout=10)

    def purge(self) -> int:
        """Delete conversations past their time; how many there were."""
        if not self.retention_days:
            return 0
        before = datetime.now(UTC) - timedelta(days=self.retention_days)
        gone = self.library.store.delete_conversations_before(before)
        if gone:
            _log.info("%d conversations were past their time and are deleted", gone)
        return gone

    def _run(self) -> None:
        changed = purged = time.monotonic()
        look = True
        while not self._closing.wait(self.follow):
            try:
                now = time.monotonic()
                if self.library.refresh():
                    changed, look = now, True
                elif look and now - changed >= self.quiet:
                    # Nobody writes: an ingest that was killed, or a new encoder, left passages without vectors.
                    self.library.fill(stop=self._closing.is_set)
                    look = self.library.lacking > 0
                if now - purged >= PURGE_SECONDS:
                    purged = now
                    self.purge()
                self.problem = ""
            except Exception as error:
                if not self._closing.is_set():
                    self.problem = f"The index does not follow the database: {error}"
                    _log.warning("%s", self.problem)
