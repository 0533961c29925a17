"""What happens to a decoder's pieces on their way to the reader.

Knows pieces of text; knows nothing of decoders, threads or HTTP. Every function takes an iterator and closes it when
the reader stops early, so that the generation behind it stops too.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass

from core.generate.postprocess import Mended, loop_start, mend
from core.generate.stop import ROLE_STOPS, StopMatcher
from core.types import FinishReason, Piece, Usage

_LOOK_EVERY = 24
"""New characters after which a loop is looked for again."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole generation."""

    text: str
    finish_reason: FinishReason
    usage: Usage


def collect(pieces: Iterable[Piece]) -> Completion:
    """Read a stream to its end."""
    texts: list[str] = []
    reason: FinishReason = "stop"
    usage = Usage(0, 0)
    for piece in pieces:
        texts.append(piece.text)
        reason = piece.finish_reason or reason
        usage = piece.usage or usage
    return Completion("".join(texts), reason, usage)


def guarded(pieces: Iterator[Piece], *, stops: tuple[str, ...] = ROLE_STOPS) -> Generator[Piece, None, None]:
    """The same stream without leading whitespace, ended where the decoder leaks a role or falls into a loop.

    The last piece keeps finish reason and usage; where the stream is ended early the reason is "stop" and the usage
    counts the prompt and the pieces seen.
    """
    matcher = StopMatcher(stops)
    text, looked = "", 0
    prompt = count = 0
    try:
        for piece in pieces:
            count += bool(piece.text)
            prompt = piece.usage.prompt_tokens if piece.usage else prompt
            shown = matcher.feed(piece.text)
            if not text:
                shown = shown.lstrip()
            text += shown
            if len(text) - looked >= _LOOK_EVERY:
                looked = len(text)
                if loop_start(text) is not None:
                    yield Piece(shown, "stop", piece.usage or Usage(prompt, count))
                    return
            if matcher.stopped:
                yield Piece(shown, "stop", piece.usage or Usage(prompt, count))
                return
            if piece.finish_reason is not None:
                yield Piece(shown + matcher.finish(), piece.finish_reason, piece.usage)
                return
            if shown:
                yield Piece(shown)
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()


def by_sentence(pieces: Iterator[Piece], split: Callable[[str], list[tuple[int, int]]]) -> Generator[str, None, Mended]:
    """Whole sentences as soon as they are finished, for checks that need whole sentences.

    A sentence counts as finished when another one has begun behind it; the last one is mended: left out if the token
    limit cut it.

    :param split: text -> (start, end) character spans of its sentences, in order.
    :returns: (as the generator's return value) the whole mended text.
    """
    text, given = "", 0
    reason: FinishReason = "stop"
    for piece in guarded(pieces):
        text += piece.text
        reason = piece.finish_reason or reason
        spans = [span for span in split(text[given:]) if text[given + span[0] : given + span[1]].strip()]
        for start, end in spans[:-1]:
            sentence = mend(text[given + start : given + end]).text
            if sentence:
                yield sentence
        if len(spans) > 1:
            given += spans[-2][1]
    mended = mend(text, finished=reason == "stop")
    rest = mend(text[given:], finished=reason == "stop" and not mended.repeated).text
    if rest and not rest.endswith("…"):
        yield rest
    return mended
