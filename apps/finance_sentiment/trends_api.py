"""Trends, the heat map and the texts behind them over HTTP: reading only.

Knows the store's values and JSON; knows no SQL. Errors are problem+json. Routes are plain functions: they run on
threads, for the database waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal, Protocol

from fastapi import APIRouter, Depends, Path, Query, Response

from apps.finance_sentiment.schemas import Counts, Dimension, Sentiment
from apps.finance_sentiment.store_texts import StoredText
from apps.finance_sentiment.topics import NAMES
from apps.finance_sentiment.trends_schemas import (
    BucketOut,
    Change,
    Heat,
    HeatRow,
    Name,
    Names,
    Series,
    StoryOut,
    Texts,
    Trends,
    bucket_of,
    counts_out,
    text_of,
)
from apps.finance_sentiment.windows import Window, window
from core.errors import InputError, NotFound

PREFIX = "/finance"
MOST_SERIES = 12
LONGEST_VALUE = 200
LEAST_STORIES = 3
"""Stories a bucket that "auto" wants on average, of the greatest series."""
MOST_LOOKED_AT = 2000
"""Texts that are looked through for those of one sentiment."""
HEAT_STEPS = (60, 300, 600, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 3 * 86_400, 7 * 86_400, 30 * 86_400)


class TrendStore(Protocol):
    """The part of `Store` that this needs."""

    def trends(
        self, dimension: str, start: int, end: int, seconds: int, *, values: Sequence[str] | None = None
    ) -> dict[str, list[tuple[int, Counts]]]:
        """Buckets that hold anything, by value."""

    def totals(
        self, dimension: str, start: int, end: int, *, values: Sequence[str] | None = None, seconds: int = 60
    ) -> dict[str, Counts]:
        """Counts of every value over a time."""

    def values(self, dimension: str) -> list[str]:
        """Every value a dimension ever had."""

    def texts_of(
        self,
        dimension: str,
        value: str,
        start: int,
        end: int,
        *,
        limit: int = 50,
        most_negative: bool = False,
        first_only: bool = True,
    ) -> list[StoredText]:
        """Texts behind a series."""

    def story(self, id: int, *, limit: int = 200) -> list[StoredText]:
        """The texts of a story."""


class TrendService(Protocol):
    """What answers questions about the past."""

    @property
    def store(self) -> TrendStore:
        """Where the counts are."""

    @property
    def minute_days(self) -> int:
        """How many days counts by the minute are kept."""

    def names(self) -> Mapping[str, tuple[str, str]]:
        """English and Chinese display name of every company, by its id."""


When = Annotated[str | None, Query(max_length=40, description="Seconds since 1970, or ISO 8601.")]
Limit = Annotated[int, Query(ge=1, le=200)]
Clock = Callable[[], float]


def trends_router(service: Callable[[], TrendService], clock: Clock = time.time) -> APIRouter:
    """Routes that read trends.

    :param service: gives the running service, or raises Unavailable.
    :param clock: seconds since 1970.
    """
    router = APIRouter(prefix=PREFIX, tags=["finance trends"], dependencies=[Depends(_fresh)])

    def asked(start: str | None, end: str | None, bucket: str = "auto", *, heat: bool = False) -> Window:
        days = service().minute_days
        if heat:
            return window(start, end, bucket, int(clock()), minute_days=days, most=32, steps=HEAT_STEPS)
        return window(start, end, bucket, int(clock()), minute_days=days)

    @router.get("/trends", summary="Volume and sentiment over time")
    def trends(
        dimension: Dimension = "all",
        value: Annotated[list[str] | None, Query(description=f"Up to {MOST_SERIES}; none for 'all'.")] = None,
        start: When = None,
        end: When = None,
        bucket: Annotated[str, Query(max_length=10, description="Seconds, 60 to 86400, or 'auto'.")] = "auto",
    ) -> Trends:
        chosen = _values(dimension, value)
        span, store = asked(start, end, bucket), service().store
        while True:
            found = store.trends(dimension, span.start, span.end, span.seconds, values=chosen)
            longer = span.coarser() if bucket == "auto" and _thin(span, found) else None
            if longer is None:
                break
            span = longer
        return Trends(
            dimension=dimension,
            start=span.start,
            end=span.end,
            bucket=span.seconds,
            series=[Series(value=v, buckets=_filled(span, found.get(v, ()))) for v in chosen],
        )

    @router.get("/heatmap", summary="Values with the most stories, and how they changed")
    def heatmap(
        dimension: Literal["topic", "entity", "source", "language"] = "entity",
        start: When = None,
        end: When = None,
        limit: Limit = 30,
    ) -> Heat:
        span = asked(start, end, heat=True)
        store = service().store
        totals = store.totals(dimension, span.start, span.end, seconds=span.seconds)
        top = sorted(totals, key=lambda v: (-totals[v].stories, v))[:limit]
        cells = store.trends(dimension, span.start, span.end, span.seconds, values=top) if top else {}
        past = span.before()
        before = store.totals(dimension, past.start, past.end, values=top, seconds=past.seconds) if top else {}
        rows = [_heat_row(v, span, totals[v], before.get(v, Counts()), cells.get(v, ())) for v in top]
        return Heat(
            dimension=dimension, start=span.start, end=span.end, bucket=span.seconds, values=len(totals), rows=rows
        )

    @router.get("/texts", summary="The texts behind a series")
    def texts(
        dimension: Dimension = "all",
        value: Annotated[str, Query(max_length=LONGEST_VALUE)] = "",
        start: When = None,
        end: When = None,
        sentiment: Sentiment | None = None,
        order: Literal["latest", "most_negative"] = "latest",
        copies: Annotated[bool, Query(description="Also texts that repeat a story.")] = False,
        limit: Limit = 50,
    ) -> Texts:
        (chosen,) = _values(dimension, [value] if value else None)
        span = asked(start, end, "auto")
        looked, found = limit if sentiment is None else min(4 * limit, MOST_LOOKED_AT), list[StoredText]()
        while True:
            rows = service().store.texts_of(
                dimension,
                chosen,
                span.start,
                span.end,
                limit=looked,
                most_negative=order == "most_negative",
                first_only=not copies,
            )
            found = [r for r in rows if sentiment is None or _towards(r, dimension, chosen) == sentiment][:limit]
            if len(found) >= limit or len(rows) < looked or looked >= MOST_LOOKED_AT:
                break
            looked = MOST_LOOKED_AT
        entity = chosen if dimension == "entity" else None
        return Texts(start=span.start, end=span.end, texts=[text_of(row, entity) for row in found])

    @router.get("/stories/{story_id}", summary="A story: its first text and those that repeat it")
    def story(story_id: Annotated[int, Path(ge=1, le=2**63 - 1)]) -> StoryOut:
        rows = service().store.story(story_id)
        if not rows:
            raise NotFound(f"There is no story {story_id}, or its texts were deleted after their time.")
        return StoryOut(id=str(story_id), copies=rows[0].copies, texts=[text_of(row, None, whole=True) for row in rows])

    @router.get("/names", summary="What topics and companies are called, and which sources and languages there are")
    def names(response: Response) -> Names:
        response.headers["Cache-Control"] = "private, max-age=60"
        store = service().store
        return Names(
            topics=[Name(value=topic, en=en, zh=zh) for topic, (en, zh) in NAMES.items()],
            entities=[Name(value=id, en=en, zh=zh) for id, (en, zh) in sorted(service().names().items())],
            sources=store.values("source")[:1000],
            languages=store.values("language")[:200],
        )

    return router


def _fresh(response: Response) -> None:
    response.headers["Cache-Control"] = "no-store"


def _values(dimension: Dimension, given: Sequence[str] | None) -> list[str]:
    """The values asked for, each once.

    :raises InputError: if there are none, too many, or some where there can be none.
    """
    values = list(dict.fromkeys(given or ()))
    if dimension == "all":
        if values not in ([], [""]):
            raise InputError("The dimension 'all' has no values; leave value out, or name a dimension.")
        return [""]
    if not values:
        raise InputError(f"Say which {dimension}: value=...")
    if len(values) > MOST_SERIES:
        raise InputError(f"{len(values)} values are too many; at most {MOST_SERIES} go into one answer.")
    if wrong := [v for v in values if not v or len(v) > LONGEST_VALUE or "\x00" in v]:
        raise InputError(f"{wrong[0][:40]!r} is no {dimension}: 1 to {LONGEST_VALUE} characters.")
    return values


def _filled(span: Window, found: Sequence[tuple[int, Counts]]) -> list[BucketOut]:
    """Every bucket of the span, empty ones too."""
    there = dict(found)
    return [bucket_of(at, there.get(at, Counts())) for at in range(span.start, span.end, span.seconds)]


def _thin(span: Window, found: Mapping[str, Sequence[tuple[int, Counts]]]) -> bool:
    """Whether shares of so few stories a bucket would be noise."""
    most = max((sum(counts.stories for _, counts in series) for series in found.values()), default=0)
    return 0 < most < LEAST_STORIES * span.buckets


def _heat_row(value: str, span: Window, now: Counts, before: Counts, cells: Sequence[tuple[int, Counts]]) -> HeatRow:
    there = dict(cells)
    return HeatRow(
        value=value,
        **counts_out(now),
        change=Change(
            stories=now.stories - before.stories,
            share_negative=round(now.share_negative - before.share_negative, 4) if before.stories else None,
            mean_score=round(now.mean_score - before.mean_score, 4) if before.stories else None,
        ),
        cells=[
            (c.stories, c.negative, round(c.mean_score, 4))
            for at in range(span.start, span.end, span.seconds)
            for c in [there.get(at, Counts())]
        ],
    )


def _towards(row: StoredText, dimension: str, value: str) -> Sentiment:
    """The sentiment that counted in the series: of an entity's, that towards it."""
    labels = row.text.by_entity.get(value, row.text.labels) if dimension == "entity" else row.text.labels
    return labels.sentiment
