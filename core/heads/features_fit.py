"""Fitting of `core.heads.features`: a few linear models on different views, pooled by what they say out of fold.

Each model is fitted on all folds but one and judged on that one; the pool's weights, its calibration and the thresholds
come from those judgements, the models that are kept from all rows. A pool of linear models is a linear model, so one
matrix is left of all of them. Imports scikit-learn and scipy when called; servers do not need it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import InputError
from core.evaluate.calibration import (
    expected_calibration_error,
    multilabel_calibration_error,
    sigmoid,
    softmax,
)
from core.evaluate.labels import BoolArray, accuracy, macro_f1, multilabel_f1
from core.heads.examples import stratified
from core.heads.features import FeatureHead, Kind, View
from core.heads.features_models import MODELS, Fit, Parts, assemble
from core.heads.features_pool import Pool, fit_pool, fit_thresholds
from core.heads.grams import Tokens, fit_space
from core.progress import Report, quiet
from core.types import FloatArray, IntArray

FOLDS = 5

_NESTED = 2  # halves of the judgements: a pool fitted on one is measured on the other
_ALMOST_ALL = 0.98  # of the rows that have a label: then the likeliest label counts where none reaches its threshold


@dataclass(frozen=True, slots=True)
class Texts:
    """n texts as one view reads them."""

    tokens: Sequence[Tokens]
    low: int
    high: int
    """Shortest and longest gram."""


@dataclass(frozen=True, slots=True)
class Table:
    """Labelled texts from every view."""

    labels: tuple[str, ...]
    kind: Kind
    targets: BoolArray
    """(n, k) bool; one True a row where the kind is "single"."""
    rows: FloatArray
    """(n, d) float32, L2-normalised; d may be 0."""
    views: tuple[Texts, ...]
    outside: tuple[FloatArray, ...] = ()
    """(n, k) float32 logits of tuned encoders that had not seen the row."""
    fold: IntArray | None = None
    """(n,) int64 fold of every row, as the tuned encoders had it, -1 for rows that none is judged by; None draws
    them."""

    def __post_init__(self) -> None:
        n, k = self.targets.shape
        lengths = {n, len(self.rows), *(len(v.tokens) for v in self.views), *(len(o) for o in self.outside)}
        if len(lengths) != 1 or k != len(self.labels):
            raise InputError(f"{n} rows of targets for {k} of {len(self.labels)} labels, others are of {lengths}")
        if n == 0 or (self.targets.any(axis=0).sum() < 2 and self.kind == "single"):
            raise InputError("A classifier needs examples of at least two labels.")


@dataclass(frozen=True, slots=True)
class Fitted:
    """A head, and what it reaches on rows that neither its models nor its pool were fitted on."""

    head: FeatureHead
    held_out: dict[str, float]
    """ "single": accuracy, macro_f1, ece; "multi": micro_f1, macro_f1, ece."""
    weights: dict[str, float] = field(default_factory=dict)
    """What each model weighs in the pool."""


def rarest(targets: BoolArray) -> IntArray:
    """(n,) int64: the rarest label of each row, k where it has none; what folds are stratified by."""
    counts = np.where(targets, targets.sum(axis=0), len(targets) + 1)
    return np.asarray(np.where(targets.any(axis=1), counts.argmin(axis=1), targets.shape[1]), dtype=np.int64)


def folds_of(targets: BoolArray, folds: int = FOLDS) -> IntArray:
    """(n,) int64 fold of every row, every label spread evenly."""
    return stratified(rarest(targets), folds)


def fit_head(
    table: Table, *, models: Sequence[str] | None = None, folds: int = FOLDS, progress: Report = quiet
) -> Fitted:
    """Fit a head on all rows.

    :param models: names out of `core.heads.features_models.MODELS`; None takes those of the table's kind.
    :param folds: where the table brings none.
    :raises InputError: if a label is lacking or there are fewer rows than folds.
    """
    names = list(models if models is not None else MODELS[table.kind])
    if not len(table.rows[0]):
        names = [name for name in names if name != "dense"]
    fold = table.fold if table.fold is not None else folds_of(table.targets, folds)
    used, judged = np.unique(fold[fold >= 0]), np.flatnonzero(fold >= 0)
    said = np.zeros((len(names) + len(table.outside), *table.targets.shape), dtype=np.float32)
    for done, f in enumerate(used):
        progress("out of fold", done, len(used) + 1)
        seen, unseen = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
        parts = _parts(table, seen)
        for i, name in enumerate(names):
            said[i, unseen] = _said(parts, MODELS[table.kind][name](parts, table.targets[seen]), table, unseen)
    progress("out of fold", len(used), len(used) + 1)
    for i, logits in enumerate(table.outside):
        said[len(names) + i] = logits
    said, truth = said[:, judged], table.targets[judged]
    pool = fit_pool(said, truth, table.kind)
    thresholds = np.full(len(table.labels), 0.5, np.float32)
    if table.kind == "multi":
        thresholds = fit_thresholds(sigmoid(pool.logits(said)), truth)
    always = bool(table.targets.any(axis=1).mean() >= _ALMOST_ALL)
    parts = _parts(table, np.arange(len(table.targets)))
    fits = [MODELS[table.kind][name](parts, table.targets) for name in names]
    head = _head(table, parts, fits, pool, thresholds, always)
    progress("out of fold", len(used) + 1, len(used) + 1)
    weights = dict(zip([*names, *(f"tuned {i + 1}" for i in range(len(table.outside)))], pool.shares(), strict=True))
    return Fitted(head, _nested(said, table.labels, table.kind, truth, always), weights)


def _parts(table: Table, which: IntArray) -> Parts:
    spaces = [fit_space([view.tokens[i] for i in which], view.low, view.high) for view in table.views]
    found = [space.rows(view.tokens[i] for i in which) for space, view in zip(spaces, table.views, strict=True)]
    return Parts(tuple(spaces), table.rows[which], assemble(spaces, found), table.kind)


def _said(parts: Parts, fit: Fit, table: Table, which: IntArray) -> FloatArray:
    """(n, k) logits of one model for rows that it has not seen."""
    out = table.rows[which] @ fit.dense + fit.bias
    at = 0
    for space, view in zip(parts.spaces, table.views, strict=True):
        found, end = space.rows(view.tokens[i] for i in which), at + len(space.vocabulary)
        out += found.product(fit.weighted[at:end]) + found.presence().product(fit.present[at:end])
        at = end
    return np.asarray(out, dtype=np.float32)


def _head(
    table: Table, parts: Parts, fits: Sequence[Fit], pool: Pool, thresholds: FloatArray, always: bool
) -> FeatureHead:
    k, mixed = len(table.labels), pool.weights
    ours, theirs = mixed[: len(fits)], mixed[len(fits) :]

    def pooled(get: Callable[[Fit], FloatArray]) -> FloatArray:
        total: npt.NDArray[Any] = np.zeros_like(get(fits[0])) if fits else np.zeros((0, k), np.float32)
        for fit, weight in zip(fits, ours, strict=True):
            total = total + get(fit) * weight
        return np.asarray(total, dtype=np.float32)

    weighted, present = pooled(lambda fit: fit.weighted), pooled(lambda fit: fit.present)
    views, at = [], 0
    for space in parts.spaces:
        end = at + len(space.vocabulary)
        views.append(View(space, weighted[at:end], present[at:end]))
        at = end
    return FeatureHead(
        labels=table.labels,
        kind=table.kind,
        dense=pooled(lambda fit: fit.dense),
        views=tuple(views),
        outside=np.array([np.diag(np.full(k, w)) for w in theirs], dtype=np.float32).reshape(-1, k, k),
        bias=pooled(lambda fit: fit.bias) + pool.bias,
        thresholds=thresholds,
        always=always,
    )


def _nested(
    said: FloatArray, labels: tuple[str, ...], kind: Kind, targets: BoolArray, always: bool
) -> dict[str, float]:
    """Figures of pools and thresholds fitted on half of the judgements and applied to the other half, both ways."""
    half = folds_of(targets, _NESTED)
    n, k = targets.shape
    logits, chosen = np.zeros((n, k), np.float32), np.zeros((n, k), np.bool_)
    for h in range(_NESTED):
        here, there = np.flatnonzero(half == h), np.flatnonzero(half != h)
        pool = fit_pool(said[:, there], targets[there], kind)
        logits[here] = pool.logits(said[:, here])
        if kind == "multi":
            limits = fit_thresholds(sigmoid(pool.logits(said[:, there])), targets[there])
            empty = np.zeros((0, k), np.float32)
            head = FeatureHead(labels, "multi", empty, (), empty[None][:0], limits, limits, always)
            chosen[here] = head.chosen(sigmoid(logits[here]))
    if kind == "single":
        truth, probabilities = targets.argmax(axis=1), softmax(logits)
        found = probabilities.argmax(axis=1)
        return {
            "accuracy": accuracy(found, truth),
            "macro_f1": macro_f1(found, truth),
            "ece": expected_calibration_error(probabilities, truth),
        }
    micro, macro = multilabel_f1(chosen, targets)
    return {
        "micro_f1": micro,
        "macro_f1": macro,
        "ece": multilabel_calibration_error(sigmoid(logits), targets),
    }
