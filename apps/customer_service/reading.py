"""Candidates of a question laid out for a reader, read, and put in the reader's order.

Composes the knowledge with `core.generate`'s reader. Knows passages and readers; nothing of checks, HTTP or SQL.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from apps.customer_service.model import READ, Knowledge, Survey, family
from apps.customer_service.shelf import Held, Shelf
from core.generate.evidence import Evidence, Passage, Sentence
from core.generate.features import features
from core.generate.parts import parts_of
from core.generate.reader import Reader, passage_scores, summary
from core.generate.reader_features import Candidate, Reading, number_rows
from core.generate.silence import silence
from core.generate.told import Facts, Told
from core.types import FloatArray, IntArray

DEPTH = 10
"""Passages by the hybrid's order that are read."""
_DEEP, _OF_PART = 80, 6
"""How far down, and how many passages, a document that the question names is read."""
_TITLES = 64
"""Titles with most of their words in the question, that are looked for in it."""
_LONGEST = 400
"""Passages of a document that are searched for what it nowhere says."""
_CACHED = 4096


@dataclass(frozen=True, eq=False)
class Gathered:
    """All that a reader needs of a question; the same for every reader, so it is computed once."""

    evidence: Evidence
    """In the hybrid's order."""
    reading: Reading
    rows: FloatArray
    """(n, f) numbers of all sentences."""
    places: IntArray
    """(n,) candidate of each sentence."""
    base: FloatArray
    """Numbers of the check that need no reader: those of the evidence."""
    silent: FloatArray
    """Numbers of the check on what the documents nowhere say."""


class Gatherer:
    """Questions to numbers. Safe between threads; keeps what sentences hold."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        self._facts: OrderedDict[int, Facts] = OrderedDict()
        self._caching = threading.Lock()

    def evidence(self, question: str, language: str, reader: Reader | None) -> Evidence:
        """As `Knowledge.evidence` within one language; in the reader's order where there is a reader."""
        if reader is None:
            return self.knowledge.evidence(question, language)
        gathered = self.gather(question, language)
        return ordered(gathered, reader.read(gathered.rows), max(READ, self.knowledge.settings.passages))

    def gather(self, question: str, language: str, knowledge: Knowledge | None = None) -> Gathered:
        """Candidates and numbers of one question.

        :param knowledge: another state than one's own; see `Knowledge.changed`.
        """
        knowledge = knowledge or self.knowledge
        survey = knowledge.survey(question, language, k=DEPTH)
        evidence, shelf = survey.evidence, survey.shelf
        parts = tuple(parts_of(question, _titles(survey)))
        read = _widened(survey.candidates, shelf, parts)
        similar = knowledge.similar(survey.vector, read, language)
        candidates = [
            Candidate(p, _title(shelf, p.document_id), self._read(p), row) for p, row in zip(read, similar, strict=True)
        ]
        idf = dict(zip(evidence.terms, evidence.weights.tolist(), strict=True))
        reading = Reading(question, evidence.language, idf, parts, evidence.named, candidates)
        rows, places = number_rows(reading)
        documents = self._documents(survey, parts)
        silent = silence(question, evidence.language, idf, parts, documents)
        return Gathered(evidence, reading, rows, places, features(evidence), silent)

    def _read(self, passage: Passage) -> Facts:
        with self._caching:
            if passage.id in self._facts:
                self._facts.move_to_end(passage.id)
                return self._facts[passage.id]
        facts = Facts.of(passage)
        with self._caching:
            self._facts[passage.id] = facts
            while len(self._facts) > _CACHED:
                self._facts.popitem(last=False)
        return facts

    def _documents(self, survey: Survey, parts: Sequence[str]) -> list[list[Told]]:
        """The sentences of each part's documents; of the best passage's where the question names none."""
        shelf = survey.shelf
        if not parts:
            keys = [[p.document_id] for p in survey.evidence.passages[:1]]
        else:
            near = [shelf.titles.keys[int(row)] for row in _rows(survey)]
            keys = [[key for key in near if _title(shelf, key) == part] for part in parts]
        found = []
        for part in keys:
            ids = [id_ for key in part for id_ in shelf.by_document[key]][:_LONGEST]
            passages = sorted((shelf.passages[id_] for id_ in ids), key=lambda h: (h.chunk.document_id, h.chunk.start))
            found.append([told for held in passages for told in self._read(_bare(held)).told])
        return found


def ordered(gathered: Gathered, scores: FloatArray, k: int) -> Evidence:
    """The evidence in the order of the best sentences, with the numbers that the check looks at.

    :param scores: (n,) of `gathered.rows`. :param k: passages to keep.
    """
    reading, evidence = gathered.reading, gathered.evidence
    judged = judged_row(gathered, scores)
    if not reading.candidates:
        return replace(evidence, judged=judged)
    best = passage_scores(scores, gathered.places, len(reading.candidates))
    order = np.argsort(-best, kind="stable")[:k]
    chosen = [reading.candidates[int(i)] for i in order]
    found = [
        Sentence(c.passage, start, end, float(similarity))
        for c in chosen[:READ]
        for (start, end), similarity in zip(c.passage.spans, c.similar, strict=True)
    ]
    return replace(evidence, passages=[c.passage for c in chosen], found=found, judged=judged)


def judged_row(gathered: Gathered, scores: FloatArray) -> FloatArray:
    """(len(JUDGED),) float32 for the check: of the evidence, of what was read, of what the documents nowhere say."""
    read = summary(gathered.reading, scores, gathered.places)
    return np.concatenate([gathered.base, read, gathered.silent]).astype(np.float32)


def _rows(survey: Survey) -> IntArray:
    """Places of the titles that share most words with the question."""
    rows = np.flatnonzero(survey.coverage > 0)
    return rows[np.argsort(-survey.coverage[rows], kind="stable")[:_TITLES]]


def _titles(survey: Survey) -> list[str]:
    return [_title(survey.shelf, survey.shelf.titles.keys[int(row)]) for row in _rows(survey)]


def _title(shelf: Shelf, document_id: str) -> str:
    return shelf.passages[shelf.by_document[document_id][0]].chunk.title


def _widened(candidates: Sequence[Passage], shelf: Shelf, parts: Sequence[str]) -> list[Passage]:
    """The best ten, and of each document that the question names up to six."""
    seen: Counter[str] = Counter()
    kept = []
    for i, passage in enumerate(candidates[:_DEEP]):
        title = _title(shelf, passage.document_id)
        seen[title] += 1
        if i < DEPTH or (title in parts and seen[title] <= _OF_PART):
            kept.append(passage)
    return kept


def _bare(held: Held) -> Passage:
    """A passage that was not searched for."""
    c = held.chunk
    return Passage(held.id, c.document_id, c.context, c.text, c.start, 0, 0, 0, 0, family(c.language))
