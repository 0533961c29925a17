from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import ArtifactDamaged, InputError
from core.evaluate.labels import auroc
from core.heads.examples import Examples, hold_out
from core.heads.fit import Fitted, fit_mixture, fit_parts
from core.heads.mixture import Mixture
from core.heads.scope import ScopeGate, signs
from core.types import FloatArray

K, D = 6, 12


def rows(classes: np.ndarray, seed: int, noise: float = 0.25) -> FloatArray:
    """Rows around one direction a class; class K and above is anywhere."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(5).normal(size=(K, D))
    inside = np.where(
        (classes < K)[:, None], centres[np.minimum(classes, K - 1)], random.normal(size=(len(classes), D))
    )
    found = inside / np.linalg.norm(inside, axis=1, keepdims=True) + noise * random.normal(size=(len(classes), D))
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


def examples(each: int = 12, strangers: int = 0, seed: int = 0) -> Examples:
    classes = np.concatenate([np.repeat(np.arange(K), each), np.full(strangers, K)]).astype(np.int64)
    labels = tuple(f"intent {i}" for i in range(K)) + (("oos",) if strangers else ())
    words = [[f"word{c}", "please"] if c < K else [f"odd{i}"] for i, c in enumerate(classes)]
    return Examples(rows(classes, seed), words, classes, labels, K if strangers else None)


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return fit_mixture(examples(strangers=40))


def test_probabilities_sum_to_one_and_find_the_class(fitted: Fitted) -> None:
    unseen = examples(seed=1)
    probabilities = fitted.mixture.probabilities(unseen.rows, unseen.tokens)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
    assert np.mean(probabilities.argmax(axis=1) == unseen.classes) > 0.95


def test_the_gate_tells_strangers_it_never_saw(fitted: Fitted) -> None:
    unseen = examples(strangers=60, seed=1)
    probabilities = fitted.mixture.probabilities(unseen.rows, unseen.tokens)
    score = fitted.gate.probability(unseen.rows, probabilities, fitted.mixture.neighbours)
    assert auroc(score, unseen.classes < K) > 0.95
    assert fitted.held_out["oos_recall"] > 0.8
    assert fitted.held_out["in_scope_accuracy"] > 0.8


def test_without_out_of_scope_examples_hidden_classes_play_their_part() -> None:
    plain = fit_mixture(examples(each=30))
    assert plain.gate.stranger is None
    assert plain.held_out["rejected"] < 0.03
    strangers = rows(np.full(80, K), seed=2)
    probabilities = plain.mixture.probabilities(strangers, [["zebra"]] * 80)
    score = plain.gate.probability(strangers, probabilities, plain.mixture.neighbours)
    known = examples(seed=3)
    at_home = plain.gate.probability(
        known.rows, plain.mixture.probabilities(known.rows, known.tokens), plain.mixture.neighbours
    )
    assert np.median(score) < np.median(at_home)


def test_held_out_rows_are_not_among_those_the_opinion_comes_from() -> None:
    given = examples(each=6)
    alone = Examples(given.rows, [[f"only{i}"] for i in range(len(given.rows))], given.classes, given.labels)
    held = hold_out(alone, fit_parts, 3)
    np.testing.assert_array_equal(held.opinions[2], 0.0)  # every word stands in one text only
    assert held.nearness[:, 0].max() < 1.0


def test_anchors_are_in_every_fit_and_never_judged() -> None:
    given = examples(each=5)
    anchored = Examples(given.rows, given.tokens, given.classes, given.labels, anchors=np.arange(0, 30, 5))
    assert len(hold_out(anchored, fit_parts, 4).classes) == 24


def test_fitting_twice_gives_the_same() -> None:
    one, two = fit_mixture(examples()), fit_mixture(examples())
    np.testing.assert_array_equal(one.mixture.weights, two.mixture.weights)
    assert one.gate.threshold == two.gate.threshold


def test_too_few_examples_are_refused() -> None:
    few = Examples(np.eye(3, dtype=np.float32), [["a"]] * 3, np.array([0, 1, 1]), ("a", "b"))
    with pytest.raises(InputError, match="two labels with two examples each"):
        fit_mixture(few)
    with pytest.raises(InputError, match="3 rows, 2 token lists"):
        Examples(np.eye(3, dtype=np.float32), [["a"]] * 2, np.zeros(3, np.int64), ("a",))


def test_what_is_saved_comes_back_the_same_to_three_digits(fitted: Fitted, tmp_path: Path) -> None:
    fitted.mixture.save(tmp_path)
    fitted.gate.save(tmp_path)
    mixture, gate = Mixture.load(tmp_path), ScopeGate.load(tmp_path)
    unseen = examples(strangers=10, seed=4)
    before = fitted.mixture.probabilities(unseen.rows, unseen.tokens)
    after = mixture.probabilities(unseen.rows, unseen.tokens)
    np.testing.assert_allclose(after, before, atol=5e-3)
    np.testing.assert_allclose(
        gate.probability(unseen.rows, after, mixture.neighbours),
        fitted.gate.probability(unseen.rows, before, fitted.mixture.neighbours),
        atol=5e-3,
    )
    assert gate.threshold == fitted.gate.threshold


@pytest.mark.parametrize("name", ["mixture.safetensors", "mixture.json", "scope.safetensors", "scope.json"])
def test_a_damaged_file_is_said_to_be_damaged(name: str, fitted: Fitted, tmp_path: Path) -> None:
    fitted.mixture.save(tmp_path)
    fitted.gate.save(tmp_path)
    (tmp_path / name).write_text("{}")
    with pytest.raises(ArtifactDamaged, match="train it again"):
        Mixture.load(tmp_path)
        ScopeGate.load(tmp_path)


def test_signs_that_do_not_apply_are_zero() -> None:
    table = signs(np.array([[0.5, 0.5]], dtype=np.float32), None, np.array([[0.7, 0.0]], dtype=np.float32))
    np.testing.assert_allclose(table, [[np.log(0.5), 0.0, 0.7, 0.0]], atol=1e-6)
