from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import ArtifactDamaged, InputError
from core.heads.features import DESCRIPTION_FILE, FeatureHead
from core.heads.features_fit import Fitted, Table, Texts, fit_head, folds_of
from core.heads.features_pool import fit_pool, fit_thresholds
from core.heads.grams import Tokens
from core.types import FloatArray

LABELS = ("down", "flat", "up")
WORDS = {"down": ["fell", "loss", "cut"], "flat": ["held", "office", "plant"], "up": ["rose", "gain", "won"]}


def texts(n: int, seed: int) -> tuple[list[list[str]], np.ndarray]:
    """Word lists of three classes, a third of them with a word of another class as well."""
    random = np.random.default_rng(seed)
    classes = random.integers(0, 3, n)
    found = []
    for c in classes:
        own = random.choice(WORDS[LABELS[c]], 2).tolist()
        stray = random.choice(WORDS[LABELS[random.integers(0, 3)]], 1).tolist() if random.random() < 0.3 else []
        found.append([*own, *stray, f"name{random.integers(0, 30)}"])
    return found, classes


def table(n: int = 240, seed: int = 0, *, outside: bool = False, fold: np.ndarray | None = None) -> Table:
    words, classes = texts(n, seed)
    targets = classes[:, None] == np.arange(3)
    noise = np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)
    said: tuple[FloatArray, ...] = ((targets * 2 + noise).astype(np.float32),) if outside else ()
    rows = np.zeros((n, 0), np.float32) if outside else noise[:, :2] + targets[:, :2]
    characters: list[Tokens] = [" ".join(each) for each in words]
    return Table(
        LABELS, "single", targets, rows.astype(np.float32), (Texts(words, 1, 2), Texts(characters, 2, 3)), said, fold
    )


def views(words: list[list[str]]) -> list[list[Tokens]]:
    return [list(words), [" ".join(each) for each in words]]


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return fit_head(table())


def test_unseen_texts_are_told_apart_with_probabilities_that_hold(fitted: Fitted) -> None:
    words, classes = texts(200, 7)
    rows = (classes[:, None] == np.arange(2)).astype(np.float32)
    found = fitted.head.probabilities(rows, views(words))
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-5)
    assert np.mean(found.argmax(axis=1) == classes) > 0.85
    assert fitted.held_out["accuracy"] > 0.85
    assert fitted.held_out["ece"] < 0.1
    assert sum(fitted.weights.values()) == pytest.approx(1.0, abs=0.01)


def test_what_is_saved_says_the_same(fitted: Fitted, tmp_path: Path) -> None:
    words, _ = texts(20, 3)
    rows = np.zeros((20, 2), np.float32)
    fitted.head.save(tmp_path)
    again = FeatureHead.load(tmp_path)
    assert again.labels == LABELS
    np.testing.assert_allclose(
        again.probabilities(rows, views(words)), fitted.head.probabilities(rows, views(words)), atol=5e-3
    )


def test_a_tuned_encoder_takes_part_with_the_weight_it_deserves() -> None:
    fitted = fit_head(table(outside=True))
    words, classes = texts(100, 5)
    sure = np.where(classes[:, None] == np.arange(3), 4.0, 0.0).astype(np.float32)
    found = fitted.head.probabilities(np.zeros((100, 0), np.float32), views(words), [sure])
    assert np.mean(found.argmax(axis=1) == classes) > 0.95
    assert 0.0 < fitted.weights["tuned 1"] < 1.0


def test_only_folds_that_are_named_are_judged() -> None:
    fold = np.where(np.arange(240) % 4 == 0, 0, -1).astype(np.int64)
    fitted = fit_head(table(fold=fold))
    assert fitted.held_out["accuracy"] > 0.7


def test_several_labels_get_thresholds_of_their_own_and_the_nearest_counts_where_none_reaches_it() -> None:
    one, two = texts(300, 1), texts(300, 2)
    words = [a + b for a, b in zip(one[0], two[0], strict=True)]
    targets = (one[1][:, None] == np.arange(3)) | (two[1][:, None] == np.arange(3))
    nothing = np.zeros((300, 0), np.float32)
    fitted = fit_head(Table(LABELS, "multi", targets, nothing, (Texts(words, 1, 1),)))
    assert fitted.held_out["micro_f1"] > 0.8
    assert fitted.head.always
    found = fitted.head.probabilities(nothing[:10], [words[:10]])
    assert (fitted.head.chosen(found) == targets[:10]).mean() > 0.8
    assert fitted.head.chosen(np.full((1, 3), 1e-6, np.float32)).sum() == 1


def test_a_label_without_examples_is_never_said() -> None:
    words, classes = texts(120, 1)
    targets = np.column_stack([classes[:, None] == np.arange(3), np.zeros(120, np.bool_)])
    fitted = fit_head(
        Table((*LABELS, "unheard"), "multi", targets, np.zeros((120, 0), np.float32), (Texts(words, 1, 1),))
    )
    found = fitted.head.probabilities(np.zeros((120, 0), np.float32), [words])
    assert not fitted.head.chosen(found)[:, 3].any()


def test_one_label_only_or_tables_that_do_not_fit_are_refused() -> None:
    words, _ = texts(10, 0)
    nothing = np.zeros((10, 0), np.float32)
    with pytest.raises(InputError, match="two labels"):
        Table(LABELS, "single", np.tile([True, False, False], (10, 1)), nothing, (Texts(words, 1, 1),))
    with pytest.raises(InputError, match="rows of targets"):
        Table(LABELS, "single", np.eye(3, dtype=np.bool_)[[0, 1] * 5], nothing[:5], (Texts(words, 1, 1),))


def test_other_views_than_it_was_fitted_on_are_refused(fitted: Fitted) -> None:
    with pytest.raises(InputError, match="rows of 2, 2 views"):
        fitted.head.logits(np.zeros((1, 2), np.float32), [[["a"]]], [])


def test_a_damaged_head_says_so(fitted: Fitted, tmp_path: Path) -> None:
    fitted.head.save(tmp_path)
    (tmp_path / DESCRIPTION_FILE).write_text("{", "utf-8")
    with pytest.raises(ArtifactDamaged, match="train it again"):
        FeatureHead.load(tmp_path)


def test_a_pool_trusts_the_model_that_is_right() -> None:
    random = np.random.default_rng(0)
    classes = random.integers(0, 3, 300)
    targets = classes[:, None] == np.arange(3)
    good = targets * 1.5 + random.normal(size=(300, 3)) * 0.7
    said = np.stack([good, random.normal(size=(300, 3))]).astype(np.float32)
    shares = fit_pool(said, targets, "single").shares()
    assert shares[0] > 0.9


def test_thresholds_are_where_f1_is_greatest_and_half_for_what_never_occurs() -> None:
    probabilities = np.linspace(0, 1, 1000, dtype=np.float32)[:, None].repeat(2, axis=1)
    targets = np.column_stack([probabilities[:, 0] > 0.2, np.zeros(1000, np.bool_)])
    found = fit_thresholds(probabilities, targets)
    assert found[0] == pytest.approx(0.2, abs=0.02)
    assert found[1] == 0.5


def test_folds_spread_every_label() -> None:
    targets = np.zeros((40, 3), np.bool_)
    targets[:30, 0] = targets[20:36, 1] = True
    fold = folds_of(targets, 4)
    assert np.bincount(fold).tolist() == [10, 10, 10, 10]
    assert min(targets[fold == f].sum(axis=0)[0] for f in range(4)) >= 6
