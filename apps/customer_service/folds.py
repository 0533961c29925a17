"""Labelled questions in folds by their documents, so that what judges a question has seen none of its documents.

A question may name several documents, in several folds: what judges it leaves all of these out. Knows names of
documents and labels; no text and no models.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np

from core.errors import InputError
from core.types import IntArray

FOLDS = 5
_LEFT = 2
"""Folds that are left to learn from, at least, where a question reaches over several."""
_DRAWS = 20
"""Partings that the most even one is taken of."""

Touches = Sequence[Sequence[str]]
"""Of each question the names of its documents, the first one first."""


class DocumentFolds:
    """Documents in at most `FOLDS` folds, of about as many questions each.

    Documents that are asked about together stay together as far as sizes allow (see `clusters`): the fewer questions
    reach over folds, the more is left to learn from. Every document has its fold, also one that no question names
    first.

    :param touches: every question has a document at least.
    :param answerable: of each question; folds have about as many of both kinds.
    :param seed: another one makes other folds.
    :raises InputError: if a question has no document, or all are about too few documents to be parted.
    """

    def __init__(self, touches: Touches, answerable: Sequence[bool], *, seed: int = 0) -> None:
        if not all(touches):
            raise InputError("A question without a document is in no fold; give it that of its best passage.")
        self.cluster = clusters(touches)
        """Name of each document's cluster."""
        groups = [self.cluster[names[0]] for names in touches]
        fold = _parted(groups, answerable, seed)
        self.fold: Mapping[str, int] = {name: fold[cluster] for name, cluster in self.cluster.items()}
        """Of each document."""
        self.count = max(fold.values()) + 1
        places: dict[frozenset[int], list[int]] = {}
        for i, names in enumerate(touches):
            places.setdefault(self.of(names), []).append(i)
        most = max(1, self.count - _LEFT)
        self.tests: dict[frozenset[int], IntArray] = {
            out: np.array(places[out], np.int64) for out in sorted(places, key=sorted) if len(out) <= most
        }
        """Places of questions by the folds of all their documents: those that must be left out to judge them."""
        self.aside = sorted(i for out, those in places.items() if len(out) > most for i in those)
        """Places of questions that reach over so many folds that nothing is left to learn from."""

    def of(self, names: Iterable[str]) -> frozenset[int]:
        """The folds of these documents; one that no question is about is in none."""
        return frozenset(self.fold[name] for name in names if name in self.fold)


def clusters(touches: Touches) -> dict[str, str]:
    """Each document's cluster, by the name of one of them: those most often asked about together are joined first.

    No joining makes a cluster of more than half a fold's questions, so that folds can still be of one size. A document
    that is never a question's first one belongs to that of the first question that names it.

    >>> clusters([["a"], ["b"]] * 20 + [["a", "c"]])
    {'a': 'a', 'b': 'b', 'c': 'a'}
    """
    most = len(touches) // (2 * FOLDS)
    size = Counter(names[0] for names in touches)
    home = {name: name for name in size}
    for names in touches:
        for name in names:
            home.setdefault(name, home[names[0]])
    together = Counter(pair for names in touches for pair in combinations(sorted({home[n] for n in names}), 2))
    for left, right in sorted(together, key=lambda pair: (-together[pair], pair)):
        into, gone = home[left], home[right]
        if into != gone and size[into] + size[gone] <= most:
            size[into] += size.pop(gone)
            home = {name: into if at == gone else at for name, at in home.items()}
    return home


def _parted(groups: Sequence[str], answerable: Sequence[bool], seed: int) -> dict[str, int]:
    """The fold of each group; a drawn order, each group into the emptiest fold, and of several such the most even.

    :raises InputError: if the questions outside of a fold are all answerable, or none is.
    """
    names = sorted(set(groups))
    sizes = np.zeros((len(names), 2))
    for group, able in zip(groups, answerable, strict=True):
        sizes[names.index(group), int(able)] += 1
    count = max(2, min(FOLDS, len(names), int(sizes.sum(axis=0).min())))
    shares = sizes / np.maximum(1, sizes.sum(axis=0))
    draw = np.random.default_rng(seed)
    found: list[tuple[float, IntArray]] = []
    for _ in range(_DRAWS):
        filled, fold = np.zeros((count, 2)), np.zeros(len(names), np.int64)
        for group in draw.permutation(len(names)):
            fold[group] = int(np.argmin(filled.sum(axis=1)))
            filled[fold[group]] += shares[group]
        found.append((float(np.ptp(filled, axis=0).sum()), fold))
    fold = min(found, key=lambda one: one[0])[1]
    if any((sizes[fold != k].sum(axis=0) == 0).any() for k in range(count)):
        raise InputError("The labelled questions are about too few documents to be split; label some on others.")
    return dict(zip(names, fold.tolist(), strict=True))
