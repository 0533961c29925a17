"""Documents to passages, and passages to vectors: the same for an ingest and for an evaluation in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from apps.customer_service.model import ENGLISH, MULTILINGUAL, Held, Knowledge, encoded_text, family, tokens
from core.backends.base import Encoder
from core.index.hybrid import Block
from core.text import chunk_many
from core.types import Chunk, Document, FloatArray

_TOGETHER = 64
"""Passages of one call of the encoder."""


@dataclass(frozen=True, eq=False)
class Stored:
    """Passages that are committed and not yet shown; all of one language."""

    held: Sequence[Held]
    words: Sequence[Sequence[str]]
    """For the lexical index."""
    rows: dict[str, FloatArray]
    """By retriever, (len(held), d) float32."""


def cut(documents: Sequence[Document], knowledge: Knowledge) -> list[list[Chunk]]:
    """Passages of each document, bounded in tokens of the encoder of its language."""
    groups: dict[int, tuple[Encoder, list[int]]] = {}
    for row, document in enumerate(documents):
        _, encoder = knowledge.encoder(document.language)
        groups.setdefault(id(encoder), (encoder, []))[1].append(row)
    found: list[list[Chunk]] = [[] for _ in documents]
    for encoder, rows in groups.values():
        bound = min(knowledge.settings.passage_tokens, encoder.max_tokens)
        lists = chunk_many([documents[r] for r in rows], count_tokens=encoder.count_tokens, max_tokens=bound)
        for row, chunks in zip(rows, lists, strict=True):
            found[row] = chunks
    return found


def retrievers(knowledge: Knowledge, language: str) -> list[str]:
    """Dense retrievers that hold passages of a language: its own first, then the one that serves across languages."""
    own, _ = knowledge.encoder(language)
    names = [own]
    if knowledge.multilingual is not None and own != MULTILINGUAL:
        names.append(MULTILINGUAL)
    return names


def encode(name: str, chunks: Sequence[Chunk], knowledge: Knowledge) -> FloatArray:
    """(n, d) float32 rows of passages under a dense retriever.

    Passages of like length go together, and few at a time, so that a question never waits behind many.
    """
    encoder = knowledge.english if name == ENGLISH else knowledge.multilingual
    assert encoder is not None
    texts = [encoded_text(c) for c in chunks]
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    rows = np.empty((len(texts), encoder.dimension), np.float32)
    for start in range(0, len(order), _TOGETHER):
        part = order[start : start + _TOGETHER]
        rows[part] = encoder.encode([texts[i] for i in part])
    return rows


def vectors_of(
    documents: Sequence[Document], lists: Sequence[Sequence[Chunk]], knowledge: Knowledge, *, across: bool = False
) -> list[dict[str, FloatArray]]:
    """For each document, rows of its passages by retriever.

    :param lists: the passages of each document.
    :param across: also for the retriever that serves across languages, not only for the one of the document's own.
    """
    vectors: list[dict[str, FloatArray]] = [{} for _ in documents]
    for name in (ENGLISH, MULTILINGUAL):
        mine = [i for i, d in enumerate(documents) if name in retrievers(knowledge, d.language)[: 1 + across]]
        if not mine:
            continue
        rows = encode(name, [c for i in mine for c in lists[i]], knowledge)
        ends = np.cumsum([len(lists[i]) for i in mine])
        for i, part in zip(mine, np.split(rows, ends[:-1]), strict=True):
            vectors[i][name] = part
    return vectors


def block_of(names: Sequence[str], group: Sequence[Stored]) -> Block:
    """Stored passages that have rows of the same retrievers, as the index takes them."""
    held = [h for stored in group for h in stored.held]
    rows = {name: np.concatenate([stored.rows[name] for stored in group]) for name in names}
    return Block(np.array([h.id for h in held], np.int64), [said for stored in group for said in stored.words], rows)


def fill(documents: Sequence[Document], knowledge: Knowledge) -> int:
    """Put documents into an empty knowledge in memory; how many passages they gave."""
    chunks = [c for cs in cut(documents, knowledge) for c in cs]
    sources = {d.id: d.source for d in documents}
    held = [Held(i, c, sources[c.document_id]) for i, c in enumerate(chunks, start=1)]
    blocks = []
    for home in sorted({family(c.language) for c in chunks}):
        mine = [h for h in held if family(h.chunk.language) == home]
        rows = {name: encode(name, [h.chunk for h in mine], knowledge) for name in retrievers(knowledge, home)}
        blocks.append(Block(np.array([h.id for h in mine], np.int64), [tokens(h.chunk) for h in mine], rows))
    knowledge.update([], held, blocks)
    return len(held)
