"""Fitting of classifiers on frozen embeddings: seconds on a CPU, and everything held out that must be.

Knows rows, tokens and classes; nothing of texts. Imports scikit-learn and scipy when called; servers do not need it.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from core.errors import InputError
from core.evaluate.calibration import softmax
from core.evaluate.labels import BoolArray
from core.heads.bayes import fit_bayes
from core.heads.examples import Examples, HeldOut, Part, judge, split
from core.heads.linear import LinearHead
from core.heads.matches import Matches
from core.heads.mixture import Mixture
from core.heads.neighbours import Neighbours
from core.heads.scope import ScopeGate, signs
from core.types import FloatArray, IntArray

Doubles = npt.NDArray[np.float64]

STRENGTH = 50.0
"""Inverse regularisation C: between 20 and 100 nothing changes above noise; below 10 few examples lose."""

_FOLDS = 4
_PULL = 0.003  # on the weights of neighbours and words, so that few examples buy no noise
_LEAST_SHARE, _MOST_SHARE = 0.02, 0.2  # of out-of-scope rows that the gate's probability reckons with


@dataclass(frozen=True, slots=True)
class Fitted:
    """A classifier with its gate, and what they reached on held-out rows."""

    mixture: Mixture
    gate: ScopeGate
    held_out: dict[str, float]
    """`accuracy` of the classifier alone; `in_scope_accuracy` with rejections as errors; `rejected`, the share of
    in-scope rows; `oos_recall`, on hidden classes where no out-of-scope examples are given."""


def fit_linear(rows: FloatArray, classes: IntArray, labels: Sequence[str], strength: float = STRENGTH) -> LinearHead:
    """Multinomial logistic regression, L2-regularised, not calibrated.

    :param rows: (n, d) float32.
    :param classes: (n,) int64 in [0, k); a class without rows is never predicted.
    :param labels: k class names.
    :param strength: scikit-learn's C.
    :raises InputError: if fewer than two classes have rows.
    """
    from sklearn.linear_model import LogisticRegression

    present = np.unique(classes)
    if len(present) < 2:
        raise InputError(f"A classifier needs examples of at least two labels; there are {len(present)}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a last digit that did not settle is no news
        model = LogisticRegression(C=strength, max_iter=400, tol=1e-5).fit(rows, classes)
    weights, bias = model.coef_, model.intercept_
    if len(present) == 2:  # scikit-learn gives the difference of the two
        weights, bias = np.vstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    all_weights = np.zeros((len(labels), rows.shape[1]), dtype=np.float32)
    all_bias = np.full(len(labels), float(bias.min()) - 20.0, dtype=np.float32)
    all_weights[present], all_bias[present] = weights, bias
    return LinearHead(tuple(labels), all_weights, all_bias)


def fit_parts(examples: Examples, kept: IntArray | None = None) -> Mixture:
    """A linear head, neighbours, word odds and, where there are readings, matches; equal pool weights.

    :param kept: indices of the examples to keep as neighbours; None keeps all.
    """
    near = examples if kept is None else examples.take(kept)
    k = len(examples.labels)
    matches = Matches.of(near.readings, near.classes, k) if near.readings is not None else None
    return Mixture(
        linear=fit_linear(examples.rows, examples.classes, examples.labels),
        neighbours=Neighbours(near.rows, near.classes, k),
        bayes=fit_bayes(examples.tokens, examples.classes, k),
        weights=np.ones(3 if matches is None else 4, dtype=np.float32),
        matches=matches,
    )


def fit_mixture(examples: Examples, *, false_rejections: float = 0.005, parts: Sequence[Part] | None = None) -> Fitted:
    """Fit on all examples; pool weights, gate and threshold come from rows held out of a sample of them.

    :param parts: what to hold out, and what to fit on then, where folds of the examples would not do: rows of an
        encoder that was tuned on these very examples look better than rows it has not seen. None takes four folds.

    With out-of-scope examples the threshold has the greatest mean of in-scope accuracy (rejections are errors) and
    out-of-scope recall. Without them classes are hidden in turn to play strangers, and the threshold rejects at most
    `false_rejections` of the held-out rows that the classifier has right.

    :raises InputError: if fewer than two in-scope labels have two examples: one to fit on, one to hold out.
    """
    counts = np.bincount(examples.classes[examples.movable], minlength=len(examples.labels))
    enough = [label for i, label in enumerate(examples.labels) if i != examples.stranger and counts[i] >= 2]
    if len(enough) < 2:
        raise InputError(
            f"A classifier needs at least two labels with two examples each, better ten; found {len(enough)}."
        )
    sample = examples.sample()
    if parts is None:
        anchors = np.arange(len(examples.anchors)) if examples.anchors is not None else None
        parts = list(split(replace(examples.take(sample), anchors=anchors), _FOLDS))
    held = judge(parts, fit_parts)
    weights = fit_pool(held, examples.stranger)
    gate, figures = fit_gate(held, weights, examples, false_rejections)
    return Fitted(replace(fit_parts(examples, examples.kept()), weights=weights), gate, figures)


def fit_pool(held: HeldOut, stranger: int | None) -> FloatArray:
    """(3,) or (4,) float32 >= 0: pool weights with the least negative log-likelihood on held-out in-scope rows.

    Their common scale is the temperature, so the pooled probabilities are calibrated.
    """
    from scipy.optimize import minimize

    inside = np.flatnonzero(held.classes != (stranger if stranger is not None else -1))
    z, y = held.opinions[:, inside], held.classes[inside]
    spread = z.std(axis=(1, 2)) + 1e-6
    z = z / spread[:, None, None]
    pick = np.arange(len(y))

    def loss(w: Doubles) -> tuple[float, Doubles]:
        p = softmax(np.tensordot(w, z, axes=1)).astype(np.float64)
        gradient = np.array([(p * part).sum(axis=1).mean() - part[pick, y].mean() for part in z])
        pull = np.array([0.0, *[_PULL] * (len(z) - 1)])
        value = -np.log(np.maximum(p[pick, y], 1e-12)).mean() + float(pull @ w)
        return value, np.asarray(gradient + pull, dtype=np.float64)

    start, more = [2.0, *[0.2] * (len(z) - 1)], [(0, 50.0)] * (len(z) - 1)
    found = minimize(loss, np.array(start), jac=True, bounds=[(0.05, 50.0), *more])
    return np.asarray(found.x / spread, dtype=np.float32)


def fit_gate(
    held: HeldOut, weights: FloatArray, examples: Examples, false_rejections: float
) -> tuple[ScopeGate, dict[str, float]]:
    """The gate for a pool with these weights, and its figures on the held-out rows."""
    from sklearn.linear_model import LogisticRegression

    stranger = examples.stranger
    logits = np.tensordot(weights, held.opinions, axes=1)
    right = _best(softmax(logits), stranger) == held.classes
    table = signs(softmax(logits), stranger, held.nearness)
    if stranger is not None:
        inside = held.classes != stranger
        share = float(np.clip(np.mean(examples.classes == stranger), _LEAST_SHARE, _MOST_SHARE))
    else:
        own = held.groups[None, :] == held.groups[held.classes][:, None]
        hidden = softmax(np.where(own, -1e4, logits))
        table = np.vstack([table, signs(hidden, None, held.hidden_nearness)])
        inside = np.arange(len(table)) < len(right)
        right = np.concatenate([right, np.zeros(len(right), dtype=np.bool_)])
        share = _LEAST_SHARE
    balance = np.where(inside, (1 - share) / inside.mean(), share / max(1 - inside.mean(), 1e-9))
    spread = table.std(axis=0)
    spread = np.where(spread < 1e-9, 1.0, spread)
    model = LogisticRegression(C=10.0, max_iter=1000).fit(table / spread, inside, sample_weight=balance)
    coefficients = np.asarray(model.coef_[0] / spread, dtype=np.float32)
    intercept = float(model.intercept_[0])
    score = 1 / (1 + np.exp(-(table @ coefficients + intercept)))
    threshold = _balanced(score, inside, right) if stranger is not None else _quantile(score[right], false_rejections)
    kept = score >= threshold
    figures = {
        "accuracy": float(right[inside].mean()),
        "in_scope_accuracy": float((right & kept)[inside].mean()),
        "rejected": float(1 - kept[inside].mean()),
        "oos_recall": float(1 - kept[~inside].mean()),
    }
    strangers = examples.rows[examples.classes == stranger] if stranger is not None else examples.rows[:0]
    return ScopeGate(strangers, coefficients, intercept, threshold, stranger), figures


def _best(probabilities: FloatArray, stranger: int | None) -> IntArray:
    """(n,) the most probable class that is not the out-of-scope one."""
    known = probabilities.copy()
    if stranger is not None:
        known[:, stranger] = -1.0
    return np.asarray(known.argmax(axis=1), dtype=np.int64)


def _balanced(score: Doubles, inside: BoolArray, right: BoolArray) -> float:
    """The threshold with the greatest sum of in-scope accuracy and out-of-scope recall."""
    order = np.argsort(score)
    lost = np.concatenate([[0], np.cumsum((right & inside)[order])]) / inside.sum()
    caught = np.concatenate([[0], np.cumsum(~inside[order])]) / max((~inside).sum(), 1)
    cut = int(np.argmax(caught - lost))
    values = np.concatenate([[0.0], score[order], [1.0]])
    return float((values[cut] + values[cut + 1]) / 2)


def _quantile(score: Doubles, share: float) -> float:
    """The threshold that at most this share of scores is below."""
    return float(np.sort(score)[int(share * len(score))]) if len(score) else 0.0
