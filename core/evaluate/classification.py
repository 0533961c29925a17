"""The whole classification report: a row a class, their micro, macro and weighted averages, the confusion matrix.

Knows counts and class indices; nothing of texts or models. `core.evaluate.labels` has the single figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.console import put_table
from core.errors import InputError
from core.evaluate.labels import BoolArray, ClassReport, accuracy, check_lengths
from core.types import IntArray


@dataclass(frozen=True, slots=True)
class LabelReport:
    """Precision, recall, F1 and support by class and averaged."""

    rows: tuple[ClassReport, ...]
    """Classes that occur in the predictions or the truth, in the order of their names as given."""
    micro: ClassReport
    """Over all decisions alike."""
    macro: ClassReport
    """Mean of the rows: every class counts the same."""
    weighted: ClassReport
    """Mean of the rows, weighted by their support."""
    accuracy: float
    """Share of rows that are right as a whole; of entities, where tokens were tagged, it is that of their tokens."""

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        averages = {name: _figures(getattr(self, name)) for name in ("micro", "macro", "weighted")}
        return {
            "accuracy": self.accuracy,
            **averages,
            "classes": {row.name: _figures(row) for row in self.rows},
        }

    def put(self, title: str) -> None:
        """Print it as a table for people."""
        rows = [*self.rows, self.micro, self.macro, self.weighted]
        put_table(
            (title, "precision", "recall", "f1", "support"),
            [(row.name, row.precision, row.recall, row.f1, row.support) for row in rows],
        )


def report_from_counts(
    names: Sequence[str], right: IntArray, said: IntArray, support: IntArray, accuracy: float
) -> LabelReport:
    """The report of classes by their counts.

    :param names: of the k classes.
    :param right: (k,) int, decided for the class and right.
    :param said: (k,) int, decided for the class.
    :param support: (k,) int, truly of the class.
    :param accuracy: as `LabelReport.accuracy`.

    A quotient of nothing by nothing counts 0, as scikit-learn's `zero_division=0`. Macro F1 is the mean of the classes'
    F1 (Opitz and Burst 2019, "Macro F1 and Macro F1"), not the F1 of the mean precision and recall.
    """
    used = [i for i in range(len(names)) if said[i] or support[i]]
    rows = tuple(_row(names[i], int(right[i]), int(said[i]), int(support[i])) for i in used)
    total = int(support.sum())
    weights = np.array([row.support for row in rows], dtype=np.float64)
    return LabelReport(
        rows=rows,
        micro=_row("micro", int(right.sum()), int(said.sum()), total),
        macro=_mean("macro", rows, np.ones(len(rows)), total),
        weighted=_mean("weighted", rows, weights, total),
        accuracy=accuracy,
    )


def label_report(predicted: IntArray, labels: IntArray, names: Sequence[str]) -> LabelReport:
    """The report where every row has one class.

    :param predicted: (n,) int, class indices.
    :param labels: (n,) int, class indices.
    :param names: name of each class index.
    :raises InputError: if shapes disagree, n is 0 or an index has no name.
    """
    matrix = confusion_matrix(predicted, labels, len(names))
    return report_from_counts(
        names, np.diagonal(matrix), matrix.sum(axis=0), matrix.sum(axis=1), accuracy(predicted, labels)
    )


def multilabel_report(predicted: BoolArray, labels: BoolArray, names: Sequence[str]) -> LabelReport:
    """The report where a row may have several labels; accuracy counts rows whose labels are all right.

    :param predicted: (n, k) bool.
    :param labels: (n, k) bool.
    :param names: name of each column.
    :raises InputError: if shapes disagree, n is 0 or a column has no name.
    """
    check_lengths(predicted, labels)
    if predicted.ndim != 2 or predicted.shape != labels.shape or predicted.shape[1] != len(names):
        shapes = f"{predicted.shape} and {labels.shape}"
        raise InputError(f"two (n, {len(names)}) tables expected for {len(names)} names, got shapes {shapes}")
    return report_from_counts(
        names,
        (predicted & labels).sum(axis=0),
        predicted.sum(axis=0),
        labels.sum(axis=0),
        float((predicted == labels).all(axis=1).mean()),
    )


def confusion_matrix(predicted: IntArray, labels: IntArray, k: int) -> IntArray:
    """How often each class was taken for each.

    :param predicted: (n,) int, class indices in [0, k).
    :param labels: (n,) int, class indices in [0, k).
    :returns: (k, k) int64: row = true class, column = predicted class.
    :raises InputError: if shapes disagree, n is 0 or an index is outside [0, k).
    """
    check_lengths(predicted, labels)
    for values in (predicted, labels):
        if int(values.min()) < 0 or int(values.max()) >= k:
            raise InputError(f"class indices must be in [0, {k}), got {int(values.min())} to {int(values.max())}")
    cells = np.bincount(labels.astype(np.int64) * k + predicted, minlength=k * k)
    return np.asarray(cells.reshape(k, k), dtype=np.int64)


def _row(name: str, right: int, said: int, support: int) -> ClassReport:
    return ClassReport(
        name=name,
        precision=right / said if said else 0.0,
        recall=right / support if support else 0.0,
        f1=2 * right / (said + support) if said + support else 0.0,
        support=support,
    )


def _mean(name: str, rows: Sequence[ClassReport], weights: np.ndarray[Any, np.dtype[Any]], total: int) -> ClassReport:
    whole = float(weights.sum())
    if not whole:
        return ClassReport(name, 0.0, 0.0, 0.0, total)
    table = np.array([(row.precision, row.recall, row.f1) for row in rows])
    precision, recall, f1 = (float(value) for value in weights @ table / whole)
    return ClassReport(name, precision, recall, f1, total)


def _figures(row: ClassReport) -> dict[str, Any]:
    return {name: value for name, value in asdict(row).items() if name != "name"}
