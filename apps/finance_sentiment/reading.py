"""From a text as it came to one that is read: cleaned, dated, its companies found, its labels given.

Knows the linker of companies and the model through their shapes; knows no SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from apps.finance_sentiment.clusters import Sketch
from apps.finance_sentiment.entities import clauses
from apps.finance_sentiment.rows import Reading
from apps.finance_sentiment.schemas import Incoming, Labels, Mention, TimeMark
from apps.finance_sentiment.settings import FinanceSettings
from core.store.columns import storable
from core.text.clean import clean
from core.text.language import detect_language

LONGEST_TITLE = 1_000
LONGEST_BODY = 100_000
LONGEST_NAME = 500
"""Characters of a title, a body, and of ids, sources and URLs; the rest is cut off."""
MOST_COMPANIES = 20
"""Companies of one text that are kept, the most relevant ones."""

NEUTRAL = Labels(0.0, 1.0, 0.0)


class Labeller(Protocol):
    """What gives topics and sentiment."""

    def label(self, texts: Sequence[str], languages: Sequence[str]) -> list[Labels]:
        """Labels of every text."""
        ...


class Linker(Protocol):
    """What finds companies."""

    def find(self, text: Incoming) -> tuple[Mention, ...]:
        """The companies of a text, one mention each."""
        ...

    def find_all(self, text: Incoming) -> tuple[Mention, ...]:
        """Every place at which a company is named."""
        ...


class Reader:
    """Reads batches of texts. Safe to share between threads if the model and the linker are."""

    def __init__(self, model: Labeller, linker: Linker, settings: FinanceSettings) -> None:
        self._model, self._linker, self._settings = model, linker, settings

    def read(self, incoming: Sequence[Incoming]) -> list[Reading]:
        """Read a batch; the model runs once over all texts and all clauses about single companies."""
        texts = [tidy(text) for text in incoming]
        languages = [text.language or detect_language(text.text) for text in texts]
        mentions = [
            tuple(sorted(self._linker.find(text), key=lambda m: -m.relevance)[:MOST_COMPANIES]) for text in texts
        ]
        pieces = [
            self._clauses(text, named) if len(named) > 1 else {} for text, named in zip(texts, mentions, strict=True)
        ]
        asked = [text.text for text in texts]
        spoken = list(languages)
        for language, parts in zip(languages, pieces, strict=True):
            asked += parts.values()
            spoken += [language] * len(parts)
        labels = self._model.label(asked, spoken) if asked else []
        about = iter(labels[len(texts) :])
        readings = []
        for text, language, named, parts, label in zip(texts, languages, mentions, pieces, labels, strict=False):
            by_entity = {entity: replace(next(about), topics={}) for entity in parts}
            if parts:  # a company that only judges others, as a broker does, is not judged itself
                by_entity |= {m.entity: NEUTRAL for m in named if m.entity not in parts}
            event_at, mark = self.event_time(text)
            sketch = Sketch.of(text.text, (mention.entity for mention in named))
            readings.append(Reading(text, language, label, named, by_entity, event_at, mark, sketch))
        return readings

    def _clauses(self, text: Incoming, named: Sequence[Mention]) -> Mapping[str, str]:
        """The words about each company; empty where the text does not tell them apart."""
        kept = {mention.entity for mention in named}
        found = clauses(text.text, self._linker.find_all(text))
        return {entity: words for entity, words in found.items() if entity in kept and words != text.text}

    def event_time(self, text: Incoming) -> tuple[datetime, TimeMark]:
        """When a text counts: its own time where that can be true, else its arrival, with the reason."""
        published = text.published_at
        if published is None:
            return text.received_at, "missing"
        if published > text.received_at + timedelta(minutes=self._settings.future_minutes):
            return text.received_at, "future"
        if published.astimezone(UTC).year < self._settings.oldest_year:
            return text.received_at, "ancient"
        return published, ""


def tidy(text: Incoming) -> Incoming:
    """The text without markup, in bounds, and as a database can keep it."""
    title = clean(text.title[: 4 * LONGEST_TITLE])[:LONGEST_TITLE]
    body = clean(text.body[: 4 * LONGEST_BODY])[:LONGEST_BODY]
    return replace(
        text,
        id=storable(text.id)[:LONGEST_NAME],
        source=storable(text.source)[:LONGEST_NAME],
        url=storable(text.url)[:LONGEST_NAME] if text.url.startswith(("https://", "http://")) else "",
        title=storable(" ".join(title.split())),
        body=storable(body),
    )
