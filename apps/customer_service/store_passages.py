"""Passages and their vectors in SQL, as an index or an answer reads them.

Knows the tables and plain values; knows neither FAISS nor encoders. `Store` in store.py is what others use.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import sqlalchemy as sa

from apps.customer_service.rows import StoredChunk, to_chunk, vector_rows
from apps.customer_service.tables import chunk_vectors, chunks, documents, state
from core.errors import InputError
from core.store import retrying, transaction
from core.types import FloatArray, IntArray

T = TypeVar("T")

MANY = 500
"""Values in one IN list; SQLite's own limit is 32,766."""


class PassageStore:
    """The part of `Store` that reads passages and vectors."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def revision(self) -> int:
        """Grows by one with each change of passages or vectors; an index of the same revision is fresh."""
        with transaction(self.engine) as connection:
            return int(connection.execute(sa.select(state.c.index_revision)).scalar_one())

    def chunks(self, ids: Sequence[int] | IntArray) -> list[StoredChunk]:
        """Passages in the order of `ids`; an id that is gone is passed over."""
        wanted = [int(i) for i in ids]
        found: dict[int, StoredChunk] = {}
        with transaction(self.engine) as connection:
            for part in parts(wanted):
                rows = connection.execute(_passages().where(chunks.c.id.in_(part)))
                found |= {row.id: to_chunk(row) for row in rows}
        return [found[i] for i in wanted if i in found]

    def document_chunks(self, document_id: str) -> list[StoredChunk]:
        """A document's passages in their order; empty if it has none or is not there."""
        with transaction(self.engine) as connection:
            rows = connection.execute(_passages().where(chunks.c.document_id == document_id).order_by(chunks.c.ordinal))
            return [to_chunk(row) for row in rows]

    def chunk_ids(self) -> IntArray:
        """(n,) int64, ascending: what an index of another process compares with its own ids."""
        with transaction(self.engine) as connection:
            ids = connection.execute(sa.select(chunks.c.id).order_by(chunks.c.id)).scalars().all()
        return np.array(ids, dtype=np.int64)

    def iter_chunks(self, *, after: int = 0, block: int = 1024) -> Iterator[list[StoredChunk]]:
        """All passages by ascending id, in blocks; with `after`, those with greater ids, which are the later ones."""
        while True:
            with transaction(self.engine) as connection:
                rows = connection.execute(_passages().where(chunks.c.id > after).order_by(chunks.c.id).limit(block))
                passages = [to_chunk(row) for row in rows]
            if not passages:
                return
            yield passages
            after = passages[-1].id

    def iter_vectors(self, encoder: str, *, after: int = 0, block: int = 2048) -> Iterator[tuple[IntArray, FloatArray]]:
        """One encoder's vectors by ascending passage id, in blocks of ids (n,) int64 and rows (n, d) float32.

        Each block is read in a transaction of its own. Read `revision` before the first block: what changes
        meanwhile then shows as a later revision.
        """
        raw = sa.type_coerce(chunk_vectors.c.vector, sa.LargeBinary)
        while True:
            query = (
                sa.select(chunk_vectors.c.chunk_id, raw)
                .where(chunk_vectors.c.encoder == encoder, chunk_vectors.c.chunk_id > after)
                .order_by(chunk_vectors.c.chunk_id)
                .limit(block)
            )
            with transaction(self.engine) as connection:
                rows = connection.execute(query).all()
            if not rows:
                return
            values = np.frombuffer(b"".join(row[1] for row in rows), dtype="<f4").astype(np.float32, copy=False)
            yield np.array([row[0] for row in rows], dtype=np.int64), values.reshape(len(rows), -1)
            after = int(rows[-1][0])

    def iter_without_vectors(self, encoder: str, *, block: int = 256) -> Iterator[list[StoredChunk]]:
        """Passages that lack this encoder's vector, in blocks by ascending id: what a changed encoder must do."""
        there = sa.exists().where(chunk_vectors.c.encoder == encoder, chunk_vectors.c.chunk_id == chunks.c.id)
        after = 0
        while True:
            query = _passages().where(chunks.c.id > after, ~there).order_by(chunks.c.id).limit(block)
            with transaction(self.engine) as connection:
                passages = [to_chunk(row) for row in connection.execute(query)]
            if not passages:
                return
            yield passages
            after = passages[-1].id

    def put_vectors(self, encoder: str, ids: IntArray, rows: FloatArray) -> int:
        """Store one encoder's vectors of passages that are there, replacing earlier ones.

        Passages that were deleted meanwhile are passed over.

        :param ids: (n,) int64 passage ids.
        :param rows: (n, d) float32.
        :returns: the new revision.
        :raises InputError: if shapes disagree or a value is not finite.
        """
        if rows.ndim != 2 or len(rows) != len(ids) or not np.isfinite(rows).all():
            raise InputError(f"Vectors of {encoder} are {rows.shape}; need ({len(ids)}, d) finite values.")

        def work(connection: sa.Connection) -> int:
            revision, _ = next_revision(connection)
            there = set(_existing(connection, ids).tolist())
            keep = [i for i, chunk_id in enumerate(ids.tolist()) if chunk_id in there]
            for part in parts([int(ids[i]) for i in keep]):
                connection.execute(
                    chunk_vectors.delete().where(chunk_vectors.c.encoder == encoder, chunk_vectors.c.chunk_id.in_(part))
                )
            if keep:
                new = vector_rows({encoder: rows[keep]}, [int(ids[i]) for i in keep])
                connection.execute(chunk_vectors.insert(), new)
            return revision

        return retrying(self.engine, work)


def next_revision(connection: sa.Connection, new_chunks: int = 0) -> tuple[int, int]:
    """Lock the state row; the new revision and the first of `new_chunks` fresh ids."""
    row = connection.execute(
        state.update()
        .values(index_revision=state.c.index_revision + 1, next_chunk_id=state.c.next_chunk_id + new_chunks)
        .returning(state.c.index_revision, state.c.next_chunk_id)
    ).one()
    return int(row[0]), int(row[1]) - new_chunks


def _existing(connection: sa.Connection, ids: IntArray) -> IntArray:
    found: list[int] = []
    for part in parts([int(i) for i in ids]):
        found += connection.execute(sa.select(chunks.c.id).where(chunks.c.id.in_(part))).scalars()
    return np.array(found, dtype=np.int64)


def parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """The values in runs short enough for one IN list."""
    for start in range(0, len(values), MANY):
        yield values[start : start + MANY]


def _passages() -> sa.Select[tuple[object, ...]]:
    return sa.select(*chunks.c, documents.c.title, documents.c.source).join(documents)
