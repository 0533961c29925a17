from __future__ import annotations

import pytest

from core.backends.base import Generator, Sampling
from core.backends.fake import FakeEncoder, FakeGenerator
from core.errors import InputError
from core.types import Message

ASK = (Message("user", "What is the fee?"),)


def test_texts_that_share_words_are_near() -> None:
    rows = FakeEncoder().encode(["the fee is five", "the fee is six", "weather tomorrow", "手续费是多少", "手续费多少"])
    assert rows[0] @ rows[1] > 0.6 > abs(float(rows[0] @ rows[2]))
    assert rows[3] @ rows[4] > 0.6


def test_the_generator_says_what_it_is_told_and_remembers_what_it_heard() -> None:
    generator = FakeGenerator("The fee is $5.")
    assert isinstance(generator, Generator)
    pieces = list(generator.stream(ASK, Sampling()))
    assert "".join(piece.text for piece in pieces) == "The fee is $5."
    assert pieces[-1].finish_reason == "stop" and pieces[-1].usage is not None
    assert pieces[-1].usage.completion_tokens == 4 and generator.heard == [ASK]


def test_the_generator_may_answer_from_the_messages() -> None:
    generator = FakeGenerator(lambda messages: messages[-1].content.upper())
    assert "".join(piece.text for piece in generator.stream(ASK, Sampling())) == "WHAT IS THE FEE?"


def test_stop_strings_and_the_token_limit_are_obeyed() -> None:
    generator = FakeGenerator("one two three. four")
    stopped = list(generator.stream(ASK, Sampling(stop=("three",))))
    assert "".join(piece.text for piece in stopped).strip() == "one two" and stopped[-1].finish_reason == "stop"
    cut = list(generator.stream(ASK, Sampling(max_tokens=2)))
    assert "".join(piece.text for piece in cut) == "one two" and cut[-1].finish_reason == "length"


def test_a_prompt_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="fewer than 3"):
        FakeGenerator(context_tokens=3).stream(ASK, Sampling())
