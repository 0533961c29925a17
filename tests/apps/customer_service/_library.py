"""A library over fake encoders, and what its tests say of it."""

from __future__ import annotations

from pathlib import Path

from apps.customer_service.library import Library
from apps.customer_service.model import MULTILINGUAL, Knowledge
from apps.customer_service.settings import CustomerServiceSettings
from apps.customer_service.store import Store
from core.backends.base import Encoder
from core.backends.fake import FakeEncoder
from core.text import parse_text
from core.types import Document


def shelves(home: Path, *, english: Encoder | None = None, multilingual: Encoder | None = None) -> Library:
    """A library over a database in `home`; a second one over the same folder stands for another process."""
    home.mkdir(parents=True, exist_ok=True)
    knowledge = Knowledge(
        english or FakeEncoder(64, name="fake-en"),
        multilingual or FakeEncoder(32, name="fake-m3"),
        CustomerServiceSettings(home=home),
    )
    library = Library(Store.open(f"sqlite:///{home / 'kb.db'}"), knowledge, home / "index")
    library.open()
    return library


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def page(name: str, text: str = "") -> Document:
    return parse_text(text or f"# {name}\n\nThis page is about {name} and nothing else.\n", id=name, title=name)


def found(library: Library, question: str) -> list[str]:
    return [p.document_id for p in library.knowledge.search(question, "en", k=20)]


def states(library: Library, *paths: Path, sync: bool = False) -> dict[str, str]:
    return {file.source: file.status for file in library.ingest(paths, sync=sync).files}


def consistent(library: Library) -> None:
    """What is searched is what is stored, vectors included."""
    ids = library.store.chunk_ids().tolist()
    assert library.knowledge.index.ids.tolist() == ids == sorted(library.knowledge.passages)
    assert library.knowledge.index.dense[MULTILINGUAL].ids.tolist() == ids
    assert library.lacking == 0
    assert library.revision == library.store.revision()
