"""A bot in memory with real logic: quotes the sentences that share words with the question, declines when none does.

It stands where the real service stands, so that the web can be tested without models or a database.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import numpy as np

from apps.customer_service.schemas import (
    Action,
    Answer,
    Citation,
    Conversation,
    Delta,
    DocumentIn,
    DocumentOut,
    FileReport,
    IngestReport,
    Question,
    StoredMessage,
    Verdict,
)
from core.errors import InputError, NotFound, SuiteError, UnreadableDocument
from core.types import FloatArray, Usage

ENCODER = "echo-encoder"
COMMON = frozenset(
    re.findall(r"\w+", "a an and are can do does for how i in is it me my of on or the to what when you your")
)


def words(text: str) -> set[str]:
    """Lower-case Latin words and pairs of Chinese characters."""
    latin = set(re.findall(r"[a-z0-9<>]+", text.lower())) - COMMON
    chinese = re.findall(r"[\u4e00-\u9fff]+", text)
    return latin | {run[i : i + 2] for run in chinese for i in range(len(run) - 1)}


def sentences(text: str) -> list[tuple[int, int]]:
    """Character offsets of sentences."""
    return [(m.start(), m.end()) for m in re.finditer(r"[^\s.!?。！？\n][^.!?。！？\n]*[.!?。！？]?", text)]


class EchoService:
    """A `ChatService` without models."""

    def __init__(self, *, delay: float = 0.0, documents: tuple[DocumentIn, ...] = ()) -> None:
        self.delay = delay
        self.documents: dict[str, DocumentOut] = {}
        self.conversations: dict[str, Conversation] = {}
        self.parts = {"encoder": "ok", "index": "ok", "database": "ok"}
        self.cancelled = 0
        self.closed = 0
        self.fail: Exception | None = None
        self.fail_after_first: Exception | None = None
        self.questions: list[Question] = []
        for document in documents:
            self._put(document, document.id)

    def reply(self, question: Question) -> Answer:
        """Quote, or decline."""
        wanted = words(question.text)
        found: list[tuple[int, Citation]] = []
        for row, document in enumerate(self.documents.values()):
            text = document.text or ""
            for start, end in sentences(text):
                shared = len(wanted & words(text[start:end]))
                if shared:
                    citation = Citation(
                        index=1,
                        document_id=document.id,
                        chunk_id=row,
                        title=document.title,
                        source=document.source,
                        quote=text[start:end],
                        start=start,
                        end=end,
                    )
                    found.append((shared, citation))
        best = [c for _, c in sorted(found, key=lambda pair: -pair[0])[:2]]
        language = "zh" if re.search(r"[\u4e00-\u9fff]", question.text) else "en"
        if best:
            citations = tuple(c.model_copy(update={"index": i}) for i, c in enumerate(best, 1))
            text = " ".join(f"{c.quote} [{c.index}]" for c in citations)
            verdict = Verdict(answerable=0.9, threshold=0.5, reason="answerable")
        else:
            citations = ()
            text = (
                "文档中没有这个问题的答案。请换个说法，或联系人工客服。"
                if language == "zh"
                else "The documents do not say this. Ask in other words, or write to our support team."
            )
            verdict = Verdict(answerable=0.1, threshold=0.5, reason="not_in_passages")
        return Answer(
            text=text,
            action=Action.quote if best else Action.decline,
            citations=citations,
            verdict=verdict,
            language=question.language or language,
            standalone_question=question.text,
            conversation_id=question.conversation_id,
            model="quote",
            usage=Usage(prompt_tokens=len(question.text.split()), completion_tokens=len(text.split())),
        )

    def _keep(self, question: Question, answer: Answer) -> None:
        if question.conversation_id is None:
            return
        conversation = self._conversation(question.conversation_id)
        now = datetime.now(UTC)
        asked = StoredMessage(role="user", content=question.text, created_at=now)
        said = StoredMessage(
            role="assistant", content=answer.text, action=answer.action, citations=answer.citations, created_at=now
        )
        update = {"messages": (*conversation.messages, asked, said)}
        self.conversations[conversation.id] = conversation.model_copy(update=update)

    def _conversation(self, id: str) -> Conversation:
        if id not in self.conversations:
            raise NotFound(f"There is no conversation {id!r}.")
        return self.conversations[id]

    async def answer(self, question: Question) -> Answer:
        self._begin(question)
        try:
            await asyncio.sleep(self.delay)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        answer = self.reply(question)
        self._keep(question, answer)
        return answer

    def _begin(self, question: Question) -> None:
        self.questions.append(question)
        if self.fail is not None:
            raise self.fail
        if question.conversation_id is not None:
            self._conversation(question.conversation_id)

    async def stream(self, question: Question) -> AsyncIterator[Delta]:
        self._begin(question)
        answer = self.reply(question)
        ended = False
        try:
            for piece in re.findall(r"\S+\s*|\s+", answer.text) if " " in answer.text else list(answer.text):
                await asyncio.sleep(self.delay)
                yield Delta(text=piece)
                if self.fail_after_first is not None:
                    raise self.fail_after_first
            self._keep(question, answer)
            ended = True
            yield Delta(answer=answer)
        finally:
            self.cancelled += not ended

    async def embed(self, texts: list[str], model: str) -> FloatArray:
        if model != ENCODER:
            raise NotFound(f"There is no encoder {model!r}; there is {ENCODER}.")
        rows = np.zeros((len(texts), 8), dtype=np.float32)
        for i, text in enumerate(texts):
            for word in words(text) | {"\n"}:
                rows[i, int(hashlib.sha256(word.encode()).hexdigest(), 16) % 8] += 1
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)

    async def count_tokens(self, texts: list[str], model: str) -> int:
        return sum(len(text.split()) for text in texts)

    def ready(self) -> dict[str, str]:
        return self.parts

    def models(self) -> list[str]:
        return [ENCODER]

    async def list_documents(self, query: str, limit: int, offset: int) -> tuple[int, list[DocumentOut]]:
        found = [d for d in self.documents.values() if query.lower() in d.title.lower()]
        return len(found), [d.model_copy(update={"text": None}) for d in found[offset : offset + limit]]

    async def get_document(self, id: str) -> DocumentOut:
        if id not in self.documents:
            raise NotFound(f"There is no document {id!r}.")
        return self.documents[id]

    async def put_document(self, document: DocumentIn, id: str | None = None) -> DocumentOut:
        return self._put(document, id or document.id)

    def _put(self, document: DocumentIn, id: str | None) -> DocumentOut:
        name = id or re.sub(r"\W+", "-", document.title.lower()).strip("-") or uuid.uuid4().hex
        stored = DocumentOut(
            id=name,
            title=document.title,
            source=f"{name}.md",
            language="en",
            sha256=hashlib.sha256(document.text.encode()).hexdigest(),
            chunks=1,
            updated_at=datetime.now(UTC),
            text=document.text,
        )
        self.documents[name] = stored
        return stored

    async def delete_document(self, id: str) -> None:
        await self.get_document(id)
        del self.documents[id]

    async def ingest_upload(self, name: str, data: bytes) -> IngestReport:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise UnreadableDocument(f"{name} is not UTF-8 text.") from error
        if not text.strip():
            raise InputError(f"{name} is empty.")
        self._put(DocumentIn(title=name, text=text), name)
        return IngestReport(files=(FileReport(source=name, status="added"),), passages=1)

    async def new_conversation(self) -> Conversation:
        conversation = Conversation(id=uuid.uuid4().hex, created_at=datetime.now(UTC))
        self.conversations[conversation.id] = conversation
        return conversation

    async def get_conversation(self, id: str) -> Conversation:
        return self._conversation(id)

    async def delete_conversation(self, id: str) -> None:
        self._conversation(id)
        del self.conversations[id]

    async def aclose(self) -> None:
        self.closed += 1


__all__ = ["ENCODER", "EchoService", "SuiteError"]
