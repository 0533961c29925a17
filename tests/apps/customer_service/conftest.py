"""A bot with five small documents, and a library without any."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.customer_service.library import Library
from tests.apps.customer_service._bot import FILES, Bot, open_bot
from tests.apps.customer_service._library import shelves


@pytest.fixture
def empty_bot(tmp_path: Path) -> Iterator[Bot]:
    with open_bot(tmp_path / "home") as bot:
        yield bot


@pytest.fixture
def bot(empty_bot: Bot) -> Bot:
    report = empty_bot.ingest(empty_bot.write(FILES))
    assert report.count("added") == len(FILES)
    return empty_bot


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return shelves(tmp_path)
