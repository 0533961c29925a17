"""The bot as others use it: ask, ingest, documents, conversations. Knows neither HTTP nor SQL."""

from __future__ import annotations

import asyncio
import logging
import unicodedata
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from apps.customer_service.answer import Answerer
from apps.customer_service.caretaker import Caretaker
from apps.customer_service.checks import Published, load_published
from apps.customer_service.intake import free_id
from apps.customer_service.library import Library
from apps.customer_service.model import Knowledge
from apps.customer_service.schemas import (
    Action,
    Answer,
    Conversation,
    Delta,
    DocumentIn,
    DocumentOut,
    IngestReport,
    Question,
    StoredMessage,
)
from apps.customer_service.settings import CustomerServiceSettings
from apps.customer_service.store import Store
from core.backends import load_encoder, load_generator
from core.backends.base import Encoder, Generator
from core.encode import BatchingEncoder
from core.errors import InputError, ModelNotPrepared, NotFound, SuiteError, Unavailable
from core.generate.answerability import Answerability
from core.generate.reader import Reader
from core.generate.worker import GenerationWorker
from core.progress import Report, quiet
from core.text import parse_lenient, parse_text, redact
from core.types import FloatArray

_HISTORY = 20
"""Messages of a kept conversation that are looked at."""

_log = logging.getLogger(__name__)


