"""The finance monitor's storage: one object over SQLite or PostgreSQL, safe to share between threads.

Everything it takes and gives is a plain value; no row or session leaves it.
"""

from __future__ import annotations

from types import TracebackType

import sqlalchemy as sa

from apps.finance_sentiment.store_counts import CountStore
from apps.finance_sentiment.store_rules import RuleState, RuleStore
from apps.finance_sentiment.store_texts import Recorded, StoredText, TextStore
from apps.finance_sentiment.tables import state
from core.store import open_engine, transaction, upgrade

__all__ = ["APP", "Recorded", "RuleState", "Store", "StoredText"]

APP = "finance_sentiment"


class Store(TextStore, CountStore, RuleStore):
    """Texts with stories and companies; counts by time; rules and what they learned."""

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

    def revision(self) -> int:
        """Rises by one with every batch of texts that is stored, by whichever process."""
        with transaction(self.engine) as connection:
            return int(connection.execute(sa.select(state.c.revision)).scalar_one())

    def close(self) -> None:
        """Close all connections; the store may not be used afterwards."""
        self.engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
