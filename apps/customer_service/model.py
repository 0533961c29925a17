"""All passages in memory: what a question finds, and how it is laid out for judging.

Composes encoders and indexes for this app. Knows passages, words and vectors; knows nothing of HTTP, SQL or prose.
"""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from apps.customer_service.settings import CustomerServiceSettings
from apps.customer_service.shelf import Held, Shelf, Survey, family
from core.backends.base import Encoder
from core.generate.evidence import Body, Evidence, Passage, Sentence
from core.index.hybrid import LEXICAL, Block, Fusion, HybridIndex, Query
from core.text import words
from core.types import Chunk, FloatArray, IntArray

__all__ = ["ENGLISH", "MULTILINGUAL", "Held", "Knowledge", "Survey", "encoded_text", "family", "tokens"]

ENGLISH, MULTILINGUAL = "english", "multilingual"
"""Names of the two dense retrievers."""

_CANDIDATES = 100
"""Of each retriever, before fusion."""
READ = 4  # passages whose sentences are compared with the question
_NAMED = 0.8
"""Coverage from which on a title counts as named."""
_CACHED = 4096
"""Passages whose sentence vectors are kept, and a sixteenth as many document bodies."""


class Knowledge:
    """Search over passages. Safe between threads: readers see the state before a change or after it.

    :param english: encodes English passages and questions; with a `multilingual` encoder alone it may be None.
    :param multilingual: encodes all passages, for other languages and across languages; None switches both off.
    """

    def __init__(
        self,
        english: Encoder | None,
        multilingual: Encoder | None,
        settings: CustomerServiceSettings,
        *,
        threads: int = 1,
    ) -> None:
        self.english, self.multilingual, self.settings = english, multilingual, settings
        dimensions = {ENGLISH: english, MULTILINGUAL: multilingual}
        index = HybridIndex({n: e.dimension for n, e in dimensions.items() if e is not None}, threads=threads)
        self._shelf = Shelf.of(index, {})
        self._writing = threading.Lock()
        self._sentences: OrderedDict[int, FloatArray] = OrderedDict()
        self._bodies: OrderedDict[tuple[str, int], Body] = OrderedDict()
        self._caching = threading.Lock()

    def __len__(self) -> int:
        return len(self._shelf.passages)

    @property
    def index(self) -> HybridIndex:
        """The present index. Read only: changes go through the methods below."""
        return self._shelf.index

    @property
    def passages(self) -> Mapping[int, Held]:
        """The present passages by id."""
        return self._shelf.passages

    @property
    def languages(self) -> frozenset[str]:
        """Families of the passages."""
        return frozenset(self._shelf.families)

    def encoder(self, language: str) -> tuple[str, Encoder]:
        """The dense retriever that serves questions of this language among passages of the same one."""
        if family(language) == "en" and self.english is not None:
            return ENGLISH, self.english
        if self.multilingual is not None:
            return MULTILINGUAL, self.multilingual
        assert self.english is not None
        return ENGLISH, self.english

    def update(self, removed: IntArray | Sequence[int], held: Sequence[Held], vectors: Sequence[Block] = ()) -> None:
        """Remove passages and add others in one step.

        :param vectors: blocks of passages of `held`, tokens and rows; the others are found by words alone.
        """
        with self._writing:
            old = self._shelf
            gone = {int(i) for i in removed}
            passages = {i: p for i, p in old.passages.items() if i not in gone} | {p.id: p for p in held}
            named = {id_ for block in vectors for id_ in np.asarray(block.ids).tolist()}
            bare = [p for p in held if p.id not in named]
            index = old.index.clone()
            index.update(list(gone), [*vectors, Block([p.id for p in bare], [tokens(p.chunk) for p in bare])])
            self._shelf = Shelf.of(index, passages, old)

    def add_vectors(self, name: str, ids: IntArray, rows: FloatArray) -> None:
        """Give passages vectors of one more retriever; ids that are not there are passed over."""
        with self._writing:
            old = self._shelf
            there = np.array([int(i) in old.passages for i in ids], dtype=bool)
            index = old.index.clone()
            index.add_vectors(name, ids[there], rows[there])
            self._shelf = replace(old, index=index)

    def restore(self, index: HybridIndex, held: Sequence[Held]) -> None:
        """Take over an index that was loaded, with its passages."""
        with self._writing:
            self._shelf = Shelf.of(index, {p.id: p for p in held})

    def rebuild(self, held: Sequence[Held], vectors: Mapping[str, Iterable[tuple[IntArray, FloatArray]]]) -> None:
        """Replace everything.

        :param vectors: by retriever, blocks of ids and rows.
        """
        with self._writing:
            index = self._shelf.index.clone()
            index.rebuild([([p.id for p in held], [tokens(p.chunk) for p in held])], vectors)
            self._shelf = Shelf.of(index, {p.id: p for p in held})

    def search(self, question: str, language: str, *, k: int | None = None, across: bool = False) -> list[Passage]:
        """The best passages, best first.

        :param across: search the passages of all other languages, by meaning first, instead of those of this one.
        """
        return self._search(self._shelf, question, language, across)[0][: k or self.settings.passages]

    def _search(
        self, shelf: Shelf, question: str, language: str, across: bool
    ) -> tuple[list[Passage], FloatArray | None]:
        """All candidates, best first, and the question's vector."""
        home = family(language)
        if across and self.multilingual is None:
            return [], None
        name, encoder = self._retriever(language, across)
        allowed = self._allowed(shelf, home, across)
        if allowed is not None and not len(allowed):
            return [], None
        terms = words(question, language, stem=True)
        vector = encoder.encode([question])[0]
        fusion = Fusion({LEXICAL: 1.0, name: 1.0}, depth=_CANDIDATES)
        hits = shelf.index.search(Query(terms, {name: vector}), fusion, 2 * _CANDIDATES, allowed=allowed)
        bound = sum(shelf.index.lexical.idf(term) for term in terms) or 1.0
        named = shelf.titles.coverage(terms)
        found = []
        for hit in hits:
            held = shelf.passages.get(hit.id)
            if held is None:
                continue
            lexical = hit.parts.get(LEXICAL, 0.0) / bound
            dense = hit.parts.get(name, 0.0)
            title = float(named[shelf.titles.rows[held.chunk.document_id]])
            score = self._score(lexical, dense, title, home, across=across)
            found.append(_passage(held, lexical, dense, title, score))
        found.sort(key=lambda p: (-p.score, p.id))
        return found, vector

    def evidence(self, question: str, language: str, *, k: int | None = None, across: bool = False) -> Evidence:
        """Passages and the sentences of the best, compared with the question, for judging and quoting."""
        return self.survey(question, language, k=k, across=across).evidence

    def survey(self, question: str, language: str, *, k: int | None = None, across: bool = False) -> Survey:
        """The evidence with all candidates beside it, for a reader to look further down."""
        shelf = self._shelf
        candidates, vector = self._search(shelf, question, language, across)
        passages = candidates[: max(k or 0, self.settings.passages)]
        found = [
            Sentence(p, start, end, float(similarity))
            for p, row in zip(passages, self.similar(vector, passages[:READ], language, across=across), strict=False)
            for (start, end), similarity in zip(p.spans, row, strict=True)
        ]
        coverage = shelf.titles.coverage(words(question, language, stem=True))
        rows = np.flatnonzero(coverage >= _NAMED)[:8].tolist()
        keys = [shelf.titles.keys[row] for row in rows] or [p.document_id for p in passages[:1]]
        named_rows = rows or [shelf.titles.rows[p.document_id] for p in passages[:1]]
        named_terms = frozenset().union(*(shelf.titles.terms[row] for row in named_rows)) if named_rows else frozenset()
        evidence = Evidence(
            question,
            family(language),
            passages,
            found,
            shelf.index.lexical.idf,
            [self._body(shelf, key) for key in keys],
            len(rows),
            named_terms,
        )
        return Survey(evidence, candidates, vector, shelf, coverage)

    def similar(
        self, vector: FloatArray | None, read: Sequence[Passage], language: str, *, across: bool = False
    ) -> list[FloatArray]:
        """For each passage, (sentences,) float32 cosines to the question's vector; vectors of sentences are kept."""
        if not read or vector is None:
            return []
        name, encoder = self._retriever(language, across)
        key = {p.id: p.id * 2 + (name == MULTILINGUAL) for p in read}
        with self._caching:
            cached = {p.id: self._sentences[key[p.id]] for p in read if key[p.id] in self._sentences}
        missing = [p for p in read if p.id not in cached]
        texts = [p.text[start:end] for p in missing for start, end in p.spans]
        rows = encoder.encode(texts) if texts else np.zeros((0, len(vector)), np.float32)
        at = 0
        for p in missing:
            cached[p.id] = rows[at : at + len(p.spans)]
            at += len(p.spans)
        with self._caching:
            for p in read:
                self._sentences[key[p.id]] = cached[p.id]
                self._sentences.move_to_end(key[p.id])
            while len(self._sentences) > _CACHED:
                self._sentences.popitem(last=False)
        return [cached[p.id] @ vector for p in read]

    def changed(self, removed: Sequence[int], held: Sequence[Held], vectors: Sequence[Block]) -> Knowledge:
        """A knowledge of its own with these passages taken out and put in; this one stays as it is.

        :param held: under ids that no passage ever had, so that what is kept of sentences fits both.
        """
        other = copy.copy(self)
        other._writing, other._bodies = threading.Lock(), OrderedDict()
        other.update(removed, held, vectors)
        return other

    def held(self, id_: int) -> Held | None:
        """A passage by its id."""
        return self._shelf.passages.get(id_)

    def of_document(self, document_id: str) -> list[Held]:
        """The passages of a document; empty where there is no such document."""
        shelf = self._shelf
        return [shelf.passages[id_] for id_ in shelf.by_document.get(document_id, ())]

    def _retriever(self, language: str, across: bool) -> tuple[str, Encoder]:
        if across and self.multilingual is not None:
            return MULTILINGUAL, self.multilingual
        return self.encoder(language)

    def _score(self, lexical: float, dense: float, title: float, home: str, *, across: bool) -> float:
        s = self.settings
        if across:
            return dense + 0.2 * lexical + s.title_weight * title
        weight = s.dense_weight_en if home == "en" and self.english is not None else s.dense_weight_other
        return s.lexical_weight * lexical + weight * dense + s.title_weight * title

    @staticmethod
    def _allowed(shelf: Shelf, home: str, across: bool) -> IntArray | None:
        if not across and set(shelf.families) <= {home}:
            return None
        chosen = [ids for name, ids in shelf.families.items() if (name != home) == across]
        return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, np.int64)

    def _body(self, shelf: Shelf, document_id: str) -> Body:
        ids = shelf.by_document[document_id]
        key = (document_id, ids[-1])
        with self._caching:
            if key in self._bodies:
                self._bodies.move_to_end(key)
                return self._bodies[key]
        chunks = [shelf.passages[i].chunk for i in ids]
        headings = " ".join(dict.fromkeys(h for c in chunks for h in c.headings))
        text = "\n".join(c.text for c in chunks)
        body = Body.of(chunks[0].title, f"{headings}\n{text}", family(chunks[0].language))
        with self._caching:
            self._bodies[key] = body
            while len(self._bodies) > _CACHED // 16:
                self._bodies.popitem(last=False)
        return body


def tokens(chunk: Chunk) -> list[str]:
    """Stemmed words of a passage with its title and headings, for the lexical index."""
    return words(f"{chunk.context}\n{chunk.text}", chunk.language, stem=True)


def encoded_text(chunk: Chunk) -> str:
    """What the encoder reads of a passage: what it is about, then its text."""
    return f"{chunk.context}. {chunk.text}" if chunk.context else chunk.text


def _passage(held: Held, lexical: float, dense: float, title: float, score: float) -> Passage:
    chunk = held.chunk
    return Passage(
        held.id,
        chunk.document_id,
        chunk.context,
        chunk.text,
        chunk.start,
        lexical,
        dense,
        title,
        score,
        family(chunk.language),
    )
