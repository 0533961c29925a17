from __future__ import annotations

import numpy as np

from core.heads.grams import fit_space, grams


def test_words_stand_a_space_apart_and_characters_together() -> None:
    assert grams(["profit", "fell", "again"], 2, 3) == ["profit fell", "fell again", "profit fell again"]
    assert grams("跌停了", 1, 2) == ["跌", "停", "了", "跌停", "停了"]
    assert grams([], 1, 2) == []


def test_rows_have_length_one_and_rare_words_weigh_more() -> None:
    space = fit_space([["profit", "rose"], ["profit", "fell"], ["profit", "slumped"]], 1, 1)
    rows = space.rows([["profit", "slumped", "unheard"]])
    weights = dict(zip((space.vocabulary[i] for i in rows.places), rows.values, strict=True))
    assert weights["slumped"] > weights["profit"]
    np.testing.assert_allclose(rows.values @ rows.values, 1.0, rtol=1e-5)


def test_a_product_is_that_of_the_full_matrix_and_empty_rows_give_zero() -> None:
    texts = [["a", "b"], [], ["b", "b", "c"], ["unknown"]]
    space = fit_space(texts[:3], 1, 2)
    rows = space.rows(texts)
    weights = np.random.default_rng(0).normal(size=(len(space.vocabulary), 3)).astype(np.float32)
    full = np.zeros((4, len(space.vocabulary)), np.float32)
    for i in range(4):
        part = slice(rows.starts[i], rows.starts[i + 1])
        full[i, rows.places[part]] = rows.values[part]
    np.testing.assert_allclose(rows.product(weights), full @ weights, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(rows.presence().product(weights), (full > 0) @ weights, rtol=1e-5, atol=1e-6)
    assert not rows.product(weights)[[1, 3]].any()


def test_no_texts_and_no_grams_give_no_rows() -> None:
    space = fit_space([["a"]], 1, 1)
    assert len(space.rows([])) == 0
    assert space.rows([]).product(np.ones((1, 2), np.float32)).shape == (0, 2)
    assert not space.rows([[], ["z"]]).product(np.ones((1, 2), np.float32)).any()


def test_with_many_texts_a_gram_of_one_text_is_dropped() -> None:
    texts = [["common", f"once{i}"] for i in range(400)]
    assert fit_space(texts, 1, 1).vocabulary == ("common",)
