"""Loops, leaked roles, cut sentences and whitespace."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.generate.postprocess import loop_start, mend, tidy, trim_unfinished


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("The fee is $5. The fee is $5. The fee is $5. The fee is", "The fee is $5."),
        ("您可以在线开户。您可以在线开户。您可以在线开户。您可以", "您可以在线开户。"),
        (
            "You can call the bank at any time. It is open. You can call the bank at any time. It is free. "
            "You can call the bank at any time. Yes.",
            "You can call the bank at any time. It is open.",
        ),
    ],
)
def test_a_loop_is_cut_after_its_first_round(text: str, wanted: str) -> None:
    mended = mend(text)
    assert mended.text == wanted
    assert mended.repeated


@pytest.mark.parametrize(
    "text",
    [
        "No no, never.",
        "1.0000000000000000",
        "--------------------",
        "| a | b |\n|---|---|---|---|\n| 1 | 2 |",
        "Plan A costs $5 a month. Plan B costs $6 a month. Plan C costs $7 a month.",
        "",
    ],
)
def test_what_is_no_loop_stays(text: str) -> None:
    assert loop_start(text) is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("It is free.<|im_end|>\n<|im_start|>user\nAnd", "It is free."),
        ("It is free.\nUser: and now?", "It is free."),
        ("免费。\n用户：还有呢", "免费。"),
        ("Assistant: It is free.", "It is free."),
        ("回答：免费。", "免费。"),
    ],
)
def test_the_other_side_is_never_played(text: str, wanted: str) -> None:
    mended = mend(text)
    assert mended.text == wanted
    assert mended.leaked


def test_a_user_may_be_spoken_of() -> None:
    assert mend("A user: someone with an account.").text == "A user: someone with an account."


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("One is done. Two is do", "One is done."),
        ("费用为五元。另外，", "费用为五元。"),
        ("她说：“可以。”然后", "她说：“可以。”"),
        ("It costs $3.50. You pay 3.", "It costs $3.50."),
        ("Ask Dr. Lee. He is at", "Ask Dr. Lee."),
        ("Yes [1]. And [2", "Yes [1]."),
        ("no end at all, ", "no end at all…"),
        ("Done.", "Done."),
    ],
)
def test_a_cut_sentence_is_left_out_or_marked(text: str, wanted: str) -> None:
    assert trim_unfinished(text) == wanted
    assert mend(text, finished=False).text == wanted


def test_a_finished_text_keeps_its_last_words() -> None:
    mended = mend("Yes, in 3 days")
    assert (mended.text, mended.cut) == ("Yes, in 3 days", False)


def test_whitespace_is_tidied_but_indents_stay() -> None:
    assert tidy("  a  b \r\n\n\n\n  - c\u00a0 d  ") == "a b\n\n  - c d"


@given(st.text("ab. \n。用户:", max_size=60), st.booleans())
def test_mending_only_removes(text: str, finished: bool) -> None:
    mended = mend(text, finished=finished)
    assert len(mended.text) <= len(text) + 1
