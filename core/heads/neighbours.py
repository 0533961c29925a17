"""What the nearest examples say: a vote by class, and how near they are.

Knows L2-normalised rows and classes. Numpy only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from core.types import FloatArray, IntArray

_BLOCK = 512
_VOTERS = 20
_SHARPNESS = 20.0
_FLOOR = 0.01


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Examples that are kept as they are."""

    rows: FloatArray
    """(m, d) float32, L2-normalised."""
    classes: IntArray
    """(m,) int64 in [0, k)."""
    k: int
    """Number of classes."""

    def scores(self, rows: FloatArray) -> FloatArray:
        """(n, k) float32: log of the class's share of exp(20 * cosine) among the 20 nearest examples, with a floor."""
        voters = min(_VOTERS, len(self.rows))
        out = np.full((len(rows), self.k), -np.log(self.k), dtype=np.float32)
        if voters == 0:
            return out
        for start, cosines in _blocks(rows, self.rows):
            nearest = np.argpartition(cosines, -voters, axis=1)[:, -voters:]
            weights = np.exp(_SHARPNESS * (np.take_along_axis(cosines, nearest, axis=1) - 1.0))
            mass = np.zeros((len(cosines), self.k))
            np.add.at(mass, (np.arange(len(cosines))[:, None], self.classes[nearest]), weights)
            mass /= mass.sum(axis=1, keepdims=True)
            out[start : start + len(cosines)] = np.log(mass + _FLOOR / self.k)
        return out


def mean_nearest(rows: FloatArray, examples: FloatArray, neighbours: int) -> FloatArray:
    """(n,) float32: mean cosine of each row's nearest examples.

    :param rows: (n, d) float32, L2-normalised.
    :param examples: (m, d) float32, L2-normalised; m = 0 gives zeros.
    :param neighbours: how many, or as many as there are.
    """
    k = min(neighbours, len(examples))
    out = np.zeros(len(rows), dtype=np.float32)
    if k:
        for start, cosines in _blocks(rows, examples):
            out[start : start + len(cosines)] = np.partition(cosines, -k, axis=1)[:, -k:].mean(axis=1)
    return out


def _blocks(rows: FloatArray, examples: FloatArray) -> Iterator[tuple[int, FloatArray]]:
    """Cosines of some rows at a time: bounds memory."""
    for start in range(0, len(rows), _BLOCK):
        yield start, rows[start : start + _BLOCK] @ examples.T
