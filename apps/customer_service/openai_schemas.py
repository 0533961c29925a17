"""The wire shapes of the OpenAI-compatible endpoints, with this app's documented extensions."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from apps.customer_service.schemas import Action, Citation, Verdict

CHAT_MODEL = "customer-service"
"""The bot's name among the models."""

MAX_INPUTS = 2048
"""Texts in one embedding request, as OpenAI has it."""


class Wire(BaseModel):
    """Unknown fields are ignored: clients send more than this server knows."""

    model_config = ConfigDict(extra="ignore", use_attribute_docstrings=True)


class ContentPart(Wire):
    """A piece of a message; only text can be read."""

    type: str
    text: str | None = None


class ChatMessage(Wire):
    """One message of a request."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None


class StreamOptions(Wire):
    """What else a stream should carry."""

    include_usage: bool = False
    """Send one more chunk with the token counts before the end."""


class ChatRequest(Wire):
    """A chat request. System messages are accepted and not followed: the bot's rules are the company's."""

    model: str = Field(CHAT_MODEL, max_length=200)
    messages: list[ChatMessage] = Field(min_length=1, max_length=1000)
    """The last one is the question; the ones before are its context unless `conversation_id` names a kept one."""
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    n: int | None = 1
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    response_format: dict[str, Any] | None = None
    user: str | None = None
    conversation_id: str | None = Field(None, max_length=64, pattern=r"^[A-Za-z0-9_-]*$")
    """Extension: continue and keep this conversation; "" or "new" starts one. Left out, nothing is kept."""
    language: str | None = Field(None, pattern=r"^[a-z]{2,3}$")
    """Extension: language to answer in, as in "en" or "zh"; left out, the question's own."""
    compose: bool | None = None
    """Extension: prose by the generator (true) or quotes only (false); left out, the server's default."""


class ReplyMessage(Wire):
    """The reply."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: str | None = None


class Choice(Wire):
    """The only choice."""

    index: int = 0
    message: ReplyMessage
    logprobs: None = None
    finish_reason: Literal["stop", "length"]


class TokenUsage(Wire):
    """Tokens spent."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(Wire):
    """A whole reply; what follows `usage` are extensions."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: TokenUsage
    action: Action
    citations: list[Citation]
    verdict: Verdict
    conversation_id: str | None = None
    language: str
    written_by: str
    """ "quote", or the generator that wrote the text."""


class ModelCard(Wire):
    """A model by name."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "triptych"


class ModelList(Wire):
    """What can be asked."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


class EmbeddingRequest(Wire):
    """Texts to embed."""

    model: str = Field(max_length=200)
    """An encoder's name; see `/v1/models`."""
    input: str | list[str] | list[int] | list[list[int]]
    """One text or up to 2048; token ids are not accepted."""
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(None, ge=1)
    user: str | None = None


class EmbeddingRow(Wire):
    """One vector."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str
    """Numbers, or little-endian float32 in base64."""


class EmbeddingUsage(Wire):
    """Tokens read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(Wire):
    """Vectors in the order of the texts."""

    object: Literal["list"] = "list"
    data: list[EmbeddingRow]
    model: str
    usage: EmbeddingUsage
