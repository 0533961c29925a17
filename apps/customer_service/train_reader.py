"""Fits a reader on labelled questions, and the answerability check beside it, each on other documents than it judges.

Knows gathered questions; nothing of files, stores or settings. A fold is a set of documents: a training question that
touches one of them is dropped, and so are their passages among the candidates of the others. A question is judged in
the fold of its first document; a second one it names may have been in training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from apps.customer_service.data import RagQuestion
from apps.customer_service.model import Held, Knowledge, tokens
from apps.customer_service.pairs import proves, without
from apps.customer_service.passages import encode, retrievers
from apps.customer_service.reading import Gathered, Gatherer, judged_row
from core.evaluate.labels import BoolArray
from core.generate.answerability import Answerability, Labelled, fit, split
from core.generate.reader import JUDGED, Reader, passage_scores
from core.heads.boosted import Boosted
from core.index.hybrid import Block
from core.text import detect_language
from core.types import FloatArray, IntArray

FOLDS = 5
_NEAR_WEIGHT = 0.5
"""Of a near miss's sentences, when a reader is fitted."""
_NEAR_SHARE = 0.1
"""Of the near misses, when a check is fitted: with all of them it forgets what real unanswerable questions are like."""
_NEAREST = 400
"""Near misses made at most."""
_CUT_IDS = 1 << 60
"""Far above the ids of passages."""
_SENTENCES = 25_000
"""Sentences that a reader is fitted on: all that prove, and about so many of the others, which then weigh more."""
_PROVED, _UNKNOWN, _GROUPS = 40, 20, 10
"""Questions with a proving sentence among the candidates, questions without an answer, and documents asked about, that
a reader and its check need."""


@dataclass(frozen=True, eq=False)
class Item:
    """A labelled question with what was gathered for it."""

    gathered: Gathered
    answerable: bool
    holds: BoolArray
    """(n,) which sentences prove the answer."""
    group: str
    """Title of its first document: questions of one group are never parted."""
    touches: frozenset[str]
    """Titles of all its documents."""
    near: bool = False
    """Whether the evidence of one of its documents was taken out."""


def items_of(questions: Sequence[RagQuestion], gathered: Sequence[Gathered], knowledge: Knowledge) -> list[Item]:
    """Questions with their labels; the group of a question without documents is that of its best passage."""
    found = []
    for question, one in zip(questions, gathered, strict=True):
        ids = question.doc_ids or tuple(c.passage.document_id for c in one.reading.candidates[:1])
        titles = [_title(knowledge, id_) for id_ in ids] or ["none"]
        found.append(Item(one, question.answerable, _holds(question, one), titles[0], frozenset(titles)))
    return found


def near_items(questions: Sequence[RagQuestion], gatherer: Gatherer, *, seed: int = 0) -> list[Item]:
    """Answerable questions asked again with the evidence of one of their documents taken out of the passages."""
    knowledge, draw = gatherer.knowledge, np.random.default_rng(seed)
    able = [q for q in questions if q.answerable and q.spans and q.doc_ids]
    chosen = draw.permutation(len(able))[:_NEAREST]
    found = []
    for question in (able[int(i)] for i in sorted(chosen)):
        cut = question.doc_ids[int(draw.integers(len(question.doc_ids)))]
        gone, kept = [], []
        for held in knowledge.of_document(cut):
            left = without(held.chunk.text, question.spans, held.chunk.language)
            if left == held.chunk.text.strip():
                continue
            gone.append(held.id)
            if left:
                kept.append(_cut(held, left))
        if not gone:
            continue
        other = knowledge.changed(gone, kept, list(_blocks(kept, knowledge)))
        one = gatherer.gather(question.question, detect_language(question.question), other)
        titles = [_title(knowledge, id_) for id_ in question.doc_ids]
        found.append(Item(one, False, _holds(question, one), titles[0], frozenset(titles), near=True))
    return found


def enough(items: Sequence[Item]) -> bool:
    """Whether there is enough for a reader and for folds within folds."""
    proved = sum(bool(item.holds.any()) for item in items)
    unknown = sum(not item.answerable for item in items)
    return proved >= _PROVED and unknown >= _UNKNOWN and len({item.group for item in items}) >= _GROUPS


