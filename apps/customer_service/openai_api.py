"""The OpenAI-compatible endpoints: chat, models, embeddings.

Knows OpenAI's wire format and the bot's values; the official client works with it unmodified. What it cannot do
(`n` over 1, tools, JSON mode, token ids) it refuses in plain words instead of doing something else.
"""

from __future__ import annotations

import base64
import contextlib
import json
import time
import traceback
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError

from apps.customer_service.metrics import ChatMetrics
from apps.customer_service.openai_schemas import (
    CHAT_MODEL,
    MAX_INPUTS,
    ChatCompletion,
    ChatMessage,
    ChatRequest,
    Choice,
    EmbeddingList,
    EmbeddingRequest,
    EmbeddingRow,
    EmbeddingUsage,
    ModelCard,
    ModelList,
    ReplyMessage,
    TokenUsage,
)
from apps.customer_service.ports import ChatService
from apps.customer_service.schemas import Answer, Delta, Question
from core.errors import InputError, NotFound, SuiteError
from core.log import get_logger
from core.web.problems import OPENAI_RESPONSES, openai_error
from core.web.stream import EventStream, until_disconnect

log = get_logger(__name__)

MAX_NEW_TOKENS = 4096


def openai_router(service: Callable[[], ChatService], metrics: ChatMetrics) -> APIRouter:
    """Routes under `/v1/`. `service` gives the running bot."""
    router = APIRouter(tags=["openai"], responses=OPENAI_RESPONSES)

    @router.post(
        "/v1/chat/completions",
        summary="Ask the bot",
        response_model=ChatCompletion,
        responses={200: {"description": "The reply; chunks of it with `stream`", "content": {"text/event-stream": {}}}},
    )
    async def chat(body: ChatRequest, request: Request) -> Response:
        bot = service()
        _check_model(body.model, [CHAT_MODEL, *bot.models()])
        question = await to_question(bot, body)
        began = time.perf_counter()
        if body.stream:
            deltas = bot.stream(question)
            # The first delta is awaited here, so that an error before it still has an HTTP status.
            first = await until_disconnect(request, _first(deltas))
            metrics.first_delta.observe(time.perf_counter() - began)
            usage = body.stream_options is not None and body.stream_options.include_usage
            return EventStream(_events(first, deltas, question.conversation_id, body.model, usage, metrics))
        answer = await until_disconnect(request, bot.answer(question))
        metrics.count(answer)
        return JSONResponse(completion(answer, body.model).model_dump(mode="json"))

    @router.get("/v1/models", summary="What can be asked")
    async def models() -> ModelList:
        return ModelList(data=[ModelCard(id=name) for name in dict.fromkeys([CHAT_MODEL, *service().models()])])

    @router.get("/v1/models/{model:path}", summary="One model")
    async def model(model: str) -> ModelCard:
        _check_model(model, [CHAT_MODEL, *service().models()])
        return ModelCard(id=model)

    @router.post("/v1/embeddings", summary="Vectors of texts")
    async def embeddings(body: EmbeddingRequest, request: Request) -> EmbeddingList:
        return await until_disconnect(request, embed(service(), body))

    return router


async def to_question(bot: ChatService, body: ChatRequest) -> Question:
    """The question inside a chat request; starts a conversation where one is asked for.

    :raises InputError: if the request asks for what the bot cannot do.
    """
    if body.n not in {None, 1}:
        raise InputError(f"n={body.n} is not possible: the bot gives one answer. Leave n out.")
    if body.tools or body.functions:
        raise InputError("The bot calls no tools. Leave tools and functions out.")
    shape = (body.response_format or {}).get("type", "text")
    if shape != "text":
        raise InputError(f"response_format {shape!r} is not possible: answers are plain text.")
    *earlier, last = body.messages
    if last.role != "user":
        raise InputError(f"The last message is from {last.role!r}; it must be the user's question.")
    text = _text(last)
    if not text.strip():
        raise InputError("The question is empty. Write what you want to know.")
    history = [(m.role, _text(m)) for m in earlier if m.role in {"user", "assistant"}]
    limit = body.max_completion_tokens or body.max_tokens
    keep = body.conversation_id is not None
    try:
        question = Question.model_validate(
            {
                "text": text,
                "history": () if keep else tuple(turn for turn in history if turn[1].strip()),
                "language": body.language,
                "compose": body.compose,
                "max_tokens": limit and min(limit, MAX_NEW_TOKENS),
            }
        )
    except ValidationError as error:
        raise InputError(f"The question has {len(text):,} characters: {error.errors()[0]['msg']}.") from error
    if not keep:
        return question
    new = body.conversation_id in {"", "new"}
    conversation = (await bot.new_conversation()).id if new else body.conversation_id
    return question.model_copy(update={"conversation_id": conversation})


