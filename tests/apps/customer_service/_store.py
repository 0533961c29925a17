"""What the tests of the store share: a store on each database, and small entries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pytest

from apps.customer_service.rows import Entry
from apps.customer_service.schemas import Action, Citation, StoredMessage
from apps.customer_service.store import Store
from core.types import Chunk, Document, FloatArray, Section
from tests._postgres import database_url

__all__ = ["database_url"]


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as store:
        yield store


def rows(n: int, d: int = 8, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)


def entry(name: str = "fees", *, chunks: int = 3, title: str = "Account fees", seed: int = 0) -> Entry:
    text = "".join(f"Sentence {i} of {name}. " for i in range(max(chunks, 1)))
    document = Document(
        id=name,
        title=title,
        text=text,
        source=f"kb/{name}.md",
        language="en",
        sha256=f"sha-{name}-{seed}",
        sections=(Section(("Fees", "Monthly"), 0, len(text), 2),),
        metadata={"team": "retail"},
    )
    passages = []
    start = 0
    for i in range(chunks):
        end = text.index(". ", start) + 2
        passages.append(
            Chunk(name, i, text[start:end], start, end, 6, "en", title=title, headings=("Fees",), page=i + 1)
        )
        start = end
    return Entry(document, passages, {"minilm-int8": rows(chunks, seed=seed)})


def vectors(store: Store, encoder: str = "minilm-int8", **options: int) -> dict[int, FloatArray]:
    return {
        int(i): row for ids, block in store.iter_vectors(encoder, **options) for i, row in zip(ids, block, strict=True)
    }


def said(text: str, *, role: str = "user", cites: Citation | None = None) -> StoredMessage:
    return StoredMessage.model_validate(
        {
            "role": role,
            "content": text,
            "action": Action.quote if cites else None,
            "citations": (cites,) if cites else (),
            "created_at": datetime.now(UTC),
        }
    )


CITED = Citation(
    index=1, document_id="fees", chunk_id=7, title="Account fees", headings=("Fees",), source="kb/fees.md",
    quote="It is free.", start=10, end=21,
)  # fmt: skip
