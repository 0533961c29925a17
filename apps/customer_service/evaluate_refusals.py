"""Readers and refusal checks for an evaluation, each fitted on other documents than those it is judged on.

A question is judged by what `train answerability` would make of the folds that hold none of its documents: the check
sees what readers say of documents they have not seen, and the reader is used only if it finds more than retrieval
alone. A question about documents of so many folds that too little is left is judged by what is installed, in the order
of retrieval. Knows judged questions; reads no files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from apps.customer_service.answer import ACROSS, SURE
from apps.customer_service.data import RagQuestion
from apps.customer_service.folds import DocumentFolds, clusters
from apps.customer_service.model import READ, family
from apps.customer_service.reading import DEPTH, Gathered, Gatherer, ordered
from apps.customer_service.settings import CustomerServiceSettings
from apps.customer_service.train_checks import off_topic_texts, sample_knowledge, sample_rows
from apps.customer_service.train_reader import Folds, enough, items_of, near_items
from core.errors import InputError
from core.evaluate.labels import BoolArray, auroc
from core.generate.answerability import Answerability, Labelled, fit
from core.generate.evidence import Evidence
from core.generate.features import FEATURES
from core.generate.reader import Reader, row_for
from core.text import detect_language
from core.types import FloatArray

_SEED = 20
"""Of the folds; the reader's make-up was chosen on others."""

Figures = dict[str, float | int | None]


@dataclass(frozen=True, eq=False)
class Judged:
    """One question with what was found for it."""

    question: RagQuestion
    evidence: Evidence
    """In the order that the bot would answer from."""
    across: bool
    seconds: float
    gathered: Gathered | None
    """For a reader; None across languages."""


@dataclass(frozen=True, eq=False)
class Refusals:
    """Probabilities and decisions, each by a check that saw nothing of the question's documents."""

    probability: FloatArray
    declined: BoolArray
    off_topic: BoolArray
    """(m,) declined by the check fitted on all labelled questions."""


@dataclass(frozen=True, eq=False)
class Shipped:
    """What is installed: checks, and the readers that some stand beside."""

    checks: Mapping[str, Answerability]
    readers: Mapping[str, Reader]

    def check(self, judged: Sequence[Judged]) -> Answerability:
        """The check of the language that most questions are in."""
        return self.checks[self._name(judged)]

    def probability(self, judged: Sequence[Judged]) -> FloatArray:
        """(n,) that the questions, looked up in the order of retrieval, are answered."""
        check, reader = self.check(judged), self.readers.get(self._name(judged))
        rows = []
        for j in judged:
            read = _read(j, reader) if check.names != FEATURES and reader is not None else j
            rows.append(row_for(check.names, read.evidence))
        return check.probability(np.array(rows, np.float32))

    def declined(self, probability: FloatArray, judged: Sequence[Judged], rate: float) -> BoolArray:
        """(n,) by the threshold for this share of false refusals."""
        return probability < self.check(judged).threshold_for(rate)

    def _name(self, judged: Sequence[Judged]) -> str:
        home = _home(judged)
        return home if home in self.checks else "en"


def judge(question: RagQuestion, gatherer: Gatherer) -> Judged:
    """Look a question up, in the order of retrieval."""
    started = time.perf_counter()
    language, knowledge = detect_language(question.question), gatherer.knowledge
    if family(language) not in knowledge.languages:
        evidence = knowledge.evidence(question.question, language, k=DEPTH, across=True)
        return Judged(question, evidence, True, time.perf_counter() - started, None)
    gathered = gatherer.gather(question.question, language)
    return Judged(question, gathered.evidence, False, time.perf_counter() - started, gathered)


def refuse(
    judged: Sequence[Judged],
    strangers: Sequence[Judged],
    gatherer: Gatherer,
    shipped: Shipped,
    settings: CustomerServiceSettings,
) -> tuple[list[Judged], Refusals]:
    """The questions in the readers' order where a reader could be trained, and who is declined."""
    questions = [j.question for j in judged]
    gathered = [j.gathered for j in judged if j.gathered is not None]
    if len(gathered) == len(judged) and enough(items := items_of(questions, gathered, gatherer.knowledge)):
        home = _home(judged)
        near = near_items(questions, gatherer)
        folds = Folds([*items, *near], _strange(home, gatherer), seed=_SEED)
        read, retrieved = folds.gain()
        if read > retrieved:
            return _with_readers(judged, strangers, folds, shipped, settings)
    return list(judged), _without(judged, strangers, shipped, settings)


def _with_readers(
    judged: Sequence[Judged],
    strangers: Sequence[Judged],
    folds: Folds,
    shipped: Shipped,
    settings: CustomerServiceSettings,
) -> tuple[list[Judged], Refusals]:
    rate = settings.false_refusal
    read = list(judged)
    probability = shipped.probability(judged)
    declined = shipped.declined(probability, judged, rate)
    for out, test in folds.documents.tests.items():
        try:
            check = folds.check(out, false_refusal=rate)
        except InputError:
            continue  # too little is left
        for place in test:
            i = int(place)
            started = time.perf_counter()
            one = folds.real[i]
            evidence = ordered(one.gathered, folds.scores(one, out), DEPTH)
            seconds = judged[i].seconds + time.perf_counter() - started
            read[i] = replace(judged[i], evidence=evidence, seconds=seconds)
            probability[i] = check.probability(row_for(check.names, evidence)[None])[0]
            declined[i] = probability[i] < check.threshold
    own, reader = folds.check(false_refusal=rate), folds.reader()
    seen = [_read(j, reader) for j in strangers]
    return read, Refusals(probability, declined, _off_topic(seen, own, shipped.checks, rate))


