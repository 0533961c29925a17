"""Fits a reader on labelled questions, and the answerability check beside it, each on other documents than it judges.

Knows gathered questions; nothing of files, stores or settings. A fold is a set of documents: a training question that
touches one of them is dropped, and so are their passages among the candidates of the others. A question is judged
without the folds of all its documents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from apps.customer_service.data import RagQuestion
from apps.customer_service.folds import DocumentFolds
from apps.customer_service.model import Held, Knowledge, tokens
from apps.customer_service.pairs import proves, without
from apps.customer_service.passages import encode, retrievers
from apps.customer_service.reading import Gathered, Gatherer, judged_row
from core.errors import InputError
from core.evaluate.labels import BoolArray
from core.generate.answerability import Answerability, Labelled, fit
from core.generate.reader import JUDGED, Reader, passage_scores
from core.heads.boosted import Boosted
from core.index.hybrid import Block
from core.text import detect_language
from core.types import FloatArray, IntArray

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
    """Title of its first document."""
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
        touches = [(item.group, *sorted(item.touches - {item.group})) for item in self.real]
        self.documents = DocumentFolds(touches, [item.answerable for item in self.real], seed=seed)
        """Which questions (places in `real`) are judged without which folds."""
        self._readers: dict[frozenset[int], Reader | None] = {}

    def reader(self, out: frozenset[int] = frozenset()) -> Reader:
        """A reader that saw nothing of the documents of these folds.

        :raises InputError: if no sentence of the others proves an answer.
        """
        found = self._reader(out)
        if found is None:
            raise InputError("The other documents have no question with spans; label some about more documents.")
        return found

    def scores(self, item: Item, out: frozenset[int]) -> FloatArray:
        """(n,) of the item's sentences, by the reader that saw nothing of these folds."""
        return self.reader(out).read(item.gathered.rows)

    def check(self, out: frozenset[int] = frozenset(), *, false_refusal: float) -> Answerability:
        """A check that saw nothing of these folds, fitted on what readers say of documents they have not seen.

        :raises InputError: if the others are about too few documents.
        """
        real: list[tuple[FloatArray, int, str]] = []
        also: list[tuple[FloatArray, int, str]] = []
        draw = np.random.default_rng(self._seed)
        for item in self._seen(out):
            if item.near and draw.random() >= _NEAR_SHARE:
                continue
            hidden = out | self.documents.of(item.touches)
            if self._reader(hidden) is None:
                continue
            row = judged_row(item.gathered, self.scores(item, hidden))
            group = self.documents.cluster.get(item.group, item.group)
            (also if item.near else real).append((row, int(item.answerable), group))
        left = [out | {k} for k in range(self.documents.count) if k not in out and self._reader(out | {k})]
        for i, stranger in enumerate(self.strangers if left else []):
            scores = self.reader(left[i % len(left)]).read(stranger.rows)
            also.append((judged_row(stranger, scores), 0, f"off-topic/{i}"))
        if not real:
            raise InputError("The labelled questions are about too few documents; label some about others.")
        return fit(_labelled(real), also=_labelled(also) if also else None, false_refusal=false_refusal, names=JUDGED)

    def gain(self) -> tuple[float, float]:
        """Share of provable questions whose first passage proves the answer: in the reader's order, in the hybrid's.

        Each question is read by a reader that has seen none of its documents; those that no reader is left for are not
        counted.
        """
        first: list[bool] = []
        before: list[bool] = []
        for out, test in self.documents.tests.items():
            for item in (self.real[int(i)] for i in test):
                if item.holds.any() and self._reader(out) is not None:
                    best = passage_scores(
                        self.scores(item, out), item.gathered.places, len(item.gathered.reading.candidates)
                    )
                    first.append(bool(item.holds[item.gathered.places == int(np.argmax(best))].any()))
                    before.append(bool(item.holds[item.gathered.places == 0].any()))
        return (float(np.mean(first)), float(np.mean(before))) if first else (0.0, 0.0)

    def _reader(self, out: frozenset[int]) -> Reader | None:
        """None where nothing is left that proves an answer, or nothing else."""
        if out not in self._readers:
            self._readers[out] = self._fitted(out)
        return self._readers[out]

    def _fitted(self, out: frozenset[int]) -> Reader | None:
        parts = [self._sentences(item, out) for item in self._seen(out)]
        if not parts:
            return None
        rows, labels, weights = (np.concatenate(one) for one in zip(*parts, strict=True))
        chance = np.where(labels == 1, 1.0, min(1.0, _SENTENCES / max(1, len(labels)))).astype(np.float32)
        taken = np.random.default_rng(self._seed).random(len(labels)) < chance
        if len(np.unique(labels[taken])) < 2:
            return None
        trees = Boosted.fit(rows[taken], labels[taken], (weights / chance)[taken].astype(np.float32), trees=self._trees)
        return Reader(trees)

    def _seen(self, out: frozenset[int]) -> list[Item]:
        return [item for item in self.items if out.isdisjoint(self.documents.of(item.touches))]

    def _sentences(self, item: Item, out: frozenset[int]) -> tuple[FloatArray, IntArray, FloatArray]:
        titles = [c.title for c in item.gathered.reading.candidates]
        seen = np.array([self.documents.fold.get(title) not in out for title in titles], bool)[item.gathered.places]
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
