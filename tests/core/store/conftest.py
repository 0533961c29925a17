from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from core.store import open_engine
from tests._postgres import database_url

__all__ = ["database_url"]


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()
