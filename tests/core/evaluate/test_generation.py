from __future__ import annotations

import math

import numpy as np
import pytest
import sacrebleu

from core.errors import InputError
from core.evaluate.generation import bleu, chrf, perplexity

ENGLISH = ["The card arrives within five days.", "We refund the fee, of course."]
ENGLISH_TRUE = ["Your card arrives within 5 working days.", "We will refund the fee."]
CHINESE = ["您的银行卡将在五天内送达。", "我们会退还手续费。"]
CHINESE_TRUE = ["您的卡片五个工作日内送达。", "我们会全额退还手续费。"]


def test_english_bleu_is_sacrebleus_with_13a() -> None:
    ours = bleu(ENGLISH, ENGLISH_TRUE)
    assert ours.score == pytest.approx(sacrebleu.corpus_bleu(ENGLISH, [ENGLISH_TRUE]).score)
    assert "tok:13a" in ours.signature


def test_chinese_bleu_is_counted_by_character() -> None:
    ours = bleu(CHINESE, CHINESE_TRUE, "zh")
    assert ours.score == pytest.approx(sacrebleu.corpus_bleu(CHINESE, [CHINESE_TRUE], tokenize="zh").score)
    assert ours.score > 30 > bleu(CHINESE, CHINESE_TRUE, "en").score
    assert "tok:zh" in ours.signature
    assert "tok:zh" in bleu(CHINESE, CHINESE_TRUE, "zh-CN").signature
    assert "tok:char" in bleu(["ありがとう"], ["ありがとうございます"], "ja").signature


def test_chrf_and_chrf_plus_plus_are_sacrebleus() -> None:
    assert chrf(CHINESE, CHINESE_TRUE).score == pytest.approx(sacrebleu.corpus_chrf(CHINESE, [CHINESE_TRUE]).score)
    plus = sacrebleu.corpus_chrf(ENGLISH, [ENGLISH_TRUE], word_order=2).score
    assert chrf(ENGLISH, ENGLISH_TRUE, word_order=2).score == pytest.approx(plus)


def test_texts_may_have_different_numbers_of_references() -> None:
    both = bleu(ENGLISH, [[ENGLISH[0], ENGLISH_TRUE[0]], ENGLISH_TRUE[1]])
    assert both.score > bleu(ENGLISH, ENGLISH_TRUE).score
    assert chrf(ENGLISH, [[ENGLISH_TRUE[0], " "], ENGLISH[1]]).score > 50


def test_the_same_text_scores_100() -> None:
    assert bleu(CHINESE, CHINESE, "zh").score == pytest.approx(100)
    assert chrf(ENGLISH, ENGLISH).score == pytest.approx(100)


@pytest.mark.parametrize(
    ("predictions", "references", "said"),
    [([], [], "0 texts"), (["a"], [], "1 texts for 0"), (["a", "b"], ["a", "  "], "text 1 has no reference")],
)
def test_texts_without_a_counterpart_are_refused(predictions: list[str], references: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        bleu(predictions, references)


def test_a_model_that_guesses_among_four_has_perplexity_four() -> None:
    found = perplexity([np.full(3, -math.log(4), np.float32), np.full(1, -math.log(4))], ["abc def", "x"])
    assert found.per_token == pytest.approx(4.0)
    assert (found.tokens, found.characters) == (4, 8)
    assert found.bits_per_character == pytest.approx(2 * 4 / 8)
    assert found.per_character == pytest.approx(2.0)


def test_per_character_figures_do_not_depend_on_the_tokenizer() -> None:
    text = "perplexity"
    fine = perplexity([np.full(10, -0.5)], [text])
    coarse = perplexity([np.full(2, -2.5)], [text])
    assert fine.per_token != pytest.approx(coarse.per_token)
    assert fine.per_character == pytest.approx(coarse.per_character)


def test_an_impossible_token_makes_it_infinite() -> None:
    assert perplexity([np.array([-math.inf, -1.0])], ["ab"]).per_token == math.inf
    assert perplexity([np.full(2, -1e6)], ["ab"]).per_token == math.inf


@pytest.mark.parametrize(
    ("rows", "texts", "said"),
    [
        ([], [], "0 tokens"),
        ([[-1.0]], [""], "0 characters"),
        ([[-1.0]], ["a", "b"], "of 1 texts for 2"),
        ([[0.3]], ["a"], "above 0 or NaN"),
        ([[math.nan]], ["a"], "above 0 or NaN"),
    ],
)
def test_what_is_no_log_likelihood_is_refused(rows: list[list[float]], texts: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        perplexity([np.array(row) for row in rows], texts)
