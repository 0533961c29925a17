"""Classification figures: accuracy, F1, the per-class report, AUROC and thresholds.

Knows class indices, scores and probabilities as numpy arrays; nothing of texts, models or files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.errors import InputError
from core.types import FloatArray, IntArray

BoolArray = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class ClassReport:
    """Figures of one class."""

    name: str
    precision: float
    """In [0, 1]; 0 where the class was never predicted."""
    recall: float
    """In [0, 1]; 0 where the class has no rows."""
    f1: float
    support: int
    """Rows that truly have this class."""


def check_lengths(*arrays: npt.NDArray[np.generic]) -> int:
    """The common length of the first axis.

    :raises InputError: if lengths differ or are 0.
    """
    lengths = {len(a) for a in arrays}
    if len(lengths) != 1:
        raise InputError(f"arrays of one length expected, got lengths {[len(a) for a in arrays]}")
    (n,) = lengths
    if n == 0:
        raise InputError("nothing to evaluate: 0 rows")
    return n


def accuracy(predicted: IntArray, labels: IntArray) -> float:
    """Share of rows predicted right.

    :param predicted: (n,) int, class indices.
    :param labels: (n,) int, class indices.
    :returns: in [0, 1].
    :raises InputError: if shapes disagree or n is 0.
    """
    check_lengths(predicted, labels)
    return float(np.mean(predicted == labels))


def classification_report(predicted: IntArray, labels: IntArray, names: Sequence[str]) -> list[ClassReport]:
    """Precision, recall, F1 and support of every class that occurs in `predicted` or `labels`.

    :param predicted: (n,) int, class indices in [0, k).
    :param labels: (n,) int, class indices in [0, k).
    :param names: k class names.
    :raises InputError: if shapes disagree, n is 0 or an index is outside [0, k).
    """
    check_lengths(predicted, labels)
    k = len(names)
    for values in (predicted, labels):
        if int(values.min()) < 0 or int(values.max()) >= k:
            raise InputError(f"class indices must be in [0, {k}), got {int(values.min())} to {int(values.max())}")
    support = np.bincount(labels, minlength=k)
    said = np.bincount(predicted, minlength=k)
    right = np.bincount(labels[predicted == labels], minlength=k)
    return [
        ClassReport(
            name=names[i],
            precision=float(right[i] / said[i]) if said[i] else 0.0,
            recall=float(right[i] / support[i]) if support[i] else 0.0,
            f1=float(2 * right[i] / (said[i] + support[i])),
            support=int(support[i]),
        )
        for i in range(k)
        if said[i] or support[i]
    ]


def macro_f1(predicted: IntArray, labels: IntArray) -> float:
    """Unweighted mean F1 over the classes that occur in `predicted` or `labels` (scikit-learn's default).

    :param predicted: (n,) int >= 0.
    :param labels: (n,) int >= 0.
    :returns: in [0, 1].
    :raises InputError: if shapes disagree or n is 0.
    """
    check_lengths(predicted, labels)
    k = int(max(predicted.max(), labels.max())) + 1
    report = classification_report(predicted, labels, [str(i) for i in range(k)])
    return float(np.mean([row.f1 for row in report]))


def multilabel_f1(predicted: BoolArray, labels: BoolArray) -> tuple[float, float]:
    """Micro and macro F1 where a row may have several labels.

    :param predicted: (n, k) bool.
    :param labels: (n, k) bool.
    :returns: micro F1 over all cells; mean F1 over the columns that occur in `predicted` or `labels`.
    :raises InputError: if shapes disagree or n is 0.
    """
    check_lengths(predicted, labels)
    if predicted.shape != labels.shape or predicted.ndim != 2:
        raise InputError(f"two (n, k) tables expected, got shapes {predicted.shape} and {labels.shape}")
    right = (predicted & labels).sum(axis=0)
    total = predicted.sum(axis=0) + labels.sum(axis=0)
    used = total > 0
    if not used.any():
        return 0.0, 0.0
    return float(2 * right.sum() / total.sum()), float(np.mean(2 * right[used] / total[used]))


def auroc(scores: Scores, positive: BoolArray) -> float:
    """Area under the ROC curve: the chance that a positive row scores above a negative one; ties count half.

    :param scores: (n,) float, higher means more positive.
    :param positive: (n,) bool.
    :returns: in [0, 1]; 0.5 is chance.
    :raises InputError: if shapes disagree, a score is not finite, or one of the two kinds is missing.

    Mann-Whitney U with mid-ranks; Fawcett 2006, "An introduction to ROC analysis".
    """
    n = check_lengths(scores, positive)
    if not np.isfinite(scores).all():
        raise InputError("scores must be finite")
    p = int(positive.sum())
    if p in (0, n):
        raise InputError("AUROC needs positive and negative rows")
    _, group, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[group]
    return float((ranks[positive].sum() - p * (p + 1) / 2) / (p * (n - p)))


@dataclass(frozen=True, slots=True)
class ThresholdCurve:
    """What each threshold gives when rows that score at or above it are called positive. Recall falls along it."""

    thresholds: FloatArray
    """(m,) float32, ascending distinct scores."""
    recall: FloatArray
    """(m,) float32: positives at or above the threshold, of all positives."""
    precision: FloatArray
    """(m,) float32: positives of all rows at or above the threshold."""
    false_positive_rate: FloatArray
    """(m,) float32: negatives at or above the threshold, of all negatives; 0 where there are none."""

    def at_recall(self, recall: float) -> float:
        """The highest threshold that keeps at least this recall."""
        good = np.flatnonzero(self.recall >= recall - 1e-9)
        return float(self.thresholds[good[-1]])

    def at_false_positive_rate(self, rate: float) -> float:
        """The lowest threshold with at most this share of negatives called positive.

        Above every score where none does.
        """
        good = np.flatnonzero(self.false_positive_rate <= rate + 1e-9)
        return float(self.thresholds[good[0]]) if len(good) else float(np.nextafter(self.thresholds[-1], np.inf))


def threshold_curve(scores: Scores, positive: BoolArray) -> ThresholdCurve:
    """Recall, precision and false-positive rate at every distinct score.

    :param scores: (n,) float, higher means more positive.
    :param positive: (n,) bool, at least one True.
    :raises InputError: if shapes disagree, a score is not finite, or no row is positive.
    """
    n = check_lengths(scores, positive)
    p = int(positive.sum())
    if p == 0:
        raise InputError("a threshold curve needs positive rows")
    if not np.isfinite(scores).all():
        raise InputError("scores must be finite")
    values = scores.astype(np.float32)
    order = np.argsort(values, kind="stable")
    thresholds, first = np.unique(values[order], return_index=True)
    positives_below = np.concatenate(([0], np.cumsum(positive[order])))[first]
    at_or_above = n - first
    hits = p - positives_below
    return ThresholdCurve(
        thresholds=thresholds,
        recall=(hits / p).astype(np.float32),
        precision=(hits / at_or_above).astype(np.float32),
        false_positive_rate=((at_or_above - hits) / max(n - p, 1)).astype(np.float32),
    )
