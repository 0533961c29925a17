"""Stretches of time that trends are asked for: parsed, cut to whole buckets, bounded.

Knows seconds and the lengths of buckets; knows neither HTTP nor SQL.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from apps.finance_sentiment.rows import DAY, HOUR, MINUTE
from core.errors import InputError

STEPS = (MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 3 * DAY, 7 * DAY)
"""Lengths that "auto" chooses from, in seconds."""
MOST_BUCKETS = 2000
"""Buckets one series may have in an answer."""
FEWEST_BUCKETS = 24
"""As many as "auto" keeps at least, however few stories there are."""
EARLIEST, LATEST = 631_152_000, 4_102_444_800
"""1990 and 2100: no text counts before, and none after."""


@dataclass(frozen=True, slots=True)
class Window:
    """Whole buckets: `start` and `end` are whole numbers of `seconds` since 1970, `end` is one past the last second."""

    start: int
    end: int
    seconds: int

    @property
    def buckets(self) -> int:
        """How many they are."""
        return (self.end - self.start) // self.seconds

    def coarser(self) -> Window | None:
        """The same time in the next longer buckets; None where that would leave fewer than `FEWEST_BUCKETS`."""
        for seconds in STEPS:
            if seconds > self.seconds and self.end - self.start >= seconds * FEWEST_BUCKETS:
                return Window(self.start - self.start % seconds, self.end + -self.end % seconds, seconds)
            if seconds > self.seconds:
                break
        return None

    def before(self) -> Window:
        """As many buckets right before."""
        return Window(self.start - (self.end - self.start), self.start, self.seconds)


def instant(name: str, text: str) -> int:
    """Seconds since 1970 of "1772442000" or of an ISO 8601 time; one without an offset is UTC.

    :param name: of the parameter, for the message.
    :raises InputError: if it is neither, or lies outside the years 1990 to 2100.
    """
    if re.fullmatch(r"[0-9]{1,12}", text, re.A):
        seconds = int(text)
    else:
        try:
            at = datetime.fromisoformat(text)
            seconds = int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() // 1)
        except (ValueError, OverflowError) as error:
            raise InputError(
                f"{name} is {text[:40]!r}; give seconds since 1970, or a time such as 2026-03-02T09:00:00Z."
            ) from error
    if not EARLIEST <= seconds <= LATEST:
        raise InputError(f"{name} is {text[:40]!r}, which lies outside the years 1990 to 2100.")
    return seconds


def window(
    start: str | None,
    end: str | None,
    bucket: str,
    now: int,
    *,
    minute_days: int,
    most: int = 240,
    span: int = DAY,
    steps: Sequence[int] = STEPS,
) -> Window:
    """Whole buckets that cover what was asked for.

    :param start: see `instant`; None means `span` seconds before the end.
    :param end: one past the last second; None means now.
    :param bucket: seconds, or "auto" for the shortest of `steps` that makes at most `most` buckets.
    :param now: seconds since 1970.
    :param minute_days: how long counts by the minute are kept; older ones are there by the hour and day.
    :raises InputError: if the bounds are no times, are in the wrong order or make too many buckets.
    """
    last = instant("end", end) if end else now
    first = instant("start", start) if start else last - span
    if first >= last:
        raise InputError(f"start ({first}) is not before end ({last}). Swap them, or leave one out.")
    least = HOUR if first < now - minute_days * DAY else MINUTE
    if bucket == "auto":
        fitting = [s for s in steps if s >= least and last - first <= s * most]
        seconds = fitting[0] if fitting else steps[-1]
    else:
        seconds = _seconds(bucket)
        if seconds % least:
            raise InputError(
                f"Counts by the minute are kept for {minute_days} days. Ask for a later start, or for buckets of whole "
                "hours."
            )
    found = Window(first - first % seconds, last + -last % seconds, seconds)
    if found.buckets > MOST_BUCKETS:
        raise InputError(
            f"That makes {found.buckets} buckets of {seconds} s; at most {MOST_BUCKETS} go into one answer. Ask for "
            "longer buckets or a shorter time, or bucket=auto."
        )
    return found


def _seconds(bucket: str) -> int:
    seconds = int(bucket) if re.fullmatch(r"[0-9]{1,6}", bucket, re.A) else 0
    if not MINUTE <= seconds <= DAY or seconds % MINUTE:
        raise InputError(f"bucket is {bucket[:40]!r}; give 'auto', or whole minutes in seconds, from 60 to 86400.")
    return seconds
