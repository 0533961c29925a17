"""Batches that depend on seed and epoch alone, so that a resumed run sees the same ones.

Knows lengths and random orders; nothing of texts or tensors.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence

import numpy as np

_MEGABATCH = 50


class Batches:
    """Row indices of each batch; `set_epoch` before iterating, as torch's and accelerate's loaders do."""

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        seed: int,
        by_length: bool = True,
        keys: Sequence[Hashable] | None = None,
        starts_epoch: Callable[[int], None] | None = None,
    ) -> None:
        """Plan batches over rows 0 to n - 1.

        :param lengths: tokens of each row.
        :param by_length: shuffle, then sort by length within runs of 50 batches, then shuffle the batches: little
            padding, and no order that follows length.
        :param keys: rows of one key go into different batches where that is possible: in-batch negatives must not be
            positives in truth.
        :param starts_epoch: told the epoch before the first batch of a pass, or of what is left of one after a resume.
        """
        self.starts_epoch = starts_epoch
        self.keys = keys
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
        if self.starts_epoch is not None:
            self.starts_epoch(self.epoch)
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
        yield from batches if self.keys is None else apart(batches, self.keys)


def apart(batches: list[list[int]], keys: Sequence[Hashable]) -> list[list[int]]:
    """The batches with rows exchanged so that no two of one batch share a key, where an exchange can do it.

    Sizes stay. One pass: a second row of a key changes places with a row of the nearest later batch (then earlier)
    that neither batch minds.
    """
    held = [Counter(keys[row] for row in batch) for batch in batches]
    for i, batch in enumerate(batches):
        for place, row in enumerate(batch):
            if held[i][keys[row]] > 1:
                _exchange(batches, held, keys, i, place)
    return batches


def _exchange(
    batches: list[list[int]], held: list[Counter[Hashable]], keys: Sequence[Hashable], i: int, place: int
) -> None:
    row = batches[i][place]
    for j in (*range(i + 1, len(batches)), *range(i)):
        if held[j][keys[row]]:
            continue
        for other, candidate in enumerate(batches[j]):
            if not held[i][keys[candidate]]:
                batches[i][place], batches[j][other] = candidate, row
                held[i].subtract([keys[row]])
                held[i].update([keys[candidate]])
                held[j].subtract([keys[candidate]])
                held[j].update([keys[row]])
                return
