"""Documents in SQL, written together with their passages and vectors: the truth that every index is derived from.

Knows the tables and plain values; knows neither FAISS nor encoders. `Store` in store.py is what others use.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import sqlalchemy as sa

from apps.customer_service.rows import (
    Change,
    Entry,
    Page,
    chunk_rows,
    document_row,
    to_document,
    to_document_out,
    vector_rows,
)
from apps.customer_service.schemas import DocumentOut
from apps.customer_service.store_passages import next_revision, parts
from apps.customer_service.tables import chunk_vectors, chunks, documents
from core.errors import InputError, NotFound
from core.store import retrying, transaction
from core.types import Document, IntArray


class DocumentStore:
    """The part of `Store` that keeps documents."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    # Writing

    def put_document(self, entry: Entry) -> Change:
        """Add a document or replace it whole; see `put_documents`."""
        return self.put_documents([entry])

    def put_documents(self, entries: Sequence[Entry]) -> Change:
        """Add documents, or replace those with the same id, passages and vectors included, in one transaction.

        :returns: ids of the new passages, in the order of `entries` and their chunks; ids that are gone; the revision.
        :raises InputError: if an id comes twice or is not 1 to 200 characters long, if a chunk belongs to another
            document, or if a vector block is not (chunks, d) and finite.
        """
        for entry in entries:
            entry.check()
        ids = [entry.document.id for entry in entries]
        if len(set(ids)) < len(ids):
            twice = sorted({i for i in ids if ids.count(i) > 1})
            raise InputError(f"Document ids come twice in one batch: {', '.join(twice[:5])}. Give each its own.")
        total = sum(len(entry.chunks) for entry in entries)
        now = datetime.now(UTC)

        def work(connection: sa.Connection) -> Change:
            revision, first = next_revision(connection, total)
            removed = _remove(connection, ids)
            if entries:
                connection.execute(documents.insert(), [document_row(entry.document, now) for entry in entries])
            position = first
            new_chunks, new_vectors = [], []
            for entry in entries:
                new_chunks += chunk_rows(entry.chunks, position)
                new_vectors += vector_rows(entry.vectors, range(position, position + len(entry.chunks)))
                position += len(entry.chunks)
            if new_chunks:
                connection.execute(chunks.insert(), new_chunks)
            if new_vectors:
                connection.execute(chunk_vectors.insert(), new_vectors)
            return Change(revision, np.arange(first, first + total, dtype=np.int64), removed)

        return retrying(self.engine, work)

    def delete_document(self, document_id: str) -> Change:
        """Delete a document with its passages and vectors. Citations of it in conversations stay.

        :raises NotFound: if there is no such document.
        """

        def work(connection: sa.Connection) -> Change:
            revision, _ = next_revision(connection)
            if connection.execute(sa.select(documents.c.id).where(documents.c.id == document_id)).first() is None:
                raise NotFound(f"There is no document {document_id!r}.")
            return Change(revision, np.empty(0, np.int64), _remove(connection, [document_id]))

        return retrying(self.engine, work)

    def delete_documents(self, document_ids: Sequence[str]) -> Change:
        """Delete documents in one transaction; ids that are not there are passed over."""

        def work(connection: sa.Connection) -> Change:
            revision, _ = next_revision(connection)
            return Change(revision, np.empty(0, np.int64), _remove(connection, document_ids))

        return retrying(self.engine, work)

    # Reading documents

    def hashes(self) -> dict[str, str]:
        """SHA-256 by document id: what an incremental ingest compares."""
        return self._column(documents.c.sha256)

    def sources(self) -> dict[str, str]:
        """Source by document id: what `ingest --sync` compares with the files that are there."""
        return self._column(documents.c.source)

    def _column(self, column: sa.Column[str]) -> dict[str, str]:
        with transaction(self.engine) as connection:
            rows = connection.execute(sa.select(documents.c.id, column).order_by(documents.c.id))
            return {row[0]: row[1] for row in rows}

    def get_document(self, document_id: str) -> Document:
        """The document as it was put.

        :raises NotFound: if there is no such document.
        """
        with transaction(self.engine) as connection:
            row = connection.execute(sa.select(documents).where(documents.c.id == document_id)).one_or_none()
        if row is None:
            raise NotFound(f"There is no document {document_id!r}.")
        return to_document(row)

    def describe_document(self, document_id: str, *, with_text: bool = True) -> DocumentOut:
        """The document as the API shows it.

        :raises NotFound: if there is no such document.
        """
        with transaction(self.engine) as connection:
            row = connection.execute(_outline(with_text).where(documents.c.id == document_id)).one_or_none()
        if row is None:
            raise NotFound(f"There is no document {document_id!r}.")
        return to_document_out(row)

    def list_documents(self, query: str = "", *, limit: int = 50, offset: int = 0) -> Page:
        """Documents by title, without their texts.

        :param query: words of the title or source, upper and lower case alike; empty means all.
        :param limit: 0 to 1000 documents.
        :param offset: documents to pass over.
        :raises InputError: if limit or offset is out of range.
        """
        if not 0 <= limit <= 1000 or offset < 0:
            raise InputError(f"limit {limit} must be in 0..1000 and offset {offset} at least 0.")
        matches: sa.ColumnElement[bool] = sa.true()
        for word in query.split():
            matches &= documents.c.title.icontains(word, autoescape=True) | documents.c.source.icontains(
                word, autoescape=True
            )
        with transaction(self.engine) as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(documents).where(matches)).scalar_one()
            rows = connection.execute(
                _outline(False).where(matches).order_by(documents.c.title, documents.c.id).limit(limit).offset(offset)
            ).all()
        return Page(tuple(to_document_out(row) for row in rows), int(total))


def _remove(connection: sa.Connection, document_ids: Sequence[str]) -> IntArray:
    """Delete documents; passages and vectors go with them. The passages' ids, ascending."""
    removed: list[int] = []
    for part in parts(document_ids):
        removed += connection.execute(sa.select(chunks.c.id).where(chunks.c.document_id.in_(part))).scalars()
        connection.execute(documents.delete().where(documents.c.id.in_(part)))
    return np.array(sorted(removed), dtype=np.int64)


def _outline(with_text: bool) -> sa.Select[tuple[object, ...]]:
    count = sa.select(sa.func.count()).where(chunks.c.document_id == documents.c.id).scalar_subquery()
    columns = [c for c in documents.c if c.name not in {"text", "sections", "metadata"}]
    return sa.select(*columns, *([documents.c.text] if with_text else []), count.label("chunks"))
