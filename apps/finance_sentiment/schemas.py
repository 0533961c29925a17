"""The values of the finance monitor. They know neither HTTP nor SQL; times are timezone-aware and UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Sentiment = Literal["negative", "neutral", "positive"]
SENTIMENTS: tuple[Sentiment, ...] = ("negative", "neutral", "positive")

TimeMark = Literal["", "missing", "future", "ancient"]
"""Why a text counts under its arrival; empty where it counts under the time it was published at."""

Dimension = Literal["all", "topic", "entity", "source", "language"]
DIMENSIONS: tuple[Dimension, ...] = ("all", "topic", "entity", "source", "language")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A text as it came from a source."""

    id: str
    """The source's own name for it: a feed entry's id, a row's id, or a digest of its content."""
    source: str
    """Name of the feed, file or client it came from; `(source, id)` is taken once."""
    received_at: datetime
    title: str
    body: str = ""
    url: str = ""
    published_at: datetime | None = None
    """Event time; None where the source gives none, and then the arrival stands for it."""
    language: str | None = None
    """ISO 639-1 code; None lets the text be looked at."""

    @property
    def text(self) -> str:
        """Title and body, a line apart."""
        return f"{self.title}\n{self.body}" if self.title and self.body else self.title or self.body


@dataclass(frozen=True, slots=True)
class Mention:
    """A company named in a text."""

    entity: str
    """Id in the gazetteer: market and ticker, as in "US:AAPL", "HK:0700", "CN:600519"."""
    name: str
    """The words of the text."""
    start: int
    """First character in `Incoming.text`."""
    end: int
    """One past the last character."""
    relevance: float
    """How much the text is about the company, in (0, 1]."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What the model says of a text: calibrated probabilities."""

    negative: float
    neutral: float
    positive: float
    topics: Mapping[str, float] = field(default_factory=dict)
    """Probability of every topic that reached its threshold."""

    @property
    def sentiment(self) -> Sentiment:
        """The likeliest of the three; neutral wins a tie."""
        best = max(self.negative, self.positive)
        if self.neutral >= best:
            return "neutral"
        return "negative" if self.negative >= self.positive else "positive"

    @property
    def score(self) -> float:
        """Probability of positive less that of negative, in [-1, 1]."""
        return self.positive - self.negative


@dataclass(frozen=True, slots=True)
class Analysed:
    """A text with everything that was read from it."""

    text: Incoming
    language: str
    labels: Labels
    mentions: tuple[Mention, ...]
    by_entity: Mapping[str, Labels]
    """Sentiment towards each company, where the text names several; else the text's own."""
    story: str
    """Id of the cluster of near-duplicates it belongs to."""
    novelty: float
    """One less the similarity to the nearest earlier text of the window, in [0, 1]."""
    first: bool
    """Whether it opened its story: only then it counts in volumes."""
    event_at: datetime
    """The time it counts under: `published_at` where that is believable, else the arrival."""
    time_mark: TimeMark = ""


@dataclass(frozen=True, slots=True, order=True)
class SeriesKey:
    """Names one series of counts."""

    dimension: Dimension
    value: str = ""
    """Topic, entity, source or language; empty for `all`."""

    def __str__(self) -> str:
        return f"{self.dimension}:{self.value}" if self.value else self.dimension


@dataclass(frozen=True, slots=True)
class Counts:
    """What a bucket or window holds. A story counts once; `texts` counts its every copy."""

    stories: int = 0
    texts: int = 0
    negative: int = 0
    """Stories whose first text is negative."""
    positive: int = 0
    score_sum: float = 0.0
    """Sum of the stories' scores."""

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.stories + other.stories,
            self.texts + other.texts,
            self.negative + other.negative,
            self.positive + other.positive,
            self.score_sum + other.score_sum,
        )

    @property
    def share_negative(self) -> float:
        """Negative stories over stories; 0 where there are none."""
        return self.negative / self.stories if self.stories else 0.0

    @property
    def mean_score(self) -> float:
        """Mean score of the stories; 0 where there are none."""
        return self.score_sum / self.stories if self.stories else 0.0


@dataclass(frozen=True, slots=True)
class Observation:
    """The counts of a stretch of time."""

    start: int
    """First second, since 1970."""
    seconds: int
    counts: Counts

    @property
    def end(self) -> int:
        """One past the last second."""
        return self.start + self.seconds


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule thinks of a window."""

    breached: bool
    cleared: bool
    """Below the limit at which a firing rule stops: lower than the one at which it starts."""
    value: float
    expected: float
    """What the rule held for usual."""
    limit: float
    """The value from which on the rule is breached."""
    p_value: float | None = None
    """Chance of such a value or a greater one under what is usual, where the rule computes it."""
    reason: str = ""
    """One English sentence with the numbers."""
