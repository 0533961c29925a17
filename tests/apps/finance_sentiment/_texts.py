"""Readings for tests, without a model."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from apps.finance_sentiment.clusters import Sketch
from apps.finance_sentiment.rows import Reading
from apps.finance_sentiment.schemas import Incoming, Labels, Mention

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BAD = Labels(0.8, 0.15, 0.05, {"legal": 0.9})
GOOD = Labels(0.05, 0.15, 0.8, {"earnings": 0.9})


def reading(
    id: str,
    text: str,
    *,
    minute: float = 0,
    source: str = "wire",
    labels: Labels = BAD,
    companies: Mapping[str, float] | None = None,
    by_entity: Mapping[str, Labels] | None = None,
) -> Reading:
    """A text of `minute` minutes after the start."""
    at = START + timedelta(minutes=minute)
    incoming = Incoming(id, source, at, text, published_at=at)
    named = tuple(Mention(entity, entity, 0, 1, share) for entity, share in (companies or {}).items())
    return Reading(incoming, "en", labels, named, by_entity or {}, at, "", Sketch.of(incoming.text))
