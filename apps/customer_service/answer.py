"""How the bot decides: quote, answer in proved prose, or decline.

Knows evidence, checks and a generator; knows neither HTTP nor SQL. Nothing it says is unsupported: a quote is a run of
the document's characters, and a written sentence is shown only after a passage proved it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from apps.customer_service.compose import Draft, write
from apps.customer_service.model import Knowledge, family
from apps.customer_service.orders import courtesy_in, is_order
from apps.customer_service.phrases import say
from apps.customer_service.reading import Gatherer
from apps.customer_service.schemas import Action, Answer, Citation, Delta, Question, Verdict
from apps.customer_service.settings import CustomerServiceSettings
from core.errors import InputError, Unavailable
from core.generate.answerability import Answerability
from core.generate.evidence import Evidence, Passage
from core.generate.lexicon import identifiers
from core.generate.quote import Quote, choose
from core.generate.reader import Reader, row_for
from core.generate.rewrite import standalone
from core.generate.worker import GenerationWorker
from core.text import detect_language
from core.types import Usage

ACROSS = "across"
"""Name of the check for passages in another language than the question's."""

_REPLIES = {"en": "en", "zh": "zh"}
"""Languages of the bot's own sentences; asked for another one, it stays with the question's."""

SURE, _SURER = 0.3, 0.2
"""Documents of another language answer only if the check is that sure, and where the question's own language answers
too, by that much surer. On the samples, held out by document: of 75 questions whose answer is in the other language
only, 33 instead of 26 get it; 5 instead of 11 of 638 others are answered from the wrong language, and so are 17
instead of 41 of 580 that have no answer."""

_NEAR = 0.45
"""Cosine of the best passage from which on a declined question counts as being about the documents."""


@dataclass(frozen=True, eq=False)
class Decision:
    """What was found for a question and whether it is an answer."""

    question: Question
    standalone: str
    language: str
    """Of the reply: "en" or "zh" or the question's own."""
    evidence: Evidence | None
    verdict: Verdict
    across: bool = False
    courtesy: str | None = None
    """Which one, "greeting" or "thanks", where the message is no more than that."""

    @property
    def answerable(self) -> bool:
        """Whether the bot may answer."""
        return self.verdict.reason == "answerable"


