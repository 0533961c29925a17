from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.evaluate.text import evaluation_tokens, exact_match, rouge_l, token_f1


def test_words_and_numbers_are_tokens_and_punctuation_is_not() -> None:
    assert evaluation_tokens("The fee is $1,200.50 — or 3.5%!") == ["fee", "is", "1200.50", "or", "3.5%"]
    assert evaluation_tokens("Don’t say the word", articles=True) == ["don't", "say", "the", "word"]


def test_chinese_counts_by_character_and_full_width_digits_are_digits() -> None:
    assert evaluation_tokens("年费为１２元。") == ["年", "费", "为", "12", "元"]


def test_a_mixed_text_does_both() -> None:
    assert evaluation_tokens("Gold卡的fee") == ["gold", "卡", "的", "fee"]


def test_token_f1_is_squads() -> None:
    assert token_f1("the cat sat", "a cat sat down") == pytest.approx(2 * 2 / (2 + 3))
    assert token_f1("cats", "dogs") == 0.0
    assert token_f1("", "") == 1.0
    assert token_f1("", "dogs") == 0.0


def test_the_best_reference_counts() -> None:
    assert token_f1("blue", ["red", "blue"]) == 1.0
    assert exact_match("The Blue.", ["red", "blue"]) == 1.0
    assert exact_match("blue sky", "blue") == 0.0


def test_token_f1_is_right_for_chinese() -> None:
    assert token_f1("年费十二元", "年费是十二元") == pytest.approx(2 * 5 / 11)


def test_rouge_l_follows_the_order() -> None:
    assert rouge_l("police killed the gunman", "police kill the gunman") == pytest.approx(0.75)
    assert rouge_l("the gunman kill police", "police kill the gunman") == pytest.approx(0.5)


def test_rouge_l_sees_chinese() -> None:
    assert rouge_l("公司投资了医院", "公司今年投资了医院") == pytest.approx(2 * 7 / 16)


@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
def test_rouge_l_is_the_longest_common_subsequence(left: list[str], right: list[str]) -> None:
    table = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i, x in enumerate(left):
        for j, y in enumerate(right):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    length = len(left) + len(right)
    wanted = 2 * table[-1][-1] / length if left and right else float(left == right)
    assert rouge_l(" ".join(left), " ".join(right)) == pytest.approx(wanted)
