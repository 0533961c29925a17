"""The values that travel between the layers. Knows nothing but numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Section:
    """A run of a document's text under one chain of headings."""

    headings: tuple[str, ...]
    """Headings from the outermost inwards; empty before the first heading."""
    start: int
    """First character in `Document.text`."""
    end: int
    """One past the last character in `Document.text`."""
    page: int | None = None
    """Page of the source, from 1, where the format has pages."""


@dataclass(frozen=True, slots=True)
class Document:
    """A cleaned document. Sections cover `text` in order and do not overlap."""

    id: str
    title: str
    text: str
    source: str
    """Where it came from: a path, `file.jsonl#12`, or a URL. Shown to people, never opened again."""
    language: str
    """ISO 639-1 code ("en", "zh"), or "und"."""
    sha256: str
    """Hex digest of title and cleaned text; what incremental ingest compares."""
    sections: tuple[Section, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage: `text == document.text[start:end]`, so that a quote can be found again in its document."""

    document_id: str
    ordinal: int
    """Position among the document's chunks, from 0."""
    text: str
    start: int
    end: int
    tokens: int
    """Length in tokens of the encoder that the chunker was given."""
    language: str
    title: str = ""
    headings: tuple[str, ...] = ()
    page: int | None = None

    @property
    def context(self) -> str:
        """Title and headings on one line: what the passage is about, for indexing beside its own text."""
        parts = [self.title, *(h for h in self.headings if h != self.title)]
        return " > ".join(p for p in parts if p)


@dataclass(frozen=True, slots=True)
class Hit:
    """One retrieved item."""

    id: int
    """The row id given when it was indexed."""
    score: float
    """Fused score; higher is better; comparable within one query only."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """Score by retriever name ("lexical", "dense", "multilingual", "rerank")."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """A label with its calibrated probability."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens spent by one generation."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A streamed piece of generated text. The last piece has a finish reason and the usage."""

    text: str
    finish_reason: FinishReason | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Padded token ids of several texts."""

    input_ids: IntArray
    """(n, t) int64."""
    attention_mask: IntArray
    """(n, t) int64, 1 on real tokens, 0 on padding."""
