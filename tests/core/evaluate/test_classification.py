from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from core.errors import InputError
from core.evaluate.classification import confusion_matrix, label_report, multilabel_report
from core.evaluate.labels import ClassReport

NAMES = ["a", "b", "c", "d"]
AVERAGES = ("micro", "macro", "weighted")


def same(ours: ClassReport, theirs: dict[str, Any]) -> None:
    assert ours.precision == pytest.approx(theirs["precision"])
    assert ours.recall == pytest.approx(theirs["recall"])
    assert ours.f1 == pytest.approx(theirs["f1-score"])
    assert ours.support == theirs["support"]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_rows_and_averages_are_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    predicted, labels = np.array(pairs, dtype=np.int64).T
    report = label_report(predicted, labels, NAMES)
    used = sorted({*predicted.tolist(), *labels.tolist()})
    theirs = metrics.classification_report(
        labels, predicted, labels=used, target_names=[NAMES[i] for i in used], output_dict=True, zero_division=0
    )
    assert [row.name for row in report.rows] == [NAMES[i] for i in used]
    for row in report.rows:
        same(row, theirs[row.name])
    same(report.macro, theirs["macro avg"])
    same(report.weighted, theirs["weighted avg"])
    assert report.micro.f1 == pytest.approx(metrics.f1_score(labels, predicted, average="micro", zero_division=0))
    assert report.accuracy == pytest.approx(theirs["accuracy"])


@given(st.lists(st.lists(st.booleans(), min_size=8, max_size=8), min_size=1, max_size=20))
def test_the_multi_label_report_is_scikit_learns_on_labels_that_occur(rows: list[list[bool]]) -> None:
    table = np.array(rows, dtype=bool)
    predicted, labels = table[:, :4], table[:, 4:]
    report = multilabel_report(predicted, labels, NAMES)
    used = [i for i in range(4) if predicted[:, i].any() or labels[:, i].any()]
    assert report.accuracy == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert [row.name for row in report.rows] == [NAMES[i] for i in used]
    if len(used) < 2:
        return
    for average in AVERAGES:
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(
            labels[:, used], predicted[:, used], average=average, zero_division=0
        )
        ours = getattr(report, average)
        assert (ours.precision, ours.recall, ours.f1) == pytest.approx((precision, recall, f1))


def test_the_confusion_matrix_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    predicted, labels = random.integers(0, 5, (2, 300))
    ours = confusion_matrix(predicted, labels, 6)
    assert ours.dtype == np.int64
    np.testing.assert_array_equal(ours, metrics.confusion_matrix(labels, predicted, labels=range(6)))


def test_the_report_is_plain_json_and_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    report = label_report(np.array([0, 1, 1]), np.array([0, 1, 0]), ["yes", "no"])
    figures = report.as_dict()
    assert figures["classes"]["yes"] == {"precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "support": 2}
    assert figures["micro"]["support"] == 3
    report.put("label")
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("yes", "no", "micro", "macro", "weighted", "0.6667"))


def test_indices_and_columns_without_a_name_are_refused() -> None:
    with pytest.raises(InputError, match=r"in \[0, 2\), got 0 to 2"):
        label_report(np.array([0, 1]), np.array([0, 2]), ["a", "b"])
    with pytest.raises(InputError, match="3 names"):
        multilabel_report(np.zeros((2, 2), bool), np.zeros((2, 2), bool), ["a", "b", "c"])
    with pytest.raises(InputError, match="0 rows"):
        label_report(np.zeros(0, np.int64), np.zeros(0, np.int64), ["a"])
