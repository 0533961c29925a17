from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from core.errors import InputError
from core.evaluate.agreement import Weights, cohen_kappa, fleiss_kappa

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30)


@given(PAIRS, st.sampled_from(["none", "linear", "quadratic"]))
def test_cohens_kappa_is_scikit_learns(pairs: list[tuple[int, int]], weights: Weights) -> None:
    a, b = np.array(pairs, dtype=np.int64).T
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = cohen_kappa_score(a, b, labels=range(5), weights=None if weights == "none" else weights)
    found = cohen_kappa(a, b, 5, weights)
    assert math.isnan(found) if math.isnan(wanted) else found == pytest.approx(wanted)


def test_fleiss_kappa_is_that_of_the_worked_example() -> None:
    # Ten subjects, five categories, fourteen raters: the example most texts on the measure work through; kappa .210.
    table = np.array(
        [
            [0, 0, 0, 0, 14],
            [0, 2, 6, 4, 2],
            [0, 0, 3, 5, 6],
            [0, 3, 9, 2, 0],
            [2, 2, 8, 1, 1],
            [7, 7, 0, 0, 0],
            [3, 2, 6, 3, 0],
            [2, 5, 3, 2, 2],
            [6, 5, 2, 1, 0],
            [0, 2, 2, 3, 7],
        ],
        dtype=np.int64,
    )
    assert fleiss_kappa(table) == pytest.approx(0.210, abs=5e-4)


def test_perfect_agreement_is_one_and_chance_is_about_zero() -> None:
    assert fleiss_kappa(np.array([[3, 0], [0, 3], [3, 0]])) == 1.0
    random = np.random.default_rng(0)
    counts = np.array([np.bincount(random.integers(0, 3, 4), minlength=3) for _ in range(3000)])
    assert abs(fleiss_kappa(counts)) < 0.02


def test_one_category_throughout_says_nothing() -> None:
    assert math.isnan(fleiss_kappa(np.array([[2, 0], [2, 0]])))
    assert math.isnan(cohen_kappa(np.zeros(3, np.int64), np.zeros(3, np.int64), 2))


@pytest.mark.parametrize("counts", [[[1, 0], [1, 0]], [[2, 1], [1, 1]], [[3, -1]], [[]]])
def test_items_without_the_same_number_of_raters_are_refused(counts: list[list[int]]) -> None:
    with pytest.raises(InputError, match=r"raters|table expected"):
        fleiss_kappa(np.array(counts, dtype=np.int64))


def test_unknown_weights_and_categories_are_refused() -> None:
    with pytest.raises(InputError, match="'cubic'"):
        cohen_kappa(np.array([0]), np.array([0]), 2, "cubic")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"\[0, 2\)"):
        cohen_kappa(np.array([0]), np.array([2]), 2)
