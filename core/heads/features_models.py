"""The linear models that `core.heads.features_fit` pools: what each is fitted on, and by what.

Knows sparse and dense rows. Imports scikit-learn and scipy when called.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.evaluate.labels import BoolArray
from core.heads.features import Kind
from core.heads.grams import GramSpace, Sparse
from core.types import FloatArray

_DENSE_SCALE = 1.5
"""Weight of the embedding beside grams in one model: rows of length 1 against one row of length 1 a view."""

_SMOOTHING = 1.0
_UNKNOWN = -4.0  # logit of a label without examples


@dataclass(frozen=True, slots=True)
class Parts:
    """Rows to fit on, from every view."""

    spaces: tuple[GramSpace, ...]
    rows: FloatArray
    """(n, d) float32."""
    grams: Any
    """(n, v) scipy CSR, the weighted rows of all views side by side."""
    kind: Kind


@dataclass(frozen=True, slots=True)
class Fit:
    """A linear model on parts."""

    dense: FloatArray
    """(d, k)."""
    weighted: FloatArray
    """(v, k), for the weighted grams of all views."""
    present: FloatArray
    """(v, k), for their presence."""
    bias: FloatArray
    """(k,)."""


Model = Callable[[Parts, BoolArray], Fit]


def assemble(spaces: Sequence[GramSpace], rows: Sequence[Sparse]) -> Any:
    """Rows of several views side by side, as scipy has them."""
    import scipy.sparse as sp

    parts = [
        sp.csr_matrix((r.values, r.places, r.starts), shape=(len(r), len(s.vocabulary)))
        for s, r in zip(spaces, rows, strict=True)
    ]
    return sp.hstack(parts).tocsr() if parts else sp.csr_matrix((0, 0), dtype=np.float32)


def on_dense(parts: Parts, targets: BoolArray) -> Fit:
    """Logistic regression on the embedding alone."""
    weights, bias = _logistic(parts.rows, targets, parts.kind, strength=30.0)
    nothing = np.zeros((parts.grams.shape[1], len(bias)), np.float32)
    return Fit(weights, nothing, nothing, bias)


def on_both(parts: Parts, targets: BoolArray) -> Fit:
    """One model on embedding and grams: logistic for one label of several, support vectors for many."""
    import scipy.sparse as sp

    d = parts.rows.shape[1]
    joined = sp.hstack([sp.csr_matrix(parts.rows * _DENSE_SCALE), parts.grams]).tocsr()
    if parts.kind == "single":
        weights, bias = _logistic(joined, targets, parts.kind, strength=5.0)
    else:
        weights, bias = _margins(joined, targets)
    return Fit(weights[:d] * _DENSE_SCALE, weights[d:], np.zeros_like(weights[d:]), bias)


def on_presence(parts: Parts, targets: BoolArray) -> Fit:
    """Naive Bayes log-count ratios of the grams, weighed by a logistic regression, one label against the others.

    Wang and Manning 2012, "Baselines and Bigrams" (NBSVM).
    """
    there = parts.grams.copy()
    there.data = np.ones_like(there.data)
    k = targets.shape[1]
    weights, bias = np.zeros((there.shape[1], k), np.float32), np.full(k, _UNKNOWN, np.float32)
    for j in range(k):
        yes = targets[:, j]
        if 0 < yes.sum() < len(yes):
            p, q = (_SMOOTHING + np.asarray(there[w].sum(axis=0)).ravel() for w in (yes, ~yes))
            ratio = np.log(p / p.sum()) - np.log(q / q.sum())
            found, start = _one(there.multiply(ratio).tocsr(), yes, strength=0.1)
            weights[:, j], bias[j] = found * ratio, start
    nothing = np.zeros((parts.rows.shape[1], k), np.float32)
    return Fit(nothing, np.zeros_like(weights), weights, bias)


MODELS: Mapping[Kind, Mapping[str, Model]] = {
    "single": {"dense": on_dense, "both": on_both, "presence": on_presence},
    "multi": {"dense": on_dense, "both": on_both, "presence": on_presence},
}
"""By kind of head, the models by name, in the order in which they are pooled."""


def _logistic(rows: Any, targets: BoolArray, kind: Kind, strength: float) -> tuple[FloatArray, FloatArray]:
    """(f, k) weights and (k,) bias."""
    k = targets.shape[1]
    weights, bias = np.zeros((rows.shape[1], k), np.float32), np.full(k, _UNKNOWN, np.float32)
    if kind == "multi":
        for j in range(k):
            if 0 < targets[:, j].sum() < len(targets):
                weights[:, j], bias[j] = _one(rows, targets[:, j], strength)
        return weights, bias
    from sklearn.linear_model import LogisticRegression

    classes = targets.argmax(axis=1)
    present = np.unique(classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a last digit that did not settle is no news
        model = LogisticRegression(C=strength, max_iter=300, tol=1e-3).fit(rows, classes)
    found, start = model.coef_, model.intercept_
    if len(present) == 2:  # scikit-learn gives the difference of the two
        found, start = np.vstack([-found, found]) / 2, np.concatenate([-start, start]) / 2
    weights[:, present], bias[present] = found.T, start
    return weights, bias


def _one(rows: Any, yes: BoolArray, strength: float) -> tuple[FloatArray, float]:
    """A label against all others, by logistic regression."""
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(C=strength, solver="liblinear", max_iter=100, tol=1e-2).fit(rows, yes)
    return model.coef_[0].astype(np.float32), float(model.intercept_[0])


def _margins(rows: Any, targets: BoolArray, strength: float = 1.0) -> tuple[FloatArray, FloatArray]:
    """Support vectors, one label against all others, rare labels weighted up by the root of their rarity."""
    from sklearn.svm import LinearSVC

    k = targets.shape[1]
    weights, bias = np.zeros((rows.shape[1], k), np.float32), np.full(k, _UNKNOWN, np.float32)
    for j in range(k):
        yes = targets[:, j]
        if 0 < yes.sum() < len(yes):
            rise = float(np.sqrt((~yes).sum() / yes.sum()))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = LinearSVC(C=strength, class_weight={True: max(1.0, rise / 2), False: 1.0}).fit(rows, yes)
            weights[:, j], bias[j] = model.coef_[0], model.intercept_[0]
    return weights, bias
