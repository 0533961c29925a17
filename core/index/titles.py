"""Which documents does a question name? Coverage of titles by the question's words.

A question often says which company, product or plan it is about; the passage that answers it often does not. Knows
titles and words; nothing of passages' texts or vectors.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from core.types import FloatArray


class TitleIndex:
    """Titles of documents as weighted sets of words. Made once, never changed; cheap to make anew.

    :param titles: (document id, its title's words) in any order.
    """

    def __init__(self, titles: Iterable[tuple[str, Sequence[str]]]) -> None:
        entries = [(key, frozenset(tokens)) for key, tokens in titles]
        self.keys = [key for key, _ in entries]
        """Document ids, in the order of `coverage`."""
        self.terms = [terms for _, terms in entries]
        self.rows = {key: row for row, key in enumerate(self.keys)}
        frequency = Counter(term for terms in self.terms for term in terms)
        self._idf = {t: math.log1p((len(entries) - n + 0.5) / (n + 0.5)) for t, n in frequency.items()}
        self._rows: dict[str, list[int]] = {}
        for row, terms in enumerate(self.terms):
            for term in terms:
                self._rows.setdefault(term, []).append(row)
        self._total = np.array([sum(self._idf[t] for t in terms) for terms in self.terms], dtype=np.float32)

    def coverage(self, tokens: Iterable[str]) -> FloatArray:
        """(documents,) float32: share of each title, idf-weighted, that the tokens name; 0 for an empty title."""
        found = np.zeros(len(self.keys), np.float32)
        for token in set(tokens):
            if token in self._rows:
                found[self._rows[token]] += self._idf[token]
        return np.divide(found, self._total, out=np.zeros_like(found), where=self._total > 0)
