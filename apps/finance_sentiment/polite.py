"""What is polite to a host: one request at a time with a gap, rest when it asks; and how long the next poll waits.

Knows hosts and seconds; sends nothing. Shared by the threads of one process.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from apps.finance_sentiment.store_sources import Source
from core.errors import Overloaded

GAP_SECONDS = 2.0
"""Between two requests to one host."""
REST_SECONDS = 60.0
"""A host that asks to be left alone without saying for how long; doubled with every failure."""
LONGEST_REST = 24 * 3600.0
LONGEST_WAIT = 6 * 3600.0
"""Between two polls of a source that fails."""
SLOWEST = 3.0
"""A feed that brings nothing new is polled at its interval times this, in the end."""
SLOWER = 1.5
JITTER = 0.1
"""Every wait differs by up to this share, so that sources added together do not stay together."""


class Postponed(Overloaded):
    """It is not this host's turn yet."""


class Hosts:
    """Whose turn it is.

    :param gap: seconds between two requests to one host.
    :param clock: seconds that only grow.
    """

    def __init__(
        self,
        gap: float = GAP_SECONDS,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._gap, self._clock, self._chance = gap, clock, chance
        self._free_at: dict[str, float] = {}
        self._busy: set[str] = set()
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, host: str, patience: float = 0.0) -> Iterator[None]:
        """One request to a host; no other thread is at it meanwhile.

        :param patience: seconds to wait for the turn.
        :raises Postponed: if it does not come in that time; `retry_after` says when it may.
        """
        deadline = self._clock() + patience
        with self._changed:
            while True:
                now = self._clock()
                left = self._free_at.get(host, 0.0) - now
                if host not in self._busy and left <= 0:
                    break
                wait = max(left, 0.05)
                if now + wait > deadline:
                    raise Postponed(f"{host} is left alone for {wait:.0f} s.", retry_after=max(wait, self._gap))
                self._changed.wait(wait)
            self._busy.add(host)
        try:
            yield
        finally:
            with self._changed:
                self._busy.discard(host)
                self._free_at[host] = max(self._free_at.get(host, 0.0), self._clock() + self._gap)
                self._changed.notify_all()

    def rest(self, host: str, retry_after: str, failures: int, now: datetime) -> float:
        """Leave a host alone for as long as it says, or for longer with every failure.

        :param retry_after: the header: seconds or a date; empty where there is none.
        :param failures: how often in a row it failed before.
        :returns: seconds.
        """
        asked = read_retry_after(retry_after, now)
        if asked is None:
            asked = REST_SECONDS * 2 ** min(failures, 10) * (0.5 + self._chance() / 2)
        wait = min(max(asked, self._gap), LONGEST_REST)
        with self._changed:
            self._free_at[host] = self._clock() + wait
        return wait


def read_retry_after(value: str, now: datetime) -> float | None:
    """Seconds from the header Retry-After (RFC 9110, 10.2.3); None where it says nothing that can be read."""
    value = value.strip()
    if value.isdecimal() and value.isascii() and len(value) < 10:
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    return max(0.0, ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds())


def wait_after_success(source: Source, new: int, chance: float) -> float:
    """Seconds to the next poll of a feed: its interval where it brought news, slowly longer while it brings none.

    :param chance: in [0, 1), for the jitter.
    """
    asked = float(source.interval_seconds)
    wait = asked if new else min(max(asked, source.wait_seconds) * SLOWER, asked * SLOWEST)
    return _jittered(wait, chance)


def wait_after_failure(source: Source, retry_after: float | None, chance: float) -> float:
    """Seconds to the next poll of a source that failed: doubled every time, and not before its host says."""
    wait = min(source.interval_seconds * 2.0 ** min(source.failures, 20), max(LONGEST_WAIT, source.interval_seconds))
    return max(_jittered(wait, chance), retry_after or 0.0)


def _jittered(wait: float, chance: float) -> float:
    return wait * (1 - JITTER + 2 * JITTER * chance)
