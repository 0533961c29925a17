from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from core.errors import InputError
from core.heads.boosted import Boosted


def table(seed: int = 0, n: int = 600) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(n, 7)).astype(np.float32)
    rows[:, 3] = draw.integers(0, 3, n)
    labels = ((rows[:, 0] * rows[:, 1] > 0) | (rows[:, 3] == 2)).astype(np.int64)
    return rows, labels


def test_trees_say_what_scikit_learn_says() -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows, labels = table()
    model = HistGradientBoostingClassifier(max_iter=30, max_leaf_nodes=9, max_features=0.4, random_state=1)
    model.fit(rows, labels, sample_weight=np.linspace(0.2, 1, len(rows)))
    mine = Boosted.from_model(model)
    fresh, _ = table(seed=5, n=900)
    np.testing.assert_allclose(mine.log_odds(fresh), model.decision_function(fresh), atol=1e-5)
    np.testing.assert_allclose(mine.log_odds(rows), model.decision_function(rows), atol=1e-5)


def test_what_was_learnt_holds_on_other_rows_and_through_a_file(tmp_path: Path) -> None:
    rows, labels = table()
    trees = Boosted.fit(rows, labels, trees=40, leaves=7)
    fresh, truth = table(seed=3)
    assert np.mean((trees.log_odds(fresh) > 0) == truth) > 0.85
    save_file(trees.tensors(), tmp_path / "trees.safetensors")
    again = Boosted.from_tensors(load_file(tmp_path / "trees.safetensors"))
    assert np.array_equal(again.log_odds(fresh), trees.log_odds(fresh))
    assert trees.log_odds(fresh[:0]).shape == (0,)


def test_a_row_of_weight_nought_teaches_nothing() -> None:
    rows, labels = table()
    wrong = np.concatenate([labels, 1 - labels])
    weights = np.concatenate([np.ones(len(rows)), np.zeros(len(rows))]).astype(np.float32)
    trees = Boosted.fit(np.concatenate([rows, rows]), wrong, weights, trees=40, leaves=7)
    assert np.mean((trees.log_odds(rows) > 0) == labels) > 0.85


def test_one_class_alone_is_refused() -> None:
    rows, labels = table()
    with pytest.raises(InputError, match="both classes"):
        Boosted.fit(rows, np.ones_like(labels))
