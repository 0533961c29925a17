from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.text.clean import clean, collapse, drop_hidden, join_lines, normalise, running_lines, strip_markup, unwrap


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("ＡＢＣ１２３", "ABC123"),
        ("价格：１２：３０，好！", "价格：12:30，好！"),
        ("10⁶ m² ½ H₂O ①缴费", "10⁶ m² ½ H₂O ①缴费"),
        ("ﬁne ﬂow", "fine flow"),
        ("a\u200bb\u00adc\ufeff", "abc"),
        ("x\u202egnp.exe\u202c", "xgnp.exe"),
        ("hi\U000e0069\U000e0067", "hi"),
        ("bad \ud800 half", "bad half"),
        ("non\u2011stop \uf0b7 item", "non-stop • item"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("\x00\x07bell", "bell"),
    ],
)
def test_unicode_is_folded_without_changing_the_meaning(raw: str, expected: str) -> None:
    assert clean(raw) == expected


def test_white_space_is_collapsed_and_paragraphs_stay() -> None:
    assert clean("  a \t b  \n\n\n\n c\u00a0 d \n") == "a b\n\nc d"


def test_html_remnants_go_and_comparisons_stay() -> None:
    assert clean("<b>Bold</b><br>new &amp; old, AT&T, x < 5 and y > 3") == "Bold\nnew & old, AT&T, x < 5 and y > 3"


def test_scripts_and_styles_go_with_their_content() -> None:
    assert strip_markup("a<script>steal()</script>b<STYLE>p{}</STYLE >c<!-- note -->d") == "abcd"


def test_what_is_never_closed_hides_nothing() -> None:
    assert drop_hidden("Paste the <script> tag before </body>") == "Paste the <script> tag before </body>"
    assert drop_hidden("a <!-- b") == "a <!-- b"


@settings(deadline=None)
@given(st.text())
def test_cleaned_text_can_be_encoded_and_is_tidy(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert cleaned == cleaned.strip()
    assert "\n\n\n" not in cleaned and "\x00" not in cleaned and "\r" not in cleaned


@settings(deadline=None)
@given(st.text())
def test_normalising_and_collapsing_twice_changes_nothing_more(text: str) -> None:
    once = collapse(normalise(text))
    assert collapse(normalise(once)) == once


def test_hard_wraps_are_undone_and_lists_stay() -> None:
    lines = [
        "Our return policy allows you to send back any item that",
        "you bought within thirty days, provided that it has not",
        "been used.",
        "- one",
        "- two",
    ]
    joined = unwrap(lines)
    assert joined[0].endswith("has not been used.")
    assert joined[1:] == ["- one", "- two"]


def test_lines_that_were_not_forced_to_break_stay() -> None:
    lines = ["Opening hours", "Monday to Friday from nine in the morning", "Saturday"]
    assert unwrap(lines) == lines


def test_chinese_lines_are_joined_without_a_space_and_hyphenated_words_too() -> None:
    assert join_lines("退款将在", "三天内到账") == "退款将在三天内到账"
    assert join_lines("long-", "term plan") == "long-term plan"
    assert join_lines("two", "words") == "two words"


def test_running_headers_footers_and_page_numbers_are_found() -> None:
    names = ("alpha", "beta", "gamma", "delta")
    pages = [
        ["ACME Corp", *(f"{name} {i}{name}" for i in "abcdef"), f"Page {n} of 4"] for n, name in enumerate(names, 1)
    ]
    assert running_lines(pages) == [{0, 7}] * 4


def test_a_line_repeated_on_two_pages_only_is_no_header() -> None:
    assert running_lines([["Same", "a b"], ["Same", "c d"]]) == [set(), set()]


def test_a_heading_at_the_top_of_every_page_is_protected_by_an_empty_string() -> None:
    pages = [["", "Text of chapter", str(word), "x", "y", "z", "w", "v"] for word in ("one", "two", "three")]
    assert all(0 not in drop and 1 not in drop for drop in running_lines(pages))
