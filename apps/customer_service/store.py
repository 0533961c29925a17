"""The customer-service bot's storage: one object over SQLite or PostgreSQL, safe to share between threads.

Everything it takes and gives is a plain value of `core.types`, `schemas` or `rows`; no row or session leaves it.
"""

from __future__ import annotations

from types import TracebackType

import sqlalchemy as sa

from apps.customer_service.rows import Change, Entry, Page, StoredChunk
from apps.customer_service.store_conversations import ConversationStore
from apps.customer_service.store_documents import DocumentStore
from apps.customer_service.store_passages import PassageStore
from core.store import open_engine, transaction, upgrade

__all__ = ["APP", "Change", "Entry", "Page", "Store", "StoredChunk"]

APP = "customer_service"


class Store(DocumentStore, PassageStore, ConversationStore):
    """Documents with passages and vectors; conversations with messages and citations."""

    @classmethod
    def open(cls, url: str) -> Store:
        """Connect and bring the tables up to date.

        :param url: as for `core.store.open_engine`.
        :raises InputError: if the URL cannot work.
        :raises Unavailable: if the database does not answer.
        :raises Conflict: if it was written by a newer version.
        """
        engine = open_engine(url)
        try:
            upgrade(engine, APP)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine)

    def ping(self) -> None:
        """Ask the database for a sign of life.

        :raises Unavailable: if it does not answer.
        """
        with transaction(self.engine) as connection:
            connection.execute(sa.text("SELECT 1"))

    def close(self) -> None:
        """Close all connections; the store may not be used afterwards."""
        self.engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