class Folds:
    """Readers and checks by the folds they have not seen; each reader is fitted once.

    :param items: real questions and near misses.
    :param strangers: off-topic questions, gathered; they help to fit checks.
    :param trees: of a reader.
    """

    def __init__(
        self, items: Sequence[Item], strangers: Sequence[Gathered] = (), *, seed: int = 0, trees: int = 100
    ) -> None:
        self.items, self.strangers, self._seed, self._trees = list(items), list(strangers), seed, trees
        self.real = [item for item in self.items if not item.near]
        labels = np.array([item.answerable for item in self.real], np.int64)
        blank = Labelled(np.zeros((len(labels), 1), np.float32), labels, [item.group for item in self.real])
        self._fold: dict[str, int] = {}
        self.tests = [test for _, test in split(blank, folds=FOLDS, seed=seed)]
        """Places in `real` of each fold's questions."""
        for k, test in enumerate(self.tests):
            self._fold |= {self.real[int(i)].group: k for i in test}
        self._readers: dict[frozenset[int], Reader] = {}

    def reader(self, out: frozenset[int] = frozenset()) -> Reader:
        """A reader that saw nothing of the documents of these folds.

        :raises InputError: if no sentence of the others proves an answer.
        """
        if out not in self._readers:
            each = zip(*(self._sentences(item, out) for item in self._seen(out)), strict=True)
            rows, labels, weights = (np.concatenate(one) for one in each)
            chance = np.where(labels == 1, 1.0, min(1.0, _SENTENCES / len(labels))).astype(np.float32)
            taken = np.random.default_rng(self._seed).random(len(labels)) < chance
            trees = Boosted.fit(
                rows[taken], labels[taken], (weights / chance)[taken].astype(np.float32), trees=self._trees
            )
            self._readers[out] = Reader(trees)
        return self._readers[out]

    def scores(self, item: Item, out: frozenset[int]) -> FloatArray:
        """(n,) of the item's sentences, by the reader that saw nothing of these folds."""
        return self.reader(out).read(item.gathered.rows)

    def check(self, out: frozenset[int] = frozenset(), *, false_refusal: float) -> Answerability:
        """A check that saw nothing of these folds, fitted on what readers say of documents they have not seen."""
        real: list[tuple[FloatArray, int, str]] = []
        also: list[tuple[FloatArray, int, str]] = []
        draw = np.random.default_rng(self._seed)
        for item in self._seen(out):
            if item.near and draw.random() >= _NEAR_SHARE:
                continue
            hidden = out | {self._fold.get(item.group, 0)}
            row = judged_row(item.gathered, self.scores(item, hidden))
            (also if item.near else real).append((row, int(item.answerable), item.group))
        left = [k for k in range(len(self.tests)) if k not in out]
        for i, stranger in enumerate(self.strangers):
            scores = self.reader(out | {left[i % len(left)]}).read(stranger.rows)
            also.append((judged_row(stranger, scores), 0, f"off-topic/{i}"))
        return fit(_labelled(real), also=_labelled(also) if also else None, false_refusal=false_refusal, names=JUDGED)

    def helps(self) -> bool:
        """Whether the reader puts a proving passage first more often than retrieval does."""
        read, retrieved = self.gain()
        return read > retrieved

    def gain(self) -> tuple[float, float]:
        """Share of provable questions whose first passage proves the answer: in the reader's order, in the hybrid's.

        Each fold is read by a reader that has not seen it.
        """
        first: list[bool] = []
        before: list[bool] = []
        for k, test in enumerate(self.tests):
            for item in (self.real[int(i)] for i in test):
                if item.holds.any():
                    best = passage_scores(
                        self.scores(item, frozenset((k,))), item.gathered.places, len(item.gathered.reading.candidates)
                    )
                    first.append(bool(item.holds[item.gathered.places == int(np.argmax(best))].any()))
                    before.append(bool(item.holds[item.gathered.places == 0].any()))
        return (float(np.mean(first)), float(np.mean(before))) if first else (0.0, 0.0)

    def _seen(self, out: frozenset[int]) -> list[Item]:
        return [item for item in self.items if not any(self._fold.get(title) in out for title in item.touches)]

    def _sentences(self, item: Item, out: frozenset[int]) -> tuple[FloatArray, IntArray, FloatArray]:
        titles = [c.title for c in item.gathered.reading.candidates]
        seen = np.array([self._fold.get(title) not in out for title in titles], bool)[item.gathered.places]
        weight = np.full(int(seen.sum()), _NEAR_WEIGHT if item.near else 1.0, np.float32)
        return item.gathered.rows[seen], item.holds[seen].astype(np.int64), weight


def _holds(question: RagQuestion, gathered: Gathered) -> BoolArray:
    spans = [span for span in question.spans if span.strip()]
    told = [t.text for c in gathered.reading.candidates for t in c.facts.told]
    return np.array([bool(spans) and proves(text, spans) for text in told], bool)


def _cut(held: Held, text: str) -> Held:
    """The passage with this text instead, under an id that no other passage or cut has."""
    said = f"{held.id}\0{held.chunk.document_id}\0{text}".encode()
    id_ = _CUT_IDS + int.from_bytes(hashlib.blake2b(said, digest_size=6).digest(), "big")
    return Held(id_, replace(held.chunk, text=text, end=held.chunk.start + len(text)), held.source)


def _blocks(kept: Sequence[Held], knowledge: Knowledge) -> Iterator[Block]:
    """Vectors of changed passages under the retriever of their own language."""
    if kept:
        name = retrievers(knowledge, kept[0].chunk.language)[0]
        rows = {name: encode(name, [h.chunk for h in kept], knowledge)}
        yield Block(np.array([h.id for h in kept], np.int64), [tokens(h.chunk) for h in kept], rows)


def _title(knowledge: Knowledge, id_: str) -> str:
    held = knowledge.of_document(id_)
    return (held[0].chunk.title if held else "") or id_


def _labelled(rows: Sequence[tuple[FloatArray, int, str]]) -> Labelled:
    return Labelled(
        np.array([row for row, _, _ in rows], np.float32),
        np.array([label for _, label, _ in rows], np.int64),
        [group for _, _, group in rows],
    )
