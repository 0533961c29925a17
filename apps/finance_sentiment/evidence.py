"""What stands behind an alert, frozen as JSON: the stories that weigh most, the series against what was usual.

Read from the store before the alert is written; nothing in it changes when texts are deleted later. Knows the store's
values; knows no SQL and no life of alerts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any, Protocol

from apps.finance_sentiment.rows import DAY, HOUR, MINUTE, moment
from apps.finance_sentiment.schemas import Counts, Labels, SeriesKey, Verdict
from apps.finance_sentiment.store_texts import StoredText

FORMAT = 1
STORIES = 10
LOOKED_AT = 500
"""Stories of the window that are weighed, the most negative first."""
BUCKETS = 48
"""Buckets of the chart, at least."""
DAYS_BEFORE = 7
"""Days that the usual value of a time of day is taken from."""
_EXCERPT = 300
_URL = 2000


class EvidenceStore(Protocol):
    """The part of `Store` that this needs."""

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

    def trend(self, key: SeriesKey, start: int, end: int, seconds: int) -> list[tuple[int, Counts]]:
        """Buckets of a series that hold anything."""


@dataclass(frozen=True, slots=True)
class RuleName:
    """What evidence tells of a rule."""

    id: str
    name: str
    severity: str
    measure: str = "negative"
    """volume, negative, share_negative or mean_score: what the chart shows."""


def collect(
    store: EvidenceStore,
    key: SeriesKey,
    start: int,
    end: int,
    *,
    rule: RuleName,
    verdict: Verdict,
    name: str = "",
    now: float | None = None,
    expected: Mapping[int, float] | None = None,
) -> dict[str, Any]:
    """The evidence of a rule's word on the window [start, end), seconds since 1970.

    Keys: format, collected_at, dimension, value, name, window, rule, measured (the verdict), totals (of the window),
    stories (at most ten, the heaviest first, each with its scores, topics, companies and link), chart (values and
    expected by bucket from `start` in steps of `seconds`), last_text_at. Times are RFC 3339, in the chart seconds.

    A story's influence is its share of the window's negative score, where a story told n times weighs 1 + log2 n fold.

    :param name: of the series for people; empty stands for its value.
    :param now: when it is collected; None means `end`.
    :param expected: usual value by first second of a bucket, where the rule knows it; else the median of the same time
        of day over the seven days before, and within the window what the verdict expected.
    """
    found = store.texts_of(key.dimension, key.value, start, end, limit=LOOKED_AT, most_negative=True)
    totals = _totals(store, key, start, end)
    return {
        "format": FORMAT,
        "collected_at": stamp(end if now is None else now),
        "dimension": key.dimension,
        "value": key.value,
        "name": name or key.value,
        "window": {"start": stamp(start), "end": stamp(end)},
        "rule": {"id": rule.id, "name": rule.name, "severity": rule.severity},
        "measured": measured_json(verdict),
        "totals": {
            "stories": totals.stories,
            "texts": totals.texts,
            "negative": totals.negative,
            "positive": totals.positive,
            "share_negative": round(totals.share_negative, 4),
            "mean_score": round(totals.mean_score, 4),
        },
        "stories": _stories(found, key),
        "chart": _chart(store, key, start, end, rule.measure, verdict, expected),
        "last_text_at": _last(store, key, found, end),
    }


def measured_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict as the API shows it."""
    return {
        "value": _finite(verdict.value),
        "expected": _finite(verdict.expected),
        "limit": _finite(verdict.limit),
        "p_value": _finite(verdict.p_value),
        "reason": verdict.reason,
    }


