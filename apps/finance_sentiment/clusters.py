"""Which texts tell the same story: exact and near-duplicates within a window of time.

Knows texts and numpy; knows no SQL. A text is sketched by the least 128 hashes of its three-word runs (bottom-k
sketch, Broder 1997: exact for up to 128 runs); bands of a MinHash signature find candidates, the sketches decide. Texts
whose numbers or companies differ are different stories ("target cut to $40", "target cut to $35"), unless one only
leaves some out, as a shortened copy does.
"""

from __future__ import annotations

import re
import unicodedata
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.text.dedup import shingles, signature

SKETCH = 128
BANDS = 21
ROWS = 3
"""21 bands of 3: a pair that shares .6 of its runs is found with probability .994, one that shares .05 with .003."""
LONGEST = 20_000
"""Characters of a text that are looked at."""

_LINK = re.compile(r"https?://\S+|(?<![\w@])@\w+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is kept of a text to compare others with it."""

    hashes: npt.NDArray[np.uint32]
    """(k,) ascending, k at most 128."""
    facts: frozenset[str]
    """Its numbers, and the companies it is about."""
    bands: tuple[bytes, ...]
    """21 keys; empty for a text without words, which repeats nothing."""

    @classmethod
    def of(cls, text: str, names: Iterable[str] = ()) -> Sketch:
        """Sketch a text. Links, handles, upper and lower case and full width do not matter.

        :param names: the companies named in it, in any form that is always the same.
        """
        plain = unicodedata.normalize("NFKC", _LINK.sub(" ", text[:LONGEST])).casefold()
        found = (shingles(plain) >> np.uint64(32)).astype(np.uint32)
        return cls.restore(np.unique(found)[:SKETCH], frozenset(_NUMBER.findall(plain)) | frozenset(names))

    @classmethod
    def restore(cls, hashes: npt.NDArray[np.uint32], facts: frozenset[str]) -> Sketch:
        """A sketch from what was stored of it."""
        if not len(hashes):
            return cls(hashes, facts, ())
        rows = signature(hashes.astype(np.uint64))[: BANDS * ROWS].reshape(BANDS, ROWS)
        return cls(hashes, facts, tuple(bytes([i]) + row.tobytes() for i, row in enumerate(rows)))

    def similarity(self, other: Sketch) -> float:
        """Estimated Jaccard similarity of the two texts' runs, in [0, 1]."""
        union = np.union1d(self.hashes, other.hashes)[:SKETCH]
        if not len(union):
            return 0.0
        both = np.intersect1d(self.hashes, other.hashes, assume_unique=True)
        return float(np.isin(union, both, assume_unique=True).sum() / len(union))

    def agrees(self, other: Sketch) -> bool:
        """Whether neither text contradicts the other's facts."""
        return self.facts <= other.facts or other.facts <= self.facts


@dataclass(slots=True)
class Story:
    """A story as the index knows it."""

    id: int
    sketch: Sketch
    first_event: int
    """Least event time of its texts, seconds since 1970."""
    last_event: int


@dataclass(frozen=True, slots=True)
class Match:
    """What the index says of a text."""

    story: int | None
    """The story it repeats, or None where it opens one."""
    novelty: float
    """One less the similarity to the nearest known text, in [0, 1]."""


class StoryIndex:
    """The stories of the latest past, by what they say. Not safe between threads.

    :param window_seconds: a text may lie this far from the nearest text of its story.
    :param threshold: similarity from which on a text repeats another one.
    :param capacity: stories kept; the least recently used go first.
    """

    def __init__(self, window_seconds: float, threshold: float, *, capacity: int = 30_000) -> None:
        self.window_seconds, self.threshold, self.capacity = window_seconds, threshold, capacity
        self.newest = 0
        """The greatest id it was given."""
        self._stories: OrderedDict[int, Story] = OrderedDict()
        self._bands: dict[bytes, list[int]] = {}

    def __len__(self) -> int:
        return len(self._stories)

    def candidates(self, sketch: Sketch) -> Iterator[Story]:
        """Stories that share a band with the text, each once, oldest id first."""
        for id in sorted({id for key in sketch.bands for id in self._bands.get(key, ())}):
            yield self._stories[id]

    def add(self, story: Story) -> None:
        """Remember a story; the least recently used one goes where there are too many."""
        self.newest = max(self.newest, story.id)
        self._stories[story.id] = story
        for key in story.sketch.bands:
            self._bands.setdefault(key, []).append(story.id)
        while len(self._stories) > self.capacity:
            _, old = self._stories.popitem(last=False)
            for key in old.sketch.bands:
                ids = self._bands[key]
                ids.remove(old.id)
                if not ids:
                    del self._bands[key]

    def touch(self, id: int, event_at: int) -> None:
        """A text of this time joined the story."""
        story = self._stories.get(id)
        if story is not None:
            story.first_event = min(story.first_event, event_at)
            story.last_event = max(story.last_event, event_at)
            self._stories.move_to_end(id)

    def draft(self) -> Draft:
        """Matches a batch against this index without changing it."""
        return Draft(self)


class Draft:
    """The stories of one batch over an index: thrown away if the batch is not stored, merged if it is."""

    def __init__(self, base: StoryIndex) -> None:
        self._base = base
        self._new = StoryIndex(base.window_seconds, base.threshold, capacity=1 << 31)
        self._joined: dict[int, list[int]] = {}

    def match(self, sketch: Sketch, event_at: int, number: int) -> Match:
        """Where a text belongs. One that repeats nothing opens a story, known until `merge` as `-1 - number`.

        :param number: the text's place in the batch.
        """
        best: tuple[float, int] | None = None
        nearest = 0.0
        for index in (self._base, self._new):
            for story in index.candidates(sketch):
                if not self._near(story, event_at):
                    continue
                similarity = sketch.similarity(story.sketch)
                nearest = max(nearest, similarity)
                fits = similarity >= self._base.threshold and sketch.agrees(story.sketch)
                if fits and (best is None or similarity > best[0]):
                    best = (similarity, story.id)
        if best is None:
            self._new.add(Story(-1 - number, sketch, event_at, event_at))
            return Match(None, 1.0 - nearest)
        self._joined.setdefault(best[1], []).append(event_at)
        if best[1] < 0:
            self._new.touch(best[1], event_at)
        return Match(best[1], 1.0 - nearest)

    def joined(self) -> dict[int, Sequence[int]]:
        """Event times of the texts that joined a story, by its id (negative: opened in this batch)."""
        return dict(self._joined)

    def merge(self, ids: dict[int, int]) -> None:
        """Take the batch into the index.

        :param ids: the stored id of every story opened here, by its number in the batch.
        """
        for number, id in ids.items():
            story = self._new._stories[-1 - number]
            self._base.add(Story(id, story.sketch, story.first_event, story.last_event))
        for id, times in self._joined.items():
            for time in times:
                if id >= 0:
                    self._base.touch(id, time)

    def _near(self, story: Story, event_at: int) -> bool:
        times = [t for t in self._joined.get(story.id, ()) if story.id >= 0]
        first = min([story.first_event, *times])
        last = max([story.last_event, *times])
        window = self._base.window_seconds
        return first - window <= event_at <= last + window
