"""Storage: engines, transactions, portable columns and the migrations runner.

Knows SQLAlchemy and alembic; knows no table of any app.
"""

from __future__ import annotations

from core.store.engine import open_engine, retrying, transaction
from core.store.migrate import current, upgrade

__all__ = ["current", "open_engine", "retrying", "transaction", "upgrade"]
