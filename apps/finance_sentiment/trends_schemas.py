"""What the trends' routes answer, and how stored values become it. Knows JSON; knows no HTTP and no SQL."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict
from urllib.parse import urlsplit

from pydantic import BaseModel, Field

from apps.finance_sentiment.rows import epoch
from apps.finance_sentiment.schemas import Counts, Dimension, Labels, Sentiment, TimeMark
from apps.finance_sentiment.store_texts import StoredText

SHOWN = 600
"""Characters of a body in a list."""


class CountsOut(BaseModel):
    """What a stretch of time holds; a story counts once, `texts` counts its every copy."""

    stories: int
    texts: int
    negative: int
    positive: int
    share_negative: float = Field(description="Negative stories over stories; 0 where there are none.")
    mean_score: float = Field(description="Mean score of the stories, in [-1, 1]; 0 where there are none.")


class BucketOut(CountsOut):
    """The counts of one bucket."""

    start: int = Field(description="First second, since 1970.")


class Series(BaseModel):
    """One value's buckets, in order of time, none left out."""

    value: str
    buckets: list[BucketOut]


class Trends(BaseModel):
    """Series over the same buckets; `start` and `end` are what was asked for, rounded out to whole buckets."""

    dimension: Dimension
    start: int
    end: int
    bucket: int = Field(description="Seconds.")
    series: list[Series]


class Change(BaseModel):
    """Now less the same time right before; None where nothing was there to compare with."""

    stories: int
    share_negative: float | None
    mean_score: float | None


class HeatRow(CountsOut):
    """A value's counts, their change, and one cell a bucket."""

    value: str
    change: Change
    cells: list[tuple[int, int, float]] = Field(description="Stories, negative stories, mean score; one a bucket.")


class Heat(BaseModel):
    """The values with the most stories."""

    dimension: Dimension
    start: int
    end: int
    bucket: int
    values: int = Field(description="How many values had any text in this time.")
    rows: list[HeatRow]


class MentionOut(BaseModel):
    """A company in a text, with the sentiment towards it."""

    entity: str
    name: str
    relevance: float
    sentiment: Sentiment
    score: float


class TextOut(BaseModel):
    """A text as it was read."""

    id: int
    story: str
    copies: int = Field(description="Texts of its story, itself included.")
    first: bool
    source: str
    language: str
    title: str
    body: str
    cut: bool = Field(description="Whether the body was cut.")
    url: str = Field(description="Empty where the source gave none that is http or https.")
    event_at: int
    published_at: datetime | None
    received_at: datetime
    time_mark: TimeMark
    sentiment: Sentiment
    score: float = Field(description="In a company's list, that towards the company.")
    negative: float
    neutral: float
    positive: float
    topics: dict[str, float]
    mentions: list[MentionOut]
    novelty: float


class Texts(BaseModel):
    """Texts, and the whole buckets they were looked for in."""

    start: int
    end: int
    texts: list[TextOut]


class StoryOut(BaseModel):
    """A story with its texts, the first one first."""

    id: str
    copies: int
    texts: list[TextOut]


class Name(BaseModel):
    """What people call something."""

    value: str
    en: str
    zh: str


class Names(BaseModel):
    """Everything a series can be of."""

    topics: list[Name]
    entities: list[Name]
    sources: list[str]
    languages: list[str]


class _Counts(TypedDict):
    stories: int
    texts: int
    negative: int
    positive: int
    share_negative: float
    mean_score: float


def counts_out(counts: Counts) -> _Counts:
    """The fields of `CountsOut`."""
    return {
        "stories": counts.stories,
        "texts": counts.texts,
        "negative": counts.negative,
        "positive": counts.positive,
        "share_negative": round(counts.share_negative, 4),
        "mean_score": round(counts.mean_score, 4),
    }


def bucket_of(start: int, counts: Counts) -> BucketOut:
    """One bucket."""
    return BucketOut(start=start, **counts_out(counts))


def safe_link(url: str) -> str:
    """The address if a page may link to it: http or https, with a host; else nothing."""
    try:
        parts = urlsplit(url.strip())
        return url.strip() if parts.scheme in {"http", "https"} and parts.hostname else ""
    except ValueError:
        return ""


def text_of(row: StoredText, entity: str | None, *, whole: bool = False) -> TextOut:
    """A stored text as JSON.

    :param entity: whose sentiment is meant; None means the text's own.
    :param whole: leave the body as long as it is.
    """
    text = row.text
    labels: Labels = text.by_entity.get(entity, text.labels) if entity else text.labels
    body = text.text.body
    return TextOut(
        id=row.id,
        story=text.story,
        copies=row.copies,
        first=text.first,
        source=text.text.source,
        language=text.language,
        title=text.text.title,
        body=body if whole else body[:SHOWN],
        cut=not whole and len(body) > SHOWN,
        url=safe_link(text.text.url),
        event_at=epoch(text.event_at),
        published_at=text.text.published_at,
        received_at=text.text.received_at,
        time_mark=text.time_mark,
        sentiment=labels.sentiment,
        score=round(labels.score, 4),
        negative=round(labels.negative, 4),
        neutral=round(labels.neutral, 4),
        positive=round(labels.positive, 4),
        topics=dict(text.labels.topics),
        mentions=[
            MentionOut(
                entity=m.entity,
                name=m.name,
                relevance=round(m.relevance, 3),
                sentiment=(towards := text.by_entity.get(m.entity, text.labels)).sentiment,
                score=round(towards.score, 4),
            )
            for m in text.mentions
        ],
        novelty=round(text.novelty, 3),
    )
