from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from sklearn.ensemble import ExtraTreesClassifier

from core.errors import InputError
from core.heads.forest import Forest


def drawn(seed: int, n: int, f: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(n, f)).astype(np.float32)
    labels = (rows[:, 0] * draw.normal() + draw.normal(size=n) > 0).astype(np.int64)
    labels[:2] = (0, 1)
    return rows, labels


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(8, 80), st.integers(1, 8), st.integers(1, 6))
def test_walking_the_arrays_equals_scikit_learn(seed: int, n: int, f: int, min_leaf: int) -> None:
    rows, labels = drawn(seed, n, f)
    forest = Forest.fit(rows, labels, trees=12, min_leaf=min_leaf, share=0.5, seed=seed)
    model = ExtraTreesClassifier(
        12, min_samples_leaf=min_leaf, max_features=0.5, class_weight="balanced", random_state=seed
    ).fit(rows, labels)
    unseen = np.random.default_rng(seed + 1).normal(size=(40, f)).astype(np.float32)
    for asked in (rows, unseen):
        np.testing.assert_allclose(forest.probability(asked), model.predict_proba(asked)[:, 1], atol=1e-6)


def test_a_row_on_the_threshold_goes_left_as_in_scikit_learn() -> None:
    rows = np.array([[0.0], [1.0], [2.0], [3.0]] * 4, np.float32)
    labels = np.array([0, 0, 1, 1] * 4, np.int64)
    forest = Forest.fit(rows, labels, trees=5, min_leaf=1)
    splits = forest.threshold[forest.feature >= 0][:, None]
    model = ExtraTreesClassifier(5, min_samples_leaf=1, max_features=0.3, class_weight="balanced", random_state=0).fit(
        rows, labels
    )
    np.testing.assert_allclose(forest.probability(splits), model.predict_proba(splits)[:, 1], atol=1e-6)


def test_a_saved_forest_says_the_same(tmp_path: Path) -> None:
    rows, labels = drawn(3, 60, 5)
    forest = Forest.fit(rows, labels, trees=20)
    save_file(forest.tensors(), tmp_path / "forest.safetensors")
    again = Forest.from_tensors(load_file(tmp_path / "forest.safetensors"))
    np.testing.assert_array_equal(again.probability(rows), forest.probability(rows))


def test_the_same_seed_gives_the_same_forest() -> None:
    rows, labels = drawn(4, 50, 4)
    one, two = Forest.fit(rows, labels, trees=8, seed=1), Forest.fit(rows, labels, trees=8, seed=1)
    np.testing.assert_array_equal(one.probability(rows), two.probability(rows))


def test_no_rows_give_no_probabilities() -> None:
    rows, labels = drawn(5, 30, 3)
    assert Forest.fit(rows, labels, trees=3).probability(np.zeros((0, 3), np.float32)).shape == (0,)


def test_probabilities_are_between_0_and_1_even_for_strange_values() -> None:
    rows, labels = drawn(6, 50, 3)
    forest = Forest.fit(rows, labels, trees=10)
    strange = np.array([[1e30, -1e30, 0], [np.inf, 0, -np.inf]], np.float32)
    found = forest.probability(strange)
    assert ((found >= 0) & (found <= 1)).all() and found.dtype == np.float32


def test_one_class_alone_is_refused() -> None:
    with pytest.raises(InputError, match="both classes"):
        Forest.fit(np.zeros((4, 2), np.float32), np.ones(4, np.int64))
