"""What the tests of names share: texts as the linker takes them."""

from __future__ import annotations

from datetime import UTC, datetime

from apps.finance_sentiment.entities import Linker
from apps.finance_sentiment.schemas import Incoming

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def incoming(title: str, body: str = "") -> Incoming:
    """A text without a source's details."""
    return Incoming("1", "test", NOON, title, body)


def named(linker: Linker, title: str, body: str = "") -> list[str]:
    """Ids of the companies in a text, in the order of their ids."""
    return sorted(mention.entity for mention in linker.find(incoming(title, body)))
