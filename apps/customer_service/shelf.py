"""One state of all passages in memory: the index, the passages, and what is looked up beside them.

Knows ids, titles and families of languages; searches nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.generate.evidence import Evidence, Passage
from core.index.hybrid import HybridIndex
from core.index.titles import TitleIndex
from core.text import words
from core.types import Chunk, FloatArray, IntArray


def family(language: str) -> str:
    """The retrieval family of a language: "en" with all that is unknown, else the language itself."""
    return "en" if language in ("en", "und", "") else language


@dataclass(frozen=True, eq=False)
class Held:
    """A passage in memory."""

    id: int
    chunk: Chunk
    source: str


@dataclass(frozen=True, eq=False)
class Shelf:
    """One consistent state of passages and index; replaced, never changed."""

    index: HybridIndex
    passages: Mapping[int, Held]
    by_document: Mapping[str, list[int]]
    families: Mapping[str, IntArray]
    """Ascending ids by family."""
    titles: TitleIndex

    @classmethod
    def of(cls, index: HybridIndex, passages: Mapping[int, Held], old: Shelf | None = None) -> Shelf:
        """Lay out the passages of an index.

        :param old: an earlier state, whose titles need no second look: an id never gets another passage.
        """
        by_document: dict[str, list[int]] = {}
        families: dict[str, list[int]] = {}
        for id_ in sorted(passages):
            chunk = passages[id_].chunk
            by_document.setdefault(chunk.document_id, []).append(id_)
            families.setdefault(family(chunk.language), []).append(id_)

        def title(key: str, first: int) -> Iterable[str]:
            if old is not None and first in old.passages:
                return old.titles.terms[old.titles.rows[key]]
            return words(passages[first].chunk.title, passages[first].chunk.language, stem=True)

        titles = TitleIndex((key, list(title(key, ids[0]))) for key, ids in by_document.items())
        return cls(index, passages, by_document, {n: np.array(ids, np.int64) for n, ids in families.items()}, titles)


@dataclass(frozen=True, eq=False)
class Survey:
    """What a question found in one state of the passages."""

    evidence: Evidence
    candidates: Sequence[Passage]
    """All that the retrievers proposed, best first."""
    vector: FloatArray | None
    """Of the question; None where nothing was searched."""
    shelf: Shelf
    coverage: FloatArray
    """(documents,) of `shelf.titles`."""
