"""Batches that depend on seed and epoch alone, so that a resumed run sees the same ones.

Knows lengths and random orders; nothing of texts or tensors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

_MEGABATCH = 50


class Batches:
    """Row indices of each batch; `set_epoch` before iterating, as torch's and accelerate's loaders do."""

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int, by_length: bool = True) -> None:
        """Plan batches over rows 0 to n - 1.

        :param lengths: tokens of each row.
        :param by_length: shuffle, then sort by length within runs of 50 batches, then shuffle the batches: little
            padding, and no order that follows length.
        """
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self.batch_size, self.seed, self.by_length = batch_size, seed, by_length
        self.drop_last = False
        self.epoch = 0

    def __len__(self) -> int:
        return math.ceil(len(self.lengths) / self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Which pass over the rows comes next."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng([self.seed, self.epoch])
        order = random.permutation(len(self.lengths))
        if self.by_length:
            run = self.batch_size * _MEGABATCH
            runs = [order[i : i + run] for i in range(0, len(order), run)]
            order = np.concatenate([part[np.argsort(-self.lengths[part], kind="stable")] for part in runs])
        batches = [order[i : i + self.batch_size].tolist() for i in range(0, len(order), self.batch_size)]
        if self.by_length:
            places = random.permutation(len(batches))
            batches = [batches[i] for i in places]
        yield from batches
