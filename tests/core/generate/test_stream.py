"""Pieces on their way to the reader."""

from __future__ import annotations

import re
from collections.abc import Iterator

from core.backends.base import Sampling
from core.backends.fake import FakeGenerator
from core.generate.stream import by_sentence, collect, guarded
from core.types import Message, Piece, Usage


class Source:
    """Pieces that know how far they were read and whether they were closed."""

    def __init__(self, text: str, size: int = 5) -> None:
        self.pieces = [Piece("", usage=Usage(9, 0)), *(Piece(text[i : i + size]) for i in range(0, len(text), size))]
        self.pieces.append(Piece("", "stop", Usage(9, len(self.pieces) - 1)))
        self.read = 0
        self.closed = False

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        if self.read == len(self.pieces):
            raise StopIteration
        self.read += 1
        return self.pieces[self.read - 1]

    def close(self) -> None:
        self.closed = True


def _split(text: str) -> list[tuple[int, int]]:
    return [m.span() for m in re.finditer(r"[^.!?]+[.!?]?\s*", text)]


def test_collecting_keeps_text_reason_and_usage() -> None:
    fake = FakeGenerator("The fee is five dollars.")
    done = collect(fake.stream([Message("user", "fee?")], Sampling(max_tokens=3)))
    assert (done.text, done.finish_reason) == ("The fee is", "length")
    assert done.usage.completion_tokens == 3


def test_a_leaked_role_ends_the_stream_and_the_generation() -> None:
    source = Source("  It is free.\nUser: and now? " + "more " * 50)
    done = collect(guarded(source))
    assert done.text == "It is free."
    assert done.usage.prompt_tokens == 9
    assert source.closed
    assert source.read < 12


def test_a_loop_ends_the_generation_early() -> None:
    source = Source("You can call us. " * 100)
    done = collect(guarded(source))
    assert done.finish_reason == "stop"
    assert len(done.text) < 120
    assert source.closed


def test_an_ordinary_stream_passes_unchanged() -> None:
    source = Source("One. Two\n\nUs three.")
    pieces = list(guarded(source))
    assert "".join(p.text for p in pieces) == "One. Two\n\nUs three."
    assert pieces[-1].usage == Usage(9, 4)


def test_sentences_come_whole_and_as_soon_as_the_next_begins() -> None:
    source = Source("Answer: It is $3. You pay later. And the", size=4)
    source.pieces[-1] = Piece("", "length", Usage(9, 10))
    sentences = by_sentence(source, _split)
    assert next(sentences) == "It is $3."
    assert source.read < len(source.pieces)
    assert list(sentences) == ["You pay later."]


def test_stopping_to_read_sentences_closes_the_generation() -> None:
    source = Source("One is here. Two is here. Three is here. " * 3)
    sentences = by_sentence(source, _split)
    next(sentences)
    sentences.close()
    assert source.closed
