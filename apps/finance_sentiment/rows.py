"""Between the values of the monitor and the rows of its tables. Knows both; runs no SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from apps.finance_sentiment.clusters import Sketch, Story
from apps.finance_sentiment.schemas import Analysed, Counts, Incoming, Labels, Mention, SeriesKey, TimeMark
from apps.finance_sentiment.tables import MICRO

MINUTE, HOUR, DAY = 60, 3600, 86_400
RESOLUTIONS = (MINUTE, HOUR, DAY)
"""Lengths of the stored buckets, in seconds."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A text that was read but not yet stored: everything of `Analysed` but its story."""

    text: Incoming
    language: str
    labels: Labels
    mentions: tuple[Mention, ...]
    by_entity: Mapping[str, Labels]
    event_at: datetime
    time_mark: TimeMark
    sketch: Sketch

    def told(self, story: int, novelty: float, first: bool) -> Analysed:
        """The text with its place among the others."""
        return Analysed(
            self.text, self.language, self.labels, self.mentions, self.by_entity,
            str(story), novelty, first, self.event_at, self.time_mark,
        )  # fmt: skip


def epoch(moment: datetime) -> int:
    """Whole seconds since 1970."""
    return int(moment.timestamp() // 1)


def moment(seconds: int) -> datetime:
    """The instant of `epoch`."""
    return datetime.fromtimestamp(seconds, UTC)


def series_of(text: Analysed, relevance: float) -> Iterator[tuple[SeriesKey, Labels]]:
    """The series a text counts in, and the labels it counts with there.

    :param relevance: companies that the text is less about are left out.
    """
    yield SeriesKey("all"), text.labels
    yield SeriesKey("source", text.text.source), text.labels
    yield SeriesKey("language", text.language), text.labels
    for topic in text.labels.topics:
        yield SeriesKey("topic", topic), text.labels
    for mention in text.mentions:
        if mention.relevance >= relevance:
            yield SeriesKey("entity", mention.entity), text.by_entity.get(mention.entity, text.labels)


def counts_of(first: bool, labels: Labels) -> tuple[int, int, int, int, int]:
    """What one text adds: stories, texts, negative, positive, millionths of score."""
    if not first:
        return 0, 1, 0, 0, 0
    sentiment = labels.sentiment
    return 1, 1, int(sentiment == "negative"), int(sentiment == "positive"), round(labels.score * MICRO)


def increments(texts: Iterable[Analysed], relevance: float) -> list[dict[str, Any]]:
    """Rows to be added to the buckets, one per bucket and series, in the order of their keys.

    The order keeps two processes that add at once from waiting for each other in a circle.
    """
    sums: dict[tuple[int, str, int, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for text in texts:
        at = epoch(text.event_at)
        for key, labels in series_of(text, relevance):
            added = counts_of(text.first, labels)
            for seconds in RESOLUTIONS:
                row = sums[seconds, key.dimension, at - at % seconds, key.value]
                for i, number in enumerate(added):
                    row[i] += number
    names = ("stories", "texts", "negative", "positive", "score_micro")
    columns = ("seconds", "dimension", "start", "value", *names)
    return [dict(zip(columns, (*key, *row), strict=True)) for key, row in sorted(sums.items())]


def to_counts(row: Any) -> Counts:
    """Counts of a row whose last five columns are those of a bucket."""
    stories, texts, negative, positive, micro = (int(n or 0) for n in row[-5:])
    return Counts(stories, texts, negative, positive, micro / MICRO)


def text_row(text: Analysed) -> dict[str, Any]:
    """The row of a text; the database gives its id."""
    labels = text.labels
    return {
        "source": text.text.source,
        "external_id": text.text.id,
        "story_id": int(text.story),
        "event_at": epoch(text.event_at),
        "received_at": text.text.received_at,
        "published_at": text.text.published_at,
        "time_mark": text.time_mark,
        "language": text.language,
        "title": text.text.title,
        "body": text.text.body,
        "url": text.text.url,
        "first": text.first,
        "novelty": text.novelty,
        "negative": labels.negative,
        "neutral": labels.neutral,
        "positive": labels.positive,
        "topics": {name: round(p, 4) for name, p in labels.topics.items()},
    }


def mention_rows(id: int, text: Analysed) -> Iterator[dict[str, Any]]:
    """The rows of a text's companies."""
    for mention in text.mentions:
        labels = text.by_entity.get(mention.entity, text.labels)
        yield {
            "text_id": id,
            "entity": mention.entity,
            "name": mention.name,
            "start_char": mention.start,
            "end_char": mention.end,
            "relevance": mention.relevance,
            "negative": labels.negative,
            "neutral": labels.neutral,
            "positive": labels.positive,
        }


def series_rows(id: int, text: Analysed, relevance: float) -> Iterator[dict[str, Any]]:
    """The rows that lead from a text's topics and companies to it."""
    for key, labels in series_of(text, relevance):
        if key.dimension in ("topic", "entity", "source"):
            yield {
                "dimension": key.dimension,
                "value": key.value,
                "event_at": epoch(text.event_at),
                "text_id": id,
                "score": labels.score,
            }


def to_analysed(row: Any, mentions: Iterable[Any] = ()) -> Analysed:
    """A stored text as it was."""
    companies, by_entity = [], {}
    for m in mentions:
        companies.append(Mention(m.entity, m.name, m.start_char, m.end_char, m.relevance))
        by_entity[m.entity] = Labels(m.negative, m.neutral, m.positive)
    text = Incoming(
        row.external_id, row.source, row.received_at, row.title, row.body, row.url, row.published_at, row.language
    )
    return Analysed(
        text,
        row.language,
        Labels(row.negative, row.neutral, row.positive, row.topics),
        tuple(companies),
        by_entity,
        str(row.story_id),
        row.novelty,
        bool(row.first),
        moment(row.event_at),
        row.time_mark,
    )


def story_row(reading: Reading) -> dict[str, Any]:
    """The row of a story that this text opens."""
    at = epoch(reading.event_at)
    return {
        "sketch": reading.sketch.hashes.astype("<u4").tobytes(),
        "facts": sorted(reading.sketch.facts),
        "source": reading.text.source,
        "size": 1,
        "first_event": at,
        "last_event": at,
    }


def to_story(row: Any) -> Story:
    """A story as the index of stories wants it."""
    hashes = np.frombuffer(row.sketch, "<u4").astype(np.uint32)
    return Story(row.id, Sketch.restore(hashes, frozenset(row.facts)), row.first_event, row.last_event)
