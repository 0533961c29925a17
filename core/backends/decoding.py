"""What every local decoder does around its forward pass: template, budget, stop strings, usage.

Knows messages, ids and text; knows nothing of onnxruntime or torch. A decoder supplies four small methods; the
streaming, and all its rules, are written once.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from core.backends.base import Sampling
from core.backends.chat import ChatTemplate
from core.backends.stopping import StopMatcher
from core.errors import InputError
from core.types import FinishReason, FloatArray, Message, Piece, Usage


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a decoder."""

    text: str
    """Text that became readable; empty inside a character of several bytes and while the prompt is read."""
    tokens: int = 1
    """Completion tokens of this step; 0 while the prompt is read."""
    ended: bool = False
    """The decoder itself ended its turn; the ending token has no text."""
    token: int | None = None
    """The token's id; None while the prompt is read."""


class LocalGenerator(ABC):
    """A decoder on this machine, as a `core.backends.base.Generator`.

    :param name: name and precision, as in "smollm2-int4".
    :param template: how messages become a prompt.
    :param languages: ISO 639-1 codes it writes well.
    :param context_tokens: prompt and completion together.
    """

    def __init__(self, *, name: str, template: ChatTemplate, languages: frozenset[str], context_tokens: int) -> None:
        self._name = name
        self._template = template
        self._languages = languages
        self._context_tokens = context_tokens
        self._alone = threading.Lock()

    @property
    def name(self) -> str:
        """Name and precision."""
        return self._name

    @property
    def context_tokens(self) -> int:
        """Prompt and completion together may not exceed this."""
        return self._context_tokens

    @property
    def languages(self) -> frozenset[str]:
        """ISO 639-1 codes it writes well."""
        return self._languages

    @property
    def concurrency(self) -> int:
        """Generations that gain from running at once: one, for a decoder uses all its threads."""
        return 1

    @property
    def provider(self) -> str:
        """What computes: "cpu" or "cuda"."""
        return "cpu"

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Token ids of a text, nothing added; control tokens in it are recognised."""

    @abstractmethod
    def steps(self, ids: list[int], limit: int, sampling: Sampling) -> Iterator[Step]:
        """Read the prompt, then yield at most `limit` steps with tokens. Closing the iterator frees its cache."""

    @abstractmethod
    def logits(self, ids: list[int], continuation: Sequence[int]) -> FloatArray:
        """Scores of every next token while `continuation` is read after `ids`; for parity and perplexity.

        :returns: (n, v) float32 for n continuation tokens; row i is what the decoder thinks before token i.
        """

    @property
    def template(self) -> ChatTemplate:
        """How messages become a prompt."""
        return self._template

    def greedy(self, ids: list[int], limit: int) -> list[int]:
        """The likeliest tokens after `ids`, one by one, with the ending token if it came."""
        with self._alone:
            return [s.token for s in self.steps(ids, limit, Sampling(max_tokens=limit)) if s.token is not None]

    def count_tokens(self, text: str) -> int:
        """Tokens of a plain text."""
        return len(self.encode(self._template.neutralise(text)))

    def prompt_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of the rendered prompt: what `Usage.prompt_tokens` will say."""
        return len(self.encode(self._template.render(messages)))

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Generator[Piece, None, None]:
        """Yield pieces as they come; see `core.backends.base.Generator.stream`.

        Pieces without text, finish reason or both are heartbeats: they let the reader stop a long prompt. One
        generation runs at a time; a second one waits for the first.

        :raises InputError: at once, before anything is generated: the prompt does not fit, or a value is out of range.
        """
        check(sampling)
        ids = self.encode(self._template.render(messages))
        limit = min(sampling.max_tokens, self._context_tokens - len(ids))
        if limit < 1:
            raise InputError(
                f"the prompt takes {len(ids)} tokens and {self.name} holds {self._context_tokens}; "
                "shorten the conversation or give fewer passages"
            )
        return self._pieces(ids, limit, sampling, StopMatcher(sampling.stop))

    def _pieces(
        self, ids: list[int], limit: int, sampling: Sampling, matcher: StopMatcher
    ) -> Generator[Piece, None, None]:
        spent = 0
        reason: FinishReason = "length"
        with self._alone:
            steps = self.steps(ids, limit, sampling)
            try:
                for step in steps:
                    spent += step.tokens
                    if step.ended:
                        reason = "stop"
                        break
                    shown = matcher.feed(step.text)
                    if matcher.stopped:
                        reason = "stop"
                        yield Piece(shown, reason, Usage(len(ids), spent))
                        return
                    yield Piece(shown) if spent else Piece(shown, usage=Usage(len(ids), 0))
            finally:
                close = getattr(steps, "close", None)
                if close is not None:
                    close()
            yield Piece(matcher.finish(), reason, Usage(len(ids), spent))


def check(sampling: Sampling) -> None:
    """Refuse values that no decoder can use.

    :raises InputError: with the field, its value and its range.
    """
    if sampling.max_tokens < 1:
        raise InputError(f"max_tokens is {sampling.max_tokens}; it must be at least 1")
    if not 0 <= sampling.temperature <= 2:
        raise InputError(f"temperature is {sampling.temperature}; it must be between 0 and 2")
    if not 0 < sampling.top_p <= 1:
        raise InputError(f"top_p is {sampling.top_p}; it must be above 0 and at most 1")
