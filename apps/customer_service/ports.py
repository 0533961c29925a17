"""What the HTTP layer needs of the bot. Knows values only; the real thing is `apps.customer_service.service`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from apps.customer_service.schemas import Answer, Conversation, Delta, DocumentIn, DocumentOut, IngestReport, Question
from core.types import FloatArray


class ChatService(Protocol):
    """The bot as the web sees it. Every method raises the errors of `core.errors`."""

    async def answer(self, question: Question) -> Answer:
        """The whole reply. Both messages are stored first where the question names a conversation."""
        ...

    def stream(self, question: Question) -> AsyncIterator[Delta]:
        """The reply as it comes; the last delta carries `answer`. Closing the iterator stops the work."""
        ...

    async def embed(self, texts: list[str], model: str) -> FloatArray:
        """(n, d) float32, rows L2-normalised.

        :raises NotFound: if no encoder has that name.
        """
        ...

    async def count_tokens(self, texts: list[str], model: str) -> int:
        """Tokens of all texts together, as that encoder counts them.

        :raises NotFound: if no encoder has that name.
        """
        ...

    def ready(self) -> Mapping[str, str]:
        """Part -> "ok" or what is wrong. Cheap."""
        ...

    def models(self) -> list[str]:
        """Names of the encoders and generators that are served."""
        ...

    async def list_documents(self, query: str, limit: int, offset: int) -> tuple[int, list[DocumentOut]]:
        """How many documents match, and a page of them without their text."""
        ...

    async def get_document(self, id: str) -> DocumentOut:
        """One document with its text.

        :raises NotFound: if there is none.
        """
        ...

    async def put_document(self, document: DocumentIn, id: str | None = None) -> DocumentOut:
        """Add a document, or replace the one of that id."""
        ...

    async def delete_document(self, id: str) -> None:
        """Forget a document.

        :raises NotFound: if there is none.
        """
        ...

    async def ingest_upload(self, name: str, data: bytes) -> IngestReport:
        """Take in a file; its name tells the format."""
        ...

    async def new_conversation(self) -> Conversation:
        """Start a conversation and keep it."""
        ...

    async def get_conversation(self, id: str) -> Conversation:
        """A kept conversation with its messages.

        :raises NotFound: if there is none.
        """
        ...

    async def delete_conversation(self, id: str) -> None:
        """Forget a conversation.

        :raises NotFound: if there is none.
        """
        ...

    async def aclose(self) -> None:
        """Let go of models, database and threads."""
        ...