async def embed(bot: ChatService, body: EmbeddingRequest) -> EmbeddingList:
    """The vectors of an embedding request.

    :raises InputError: if the input is empty, too much, or token ids; or if other dimensions are asked for.
    """
    given = [body.input] if isinstance(body.input, str) else body.input
    texts = [text.replace("\x00", "") for text in given if isinstance(text, str)]
    if len(texts) != len(given):
        raise InputError("input holds token ids; send text.")
    if not texts or not all(texts):
        raise InputError("input is empty or holds an empty text; every text needs at least one character.")
    if len(texts) > MAX_INPUTS:
        raise InputError(f"input holds {len(texts):,} texts; the limit is {MAX_INPUTS:,}. Send them in parts.")
    rows = await bot.embed(texts, body.model)
    if body.dimensions not in {None, rows.shape[1]}:
        raise InputError(
            f"{body.model!r} gives {rows.shape[1]} dimensions, not {body.dimensions}; leave dimensions out."
        )
    tokens = await bot.count_tokens(texts, body.model)
    as_text = body.encoding_format == "base64"
    data = [
        EmbeddingRow(
            index=i, embedding=base64.b64encode(row.astype("<f4").tobytes()).decode() if as_text else row.tolist()
        )
        for i, row in enumerate(rows)
    ]
    return EmbeddingList(data=data, model=body.model, usage=EmbeddingUsage(prompt_tokens=tokens, total_tokens=tokens))


def completion(answer: Answer, model: str) -> ChatCompletion:
    """An answer as OpenAI's chat completion."""
    return ChatCompletion(
        id=_new_id(),
        created=int(time.time()),
        model=model,
        choices=[Choice(message=ReplyMessage(content=answer.text), finish_reason=answer.finish_reason)],
        usage=_usage(answer),
        **_extensions(answer),
    )


async def _first(deltas: AsyncIterator[Delta]) -> Delta | None:
    async for delta in deltas:
        return delta
    return None


async def _events(
    first: Delta | None,
    deltas: AsyncIterator[Delta],
    conversation_id: str | None,
    model: str,
    include_usage: bool,
    metrics: ChatMetrics,
) -> AsyncGenerator[bytes]:
    """The server-sent events of a streamed reply. An error on the way becomes an event; `[DONE]` then never comes."""
    head = {"id": _new_id(), "object": "chat.completion.chunk", "created": int(time.time()), "model": model}

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _event({**head, "choices": [choice], **({"usage": None} if include_usage else {}), **more})

    answer: Answer | None = None
    try:
        async with _closing(deltas):
            yield chunk({"role": "assistant", "content": ""}, conversation_id=conversation_id)
            async for delta in _chain(first, deltas):
                answer = delta.answer or answer
                if delta.text:
                    yield chunk({"content": delta.text})
    except SuiteError as error:
        log.warning("stream failed", error=type(error).__name__, detail=str(error))
        yield _event({"error": openai_error(error.status, str(error))})
        return
    except Exception:
        log.error("stream failed", exception=traceback.format_exc())
        yield _event({"error": openai_error(500, "Something went wrong on the server while it answered.")})
        return
    if answer is None:
        log.error("stream ended without an answer")
        yield _event({"error": openai_error(500, "The answer ended too early.")})
        return
    metrics.count(answer)
    whole = completion(answer, model).model_dump(mode="json")
    yield chunk({}, answer.finish_reason, **{key: whole[key] for key in _extensions(answer)})
    if include_usage:
        yield _event({**head, "choices": [], "usage": whole["usage"]})
    yield b"data: [DONE]\n\n"


async def _chain(first: Delta | None, rest: AsyncIterator[Delta]) -> AsyncIterator[Delta]:
    if first is not None:
        yield first
    async for delta in rest:
        yield delta


def _extensions(answer: Answer) -> dict[str, Any]:
    return {
        "action": answer.action,
        "citations": list(answer.citations),
        "verdict": answer.verdict,
        "conversation_id": answer.conversation_id,
        "language": answer.language,
        "written_by": answer.model,
    }


def _usage(answer: Answer) -> TokenUsage:
    prompt, completed = answer.usage.prompt_tokens, answer.usage.completion_tokens
    return TokenUsage(prompt_tokens=prompt, completion_tokens=completed, total_tokens=prompt + completed)


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n\n"


def _text(message: ChatMessage) -> str:
    content = message.content or ""
    if isinstance(content, str):
        return content.replace("\x00", "")
    wrong = [part.type for part in content if part.type != "text"]
    if wrong:
        raise InputError(f"A message holds {wrong[0]!r}; the bot reads text only.")
    return "\n".join(part.text or "" for part in content).replace("\x00", "")


def _check_model(name: str, known: list[str]) -> None:
    if name not in known:
        raise NotFound(f"There is no model {name!r}; there is {', '.join(known)}.")


def _new_id() -> str:
    return f"chatcmpl-{uuid.uuid4().hex}"


@contextlib.asynccontextmanager
async def _closing(deltas: AsyncIterator[Delta]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        if isinstance(deltas, AsyncGenerator):
            await deltas.aclose()
