from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.generate.lexicon import DATE, FUNCTION_WORDS, KINDS, NUMBER, content_words, numbers


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It costs 1,500 or 3.5% in 2021.", ["1500", "3.5%", "2021"]),
        ("from 9:00 to 17:30", ["9:00", "17:30"]),
        ("Version 1.2.3, then 4.", ["1.2.3", "4"]),
        ("1,23", ["1,23"]),
        ("没有数字", []),
        ("１２天", ["１２"]),
        ("", []),
    ],
)
def test_numbers_are_read_whole_without_thousands_separators(text: str, found: list[str]) -> None:
    assert numbers(text) == found


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("When does it open?", "when"),
        ("几点开门？", "when"),
        ("How long is it valid?", "when"),
        ("How much is it?", "how_much"),
        ("年费多少？", "how_much"),
        ("Who signs?", "who"),
        ("负责人是谁？", "who"),
        ("Where is the store?", "where"),
        ("门店在哪里？", "where"),
        ("How do I reset it?", "how_why"),
        ("怎么重置？", "how_why"),
        ("Summarise the report.", "summary"),
        ("Compare the two plans.", "compare"),
    ],
)
def test_kinds_of_question_are_told_in_both_languages(question: str, kind: str) -> None:
    assert KINDS[kind].search(question)


@pytest.mark.parametrize(
    "text", ["on 3 May", "at 9 am", "2026年5月", "within 10 working days", "周一", "每天", "17:30"]
)
def test_dates_and_times_are_recognised(text: str) -> None:
    assert DATE.search(text)


@pytest.mark.parametrize("text", ["The fee is $50.", "You can return it.", "可以退货"])
def test_what_is_no_date_is_not_taken_for_one(text: str) -> None:
    assert not DATE.search(text)


def test_content_words_leave_function_words_out_and_keep_the_order() -> None:
    assert content_words("What are the fees of the closing accounts?", "en") == ["fee", "clos", "account"]
    assert content_words("提前销户的费用是多少", "zh")[-1] == "费用"
    assert not {"的", "the", "what"} & set(content_words("what is the 费用 的", "zh"))


def test_function_words_hold_their_stems_too() -> None:
    assert {"describe", "describ"} <= FUNCTION_WORDS


@given(st.text(max_size=300))
def test_numbers_end_in_a_digit_or_a_percent_sign(text: str) -> None:
    for number in numbers(text):
        assert number[-1].isdigit() or number[-1] == "%"


@pytest.mark.parametrize("piece", ["1", "1,", "a ", "1.1.", "january ", "年", "what "])
def test_hostile_text_of_a_megabyte_does_not_hang(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    started = time.perf_counter()
    list(NUMBER.finditer(text)), DATE.findall(text), [p.search(text) for p in KINDS.values()]
    numbers(text[:200_000])
    assert time.perf_counter() - started < 30
