"""The way of a batch of texts into the store: read, told apart, stored, counted, all in one place.

Knows the reader and the store; knows no rules. One batch at a time, so that copies of a story find each other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from apps.finance_sentiment.clusters import StoryIndex
from apps.finance_sentiment.reading import Reader, tidy
from apps.finance_sentiment.schemas import Analysed, Incoming
from apps.finance_sentiment.settings import FinanceSettings
from apps.finance_sentiment.store import Store
from core.progress import Report, quiet

BATCH = 64
"""Texts that are read, stored and judged together."""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of the texts that were given."""

    new: int
    """Texts that were stored."""
    known: int
    """Texts that had been stored before."""
    stories: int
    """New texts that told something new; the others repeat a story."""
    negative: int
    """Of these stories, those that are negative."""
    undated: int
    """New texts that count under their arrival, because they have no time that can be true."""
    seconds: float


class Intake:
    """Takes texts in.

    :param heard: called after every stored batch with what is new in it and the revision of the store.
    """

    def __init__(
        self,
        store: Store,
        reader: Reader,
        settings: FinanceSettings,
        heard: Callable[[Sequence[Analysed], int], None] = lambda _texts, _revision: None,
    ) -> None:
        self._store, self._reader, self._settings, self.heard = store, reader, settings, heard
        self._stories = StoryIndex(settings.story_window_hours * 3600, settings.story_similarity)
        self._lock = threading.Lock()
        store.load_stories(self._stories)

    def ingest(self, incoming: Sequence[Incoming], *, progress: Report = quiet) -> IngestReport:
        """Take texts in, in batches; each batch is stored and counted whole or not at all.

        Texts whose (source, id) is stored already cost almost nothing, so sending again after a crash is right.
        """
        started = time.perf_counter()
        new: list[Analysed] = []
        known = 0
        for start in range(0, len(incoming), BATCH):
            batch = [tidy(text) for text in incoming[start : start + BATCH]]
            fresh = self._fresh(batch)
            told: tuple[Analysed, ...] = ()
            if fresh:
                readings = self._reader.read(fresh)
                with self._lock:
                    recorded = self._store.record(readings, self._stories, self._settings.relevance)
                    told = recorded.new
                    self.heard(told, recorded.revision)
                new += told
            known += len(batch) - len(told)
            progress("texts", min(start + BATCH, len(incoming)), len(incoming))
        first = [text for text in new if text.first]
        return IngestReport(
            len(new),
            known,
            len(first),
            sum(text.labels.sentiment == "negative" for text in first),
            sum(bool(text.time_mark) for text in new),
            time.perf_counter() - started,
        )

    def _fresh(self, batch: Sequence[Incoming]) -> list[Incoming]:
        """The texts that are not stored yet, each once."""
        taken = self._store.known((text.source, text.id) for text in batch)
        fresh = []
        for text in batch:
            if (text.source, text.id) not in taken:
                taken.add((text.source, text.id))
                fresh.append(text)
        return fresh
