"""Trends: counts of every series by any stretch of whole minutes, out of the stored buckets.

Knows the tables and plain values. `Store` in store.py is what others use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from apps.finance_sentiment.rows import DAY, HOUR, MINUTE, to_counts
from apps.finance_sentiment.schemas import DIMENSIONS, Counts, SeriesKey
from apps.finance_sentiment.tables import buckets
from core.errors import InputError
from core.store import retrying, transaction

PART = 500
MOST_BUCKETS = 200_000
"""Buckets one question may span, over all series asked for by name."""

_SUMS = tuple(
    sa.func.sum(column).label(column.name)
    for column in (buckets.c.stories, buckets.c.texts, buckets.c.negative, buckets.c.positive, buckets.c.score_micro)
)


class CountStore:
    """The part of `Store` that answers what happened when."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def trend(self, key: SeriesKey, start: int, end: int, seconds: int) -> list[tuple[int, Counts]]:
        """The buckets of one series that hold anything, in order of time.

        :param start: first second, a whole number of `seconds` since 1970; `end` is one past the last.
        :param seconds: length of a bucket: whole minutes.
        :returns: (first second, counts) of every bucket that is not empty.
        :raises InputError: if the bounds do not fit the buckets.
        """
        return self.trends(key.dimension, start, end, seconds, values=[key.value]).get(key.value, [])

    def trends(
        self,
        dimension: str,
        start: int,
        end: int,
        seconds: int,
        *,
        values: Sequence[str] | None = None,
        bounded: bool = True,
    ) -> dict[str, list[tuple[int, Counts]]]:
        """As `trend`, for many values of a dimension at once.

        :param values: None means all there are.
        :param bounded: refuse a question that spans very many buckets.
        """
        stored = _stored(dimension, start, end, seconds)
        if bounded and (end - start) // seconds * len(values or "1") > MOST_BUCKETS:
            raise InputError(f"That asks for more than {MOST_BUCKETS} buckets. Ask for longer ones, or a shorter time.")
        at = (buckets.c.start - buckets.c.start % seconds).label("at") if seconds != stored else buckets.c.start
        found: dict[str, list[tuple[int, Counts]]] = {}
        for chosen in _chosen(dimension, start, end, stored, values):
            if seconds == stored:
                columns: Sequence[Any] = [buckets.c[sum.name] for sum in _SUMS]
                query = sa.select(buckets.c.value, at, *columns).where(chosen).order_by(at)
            else:
                query = sa.select(buckets.c.value, at, *_SUMS).where(chosen).group_by(buckets.c.value, at).order_by(at)
            with transaction(self.engine) as connection:
                for row in connection.execute(query):
                    found.setdefault(row[0], []).append((int(row[1]), to_counts(row)))
        return found

    def totals(
        self, dimension: str, start: int, end: int, *, values: Sequence[str] | None = None, seconds: int = MINUTE
    ) -> dict[str, Counts]:
        """Counts of every value of a dimension over [start, end); values without any are left out.

        :param seconds: bounds are whole numbers of it; longer ones answer faster over long times.
        """
        stored = _stored(dimension, start, end, seconds)
        found: dict[str, Counts] = {}
        for chosen in _chosen(dimension, start, end, stored, values):
            query = sa.select(buckets.c.value, *_SUMS).where(chosen).group_by(buckets.c.value)
            with transaction(self.engine) as connection:
                found.update((row[0], to_counts(row)) for row in connection.execute(query))
        return found

    def values(self, dimension: str) -> list[str]:
        """Every value a dimension ever had."""
        query = sa.select(buckets.c.value).where(buckets.c.seconds == DAY, buckets.c.dimension == dimension)
        with transaction(self.engine) as connection:
            return list(connection.execute(query.distinct().order_by(buckets.c.value)).scalars())

    def span(self) -> tuple[int, int] | None:
        """First second of the first hour that holds anything, and one past the last; None before the first text."""
        query = sa.select(sa.func.min(buckets.c.start), sa.func.max(buckets.c.start)).where(
            buckets.c.seconds == HOUR, buckets.c.dimension == "all"
        )
        with transaction(self.engine) as connection:
            first, last = connection.execute(query).one()
        return None if first is None else (int(first), int(last) + HOUR)

    def delete_minutes_before(self, start: int) -> int:
        """Retention: forget counts by the minute of before this second; those by hour and day stay."""
        gone = (buckets.c.seconds == MINUTE) & (buckets.c.start < start)
        return retrying(self.engine, lambda c: c.execute(buckets.delete().where(gone)).rowcount)


def _stored(dimension: str, start: int, end: int, seconds: int) -> int:
    """The stored length that adds up to the asked one."""
    if dimension not in DIMENSIONS:
        raise InputError(f"There is no dimension {dimension!r}; there are {', '.join(DIMENSIONS)}.")
    if seconds <= 0 or seconds % MINUTE or start % seconds or end % seconds or end < start:
        raise InputError(
            f"Buckets of {seconds} s from {start} to {end} do not fit: give whole minutes, and bounds that are whole "
            "numbers of buckets since 1970."
        )
    return DAY if seconds % DAY == 0 else HOUR if seconds % HOUR == 0 else MINUTE


def _chosen(
    dimension: str, start: int, end: int, stored: int, values: Sequence[str] | None
) -> list[sa.ColumnElement[bool]]:
    base = (
        (buckets.c.seconds == stored)
        & (buckets.c.dimension == dimension)
        & (buckets.c.start >= start)
        & (buckets.c.start < end)
    )
    if values is None:
        return [base]
    distinct = list(dict.fromkeys(values))
    return [base & buckets.c.value.in_(distinct[i : i + PART]) for i in range(0, len(distinct), PART)]
