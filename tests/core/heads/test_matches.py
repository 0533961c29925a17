from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from core.errors import ArtifactDamaged, InputError
from core.heads.examples import Examples
from core.heads.fit import fit_mixture
from core.heads.matches import Matches, Reading
from core.heads.mixture import TENSORS_FILE, Mixture

WORDS = ("the", "card", "lost", "fee", "charged")
THE, CARD, LOST, FEE, CHARGED = range(5)


def reading(*ids: int) -> Reading:
    """Every word has a direction of its own."""
    return np.array(ids, dtype=np.int64), np.eye(len(WORDS), dtype=np.float32)[list(ids)]


EXAMPLES = [reading(THE, CARD), reading(LOST, CARD), reading(THE, FEE), reading(CHARGED, FEE)]
CLASSES = np.array([0, 0, 1, 1], dtype=np.int64)


def test_an_example_that_has_all_words_of_a_text_covers_it() -> None:
    covered = Matches.of(EXAMPLES, CLASSES, 2).coverage([reading(CARD, LOST)])
    assert covered.shape == (1, 4)
    assert covered[0].argmax() == 1
    assert covered[0, 1] == pytest.approx(1.0)


def test_rare_words_weigh_more_than_common_ones() -> None:
    matches = Matches.of(EXAMPLES, CLASSES, 2)
    lost, the = matches.rarity(np.array([LOST, THE]))
    assert lost > the
    covered = matches.coverage([reading(THE, LOST)])[0]
    assert covered[1] > covered[0]


def test_the_vote_is_for_the_class_whose_examples_cover_the_text() -> None:
    scores = Matches.of(EXAMPLES, CLASSES, 3).scores([reading(LOST, CARD), reading(CHARGED)])
    assert scores.argmax(axis=1).tolist() == [0, 1]
    assert np.isfinite(scores).all()  # the third class has no example


def test_texts_are_scored_alike_alone_and_among_many() -> None:
    matches = Matches.of(EXAMPLES, CLASSES, 2)
    texts = [reading(LOST), reading(THE, FEE), reading(CARD, CHARGED, THE)] * 9
    alone = np.concatenate([matches.scores([text]) for text in texts])
    np.testing.assert_allclose(matches.scores(texts), alone, atol=1e-6)


def test_sizes_that_disagree_and_empty_texts_are_refused() -> None:
    one = np.ones(1, dtype=np.int64)
    with pytest.raises(InputError, match="1 ids, 2 vectors"):
        Matches(one, np.eye(2, dtype=np.float32), one, one, 2)
    with pytest.raises(InputError, match="without tokens"):
        Matches(one, np.eye(1, dtype=np.float32), np.array([1, 0]), np.array([0, 1]), 2)


def read_examples(each: int = 8) -> Examples:
    """Classes that differ in one word; the rows say nothing."""
    random = np.random.default_rng(3)
    classes = np.repeat(np.arange(2), each)
    rows = random.normal(size=(2 * each, 4)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    read = [reading(THE, LOST if c == 0 else FEE) for c in classes]
    return Examples(rows, [["same"]] * len(classes), classes, ("card", "fees"), readings=read)


def test_a_classifier_learns_to_trust_the_matches_where_the_rows_say_nothing(tmp_path: Path) -> None:
    given = read_examples()
    fitted = fit_mixture(given)
    assert fitted.mixture.weights.shape == (4,)
    assert fitted.held_out["accuracy"] == 1.0
    fitted.mixture.save(tmp_path)
    loaded = Mixture.load(tmp_path)
    np.testing.assert_allclose(
        loaded.probabilities(given.rows, given.tokens, given.readings),
        fitted.mixture.probabilities(given.rows, given.tokens, given.readings),
        atol=5e-3,
    )
    with pytest.raises(InputError, match="token vectors"):
        loaded.probabilities(given.rows, given.tokens)


def test_damaged_matches_are_said_to_be_damaged(tmp_path: Path) -> None:
    fit_mixture(read_examples()).mixture.save(tmp_path)
    tensors = load_file(str(tmp_path / TENSORS_FILE))
    save_file({**tensors, "matches.lengths": tensors["matches.lengths"] + 1}, str(tmp_path / TENSORS_FILE))
    with pytest.raises(ArtifactDamaged, match="train it again"):
        Mixture.load(tmp_path)
