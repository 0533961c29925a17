"""What the examples say token by token: a vote by class, of how well each example covers the text's tokens.

One vector a text blurs what a few examples cannot teach apart; the tokens of the text and of the example, each in its
context, do not. Worth a point and more with five or ten examples a class, little with a hundred, and it costs a
product with every token of every example: meant for few of them. Knows token vectors and classes. Numpy only.

Khattab and Zaharia 2020, "ColBERT" (MaxSim).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from core.errors import InputError
from core.types import FloatArray, IntArray

Reading = tuple[IntArray, FloatArray]
"""Ids (t,) int64 and vectors (t, d) float32, L2-normalised, of a text's tokens, as `core.index.late` reads them."""

_SHARPNESS = 20.0
_FLOOR = 0.01
_BLOCK = 16


class Matches:
    """Examples kept as their tokens' vectors. Made once, never changed."""

    def __init__(self, ids: IntArray, vectors: FloatArray, lengths: IntArray, classes: IntArray, k: int) -> None:
        """Take the tokens of m examples, one example after the other.

        :param ids: (t,) int64.
        :param vectors: (t, d) float32, L2-normalised.
        :param lengths: (m,) int64 >= 1, tokens of each example, t in all.
        :param classes: (m,) int64 in [0, k).
        :param k: number of classes.
        :raises InputError: if the sizes disagree or an example has no token.
        """
        if not len(ids) == len(vectors) == int(lengths.sum()) or len(lengths) != len(classes):
            raise InputError(f"{len(ids)} ids, {len(vectors)} vectors, {len(lengths)} lengths, {len(classes)} classes")
        if len(lengths) == 0 or int(lengths.min()) < 1:
            raise InputError("a text without tokens cannot be matched")
        self.ids, self.vectors, self.lengths, self.classes, self.k = ids, vectors, lengths, classes, k
        self._starts = np.cumsum(lengths) - lengths
        self._members = np.zeros((len(lengths), k), dtype=np.float32)
        self._members[np.arange(len(lengths)), classes] = 1.0
        self._frequency = Counter(t for row in np.split(ids, self._starts[1:]) for t in set(row.tolist()))

    @classmethod
    def of(cls, readings: Sequence[Reading], classes: IntArray, k: int) -> Matches:
        """Examples as `core.index.late.read_tokens` gives them; other parameters as above."""
        lengths = np.array([len(ids) for ids, _ in readings], dtype=np.int64)
        ids = np.concatenate([ids for ids, _ in readings]).astype(np.int64)
        return cls(ids, np.concatenate([v for _, v in readings]).astype(np.float32), lengths, classes, k)

    def rarity(self, ids: IntArray) -> FloatArray:
        """(t,) float32: ln(1 + m / (examples with the token + 0.5)); what stands in all examples hardly counts."""
        found = np.array([self._frequency[token] for token in ids.tolist()], dtype=np.float64)
        return np.log1p(len(self.lengths) / (found + 0.5)).astype(np.float32)

    def coverage(self, readings: Sequence[Reading]) -> FloatArray:
        """(n, m) float32 in [-1, 1]: rarity-weighted mean, over a text's tokens, of the best cosine in each example."""
        out = np.empty((len(readings), len(self.lengths)), dtype=np.float32)
        for start in range(0, len(readings), _BLOCK):
            block = readings[start : start + _BLOCK]
            best = np.maximum.reduceat(np.concatenate([v for _, v in block]) @ self.vectors.T, self._starts, axis=1)
            place = 0
            for i, (ids, _) in enumerate(block, start):
                weights = self.rarity(ids)
                out[i] = weights @ best[place : place + len(ids)] / weights.sum()
                place += len(ids)
        return out

    def scores(self, readings: Sequence[Reading]) -> FloatArray:
        """(n, k) float32: log of the class's share of exp(20 * coverage) over the examples, with a floor.

        :param readings: of n texts, each with at least one token.
        """
        covered = self.coverage(readings)
        mass = np.exp(_SHARPNESS * (covered - covered.max(axis=1, keepdims=True))) @ self._members
        share = mass / mass.sum(axis=1, keepdims=True)
        return np.asarray(np.log(share + _FLOOR / self.k), dtype=np.float32)
