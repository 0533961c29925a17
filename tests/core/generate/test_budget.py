"""What fits into a prompt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.generate.budget import fit, prompt_limit
from core.types import Message

HISTORY = [Message("user", "u " * 20), Message("assistant", "a " * 20), Message("user", "v"), Message("assistant", "b")]


def _count(text: str) -> int:
    return len(text.split())


def test_everything_is_kept_where_there_is_room() -> None:
    fitted = fit("what fee", count=_count, limit=1000, system="be short", passages=["p one", "p two"], history=HISTORY)
    assert fitted.passages == ("p one", "p two")
    assert fitted.history == tuple(HISTORY)
    assert (fitted.dropped_passages, fitted.dropped_turns) == (0, 0)


def test_the_oldest_turns_go_first_then_the_lowest_passages() -> None:
    passages = ["best " * 10, "second " * 10, "third " * 10]
    fitted = fit("q", count=_count, limit=100, passages=passages, history=HISTORY, overhead=0)
    assert fitted.history == tuple(HISTORY)
    fitted = fit("q", count=_count, limit=40, passages=passages, history=HISTORY, overhead=0)
    assert fitted.history == tuple(HISTORY[2:])
    assert len(fitted.passages) == 3
    fitted = fit("q", count=_count, limit=15, passages=passages, history=HISTORY, overhead=0)
    assert fitted.history == ()
    assert fitted.passages == (passages[0],)
    assert (fitted.dropped_passages, fitted.dropped_turns) == (2, 4)


def test_kept_history_begins_with_the_user() -> None:
    fitted = fit("q", count=_count, limit=44, history=HISTORY, overhead=0)
    assert fitted.history[0].role == "user"


def test_a_question_that_cannot_fit_is_refused_with_its_length() -> None:
    with pytest.raises(InputError, match="the question takes 50 tokens"):
        fit("q " * 50, count=_count, limit=40, passages=["p"])


def test_the_limit_leaves_room_for_the_answer_and_for_the_first_token_time() -> None:
    assert prompt_limit(2048, 128) == 1920
    assert prompt_limit(2048, 128, 400) == 400
    assert prompt_limit(512, 256, 400) == 256
    with pytest.raises(InputError, match="max_tokens is 600"):
        prompt_limit(512, 600)


@given(st.integers(20, 200), st.lists(st.integers(0, 60), max_size=6), st.lists(st.integers(0, 60), max_size=6))
def test_what_fits_is_never_over_the_limit(limit: int, passages: list[int], turns: list[int]) -> None:
    roles = ("user", "assistant")
    history = [Message(roles[i % 2], "w " * n) for i, n in enumerate(turns)]  # type: ignore[arg-type]
    fitted = fit(
        "q",
        count=_count,
        limit=limit,
        passages=["p " * n for n in passages],
        history=history,
        minimum_passages=0,
        overhead=1,
    )
    assert fitted.tokens <= limit
    assert len(fitted.passages) + fitted.dropped_passages == len(passages)
