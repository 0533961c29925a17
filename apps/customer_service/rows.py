"""Plain values to rows and back, for the store.

Knows the shape of both sides; runs no SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from apps.customer_service.schemas import Citation, DocumentOut
from core.errors import InputError
from core.types import Chunk, Document, FloatArray, IntArray, Section

LONGEST_ID = 200
"""Characters; an id is a key, and PostgreSQL's index refuses rows over 2.7 kB."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A document ready to be stored."""

    document: Document
    chunks: Sequence[Chunk]
    vectors: Mapping[str, FloatArray] = field(default_factory=dict)
    """By encoder name, (len(chunks), d) float32."""

    def check(self) -> None:
        """:raises InputError: if the parts do not fit together."""
        key = self.document.id
        if not 0 < len(key) <= LONGEST_ID:
            raise InputError(f"Document id {key[:50]!r} has {len(key)} characters; it must have 1 to {LONGEST_ID}.")
        strangers = {c.document_id for c in self.chunks} - {key}
        if strangers:
            raise InputError(f"Chunks of {strangers.pop()!r} were given with document {key!r}.")
        for encoder, rows in self.vectors.items():
            if rows.ndim != 2 or len(rows) != len(self.chunks) or not np.isfinite(rows).all():
                raise InputError(
                    f"Vectors of {encoder} for document {key!r} are {rows.shape}; need ({len(self.chunks)}, d) "
                    "finite values."
                )


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What one write did to the passages: what an index must add and remove to follow."""

    revision: int
    added: IntArray
    """(n,) int64, in the order the chunks were given."""
    removed: IntArray
    """(m,) int64, ascending."""


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A passage with its row id and its document's source. `chunk.title` is the document's title."""

    id: int
    chunk: Chunk
    source: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the documents, and how many match in all."""

    documents: tuple[DocumentOut, ...]
    total: int


def document_row(document: Document, now: datetime) -> dict[str, Any]:
    """For `documents`."""
    return {
        "id": document.id,
        "title": document.title,
        "source": document.source,
        "language": document.language,
        "sha256": document.sha256,
        "text": document.text,
        "sections": [[list(s.headings), s.start, s.end, s.page] for s in document.sections],
        "metadata": dict(document.metadata),
        "updated_at": now,
    }


def chunk_rows(passages: Sequence[Chunk], first: int) -> list[dict[str, Any]]:
    """For `chunks`, with ids from `first`."""
    return [
        {
            "id": first + i,
            "document_id": c.document_id,
            "ordinal": c.ordinal,
            "start_char": c.start,
            "end_char": c.end,
            "text": c.text,
            "headings": list(c.headings),
            "page": c.page,
            "tokens": c.tokens,
            "language": c.language,
        }
        for i, c in enumerate(passages)
    ]


def vector_rows(vectors: Mapping[str, FloatArray], ids: Iterable[int]) -> list[dict[str, Any]]:
    """For `chunk_vectors`; packs each block once and cuts it into rows."""
    keys = list(ids)
    rows: list[dict[str, Any]] = []
    for encoder, block in vectors.items():
        packed, width = np.ascontiguousarray(block, dtype="<f4").tobytes(), block.shape[1] * 4
        rows += [
            {"encoder": encoder, "chunk_id": key, "vector": packed[i * width : (i + 1) * width]}
            for i, key in enumerate(keys)
        ]
    return rows


def to_document(row: sa.Row[Any]) -> Document:
    """From `documents`."""
    return Document(
        id=row.id,
        title=row.title,
        text=row.text,
        source=row.source,
        language=row.language,
        sha256=row.sha256,
        sections=tuple(Section(tuple(headings), start, end, page) for headings, start, end, page in row.sections),
        metadata=row.metadata,
    )


def to_document_out(row: sa.Row[Any]) -> DocumentOut:
    """From `documents` with a count of chunks, with or without text."""
    return DocumentOut.model_validate(dict(row._mapping))


def to_chunk(row: sa.Row[Any]) -> StoredChunk:
    """From `chunks` with the document's title and source."""
    chunk = Chunk(
        document_id=row.document_id,
        ordinal=row.ordinal,
        text=row.text,
        start=row.start_char,
        end=row.end_char,
        tokens=row.tokens,
        language=row.language,
        title=row.title,
        headings=tuple(row.headings),
        page=row.page,
    )
    return StoredChunk(row.id, chunk, row.source)


def citation_row(message_id: int, position: int, citation: Citation) -> dict[str, Any]:
    """For `citations`."""
    return {
        "message_id": message_id,
        "position": position,
        "number": citation.index,
        "document_id": citation.document_id,
        "chunk_id": citation.chunk_id,
        "title": citation.title,
        "headings": list(citation.headings),
        "source": citation.source,
        "quote": citation.quote,
        "start_char": citation.start,
        "end_char": citation.end,
    }


def to_citation(row: sa.Row[Any]) -> Citation:
    """From `citations`."""
    return Citation(
        index=row.number,
        document_id=row.document_id,
        chunk_id=row.chunk_id,
        title=row.title,
        headings=tuple(row.headings),
        source=row.source,
        quote=row.quote,
        start=row.start_char,
        end=row.end_char,
    )
