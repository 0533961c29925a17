"""Runs of words or characters as sparse rows: which ones a text has, weighted by rarity.

Knows token lists, or texts read by their characters; nothing of encoders or classes. Numpy only, so that servers can
use it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.types import FloatArray, IntArray

Tokens = Sequence[str] | str
"""A list of words, or a text whose characters are meant."""

_LARGEST = 200_000
_MANY = 300  # from this many texts on, a gram that one text alone has is dropped


def grams(tokens: Tokens, low: int, high: int) -> list[str]:
    """Runs of `low` to `high` neighbours, repeats included; words stand a space apart.

    >>> grams(["net", "profit", "fell"], 1, 2)
    ['net', 'profit', 'fell', 'net profit', 'profit fell']
    >>> grams("涨停了", 2, 2)
    ['涨停', '停了']
    """
    if isinstance(tokens, str):
        return [tokens[i : i + n] for n in range(low, high + 1) for i in range(len(tokens) - n + 1)]
    found = list(tokens) if low == 1 else []
    for n in range(max(2, low), high + 1):
        found += [" ".join(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    return found


@dataclass(frozen=True, slots=True)
class Sparse:
    """n rows of v numbers, almost all of them 0: the compressed sparse row format."""

    starts: IntArray
    """(n + 1,) int64; row i has the entries `starts[i]` to `starts[i + 1]`."""
    places: IntArray
    """(entries,) int64 in [0, v)."""
    values: FloatArray
    """(entries,) float32."""

    def __len__(self) -> int:
        return len(self.starts) - 1

    def product(self, weights: FloatArray) -> FloatArray:
        """(n, k) float32, the rows times (v, k) weights."""
        out = np.zeros((len(self), weights.shape[1]), dtype=np.float32)
        filled = np.flatnonzero(np.diff(self.starts))
        if len(filled):
            parts = weights[self.places].astype(np.float32, copy=False) * self.values[:, None]
            out[filled] = np.add.reduceat(parts, self.starts[filled], axis=0)
        return out

    def presence(self) -> Sparse:
        """The same rows with 1 for every number."""
        return Sparse(self.starts, self.places, np.ones_like(self.values))


@dataclass(frozen=True, slots=True)
class GramSpace:
    """A vocabulary of grams with their rarity."""

    low: int
    high: int
    """Shortest and longest gram."""
    vocabulary: tuple[str, ...]
    rarity: FloatArray
    """(v,) float32, ln((1 + texts) / (1 + texts with the gram)) + 1."""
    _place: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._place.update((gram, i) for i, gram in enumerate(self.vocabulary))

    def rows(self, texts: Iterable[Tokens]) -> Sparse:
        """Rows of length 1 of (1 + ln count) * rarity; a text without a known gram gives an empty row.

        Salton and Buckley 1988, "Term-weighting approaches in automatic text retrieval" (logarithmic counts).
        """
        place, low, high = self._place, self.low, self.high
        starts, places, values = [0], [], []
        for tokens in texts:
            counts = Counter(place[gram] for gram in grams(tokens, low, high) if gram in place)
            found = np.fromiter(counts.keys(), np.int64, len(counts))
            weights = (1 + np.log(np.fromiter(counts.values(), np.float32, len(counts)))) * self.rarity[found]
            places.append(found)
            values.append(weights / max(float(np.sqrt(weights @ weights)), 1e-9))
            starts.append(starts[-1] + len(found))
        return Sparse(
            np.array(starts, dtype=np.int64),
            np.concatenate(places) if places else np.zeros(0, np.int64),
            np.concatenate(values).astype(np.float32) if values else np.zeros(0, np.float32),
        )

    def pruned(self, keep: IntArray) -> GramSpace:
        """The same space with some grams only, in the order of `keep`; rows are of length 1 over those."""
        return GramSpace(self.low, self.high, tuple(self.vocabulary[i] for i in keep), self.rarity[keep])


def fit_space(texts: Sequence[Tokens], low: int, high: int, *, largest: int = _LARGEST) -> GramSpace:
    """The grams of some texts, the most frequent ones first.

    From 300 texts on, a gram must be in two of them.

    :param largest: grams that are kept at most.
    """
    counts = Counter(gram for tokens in texts for gram in set(grams(tokens, low, high)))
    least = 2 if len(texts) >= _MANY else 1
    vocabulary = sorted((gram for gram, c in counts.items() if c >= least), key=lambda gram: (-counts[gram], gram))
    vocabulary = vocabulary[:largest]
    rarity = np.log((1 + len(texts)) / (1 + np.array([counts[gram] for gram in vocabulary], dtype=np.float64))) + 1
    return GramSpace(low, high, tuple(vocabulary), rarity.astype(np.float32))
