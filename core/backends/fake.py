"""Deterministic stand-ins that need no weights: for tests, for demos, and to try a setup before models are prepared.

`FakeEncoder` puts texts that share words near each other; `FakeGenerator` says what it is told to.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from core.backends.base import Sampling
from core.backends.encoder import normalise
from core.errors import InputError
from core.types import FinishReason, FloatArray, Message, Piece, TokenBatch, Usage

_TOKEN = re.compile(r"[^\W_]+|[^\w\s]")
_WIDE = re.compile(r"([぀-ヿ㐀-䶿一-鿿가-힯])")
_SPECIAL = 1
_PIECES = re.compile(r"\s*\S+")

Says = str | Callable[[Sequence[Message]], str]


class FakeEncoder:
    """Hashed bag of words: each word has a fixed random direction, a text is the sum of its words' directions."""

    def __init__(self, dimension: int = 64, *, name: str = "fake", max_tokens: int = 256) -> None:
        self.name = name
        self.dimension = dimension
        self.max_tokens = max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Words and signs of each text; every Chinese, Japanese or Korean character is a word."""
        return [len(_words(text)) for text in texts]

    def prepare(self, texts: Sequence[str]) -> TokenBatch:
        """Words as hashed ids after one special id, cut and right-padded with 0."""
        rows = [[_SPECIAL, *map(_word_id, _words(text)[: self.max_tokens - 1])] for text in texts]
        width = max(map(len, rows), default=1)
        ids = np.zeros((len(rows), width), dtype=np.int64)
        for row, target in zip(rows, ids, strict=True):
            target[: len(row)] = row
        return TokenBatch(ids, (ids != 0).astype(np.int64))

    def forward(self, batch: TokenBatch) -> FloatArray:
        """(n, d) float32: sum of the words' directions; the special id adds a little, so no row is zero."""
        rows = np.zeros((len(batch.input_ids), self.dimension), dtype=np.float32)
        directions: dict[int, FloatArray] = {}
        for i, ids in enumerate(batch.input_ids):
            for token in ids[ids != 0].tolist():
                if token not in directions:
                    directions[token] = _direction(token, self.dimension)
                rows[i] += directions[token]
        return rows

    def finish(self, rows: FloatArray) -> FloatArray:
        """(n, d) float32, rows L2-normalised."""
        return normalise(rows)

    def encode(self, texts: Sequence[str], *, batch_size: int = 32) -> FloatArray:
        """(n, d) float32, rows L2-normalised, in the order given."""
        parts = [self.forward(self.prepare(texts[i : i + batch_size])) for i in range(0, len(texts), batch_size)]
        return self.finish(np.concatenate(parts) if parts else np.zeros((0, self.dimension), dtype=np.float32))


class FakeGenerator:
    """Says a given text, or what a function makes of the messages, word by word."""

    def __init__(
        self,
        says: Says = "Yes.",
        *,
        languages: Iterable[str] = ("en", "zh"),
        name: str = "fake",
        context_tokens: int = 2048,
    ) -> None:
        self.says = says
        self.name = name
        self.languages = frozenset(languages)
        self.context_tokens = context_tokens
        self.heard: list[tuple[Message, ...]] = []
        """Every prompt it was given, oldest first."""

    def count_tokens(self, text: str) -> int:
        """Words and signs of the text."""
        return len(_words(text))

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[Piece]:
        """Yield the words, then a last empty piece with finish reason and usage.

        Obeys `max_tokens` (one a word) and `stop`.

        :raises InputError: if the prompt does not fit the context.
        """
        prompt = sum(self.count_tokens(message.content) for message in messages)
        if prompt >= self.context_tokens:
            raise InputError(f"The prompt has {prompt} tokens; {self.name} takes fewer than {self.context_tokens}.")
        self.heard.append(tuple(messages))
        text = self.says(messages) if callable(self.says) else self.says
        return self._pieces(text, sampling, prompt)

    def _pieces(self, text: str, sampling: Sampling, prompt: int) -> Iterator[Piece]:
        ends = [place for place in (text.find(stop) for stop in sampling.stop if stop) if place >= 0]
        pieces = _PIECES.findall(text[: min(ends, default=len(text))])
        reason: FinishReason = "length" if len(pieces) > sampling.max_tokens else "stop"
        said = pieces[: sampling.max_tokens]
        for piece in said:
            yield Piece(piece)
        yield Piece("", reason, Usage(prompt, len(said)))


def _words(text: str) -> list[str]:
    return _TOKEN.findall(_WIDE.sub(r" \1 ", text.lower()))


def _word_id(word: str) -> int:
    """2 and up; the same on every machine."""
    return 2 + int.from_bytes(hashlib.blake2b(word.encode(), digest_size=4).digest(), "little")


def _direction(token: int, dimension: int) -> FloatArray:
    if token == _SPECIAL:
        return np.full(dimension, 0.01 / np.sqrt(dimension), dtype=np.float32)
    drawn = np.random.default_rng(token).standard_normal(dimension)
    return np.asarray(drawn / np.linalg.norm(drawn), dtype=np.float32)
