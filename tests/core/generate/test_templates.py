"""The words around a question and its passages."""

from __future__ import annotations

import pytest

from core.errors import InputError
from core.generate.templates import SYSTEM, grounded, grounded_within
from core.types import Message


def test_passages_are_numbered_best_first_and_the_question_is_last() -> None:
    system, user = grounded("What is the fee? ", ["The fee is $5.", "Open 9 to 5."])
    assert system == Message("system", SYSTEM["en"])
    assert user.content == "Passage [1]:\nThe fee is $5.\n\nPassage [2]:\nOpen 9 to 5.\n\nQuestion: What is the fee?"


def test_chinese_is_asked_in_chinese_and_history_stands_between() -> None:
    earlier = [Message("user", "你好"), Message("assistant", "您好")]
    messages = grounded("费用？", ["五元。"], language="zh", history=earlier)
    assert messages[0].content == SYSTEM["zh"]
    assert messages[1:3] == earlier
    assert messages[3].content == "资料 [1]:\n五元。\n\n问题：费用？"


def test_what_does_not_fit_is_left_out() -> None:
    def count(text: str) -> int:
        return len(text.split())

    messages, fitted = grounded_within("fee?", ["best " * 20, "low " * 90], count=count, limit=120)
    assert fitted.dropped_passages == 1
    assert "low" not in messages[-1].content
    with pytest.raises(InputError, match="shorten the question"):
        grounded_within("fee? " * 500, ["p"], count=count, limit=120)
