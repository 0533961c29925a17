from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import ArtifactDamaged, InputError
from core.heads.fit import fit_linear
from core.heads.linear import LinearHead
from core.types import FloatArray, IntArray


def blobs(k: int, each: int = 20, d: int = 6, seed: int = 0) -> tuple[FloatArray, IntArray]:
    """Rows around k directions, L2-normalised, and their classes."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(k, d))
    classes = np.repeat(np.arange(k), each)
    rows = centres[classes] + 0.3 * random.normal(size=(k * each, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), classes.astype(np.int64)


@pytest.mark.parametrize("k", [2, 3, 7])
def test_a_head_learns_what_can_be_told_apart(k: int) -> None:
    rows, classes = blobs(k)
    head = fit_linear(rows, classes, [f"c{i}" for i in range(k)])
    unseen, wanted = blobs(k, seed=1)
    probabilities = head.probabilities(unseen)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
    assert np.mean(probabilities.argmax(axis=1) == wanted) > 0.9


def test_a_head_agrees_with_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    rows, classes = blobs(4)
    head = fit_linear(rows, classes, list("abcd"), strength=5.0)
    model = LogisticRegression(C=5.0, max_iter=400, tol=1e-5).fit(rows, classes)
    np.testing.assert_allclose(head.probabilities(rows), model.predict_proba(rows), atol=1e-3)


def test_a_class_without_examples_is_never_predicted() -> None:
    rows, classes = blobs(3)
    head = fit_linear(rows, np.where(classes == 2, 3, classes), ["a", "b", "nobody", "d"])
    assert 2 not in head.probabilities(rows).argmax(axis=1)


def test_one_class_is_refused() -> None:
    with pytest.raises(InputError, match="at least two labels"):
        fit_linear(np.eye(3, dtype=np.float32), np.zeros(3, np.int64), ["a", "b"])


def test_rows_of_another_length_are_refused() -> None:
    head = LinearHead(("a", "b"), np.zeros((2, 6), np.float32), np.zeros(2, np.float32))
    with pytest.raises(InputError, match="length 6"):
        head.logits(np.zeros((1, 5), np.float32))


def test_a_saved_head_comes_back_the_same(tmp_path: Path) -> None:
    rows, classes = blobs(3)
    head = fit_linear(rows, classes, ["a", "b", "退货"])
    head.save(tmp_path)
    again = LinearHead.load(tmp_path)
    assert again.labels == ("a", "b", "退货")
    np.testing.assert_array_equal(again.probabilities(rows), head.probabilities(rows))


def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    rows, classes = blobs(3)
    fit_linear(rows, classes, list("abc")).save(tmp_path)
    (tmp_path / "head.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(ArtifactDamaged, match="train it again"):
        LinearHead.load(tmp_path)
    with pytest.raises(ArtifactDamaged):
        LinearHead.load(tmp_path / "nowhere")
