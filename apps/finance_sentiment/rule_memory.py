"""Counts by the minute in memory, for a back-test or a service's newest days. Knows series and counts, no rule."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from apps.finance_sentiment.rules import DAY, MINUTE
from apps.finance_sentiment.schemas import Counts, Observation, SeriesKey

_EMPTY = (0, 0, 0, 0, 0.0)
_Row = tuple[int, int, int, int, float]


@dataclass(slots=True)
class _Day:
    """The minutes of a day that hold a text, and running sums before each."""

    minutes: list[int] = field(default_factory=list)
    sums: list[_Row] = field(default_factory=lambda: [_EMPTY])

    def add(self, minute: int, row: _Row) -> None:
        place = bisect_left(self.minutes, minute)
        if place == len(self.minutes):
            self.minutes.append(minute)
            self.sums.append(_plus(self.sums[-1], row))
            return
        if self.minutes[place] != minute:
            self.minutes.insert(place, minute)
            self.sums.insert(place + 1, self.sums[place])
        for i in range(place + 1, len(self.sums)):
            self.sums[i] = _plus(self.sums[i], row)


@dataclass(slots=True)
class _Line:
    """One series. By days, so that a late text changes the sums of one only."""

    days: dict[int, _Day] = field(default_factory=dict)
    told: list[tuple[int, bool, str]] = field(default_factory=list)
    """(second, negative, source) of every story, in order of time."""

    def add(self, minute: int, row: _Row) -> None:
        day = self.days.get(minute // DAY)
        if day is None:
            day = self.days[minute // DAY] = _Day()
        day.add(minute, row)

    def between(self, start: int, end: int) -> _Row:
        total = _EMPTY
        for number in range(start // DAY, (end - 1) // DAY + 1):
            day = self.days.get(number)
            if day is None:
                continue
            first, last = bisect_left(day.minutes, start), bisect_left(day.minutes, end)
            if first != last:
                a, b = day.sums[first], day.sums[last]
                part = (b[0] - a[0], b[1] - a[1], b[2] - a[2], b[3] - a[3], b[4] - a[4])
                total = part if total is _EMPTY else _plus(total, part)
        return total

    def filled(self, start: int, end: int) -> list[int]:
        """The minutes of [start, end) that hold a text."""
        found: list[int] = []
        for number in range(start // DAY, (end - 1) // DAY + 1):
            day = self.days.get(number)
            if day is not None:
                found += day.minutes[bisect_left(day.minutes, start) : bisect_left(day.minutes, end)]
        return found


class MemoryCounts:
    """Every series of a stream."""

    def __init__(self) -> None:
        self._lines: dict[SeriesKey, _Line] = {}
        self._began: int | None = None
        self.latest = 0

    def add(self, key: SeriesKey, at: int, counts: Counts, source: str = "") -> None:
        """Count a text, or many.

        :param at: event time, seconds since 1970.
        """
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line()
        row = (counts.stories, counts.texts, counts.negative, counts.positive, counts.score_sum)
        line.add(at - at % MINUTE, row)
        if counts.stories and source:
            insort(line.told, (at, counts.negative > 0, source))
        self._began = at if self._began is None else min(self._began, at)
        self.latest = max(self.latest, at)

    def keys(self) -> Sequence[SeriesKey]:
        """All series."""
        return tuple(self._lines)

    def began(self) -> int:
        """Time of the earliest text; 0 before there is one."""
        return self._began or 0

    def counts(self, key: SeriesKey, start: int, end: int) -> Counts:
        """Sum over [start, end)."""
        line = self._lines.get(key)
        return Counts(*line.between(start, end)) if line else Counts()

    def filled(self, key: SeriesKey, start: int, end: int, seconds: int) -> Sequence[Observation]:
        """The buckets that hold a text."""
        line = self._lines.get(key)
        found: list[Observation] = []
        if line is None:
            return found
        for bucket in dict.fromkeys(minute // seconds * seconds for minute in line.filled(start, end)):
            found.append(Observation(bucket, seconds, Counts(*line.between(bucket, bucket + seconds))))
        return found

    def by_source(self, key: SeriesKey, start: int, end: int) -> Mapping[str, int]:
        """Negative stories of [start, end) by their source; all stories, where none is negative."""
        told = self.stories(key, start, end)
        return Counter(source for _, negative, source in told if negative) or Counter(source for _, _, source in told)

    def stories(self, key: SeriesKey, start: int, end: int) -> Sequence[tuple[int, bool, str]]:
        """(second, negative, source) of the stories of [start, end)."""
        line = self._lines.get(key)
        if line is None:
            return []
        return line.told[bisect_left(line.told, (start,)) : bisect_left(line.told, (end,))]


def _plus(a: _Row, b: _Row) -> _Row:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4]


__all__ = ["MemoryCounts"]
