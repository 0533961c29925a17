"""Retrieval, answers and refusals on a company's own labelled questions.

Reader and refusal check are fitted on the labelled questions themselves, always on other documents than those they are
judged on, as a company would fit them before going live; the order of retrieval alone and the shipped check, which saw
none of the questions, are reported beside them. Knows the bot in memory; nothing of SQL or HTTP.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from pathlib import Path

import numpy as np

from apps.customer_service.answer import Answerer, Decision
from apps.customer_service.checks import load_published
from apps.customer_service.data import RagQuestion, read_documents, read_questions, read_texts
from apps.customer_service.evaluate_refusals import (
    Figures,
    Judged,
    Refusals,
    Shipped,
    judge,
    refusal_figures,
    refuse,
    shipped_figures,
)
from apps.customer_service.model import Knowledge
from apps.customer_service.passages import fill
from apps.customer_service.reading import Gatherer
from apps.customer_service.schemas import Answer, Question, Verdict
from apps.customer_service.settings import CustomerServiceSettings
from core.backends import load_encoder, load_generator
from core.errors import InputError, ModelNotPrepared
from core.evaluate.ranking import hit_rate_at_k, mrr_at_k
from core.evaluate.text import rouge_l, token_f1
from core.generate.answerability import Answerability
from core.generate.grounding import unsupported
from core.generate.worker import GenerationWorker
from core.progress import Report, quiet
from core.types import Document

_WRITTEN = 24
"""Answerable questions that the generator is asked to answer in prose."""


def evaluate_rag(
    docs: Path,
    questions: Path,
    off_topic: Path | None,
    settings: CustomerServiceSettings,
    *,
    progress: Report = quiet,
) -> Figures:
    """Figures of retrieval, answers and refusals; see the app's README for what each one means.

    :raises InputError: if a file has no good row or no question is answerable.
    """
    documents, asked = read_documents(docs).rows, read_questions(questions).rows
    strange = read_texts(off_topic).rows if off_topic else ()
    if not any(q.answerable for q in asked):
        raise InputError(f"{questions} has no answerable question, so nothing can be measured.")
    english, multilingual = load_encoder(settings), load_encoder(settings, settings.multilingual_encoder)
    knowledge = Knowledge(english, multilingual, settings)
    fill(documents, knowledge)
    published = load_published(settings)
    gatherer = Gatherer(knowledge)

    def look_up(questions: Sequence[RagQuestion]) -> list[Judged]:
        found = []
        for done, question in enumerate(questions, start=1):
            progress("questions", done, len(questions))
            found.append(judge(question, gatherer))
        return found

    retrieved, strangers = look_up(asked), look_up([RagQuestion(text, "", False) for text in strange])
    checks, shipped = published.checks, Shipped(published.checks, published.readers)
    judged, refusals = refuse(retrieved, strangers, gatherer, shipped, settings)
    figures = _retrieval(judged)
    figures |= {f"untrained_{name}": value for name, value in _spans(retrieved).items()}
    figures |= refusal_figures(judged, refusals)
    figures |= shipped_figures(retrieved, shipped, settings)
    answerer = Answerer(knowledge, checks, None, settings)
    figures |= _answers(judged, refusals, answerer, documents)
    return figures | asyncio.run(_prose(judged, refusals, knowledge, checks, settings, documents))


def _retrieval(judged: Sequence[Judged]) -> Figures:
    known = [j for j in judged if j.question.answerable and j.question.doc_ids]
    figures: Figures = {"questions": len(judged), "answerable": sum(j.question.answerable for j in judged)}
    ranked = [list(dict.fromkeys(p.document_id for p in j.evidence.passages)) for j in known]
    wanted = [j.question.doc_ids for j in known]
    if known:
        figures |= {
            "recall@1": hit_rate_at_k(ranked, wanted, 1),
            "recall@5": hit_rate_at_k(ranked, wanted, 5),
            "mrr@10": mrr_at_k(ranked, wanted, 10),
        }
    return figures | _spans(judged)


def _spans(judged: Sequence[Judged]) -> Figures:
    """How often a passage that holds an evidence span comes first, or among the first five."""
    spanned = [j for j in judged if j.question.answerable and j.question.spans]
    if not spanned:
        return {}
    hits = [[_holds(p.text, j.question.spans) for p in j.evidence.passages] for j in spanned]
    return {f"span_recall@{k}": float(np.mean([any(h[:k]) for h in hits])) for k in (1, 5)}


def _holds(passage: str, spans: Sequence[str]) -> bool:
    plain = re.sub(r"\s+", "", passage).lower()
    return any(re.sub(r"\s+", "", span).lower() in plain for span in spans)


def _answers(
    judged: Sequence[Judged], refusals: Refusals, answerer: Answerer, documents: Sequence[Document]
) -> Figures:
    """Quoted answers: how good, how fast, and whether every citation and fact stands in its document."""
    f1, rouge, seconds, invalid, loose = [], [], [], 0, 0
    texts = {d.id: d.text for d in documents}
    for j, declined in zip(judged, refusals.declined, strict=True):
        if declined:
            continue
        started = time.perf_counter()
        answer = answerer.quoted(_decided(j))
        seconds.append(j.seconds + time.perf_counter() - started)
        bad, free = _faults(answer, texts)
        invalid, loose = invalid + bad, loose + free
        if j.question.answerable and j.question.answer:
            said = re.sub(r" ?\[\d+\]", "", answer.text)
            f1.append(token_f1(said, j.question.answer))
            rouge.append(rouge_l(said, j.question.answer))
    return {
        "token_f1": float(np.mean(f1)) if f1 else None,
        "rouge_l": float(np.mean(rouge)) if rouge else None,
        "invalid_citations": invalid,
        "unsupported_numbers": loose,
        "answer_p50_ms": float(np.median(seconds) * 1000) if seconds else None,
    }


def _faults(answer: Answer, texts: Mapping[str, str]) -> tuple[int, int]:
    """Citations that are not their document's words, and numbers and names that stand in no cited document."""
    bad = sum(texts.get(c.document_id, "")[c.start : c.end] != c.quote or not c.quote for c in answer.citations)
    marks = {int(n) for n in re.findall(r"\[(\d+)\](?=\s|$)", answer.text)}
    bad += bool(answer.citations) and not marks <= {c.index for c in answer.citations}
    said = re.sub(r" ?\[\d+\](?=\s|$)", "", answer.text)
    sources = [f"{c.title}\n{texts.get(c.document_id, '')}" for c in answer.citations]
    return bad, len(unsupported(said, sources)) if answer.citations else 0


