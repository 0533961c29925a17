from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from core.errors import InputError
from core.evaluate.labels import (
    accuracy,
    auroc,
    classification_report,
    macro_f1,
    multilabel_f1,
    threshold_curve,
)

LABELS = np.array([0, 0, 1, 1, 2, 2, 2], dtype=np.int64)
PREDICTED = np.array([0, 1, 1, 1, 2, 0, 4], dtype=np.int64)


def test_accuracy_is_the_share_of_equal_rows() -> None:
    assert accuracy(PREDICTED, LABELS) == pytest.approx(4 / 7)


def test_macro_f1_is_scikit_learns() -> None:
    wanted = metrics.f1_score(LABELS, PREDICTED, average="macro", zero_division=0)
    assert macro_f1(PREDICTED, LABELS) == pytest.approx(wanted)


def test_the_report_leaves_out_classes_that_never_occur() -> None:
    rows = classification_report(PREDICTED, LABELS, ["a", "b", "c", "unused", "e"])
    assert [row.name for row in rows] == ["a", "b", "c", "e"]
    c = rows[2]
    assert (c.precision, c.recall, c.support) == (1.0, pytest.approx(1 / 3), 3)
    assert rows[3].recall == 0.0


def test_an_index_without_a_name_is_refused() -> None:
    with pytest.raises(InputError, match=r"in \[0, 2\), got 0 to 4"):
        classification_report(PREDICTED, LABELS, ["a", "b"])


def test_lengths_must_agree_and_not_be_zero() -> None:
    with pytest.raises(InputError, match=r"\[2, 3\]"):
        accuracy(np.zeros(2, np.int64), np.zeros(3, np.int64))
    with pytest.raises(InputError, match="0 rows"):
        accuracy(np.zeros(0, np.int64), np.zeros(0, np.int64))


def test_multilabel_f1_is_scikit_learns_on_the_columns_that_occur() -> None:
    truth = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=bool)
    said = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0]], dtype=bool)
    micro, macro = multilabel_f1(said, truth)
    assert micro == pytest.approx(metrics.f1_score(truth, said, average="micro"))
    assert macro == pytest.approx(np.mean([1.0, 0.5]))
    assert multilabel_f1(np.zeros((1, 2), bool), np.zeros((1, 2), bool)) == (0.0, 0.0)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auroc_is_scikit_learns_ties_included(rows: list[tuple[int, bool]]) -> None:
    scores = np.array([score for score, _ in rows], dtype=np.float64)
    positive = np.array([flag for _, flag in rows], dtype=bool)
    if positive.all() or not positive.any():
        with pytest.raises(InputError, match="positive and negative"):
            auroc(scores, positive)
    else:
        assert auroc(scores, positive) == pytest.approx(metrics.roc_auc_score(positive, scores))


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="finite"):
        auroc(np.array([np.nan, 1.0]), np.array([True, False]))


def test_the_curve_gives_thresholds_for_a_recall_and_for_a_false_positive_rate() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], dtype=np.float32)
    positive = np.array([True, True, False, True, False, False])
    curve = threshold_curve(scores, positive)
    assert curve.at_recall(1.0) == pytest.approx(0.6)
    assert curve.at_recall(0.6) == pytest.approx(0.8)
    assert curve.at_false_positive_rate(0.0) == pytest.approx(0.8)
    assert curve.at_false_positive_rate(0.34) == pytest.approx(0.6)
    assert curve.precision[-1] == 1.0
    assert list(curve.recall) == sorted(curve.recall, reverse=True)


def test_no_threshold_among_the_scores_may_be_good_enough() -> None:
    curve = threshold_curve(np.array([0.9, 0.1]), np.array([False, True]))
    assert curve.at_false_positive_rate(0.0) > 0.9
