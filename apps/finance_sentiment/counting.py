"""Counts for the rules, held in memory and true to the store: what a rule looks at costs no query.

Knows the store and the engine's shape of counts; judges nothing. Not safe between threads: the monitor has the lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from apps.finance_sentiment.rows import HOUR, MINUTE, counts_of, epoch, series_of
from apps.finance_sentiment.rule_memory import MemoryCounts
from apps.finance_sentiment.rule_program import LONGEST_MEMORY
from apps.finance_sentiment.schemas import Analysed, Counts, Observation, SeriesKey
from apps.finance_sentiment.store import Store
from apps.finance_sentiment.tables import MICRO

MOST_STORIES = 500
"""Stories of a window whose sources are looked at."""


class StoreCounts:
    """The series of a store, each read from it when it is first asked for, and kept up by what comes in.

    :param relevance: see `rows.series_of`.
    """

    def __init__(self, store: Store, relevance: float) -> None:
        self._store, self._relevance = store, relevance
        self._memory = MemoryCounts()
        self._loaded: set[SeriesKey] = set()
        self._began = 0

    def heard(self, texts: Iterable[Analysed], *, add: bool = True) -> set[SeriesKey]:
        """Count texts that were just stored, before a series of them is asked for; the series they are in.

        :param add: False where everything was read anew since they were stored.
        """
        touched = set()
        for text in texts:
            at = epoch(text.event_at)
            for key, labels in series_of(text, self._relevance):
                touched.add(key)
                if add and key in self._loaded:
                    stories, copies, negative, positive, micro = counts_of(text.first, labels)
                    self._memory.add(key, at, Counts(stories, copies, negative, positive, micro / MICRO))
            if not self._began or at < self._began:
                self._began = 0
        return touched

    def forget(self) -> None:
        """Read everything anew: another process has stored texts."""
        self._memory, self._loaded, self._began = MemoryCounts(), set(), 0

    def began(self) -> int:
        """Time of the first text of all, to the hour; 0 before there is one."""
        if not self._began:
            span = self._store.span()
            self._began = span[0] if span else 0
        return self._began

    def counts(self, key: SeriesKey, start: int, end: int) -> Counts:
        """Sum over [start, end): whole minutes."""
        self._load(key, start)
        return self._memory.counts(key, start, end)

    def filled(self, key: SeriesKey, start: int, end: int, seconds: int) -> Sequence[Observation]:
        """The buckets of [start, end) that hold a text."""
        self._load(key, end)
        return self._memory.filled(key, start, end, seconds)

    def by_source(self, key: SeriesKey, start: int, end: int) -> Mapping[str, int]:
        """Negative stories of [start, end) by their source; all stories, where none is negative."""
        found = self._store.texts_of(key.dimension, key.value, start, end, limit=MOST_STORIES, most_negative=True)
        told = [text.text for text in found]
        negative = Counter(t.text.source for t in told if self._labels(t, key) == "negative")
        return negative or Counter(t.text.source for t in told)

    def _labels(self, text: Analysed, key: SeriesKey) -> str:
        labels = text.by_entity.get(key.value, text.labels) if key.dimension == "entity" else text.labels
        return labels.sentiment

    def _load(self, key: SeriesKey, near: int) -> None:
        """Read a series; what is older than a rule can learn from is left out."""
        if key in self._loaded:
            return
        self._loaded.add(key)
        first = max(self.began(), near - LONGEST_MEMORY) // HOUR * HOUR
        end = max(near, first) // HOUR * HOUR + 2 * 366 * 24 * HOUR
        kept = self._store.trends(key.dimension, first, end, MINUTE, values=[key.value], bounded=False)
        for start, counts in kept.get(key.value, ()):
            self._memory.add(key, start, counts)