def stamp(seconds: float) -> str:
    """RFC 3339, UTC, whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def _totals(store: EvidenceStore, key: SeriesKey, start: int, end: int) -> Counts:
    first, last = start - start % MINUTE, end + -end % MINUTE
    return sum((counts for _, counts in store.trend(key, first, last, MINUTE)), Counts())


def _labels(text: StoredText, key: SeriesKey) -> Labels:
    own = text.text.labels
    return text.text.by_entity.get(key.value, own) if key.dimension == "entity" else own


def _stories(found: Sequence[StoredText], key: SeriesKey) -> list[dict[str, Any]]:
    weights = [max(0.0, -_labels(t, key).score) * (1 + math.log2(max(1, t.copies))) for t in found]
    whole = sum(weights) or 1.0
    best = sorted(range(len(found)), key=lambda i: (-weights[i], -found[i].copies, found[i].id))[:STORIES]
    return [_story(found[i], _labels(found[i], key), weights[i] / whole) for i in best]


def _story(stored: StoredText, labels: Labels, influence: float) -> dict[str, Any]:
    analysed = stored.text
    text = analysed.text
    url = text.url if text.url.lower().startswith(("http://", "https://")) and len(text.url) <= _URL else ""
    return {
        "story": analysed.story,
        "text_id": stored.id,
        "title": text.title[:_EXCERPT],
        "excerpt": text.body[:_EXCERPT],
        "source": text.source,
        "url": url,
        "language": analysed.language,
        "published_at": stamp(analysed.event_at.timestamp()),
        "received_at": stamp(text.received_at.timestamp()),
        "copies": stored.copies,
        "influence": round(influence, 4),
        "score": round(labels.score, 4),
        "negative": round(labels.negative, 4),
        "neutral": round(labels.neutral, 4),
        "positive": round(labels.positive, 4),
        "topics": {name: round(p, 4) for name, p in analysed.labels.topics.items()},
        "mentions": [
            {
                "entity": m.entity,
                "name": m.name,
                "relevance": round(m.relevance, 4),
                "score": round(analysed.by_entity.get(m.entity, analysed.labels).score, 4),
            }
            for m in analysed.mentions
        ],
    }


def _chart(
    store: EvidenceStore,
    key: SeriesKey,
    start: int,
    end: int,
    measure: str,
    verdict: Verdict,
    expected: Mapping[int, float] | None,
) -> dict[str, Any]:
    """The series up to the window's end, in buckets of about the window's length, in step with the window's end."""
    seconds = next((s for s in (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR) if s >= (end - start) / 2), DAY)
    if end - start >= HOUR and seconds < HOUR:
        seconds = HOUR
    last = end + -end % seconds
    first = last - BUCKETS * seconds
    days = DAYS_BEFORE if seconds < DAY else 0
    counts = dict(store.trend(key, first - days * DAY, last, seconds))
    values = {at: _value(c, measure) for at, c in counts.items()}
    began = min(counts, default=last)
    usual: list[float | None] = []
    for at in range(first, last, seconds):
        if expected is not None:
            usual.append(_finite(expected[at]) if at in expected else None)
        elif at + seconds > start:
            usual.append(_finite(verdict.expected) if end - start <= 2 * seconds else None)
        else:
            before = [values.get(t, 0.0) for d in range(1, days + 1) if (t := at - d * DAY) >= began]
            usual.append(round(median(before), 4) if before else None)
    return {
        "measure": measure,
        "start": first,
        "seconds": seconds,
        "values": [values.get(at, 0.0) for at in range(first, last, seconds)],
        "expected": usual,
        "window_start": start,
        "window_end": end,
    }


def _value(counts: Counts, measure: str) -> float:
    match measure:
        case "volume":
            return float(counts.stories)
        case "share_negative":
            return round(counts.share_negative, 4)
        case "mean_score":
            return round(counts.mean_score, 4)
        case _:
            return float(counts.negative)


def _last(store: EvidenceStore, key: SeriesKey, found: Sequence[StoredText], end: int) -> str | None:
    if found:
        return stamp(max(t.text.event_at.timestamp() for t in found))
    before = store.texts_of(
        key.dimension, key.value, int(moment(end).timestamp()) - 30 * DAY, end, limit=1, first_only=False
    )
    return stamp(before[0].text.event_at.timestamp()) if before else None


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