class Service:
    """One company's bot. Everything it needs is given; `build_service` opens the real parts."""

    def __init__(
        self,
        settings: CustomerServiceSettings,
        store: Store,
        encoders: Mapping[str, BatchingEncoder],
        knowledge: Knowledge,
        checks: Mapping[str, Answerability],
        generator: Generator | None,
        readers: Mapping[str, Reader] | None = None,
    ) -> None:
        self.settings, self.store, self.knowledge = settings, store, knowledge
        self._encoders = encoders
        self.library = Library(store, knowledge, settings.home / "index" / "customer_service")
        self.library.open()
        self.worker = None
        if generator is not None:
            self.worker = GenerationWorker(generator, queue_size=settings.generation_queue_size).start()
        self.answerer = Answerer(knowledge, checks, self.worker, settings, readers)
        self._caretaker = Caretaker(self.library, settings.retention_days)
        self._caretaker.start()

    async def answer(self, question: Question) -> Answer:
        """The whole reply. Both messages are stored first where the question names a conversation.

        :raises InputError: if the question is empty or too long.
        :raises NotFound: if there is no such conversation.
        """
        async with aclosing(self.stream(question)) as deltas:
            async for delta in deltas:
                if delta.answer is not None:
                    return delta.answer
        raise Unavailable("The reply was broken off.")

    async def stream(self, question: Question) -> AsyncGenerator[Delta, None]:
        """The reply as it comes; the last delta carries `answer`. Closing the iterator stops the work."""
        if question.conversation_id is not None:
            question = await self._with_history(question)
        async with aclosing(self.answerer.stream(question)) as deltas:
            async for delta in deltas:
                if delta.answer is not None and question.conversation_id is not None:
                    await self._keep(question, delta.answer)
                yield delta

    async def embed(self, texts: list[str], model: str) -> FloatArray:
        """(n, d) float32, rows L2-normalised.

        :raises NotFound: if no encoder has that name.
        """
        return await self._encoder(model).aencode(texts)

    async def count_tokens(self, texts: list[str], model: str) -> int:
        """Tokens of all texts together, as that encoder counts them.

        :raises NotFound: if no encoder has that name.
        """
        return sum(await asyncio.to_thread(self._encoder(model).count_tokens, texts))

    def models(self) -> list[str]:
        """Names of the encoders and generators that are served."""
        return [*self._encoders, *([self.worker.generator.name] if self.worker else [])]

    def ready(self) -> dict[str, str]:
        """Part -> "ok" or what is wrong."""
        try:
            self.store.ping()
            database = "ok"
        except Unavailable as error:
            database = str(error)
        parts = {"database": database, "index": self._caretaker.problem or "ok", "encoders": "ok"}
        return parts | ({"generator": "ok"} if self.worker or self.settings.generator == "none" else {})

    def ingest(
        self, paths: Sequence[Path], *, sync: bool = False, strict: bool = False, progress: Report = quiet
    ) -> IngestReport:
        """Take in what is new or changed under the paths; blocking."""
        return self.library.ingest(paths, sync=sync, strict=strict, progress=progress)

    async def ingest_upload(self, name: str, data: bytes) -> IngestReport:
        """Take in a file; its name tells the format.

        :raises InputError: if it cannot be read at all.
        """
        return await asyncio.to_thread(self._upload, name, data)

    async def list_documents(self, query: str, limit: int, offset: int) -> tuple[int, list[DocumentOut]]:
        """How many documents match, and a page of them without their text."""
        page = await asyncio.to_thread(self.store.list_documents, query, limit=limit, offset=offset)
        return page.total, list(page.documents)

    async def get_document(self, id: str) -> DocumentOut:
        """One document with its text.

        :raises NotFound: if there is none.
        """
        return await asyncio.to_thread(self.store.describe_document, id)

    async def put_document(self, document: DocumentIn, id: str | None = None) -> DocumentOut:
        """Add a document, or replace the one of that id; searchable when this returns.

        Without an id it gets one made from its title, with a number where that is taken.

        :raises InputError: if nothing is left of the text after cleaning.
        """
        return await self.get_document(await asyncio.to_thread(self._put, document, id))

    async def delete_document(self, id: str) -> None:
        """Forget a document.

        :raises NotFound: if there is none.
        """
        await asyncio.to_thread(self.library.remove, id)

    async def new_conversation(self) -> Conversation:
        """Start a conversation and keep it."""
        return await asyncio.to_thread(self.store.create_conversation)

    async def get_conversation(self, id: str) -> Conversation:
        """A kept conversation with its messages.

        :raises NotFound: if there is none.
        """
        return await asyncio.to_thread(self.store.conversation, id)

    async def delete_conversation(self, id: str) -> None:
        """Forget a conversation.

        :raises NotFound: if there is none.
        """
        await asyncio.to_thread(self.store.delete_conversation, id)

    async def aclose(self) -> None:
        """Let go of models, database and threads."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """As `aclose`; blocking."""
        self._caretaker.close()
        try:
            self.library.save()
        except SuiteError as error:
            _log.warning("the index was not saved: %s", error)
        if self.worker is not None:
            self.worker.close()
            close = getattr(self.worker.generator, "close", None)
            if close is not None:
                close()
        for encoder in self._encoders.values():
            encoder.close()
        self.store.close()

    async def _with_history(self, question: Question) -> Question:
        assert question.conversation_id is not None
        kept = await asyncio.to_thread(self.store.conversation, question.conversation_id, last=_HISTORY)
        history = tuple((m.role, m.content) for m in kept.messages)
        return question.model_copy(update={"history": history})

    async def _keep(self, question: Question, answer: Answer) -> None:
        """Store both messages, personal data blacked out, before the answer is acknowledged."""
        assert question.conversation_id is not None
        now = datetime.now(UTC)
        messages = [
            StoredMessage(role="user", content=redact(question.text), created_at=now),
            StoredMessage(
                role="assistant",
                content=answer.text,
                action=Action(answer.action),
                citations=answer.citations,
                created_at=now,
            ),
        ]
        await asyncio.to_thread(self.store.append_messages, question.conversation_id, messages)

    def _upload(self, name: str, data: bytes) -> IngestReport:
        parsed = parse_lenient(data, name=name)
        if not parsed.documents:
            said = "; ".join(map(str, parsed.problems[:3]))
            raise InputError(f"{said}." if said else f"{name} holds nothing to read.")
        return self.library.accept(parsed.documents, parsed.problems)

    def _put(self, document: DocumentIn, id: str | None) -> str:
        key = id or document.id
        if key is not None and any(unicodedata.category(c) in ("Cc", "Cs") for c in key):
            raise InputError(f"The id {key!r} holds control characters; use letters, digits and signs.")
        parsed = parse_text(document.text, id=key or "new", title=document.title, format=document.format)
        if key is None:
            name = free_id(document.title, parsed.sha256, self.store.hashes())
            parsed = replace(parsed, id=name, source=name)
        self.library.put(parsed)
        return parsed.id

    def _encoder(self, model: str) -> BatchingEncoder:
        if model not in self._encoders:
            raise NotFound(f"There is no encoder {model!r}; there is {', '.join(self._encoders)}.")
        return self._encoders[model]


def build_service(
    settings: CustomerServiceSettings, backend: object | None = None, store: object | None = None
) -> Service:
    """Open the real parts: database, encoders, checks, generator, index.

    :param backend: replaces encoders, checks, readers and generator: an object with `english`, `multilingual`,
        `checks`, `generator` and, if it has any, `readers`; without `checks`, the published pair is opened.
    :param store: an open `Store`; None opens the database of the settings.
    :raises ModelNotPrepared: if a model was never exported.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    english: Encoder | None = getattr(backend, "english", None)
    multilingual: Encoder | None = getattr(backend, "multilingual", None)
    if backend is None:
        english, multilingual = load_encoder(settings), load_encoder(settings, settings.multilingual_encoder)
    given = getattr(backend, "checks", None)
    checked = Published(given, getattr(backend, "readers", None) or {}) if given else load_published(settings)
    generator = getattr(backend, "generator", None) if backend is not None else _generator(settings)
    wrapped = {
        e.name: BatchingEncoder(e, queue_size=settings.queue_size) for e in (english, multilingual) if e is not None
    }
    knowledge = Knowledge(
        wrapped[english.name] if english else None, wrapped[multilingual.name] if multilingual else None, settings
    )
    opened = store if isinstance(store, Store) else Store.open(settings.url)
    try:
        return Service(settings, opened, wrapped, knowledge, checked.checks, generator, checked.readers)
    except BaseException:
        for encoder in wrapped.values():
            encoder.close()
        opened.close()
        raise


def _generator(settings: CustomerServiceSettings) -> Generator | None:
    try:
        return load_generator(settings)
    except ModelNotPrepared as error:
        _log.warning("%s Until then answers are quotes.", error)
        return None
