from __future__ import annotations

import numpy as np

from core.heads.bayes import fit_bayes, grams

TEXTS = [["lost", "my", "card"], ["card", "is", "lost"], ["what", "is", "the", "fee"], ["the", "fee", "please"]]
CLASSES = np.array([0, 0, 1, 1], dtype=np.int64)


def test_pairs_carry_the_ends_of_a_text() -> None:
    assert grams(["lost", "card"]) == ["lost", "card", "< lost", "lost card", "card >"]
    assert grams([]) == ["< >"]


def test_words_speak_for_the_class_they_were_seen_in() -> None:
    bayes = fit_bayes(TEXTS, CLASSES, 2)
    scores = bayes.scores([["lost", "card"], ["fee"]])
    assert scores[0, 0] > scores[0, 1]
    assert scores[1, 1] > scores[1, 0]


def test_unknown_words_say_nothing() -> None:
    np.testing.assert_array_equal(fit_bayes(TEXTS, CLASSES, 2).scores([["zebra"]]), [[0.0, 0.0]])


def test_scores_are_centred_over_the_classes() -> None:
    scores = fit_bayes(TEXTS, CLASSES, 3).scores(TEXTS)
    np.testing.assert_allclose(scores.mean(axis=1), 0.0, atol=1e-5)


def test_of_many_texts_the_grams_seen_once_are_dropped() -> None:
    texts = [["same", f"odd{i}"] for i in range(2000)]
    bayes = fit_bayes(texts, np.arange(2000) % 2, 2)
    assert set(bayes.vocabulary) == {"same", "< same"}
