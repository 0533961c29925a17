"""Retrieval, answers and refusals on a company's own labelled questions.

The refusal check is fitted on the labelled questions themselves, always on other documents than those it is judged on,
as a company would fit it before going live; the shipped check, which saw none of them, is reported beside it. Knows the
bot in memory; nothing of SQL or HTTP.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apps.customer_service.answer import ACROSS, SURE, Answerer, Decision
from apps.customer_service.data import RagQuestion, read_documents, read_questions, read_texts
from apps.customer_service.model import Knowledge, family
from apps.customer_service.passages import fill
from apps.customer_service.schemas import Answer, Question, Verdict
from apps.customer_service.service import load_checks
from apps.customer_service.settings import CustomerServiceSettings
from apps.customer_service.train_checks import sample_knowledge, sample_rows
from core.backends import load_encoder, load_generator
from core.errors import InputError, ModelNotPrepared
from core.evaluate.labels import auroc
from core.evaluate.ranking import hit_rate_at_k, mrr_at_k
from core.evaluate.text import rouge_l, token_f1
from core.generate.answerability import Answerability, Labelled, fit, split
from core.generate.evidence import Evidence
from core.generate.features import features
from core.generate.grounding import unsupported
from core.generate.worker import GenerationWorker
from core.progress import Report, quiet
from core.types import Document, FloatArray

_DEPTH = 10
_WRITTEN = 24
"""Answerable questions that the generator is asked to answer in prose."""

Figures = dict[str, float | int | None]


@dataclass(frozen=True, eq=False)
class Judged:
    """One question with what was found for it."""

    question: RagQuestion
    evidence: Evidence
    across: bool
    seconds: float


@dataclass(frozen=True, eq=False)
class Refusals:
    """Probabilities and decisions, each by a check that saw nothing of the question's document."""

    probability: FloatArray
    declined: np.ndarray
    off_topic: np.ndarray
    """(m,) bool; declined by the check fitted on all labelled questions."""


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
    checks = load_checks(settings)
    judged = [_judge(q, knowledge, progress, i, len(asked)) for i, q in enumerate(asked)]
    stranger = [_judge(RagQuestion(t, "", False), knowledge, progress, i, len(strange)) for i, t in enumerate(strange)]
    figures = _retrieval(judged)
    data = _labelled(judged)
    refusals = _refusals(judged, data, stranger, checks, settings)
    figures |= _refusal_figures(judged, refusals)
    figures |= _shipped(judged, data, checks, settings)
    answerer = Answerer(knowledge, checks, None, settings)
    figures |= _answers(judged, refusals, answerer, documents)
    return figures | asyncio.run(_prose(judged, refusals, knowledge, checks, settings, documents))


def _judge(question: RagQuestion, knowledge: Knowledge, progress: Report, done: int, total: int) -> Judged:
    from core.text import detect_language

    progress("questions", done + 1, total)
    started = time.perf_counter()
    language = detect_language(question.question)
    across = family(language) not in knowledge.languages
    evidence = knowledge.evidence(question.question, language, k=_DEPTH, across=across)
    return Judged(question, evidence, across, time.perf_counter() - started)


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
    spanned = [j for j in judged if j.question.answerable and j.question.spans]
    hits = [[_holds(p.text, j.question.spans) for p in j.evidence.passages] for j in spanned]
    if spanned:
        figures["span_recall@1"] = float(np.mean([any(h[:1]) for h in hits]))
        figures["span_recall@5"] = float(np.mean([any(h[:5]) for h in hits]))
    return figures


def _holds(passage: str, spans: Sequence[str]) -> bool:
    plain = re.sub(r"\s+", "", passage).lower()
    return any(re.sub(r"\s+", "", span).lower() in plain for span in spans)


def _labelled(judged: Sequence[Judged]) -> Labelled:
    return Labelled(
        np.array([features(j.evidence) for j in judged], np.float32).reshape(len(judged), -1),
        np.array([j.question.answerable for j in judged], np.int64),
        [(j.question.doc_ids or _top(j))[0] for j in judged],
    )


def _top(judged: Judged) -> tuple[str, ...]:
    return tuple(p.document_id for p in judged.evidence.passages[:1]) or ("none",)


def _refusals(
    judged: Sequence[Judged],
    data: Labelled,
    strangers: Sequence[Judged],
    checks: Mapping[str, Answerability],
    settings: CustomerServiceSettings,
) -> Refusals:
    rate, shipped = settings.false_refusal, checks.get(_home(judged), checks["en"])
    if len(np.unique(data.labels)) < 2:
        probability = shipped.probability(data.rows)
        declined, own = probability < shipped.threshold_for(rate), shipped
    else:
        also = sample_rows(sample_knowledge(settings))[_home(judged)]
        probability, declined = np.zeros(len(data), np.float32), np.zeros(len(data), bool)
        for train, test in split(data):
            check = fit(data.take(train), also=also, false_refusal=rate)
            probability[test] = check.probability(data.rows[test])
            declined[test] = probability[test] < check.threshold
        own = fit(data, also=also, false_refusal=rate)
    refused = []
    for j in strangers:
        check = checks.get(ACROSS, own) if j.across else own
        threshold = max(check.threshold_for(rate), SURE) if j.across else check.threshold
        refused.append(not j.evidence.passages or check.probability(features(j.evidence)[None])[0] < threshold)
    return Refusals(probability, declined, np.array(refused, bool))


def _home(judged: Sequence[Judged]) -> str:
    own = [j.evidence.language for j in judged if not j.across]
    return ACROSS if len(own) * 2 < len(judged) else max(set(own), key=own.count)


def _refusal_figures(judged: Sequence[Judged], refusals: Refusals) -> Figures:
    labels = np.array([j.question.answerable for j in judged])
    both = bool(labels.any() and not labels.all())
    return {
        "answerability_auroc": auroc(refusals.probability, labels) if both else None,
        "refusal_recall": float(refusals.declined[~labels].mean()) if not labels.all() else None,
        "off_topic_refusal": float(refusals.off_topic.mean()) if len(refusals.off_topic) else None,
        "false_refusal": float(refusals.declined[labels].mean()),
    }


def _shipped(
    judged: Sequence[Judged],
    data: Labelled,
    checks: Mapping[str, Answerability],
    settings: CustomerServiceSettings,
) -> Figures:
    """The same by the shipped check, which saw none of these questions."""
    labels = np.array([j.question.answerable for j in judged])
    check = checks.get(_home(judged), checks["en"])
    probability = check.probability(data.rows)
    declined = probability < check.threshold_for(settings.false_refusal)
    both = bool(labels.any() and not labels.all())
    return {
        "shipped_answerability_auroc": auroc(probability, labels) if both else None,
        "shipped_refusal_recall": float(declined[~labels].mean()) if not labels.all() else None,
        "shipped_false_refusal": float(declined[labels].mean()),
    }


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
