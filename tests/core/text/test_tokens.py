from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.text.tokens import word_spans


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in word_spans(text)]


def test_words_numbers_and_signs_stand_apart() -> None:
    assert words("Don't pay $1,250.50, Ann-Marie!") == ["Don't", "pay", "$", "1,250.50", ",", "Ann", "-", "Marie", "!"]


def test_chinese_goes_by_characters_and_latin_inside_it_by_words() -> None:
    assert words("我的iPhone 15坏了。") == ["我", "的", "iPhone", "15", "坏", "了", "。"]


@given(st.text())
def test_every_character_but_white_space_is_in_one_word(text: str) -> None:
    spans = word_spans(text)
    covered = [i for start, end in spans for i in range(start, end)]
    assert covered == sorted(set(covered))
    assert set(range(len(text))) - set(covered) == {i for i, c in enumerate(text) if c.isspace()}
