"""Labelled rows, and what a classifier says of those it has not seen.

Knows rows, tokens, classes and folds; nothing of texts. Fitting is given as a function, so nothing heavy is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import InputError
from core.heads.matches import Reading
from core.heads.mixture import Mixture
from core.heads.neighbours import mean_nearest
from core.heads.scope import NEAREST
from core.types import FloatArray, IntArray

HELD = 40
"""Examples of a class that are held out in turn."""

KEPT, KEPT_IN_ALL = 200, 12_000
"""Examples of a class that are kept as neighbours, and of all classes; a class may always keep `HELD`. On Banking77,
with 80 to 200 a class, all of them instead of 40 are worth two to four thousandths of accuracy."""

_GROUPS = 4
_SEED = 7


@dataclass(frozen=True, slots=True)
class Examples:
    """Labelled rows. Out-of-scope examples, where there are any, are one of the classes."""

    rows: FloatArray
    """(n, d) float32, L2-normalised."""
    tokens: Sequence[Sequence[str]]
    """n token lists."""
    classes: IntArray
    """(n,) int64 in [0, k)."""
    labels: tuple[str, ...]
    """The k class names."""
    stranger: int | None = None
    """The out-of-scope class, or None."""
    anchors: IntArray | None = None
    """Indices of examples that are never held out: the names of the classes themselves."""
    readings: Sequence[Reading] | None = None
    """The n texts as their tokens' vectors, where they are to be matched token by token."""

    def __post_init__(self) -> None:
        if not len(self.rows) == len(self.tokens) == len(self.classes):
            sizes = f"{len(self.rows)} rows, {len(self.tokens)} token lists, {len(self.classes)} classes"
            raise InputError(f"as many token lists and classes as rows expected, got {sizes}")

    @property
    def movable(self) -> IntArray:
        """Indices of the examples that may be held out."""
        return np.setdiff1d(np.arange(len(self.rows)), self.anchors if self.anchors is not None else [])

    def take(self, which: IntArray) -> Examples:
        """Some of the examples, in the order given; none of them an anchor any more."""
        tokens = [self.tokens[i] for i in which]
        read = [self.readings[i] for i in which] if self.readings is not None else None
        return Examples(self.rows[which], tokens, self.classes[which], self.labels, self.stranger, readings=read)

    def kept(self) -> IntArray:
        """Indices of the examples to keep as neighbours."""
        return self.sample(min(KEPT, max(HELD, KEPT_IN_ALL // len(self.labels))))

    def sample(self, largest: int = HELD) -> IntArray:
        """At most `largest` indices a class, anchors first, ten times as many of the out-of-scope class."""
        random = np.random.default_rng(_SEED)
        fixed = self.anchors if self.anchors is not None else np.empty(0, np.int64)
        chosen = [fixed]
        for c in range(len(self.labels)):
            limit = largest * 10 if c == self.stranger else largest
            chosen.append(random.permutation(self.movable[self.classes[self.movable] == c])[:limit])
        return np.concatenate(chosen).astype(np.int64)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What classifiers said of examples they were not fitted on."""

    classes: IntArray
    """(n,) int64."""
    opinions: FloatArray
    """(3 or 4, n, k) float32, as `Mixture.opinions`."""
    nearness: FloatArray
    """(n, 2) float32, as `core.heads.scope.signs` takes it."""
    groups: IntArray
    """(k,) int64: classes of one group are hidden together, to play strangers where there are none."""
    hidden_nearness: FloatArray
    """(n, 2) float32: `nearness` with the examples of the row's own group hidden."""


Part = tuple[Examples, Examples]
"""Examples to fit on, and others to judge."""


def hold_out(examples: Examples, fit: Callable[[Examples], Mixture], folds: int) -> HeldOut:
    """Fit on all folds but one, look at that one, in turn; stratified, anchors in every fit.

    :param fit: parts of a classifier from examples; its pool weights do not matter.
    :param folds: at least 2.
    """
    return judge(split(examples, folds), fit)


def split(examples: Examples, folds: int) -> Iterator[Part]:
    """All folds but one and that one, in turn; stratified, anchors among the first always."""
    movable, anchors = examples.movable, examples.anchors if examples.anchors is not None else np.empty(0, np.int64)
    fold = stratified(examples.classes[movable], folds)
    for f in range(folds):
        yield examples.take(np.concatenate([anchors, movable[fold != f]])), examples.take(movable[fold == f])


def judge(parts: Iterable[Part], fit: Callable[[Examples], Mixture]) -> HeldOut:
    """Fit on the first of each part, look at the second.

    :param parts: at least one; their rows may come from different encoders, the labels are the same in all.
    :param fit: parts of a classifier from examples; its pool weights do not matter.
    """
    found = []
    for seen, unseen in parts:
        k = len(seen.labels)
        groups = np.random.default_rng(_SEED).permutation(k) % min(_GROUPS, k)
        nearness, hidden = np.zeros((2, len(unseen.rows), 2), dtype=np.float32)
        strange = seen.classes == seen.stranger if seen.stranger is not None else np.zeros(len(seen.rows), bool)
        nearness[:, 0] = mean_nearest(unseen.rows, seen.rows[~strange], NEAREST)
        nearness[:, 1] = mean_nearest(unseen.rows, seen.rows[strange], 1)
        for group in np.unique(groups):
            rows = groups[unseen.classes] == group
            hidden[rows, 0] = mean_nearest(unseen.rows[rows], seen.rows[groups[seen.classes] != group], NEAREST)
        opinions = fit(seen).opinions(unseen.rows, unseen.tokens, unseen.readings)
        found.append(HeldOut(unseen.classes, opinions, nearness, groups, hidden))
    return HeldOut(
        classes=np.concatenate([part.classes for part in found]),
        opinions=np.concatenate([part.opinions for part in found], axis=1),
        nearness=np.concatenate([part.nearness for part in found]),
        groups=found[0].groups,
        hidden_nearness=np.concatenate([part.hidden_nearness for part in found]),
    )


def stratified(classes: IntArray, folds: int) -> IntArray:
    """(n,) fold of each example: every class is spread over the folds as evenly as its size allows."""
    random = np.random.default_rng(_SEED)
    fold = np.zeros(len(classes), dtype=np.int64)
    start = 0
    for c in np.unique(classes):
        where = random.permutation(np.flatnonzero(classes == c))
        fold[where] = (start + np.arange(len(where))) % folds
        start += len(where)
    return fold
