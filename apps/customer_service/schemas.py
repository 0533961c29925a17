"""What goes in and comes out of the customer-service bot. Knows neither HTTP nor SQL."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from core.types import Usage


class Frozen(BaseModel):
    """Base of the app's values: immutable, field docstrings become the API's descriptions."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Action(StrEnum):
    """What the bot did with a question; never a magic string inside the reply."""

    quote = "quote"
    """The answer is sentences quoted from the company's documents."""
    answer = "answer"
    """The answer was written by the generator and every sentence of it was proved against its passage."""
    decline = "decline"
    """The documents do not answer the question; the reply says so and what to do next."""


class Citation(Frozen):
    """Where a part of the answer stands in the documents."""

    index: int = Field(ge=1)
    """The number in square brackets in the answer's text."""
    document_id: str
    chunk_id: int
    title: str
    """The document's title."""
    headings: tuple[str, ...] = ()
    source: str
    quote: str
    """The exact words of the document: `document.text[start:end]`."""
    start: int
    """First character of the quote in the document's text."""
    end: int
    """One past the last character of the quote."""


class Verdict(Frozen):
    """Why the bot answered or declined."""

    answerable: float = Field(ge=0, le=1)
    """Calibrated probability that the passages answer the question."""
    threshold: float = Field(ge=0, le=1)
    """Below it the bot declines; fitted on labelled questions, stored with its curve."""
    reason: str
    """One of: "answerable", "no_passage", "off_topic", "not_in_passages", "unsafe"."""


class Question(Frozen):
    """A question in its conversation."""

    text: str = Field(min_length=1, max_length=8_000)
    history: tuple[tuple[Literal["user", "assistant"], str], ...] = ()
    """Earlier turns, oldest first."""
    conversation_id: str | None = None
    """Continue this conversation; None starts a new one where the caller asks to keep it."""
    language: str | None = None
    """Language to answer in; None means the question's own."""
    compose: bool | None = None
    """Ask for prose by the generator (True), quotes only (False), or the configured default (None)."""
    max_tokens: int | None = Field(None, ge=1, le=4096)


class Answer(Frozen):
    """The reply, what it stands on, and what was decided."""

    text: str
    action: Action
    citations: tuple[Citation, ...] = ()
    verdict: Verdict
    language: str
    standalone_question: str
    """The question as it was searched for, after follow-ups were rewritten."""
    conversation_id: str | None = None
    model: str
    """What wrote the text: "quote" or the generator's name."""
    usage: Usage
    finish_reason: Literal["stop", "length"] = "stop"


class Delta(Frozen):
    """A piece of a streamed reply. The last one carries the whole answer."""

    text: str = ""
    answer: Answer | None = None


class DocumentIn(Frozen):
    """A document given as text."""

    id: str | None = Field(None, max_length=200)
    """Kept if given; otherwise made from the title."""
    title: str = Field(min_length=1, max_length=500)
    text: str = Field(min_length=1)
    format: Literal["text", "markdown", "html"] = "markdown"


class DocumentOut(Frozen):
    """A stored document, with or without its text."""

    id: str
    title: str
    source: str
    language: str
    sha256: str
    chunks: int
    updated_at: datetime
    text: str | None = None


class StoredMessage(Frozen):
    """One kept message of a conversation."""

    role: Literal["user", "assistant"]
    content: str
    action: Action | None = None
    citations: tuple[Citation, ...] = ()
    created_at: datetime


class Conversation(Frozen):
    """A conversation with its messages, oldest first."""

    id: str
    created_at: datetime
    messages: tuple[StoredMessage, ...] = ()


class FileReport(Frozen):
    """What became of one source in an ingest."""

    source: str
    status: Literal["added", "changed", "unchanged", "removed", "duplicate", "skipped", "error"]
    detail: str = ""


class IngestReport(Frozen):
    """What became of all sources."""

    files: tuple[FileReport, ...] = ()
    seconds: float = 0.0
    passages: int = 0

    def count(self, status: str) -> int:
        """Sources with that status."""
        return sum(f.status == status for f in self.files)