class Answerer:
    """Questions to answers.

    :param checks: answerability by family of language, and "across"; what is missing falls back to "en".
    :param worker: runs the generator; None always quotes.
    :param readers: by the name of the check they stand beside; questions of other checks are answered in the order of
        retrieval.
    """

    def __init__(
        self,
        knowledge: Knowledge,
        checks: Mapping[str, Answerability],
        worker: GenerationWorker | None,
        settings: CustomerServiceSettings,
        readers: Mapping[str, Reader] | None = None,
    ) -> None:
        self.knowledge, self.checks, self.worker, self.settings = knowledge, checks, worker, settings
        self.readers, self._gatherer = dict(readers or {}), Gatherer(knowledge)

    def decide(self, question: Question) -> Decision:
        """Retrieve and judge; blocking, call it on a thread.

        :raises InputError: if the question is empty.
        """
        text = question.text.strip()
        if not text:
            raise InputError("The question is empty.")
        asked = _language(text)
        reply = _REPLIES.get((question.language or "").lower()[:2], asked)
        if (courtesy := courtesy_in(text)) is not None:
            return Decision(question, text, reply, None, _refused(0.0, 1.0, "off_topic"), courtesy=courtesy)
        if is_order(text):
            return Decision(question, text, reply, None, _refused(0.0, 1.0, "unsafe"))
        if not len(self.knowledge):
            return Decision(question, text, reply, None, _refused(0.0, 1.0, "no_passage"))
        alone = self._standalone(text, question, asked)
        own, verdict = self._judge(alone, asked, across=False)
        if self.knowledge.languages <= {family(asked)} or verdict.answerable + _SURER > 1:
            return Decision(question, alone, reply, own, verdict)
        other, second = self._judge(alone, asked, across=True)
        needed = verdict.answerable + _SURER if verdict.reason == "answerable" else 0.0
        if not own.passages or (second.reason == "answerable" and second.answerable >= needed):
            return Decision(question, alone, reply, other, second, across=True)
        return Decision(question, alone, reply, own, verdict)

    def probability(self, evidence: Evidence, *, across: bool = False) -> tuple[float, float]:
        """Calibrated probability that the evidence answers, and the threshold it must reach."""
        check = self.checks[self._name(evidence.language, across)]
        threshold = check.threshold_for(self.settings.false_refusal)
        row = row_for(check.names, evidence)
        return float(check.probability(row[None])[0]), max(threshold, SURE) if across else threshold

    async def answer(self, question: Question) -> Answer:
        """The whole reply."""
        async with aclosing(self.stream(question)) as deltas:
            async for delta in deltas:
                if delta.answer is not None:
                    return delta.answer
        raise Unavailable("The reply was broken off.")

    async def stream(self, question: Question) -> AsyncGenerator[Delta, None]:
        """The reply as it comes; the last delta carries the whole answer."""
        decision = await asyncio.to_thread(self.decide, question)
        async with aclosing(self.stream_decided(decision)) as deltas:
            async for delta in deltas:
                yield delta

    async def stream_decided(self, decision: Decision) -> AsyncGenerator[Delta, None]:
        """The reply to a question that was judged already."""
        if decision.answerable and self._may_compose(decision):
            written = False
            async with aclosing(self._composed(decision)) as deltas:
                async for delta in deltas:
                    written = True
                    yield delta
            if written:
                return
        answer = self.quoted(decision) if decision.answerable else self.declined(decision)
        for part in re.findall(r".*?(?:\n+|$)", answer.text, re.DOTALL):
            if part:
                yield Delta(text=part)
        yield Delta(answer=answer)

    def quoted(self, decision: Decision) -> Answer:
        """The answer in the documents' own words."""
        assert decision.evidence is not None
        quotes = choose(decision.evidence, limit=self.settings.quote_sentences)
        if not quotes:
            return self.declined(decision)
        lines = [f"{quote.text} [{i}]" for i, quote in enumerate(quotes, start=1)]
        if decision.across:
            lines.insert(0, say("across", decision.language))
        return self._answer(
            decision, "\n\n".join(lines), Action.quote, [self._citation(q, i) for i, q in _number(quotes)]
        )

    def declined(self, decision: Decision) -> Answer:
        """The honest word that there is no answer, and what to do next."""
        language, reason = decision.language, decision.verdict.reason
        if decision.courtesy is not None:
            return self._answer(decision, say(decision.courtesy, language), Action.decline, [])
        first = {"unsafe": "unsafe", "no_passage": "nothing"}.get(reason, "decline")
        parts = [say(first, language)]
        if reason == "not_in_passages" and decision.evidence is not None and decision.evidence.passages:
            parts.append(say("closest", language, titles=self._title(decision.evidence.passages[0])))
        parts.append(self.settings.support_contact or say("next", language))
        return self._answer(decision, ("" if language == "zh" else " ").join(parts), Action.decline, [])

    def _standalone(self, text: str, question: Question, language: str) -> str:
        asked = [said for role, said in question.history if role == "user"][-4:]
        if not asked:
            return text
        _, encoder = self.knowledge.encoder(language)
        alone: list[str] = []
        for said in [*asked, text]:
            alone.append(standalone(said, alone, _language(said), encoder.encode))
        return alone[-1]

    def _judge(self, text: str, language: str, *, across: bool) -> tuple[Evidence, Verdict]:
        if across:
            evidence = self.knowledge.evidence(text, language, across=True)
        else:
            evidence = self._gatherer.evidence(text, language, self.readers.get(self._name(family(language))))
        if not evidence.passages:
            return evidence, _refused(0.0, 1.0, "no_passage" if not len(self.knowledge) else "off_topic")
        probability, threshold = self.probability(evidence, across=across)
        held = identifiers(" ".join(f"{p.context} {p.text}" for p in evidence.passages[:4]))
        if not identifiers(text) <= held:  # an error code or model that no passage names
            return evidence, _refused(min(probability, threshold), threshold, "not_in_passages")
        if probability >= threshold:
            return evidence, Verdict(answerable=probability, threshold=threshold, reason="answerable")
        near = evidence.named > 0 or evidence.passages[0].dense >= _NEAR
        return evidence, _refused(probability, threshold, "not_in_passages" if near else "off_topic")

    def _name(self, language: str, across: bool = False) -> str:
        """Of the check for this family of language."""
        name = ACROSS if across else language
        return name if name in self.checks else "en"

    def _may_compose(self, decision: Decision) -> bool:
        if self.worker is None or self.settings.compose == "never" or decision.across:
            return False
        wanted = (
            decision.question.compose if decision.question.compose is not None else self.settings.compose == "always"
        )
        return wanted and family(decision.language) in self.worker.generator.languages

    async def _composed(self, decision: Decision) -> AsyncGenerator[Delta, None]:
        """Proved sentences as they are written; nothing at all if the first cannot be proved."""
        assert decision.evidence is not None and self.worker is not None
        draft = Draft(decision.language, decision.evidence.passages[:3])
        tokens = min(decision.question.max_tokens or self.settings.compose_tokens, self.settings.compose_tokens)
        _, encoder = self.knowledge.encoder(decision.language)
        writing = write(draft, decision.standalone, self.worker, encoder.encode, tokens=tokens)
        async with aclosing(writing) as texts:
            async for text in texts:
                yield Delta(text=text)
        if draft.proofs:
            citations = [self._citation(q, i) for i, q in _number(draft.quotes)]
            name = self.worker.generator.name
            yield Delta(
                answer=self._answer(decision, draft.text, Action.answer, citations, model=name, usage=draft.usage)
            )

    def _answer(
        self,
        decision: Decision,
        text: str,
        action: Action,
        citations: Sequence[Citation],
        *,
        model: str = "quote",
        usage: Usage | None = None,
    ) -> Answer:
        _, encoder = self.knowledge.encoder(decision.language)
        counted = usage or Usage(*encoder.count_tokens([decision.standalone, text]))
        return Answer(
            text=text,
            action=action,
            citations=tuple(citations),
            verdict=decision.verdict,
            language=decision.language,
            standalone_question=decision.standalone,
            conversation_id=decision.question.conversation_id,
            model=model,
            usage=counted,
        )

    def _citation(self, quote: Quote, index: int) -> Citation:
        held = self.knowledge.held(quote.passage.id)
        chunk = held.chunk if held else None
        return Citation(
            index=index,
            document_id=quote.passage.document_id,
            chunk_id=quote.passage.id,
            title=chunk.title if chunk else quote.passage.context,
            headings=chunk.headings if chunk else (),
            source=held.source if held else "",
            quote=quote.text,
            start=quote.passage.start + quote.start,
            end=quote.passage.start + quote.end,
        )

    def _title(self, passage: Passage) -> str:
        held = self.knowledge.held(passage.id)
        return held.chunk.title if held else passage.context


def _language(text: str) -> str:
    found = detect_language(text)
    return "en" if found == "und" else found


def _refused(probability: float, threshold: float, reason: str) -> Verdict:
    return Verdict(answerable=probability, threshold=threshold, reason=reason)


def _number(quotes: Sequence[Quote]) -> list[tuple[int, Quote]]:
    return list(enumerate(quotes, start=1))
