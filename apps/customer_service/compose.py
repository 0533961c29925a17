"""Prose by the generator, of which only proved sentences are passed on, as soon as each is proved.

Knows a generator's worker, passages and proofs; knows nothing of verdicts, HTTP or SQL.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from apps.customer_service.orders import is_order
from core.backends.base import Sampling
from core.errors import SuiteError
from core.generate.evidence import Passage
from core.generate.grounding import Encode, Proof, prove
from core.generate.postprocess import mend
from core.generate.quote import Quote
from core.generate.templates import grounded_within
from core.generate.worker import GenerationWorker
from core.text import sentences
from core.types import Usage

_PROMPT_TOKENS = 330
"""Prompt tokens a small decoder reads within the wanted time to the first token."""

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Draft:
    """What was written and proved so far."""

    language: str
    passages: Sequence[Passage]
    """What the generator may read, best first."""
    proofs: list[tuple[str, Proof]] = field(default_factory=list)
    usage: Usage = Usage(0, 0)  # noqa: RUF009  (frozen)

    @property
    def quotes(self) -> list[Quote]:
        """For each passage that proves something, in the order of their numbers, the sentence that does."""
        first = {proof.passage: proof for _, proof in reversed(self.proofs)}
        return [Quote(self.passages[i], first[i].start, first[i].end) for i in self._order(len(self.proofs))]

    @property
    def text(self) -> str:
        """All proved sentences with their numbers."""
        return "".join(self.shown(i) for i in range(len(self.proofs)))

    def shown(self, i: int) -> str:
        """A proved sentence as it is streamed."""
        sentence, proof = self.proofs[i]
        assert proof.passage is not None
        gap = "" if i == 0 or self.language == "zh" else " "
        return f"{gap}{sentence} [{self._order(i + 1).index(proof.passage) + 1}]"

    def _order(self, count: int) -> list[int]:
        return list(dict.fromkeys(proof.passage for _, proof in self.proofs[:count] if proof.passage is not None))


async def write(
    draft: Draft, question: str, worker: GenerationWorker, encode: Encode, *, tokens: int
) -> AsyncGenerator[str, None]:
    """Proved sentences as they are written, kept in the draft too; nothing at all if the first cannot be proved.

    It ends at the first sentence without proof, at one that was said before, and where the generator fails.

    :param tokens: that may be written.
    """
    if any(is_order(p.text) for p in draft.passages):
        return  # a document that gives orders is quoted at most
    generator = worker.generator
    try:
        messages, fitted = grounded_within(
            question,
            [p.text for p in draft.passages],
            count=generator.count_tokens,
            limit=min(_PROMPT_TOKENS, generator.context_tokens - tokens),
            language=draft.language,
        )
        stream = worker.stream(messages, Sampling(max_tokens=tokens))
    except SuiteError as error:
        _log.debug("nothing is written: %s", error)
        return  # too long, too busy or not there
    draft.passages = draft.passages[: len(fitted.passages)]
    text, said = "", 0
    try:
        async with stream:
            async for piece in stream:
                text += piece.text
                draft.usage = piece.usage or draft.usage
                spans = sentences(text[said:], draft.language)
                done = spans if piece.finish_reason == "stop" else spans[:-1]
                for start, end in done:
                    sentence = mend(text[said + start : said + end]).text
                    proof = await asyncio.to_thread(prove, sentence, draft.passages, encode)
                    if proof.passage is None or any(sentence == earlier for earlier, _ in draft.proofs):
                        return
                    draft.proofs.append((sentence, proof))
                    yield draft.shown(len(draft.proofs) - 1)
                if done:
                    said += done[-1][1]
    except SuiteError as error:
        _log.debug("the written answer ends after %d sentences: %s", len(draft.proofs), error)