def _without(
    judged: Sequence[Judged],
    strangers: Sequence[Judged],
    shipped: Shipped,
    settings: CustomerServiceSettings,
) -> Refusals:
    """By the check alone, where too little is labelled for a reader, or it does not help."""
    rate, data = settings.false_refusal, labelled(judged)
    probability = shipped.probability(judged)
    declined = shipped.declined(probability, judged, rate)
    if len(np.unique(data.labels)) < 2:
        own, reader = shipped.check(judged), shipped.readers.get(_home(judged))
        if own.names != FEATURES and reader is not None:
            strangers = [_read(j, reader) for j in strangers]
    else:
        also = sample_rows(sample_knowledge(settings))[_home(judged)]
        fitted = partial(fit, also=also, false_refusal=rate)
        for place, (chance, refused) in judge_apart(data, [_touches(j) for j in judged], fitted).items():
            probability[place], declined[place] = chance, refused
        own = fitted(data)
    return Refusals(probability, declined, _off_topic(strangers, own, shipped.checks, rate))


def judge_apart(
    data: Labelled, touches: Sequence[Sequence[str]], fitted: Callable[[Labelled], Answerability]
) -> dict[int, tuple[float, bool]]:
    """Probability and whether it is declined, by place of the question; each by a check that saw none of its documents.

    Questions for which too little is left have no entry.

    :param touches: of each question of `data` the names of its documents.
    :param fitted: fits a check; may raise `InputError` where it is given too little.
    :raises InputError: if the questions are about too few documents to be parted.
    """
    folds = DocumentFolds(touches, [bool(label) for label in data.labels], seed=_SEED)
    found: dict[int, tuple[float, bool]] = {}
    for out, test in folds.tests.items():
        unseen = np.array([out.isdisjoint(folds.of(names)) for names in touches], bool)
        try:
            check = fitted(data.take(unseen))
        except InputError:
            continue
        chances = check.probability(data.rows[test])
        found |= {int(i): (float(p), bool(p < check.threshold)) for i, p in zip(test, chances, strict=True)}
    return found


def _read(judged: Judged, reader: Reader) -> Judged:
    if judged.gathered is None:
        return judged
    return replace(judged, evidence=ordered(judged.gathered, reader.read(judged.gathered.rows), READ))


def _off_topic(
    strangers: Sequence[Judged], own: Answerability, checks: Mapping[str, Answerability], rate: float
) -> BoolArray:
    refused = []
    for j in strangers:
        check = checks.get(ACROSS, own) if j.across else own
        threshold = max(check.threshold_for(rate), SURE) if j.across else check.threshold
        row = row_for(check.names, j.evidence)
        refused.append(not j.evidence.passages or bool(check.probability(row[None])[0] < threshold))
    return np.array(refused, bool)


def refusal_figures(judged: Sequence[Judged], refusals: Refusals) -> Figures:
    """Of the checks fitted on the questions themselves."""
    labels = np.array([j.question.answerable for j in judged])
    both = bool(labels.any() and not labels.all())
    return {
        "answerability_auroc": auroc(refusals.probability, labels) if both else None,
        "refusal_recall": float(refusals.declined[~labels].mean()) if not labels.all() else None,
        "off_topic_refusal": float(refusals.off_topic.mean()) if len(refusals.off_topic) else None,
        "false_refusal": float(refusals.declined[labels].mean()),
    }


def shipped_figures(judged: Sequence[Judged], shipped: Shipped, settings: CustomerServiceSettings) -> Figures:
    """The same by the check as installed, with its reader if it has one."""
    labels = np.array([j.question.answerable for j in judged])
    probability = shipped.probability(judged)
    declined = shipped.declined(probability, judged, settings.false_refusal)
    both = bool(labels.any() and not labels.all())
    return {
        "shipped_answerability_auroc": auroc(probability, labels) if both else None,
        "shipped_refusal_recall": float(declined[~labels].mean()) if not labels.all() else None,
        "shipped_false_refusal": float(declined[labels].mean()),
    }


def labelled(judged: Sequence[Judged]) -> Labelled:
    """Feature rows of the evidence as retrieved; documents that are asked about together are one group."""
    rows = [j.gathered.base if j.gathered is not None else row_for(FEATURES, j.evidence) for j in judged]
    touches = [_touches(j) for j in judged]
    cluster = clusters(touches)
    return Labelled(
        np.array(rows, np.float32).reshape(len(judged), -1),
        np.array([j.question.answerable for j in judged], np.int64),
        [cluster[names[0]] for names in touches],
    )


def _touches(judged: Judged) -> tuple[str, ...]:
    """Ids of the question's documents; that of its best passage where it has none."""
    return judged.question.doc_ids or tuple(p.document_id for p in judged.evidence.passages[:1]) or ("none",)


def _home(judged: Sequence[Judged]) -> str:
    own = [j.evidence.language for j in judged if not j.across]
    return ACROSS if len(own) * 2 < len(judged) else max(set(own), key=own.count)


def _strange(home: str, gatherer: Gatherer) -> list[Gathered]:
    return [gatherer.gather(text, home) for text in off_topic_texts(home)]
