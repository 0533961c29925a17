from __future__ import annotations

import numpy as np
import pytest

from core.heads.neighbours import Neighbours, mean_nearest

EXAMPLES = np.array([[1, 0], [0.8, 0.6], [0, 1]], dtype=np.float32)


def test_the_nearest_examples_vote_for_their_class() -> None:
    scores = Neighbours(EXAMPLES, np.array([0, 0, 1]), 3).scores(np.array([[1, 0], [0, 1]], dtype=np.float32))
    assert scores.argmax(axis=1).tolist() == [0, 1]
    assert np.exp(scores[0]).sum() == pytest.approx(1.01, abs=1e-4)


def test_without_examples_nothing_is_preferred() -> None:
    scores = Neighbours(EXAMPLES[:0], np.zeros(0, np.int64), 4).scores(EXAMPLES)
    np.testing.assert_allclose(np.exp(scores), 0.25, atol=1e-6)


def test_nearness_is_the_mean_cosine_of_the_nearest() -> None:
    row = np.array([[1, 0]], dtype=np.float32)
    assert mean_nearest(row, EXAMPLES, 2) == pytest.approx(0.9)
    assert mean_nearest(row, EXAMPLES, 50) == pytest.approx(0.6)
    assert mean_nearest(row, EXAMPLES[:0], 2) == pytest.approx(0.0)


def test_many_rows_are_done_in_blocks_with_the_same_result() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(1100, 8)).astype(np.float32)
    whole = mean_nearest(rows, rows[:30], 3)
    np.testing.assert_allclose(whole[1000:], mean_nearest(rows[1000:], rows[:30], 3), rtol=1e-5)
