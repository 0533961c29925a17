from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.text.segment import light_stem, sentences, words


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    "expected",
    [
        ["GreenTech Solutions Inc. updated its plan.", "The U.S. market grew 3.5% in Jan. 2021."],
        ['Dr. Smith said "Go."', "Then he left!", "Really?"],
        ["It was founded by Acme Inc.", "The company is in Washington, D.C.", "It grew."],
        ["J. K. Rowling wrote it.", "See Fig. 3 and No. 5, e.g. here."],
        ["We close at 5 p.m.", "The doors open at 9 a.m. on Monday."],
        ["The answer is no.", "Then we go."],
        ["Wait... what?", "Yes!"],
        ["Visit example.com.", "It costs $1,234.50 a year."],
        ["“Really?” he asked.", "(See above.)", "[1] Next."],
    ],
)
def test_english_sentences_end_where_a_reader_ends_them(expected: list[str]) -> None:
    assert split(" ".join(expected)) == expected


@pytest.mark.parametrize(
    "expected",
    [
        ["这是第一句。", "“你好！”", "价格是3.5元；", "好的？", "好"],
        ['他说:"走吧。"', "然后走了。", '"为什么？"', "她问。"],
        ["公司成立于2001年5月，注册地为上海（股票代码：HXYE）。", "2017年是重要的一年！"],
    ],
)
def test_chinese_sentences_end_at_their_marks_with_closing_quotes(expected: list[str]) -> None:
    assert split("".join(expected)) == expected


def test_list_items_and_lines_are_sentences_of_their_own() -> None:
    assert split("1. Verify identity.\n2. Check the ID.\n- item one\n- item two\nTitle") == [
        "1. Verify identity.",
        "2. Check the ID.",
        "- item one",
        "- item two",
        "Title",
    ]


def test_a_hard_wrapped_sentence_is_one() -> None:
    text = "A hard wrapped line that goes on and on for a while\nand then continues here. Next one."
    assert split(text) == ["A hard wrapped line that goes on and on for a while\nand then continues here.", "Next one."]


@settings(deadline=None)
@given(st.text(alphabet='ab A.!?。！？；\n"”’ 1中文…)', max_size=200))
def test_sentences_leave_out_nothing_but_white_space_and_never_overlap(text: str) -> None:
    position = 0
    for start, end in sentences(text):
        assert position <= start < end <= len(text)
        assert not text[position:start].strip()
        assert text[start:end] == text[start:end].strip()
        position = end
    assert not text[position:].strip()


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The customer's card isn't HERE", ["the", "customer", "card", "isn't", "here"]),
        ("rose 3.5% in 2021 to $1,000,000", ["rose", "3.5%", "in", "2021", "to", "1000000"]),
        ("U.S. COVID-19 at 10:30", ["us", "covid", "19", "at", "10:30"]),
        ("open_bank_account_4821 iPhone15 café", ["open_bank_account_4821", "iphone15", "café"]),
        ("ＡＢＣ １２", ["abc", "12"]),
        ("涨了3.5%的", ["涨", "了", "3.5%", "的"]),
        ("weighs 3.5kg", ["weighs", "3.5", "kg"]),
        ("", []),
        ("... !!", []),
    ],
)
def test_words_are_what_a_search_needs(text: str, tokens: list[str]) -> None:
    assert words(text) == tokens


def test_long_chinese_words_come_with_the_shorter_ones_inside() -> None:
    found = words("有限公司的iPhone 15退款政策")
    assert {"有限", "公司", "有限公司", "iphone", "15", "退款", "政策"} <= set(found)
    assert "，" not in words("退款，政策。")


def test_japanese_and_korean_become_bigrams() -> None:
    assert words("カード") == ["カー", "ード"]
    assert words("카드사") == ["카드", "드사"]


def test_stemming_folds_plurals_and_common_endings() -> None:
    assert words("The companies' fees, charging boxes", stem=True) == ["the", "company", "fee", "charg", "box"]
    assert light_stem("charges") == light_stem("charged") == light_stem("charging") == light_stem("charge")
    assert light_stem("gas") == "gas" and light_stem("policy") == light_stem("policies")


@settings(deadline=None)
@given(st.text(max_size=100))
def test_words_are_the_same_for_upper_and_lower_case_ascii(text: str) -> None:
    plain = text.encode("ascii", "ignore").decode()
    assert words(plain.upper()) == words(plain.lower())