def _decided(judged: Judged, *, compose: bool = False) -> Decision:
    verdict = Verdict(answerable=1.0, threshold=0.0, reason="answerable")
    asked = Question(text=judged.question.question, compose=compose)
    return Decision(asked, asked.text, judged.evidence.language, judged.evidence, verdict, judged.across)


async def _prose(
    judged: Sequence[Judged],
    refusals: Refusals,
    knowledge: Knowledge,
    checks: Mapping[str, Answerability],
    settings: CustomerServiceSettings,
    documents: Sequence[Document],
) -> Figures:
    """Answers written by the generator and proved: time to the first proved words, and their faults."""
    none: Figures = {"ttft_p50_ms": None, "written": 0, "written_faults": 0}
    try:
        generator = load_generator(settings)
    except ModelNotPrepared:
        return none
    chosen = [j for j, d in zip(judged, refusals.declined, strict=True) if not d and j.question.answerable][:_WRITTEN]
    if generator is None or not chosen or chosen[0].evidence.language not in generator.languages:
        return none
    texts, first, written, faults = {d.id: d.text for d in documents}, [], 0, 0
    with GenerationWorker(generator) as worker:
        answerer = Answerer(knowledge, checks, worker, settings)
        for j in chosen:
            started = time.perf_counter()
            async with aclosing(answerer.stream_decided(_decided(j, compose=True))) as deltas:
                begun = False
                async for delta in deltas:
                    if delta.text and not begun:
                        begun = True
                        first.append(j.seconds + time.perf_counter() - started)
                    if delta.answer is not None:
                        written += delta.answer.model != "quote"
                        faults += sum(_faults(delta.answer, texts))
    return {"ttft_p50_ms": float(np.median(first) * 1000), "written": written, "written_faults": faults}
