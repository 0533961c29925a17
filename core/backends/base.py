"""What an encoder and a generator are, whatever runs them.

Knows shapes and meanings; knows nothing of onnxruntime, torch or HTTP. Implementations differ only in `forward`
and in how tokens are produced; everything above this file works with any of them, the fake ones included.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from core.types import FloatArray, Message, Piece, TokenBatch


@runtime_checkable
class Encoder(Protocol):
    """Texts to vectors in three steps: tokenise (threads), compute (alone), shape."""

    @property
    def name(self) -> str:
        """Name and precision, as in "minilm-int8"; stored beside every vector it made."""
        ...

    @property
    def dimension(self) -> int:
        """Length d of a row."""
        ...

    @property
    def max_tokens(self) -> int:
        """Longer texts are cut to this many tokens."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special tokens not counted, not cut."""
        ...

    def prepare(self, texts: Sequence[str]) -> TokenBatch:
        """Tokenise and pad; an empty text becomes the special tokens alone."""
        ...

    def forward(self, batch: TokenBatch) -> FloatArray:
        """(n, d) float32, pooled, not normalised."""
        ...

    def finish(self, rows: FloatArray) -> FloatArray:
        """(n, d) float32, rows L2-normalised."""
        ...

    def encode(self, texts: Sequence[str], *, batch_size: int = 32) -> FloatArray:
        """(n, d) float32, rows L2-normalised, in the order given. n = 0 gives (0, d)."""
        ...


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw tokens. The defaults are greedy: the same prompt gives the same text."""

    max_tokens: int = 128
    temperature: float = 0.0
    """0 is greedy; above 0 the logits are divided by it."""
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    """Generation ends before any of these strings; they are not part of the text."""


@runtime_checkable
class Generator(Protocol):
    """Messages to text, streamed."""

    @property
    def name(self) -> str:
        """Name and precision, as in "smollm2-int4"."""
        ...

    @property
    def context_tokens(self) -> int:
        """Prompt and completion together may not exceed this."""
        ...

    @property
    def languages(self) -> frozenset[str]:
        """ISO 639-1 codes it writes well."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of a plain text (an estimate where the tokenizer is remote)."""
        ...

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[Piece]:
        """Yield pieces as they come; the last one carries finish reason and usage.

        Closing the iterator stops the generation.

        :raises InputError: if the prompt does not fit the context.
        :raises Overloaded: if its queue is full.
        :raises Unavailable: if a remote server does not answer.
        """
        ...
