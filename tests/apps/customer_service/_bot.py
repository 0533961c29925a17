"""The real service over fake encoders, on a real database in a temporary folder; and over the real models.

The check of the fake bot says yes where one sentence holds most of the question's words: fitted like the shipped one,
on made-up feature rows of which only that feature tells anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from apps.customer_service.schemas import Answer, Delta, IngestReport, Question
from apps.customer_service.service import Service, build_service
from apps.customer_service.settings import CustomerServiceSettings
from core.backends.base import Encoder, Generator
from core.backends.fake import FakeEncoder
from core.generate.answerability import Answerability, Labelled, fit
from core.generate.features import FEATURES

T = TypeVar("T")

RETURNS = (
    "# Returns policy\n\nYou can return a lamp within 30 days of delivery. The lamp must be unused and in its box.\n\n"
    "## Refunds\n\nRefunds are paid within 5 working days to the card you paid with. Shipping costs are not refunded.\n"
)
FEES = (
    "# Evergreen account fees\n\nThe early closure fee for Evergreen is $50 within 90 days of opening. "
    "There is no monthly fee.\n"
)
SILVER = "# Silver membership\n\nSilver members pay 4 euros a month. Silver members get free delivery.\n"
GOLD = "# Gold membership\n\nGold members pay 9 euros a month. Gold members get free delivery and a birthday gift.\n"
WARRANTY = "# 保修政策\n\n台灯的保修期为三年。人为损坏不在保修范围内。\n"

FILES = {"returns.md": RETURNS, "fees.md": FEES, "silver.md": SILVER, "gold.md": GOLD, "warranty.md": WARRANTY}


@cache
def tiny_check() -> Answerability:
    """Says yes where the best sentence covers most of the question."""
    draw = np.random.default_rng(0)
    rows = draw.uniform(0, 1, (240, len(FEATURES))).astype(np.float32)
    telling = [FEATURES.index(name) for name in ("cover_chosen", "cover_sentence")]
    cover = rows[:, telling[0]]
    rows[:, telling[1]] = cover
    labels = (cover > 0.45).astype(np.int64)
    return fit(Labelled(rows, labels, [str(i) for i in range(len(rows))]))


@dataclass
class Backend:
    """What `build_service` takes instead of the configured models."""

    english: Encoder | None = field(default_factory=lambda: FakeEncoder(64, name="fake-en"))
    multilingual: Encoder | None = field(default_factory=lambda: FakeEncoder(32, name="fake-m3"))
    generator: Generator | None = None
    checks: Mapping[str, Answerability] = field(
        default_factory=lambda: {name: tiny_check() for name in ("en", "zh", "across")}
    )


class Bot:
    """A service, asked without `await`."""

    def __init__(self, service: Service, home: Path) -> None:
        self.service, self.home = service, home

    def ask(self, text: str, **more: Any) -> Answer:
        return self.run(self.service.answer(Question(text=text, **more)))

    def stream(self, text: str, **more: Any) -> list[Delta]:
        async def work() -> list[Delta]:
            return [delta async for delta in self.service.stream(Question(text=text, **more))]

        return self.run(work())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)

    def ingest(self, *paths: Path, **more: Any) -> IngestReport:
        return self.service.ingest(paths or [self.home / "docs"], **more)

    def write(self, files: Mapping[str, str | bytes]) -> Path:
        """Put files into the folder that is ingested."""
        folder = self.home / "docs"
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder

    def check_citations(self, answer: Answer) -> None:
        """Every citation is the document's own words and stands in the answer by its number."""
        assert [c.index for c in answer.citations] == list(range(1, len(answer.citations) + 1))
        for citation in answer.citations:
            text = self.service.store.get_document(citation.document_id).text
            assert text[citation.start : citation.end] == citation.quote != ""
            assert f"[{citation.index}]" in answer.text


@contextmanager
def open_bot(home: Path, backend: Backend | None = None, **settings: Any) -> Iterator[Bot]:
    """A bot in a folder; opened again in the same folder it finds what it kept."""
    made = CustomerServiceSettings(home=home, **settings)
    service = build_service(made, backend or Backend())
    try:
        yield Bot(service, home)
    finally:
        service.close()


@contextmanager
def open_real_bot(home: Path, models_home: Path, **settings: Any) -> Iterator[Bot]:
    """A bot over the prepared models."""
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "models").exists():
        (home / "models").symlink_to(models_home / "models")
    service = build_service(CustomerServiceSettings(home=home, **settings))
    try:
        yield Bot(service, home)
    finally:
        service.close()
