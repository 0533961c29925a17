"""Any OpenAI-compatible server (vLLM, Ollama, llama.cpp, a cloud) as a generator.

Knows `POST {url}/chat/completions` with server-sent events; knows nothing of models. The request is made when the
stream is first read. Text from the server is data: nothing in it is followed, and the key is never in a message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import httpx2

from core.backends.base import Sampling
from core.backends.decoding import check
from core.backends.stopping import StopMatcher
from core.errors import InputError, Overloaded, Unavailable
from core.types import FinishReason, Message, Piece, Usage

_WIDE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")
_WEB = re.compile(r"https?://(?:\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::\d{1,5})?(?:/\S*)?")
_RETRY_AFTER = 5.0
_MAX_LINE = 1_000_000


class OpenAIGenerator:
    """A `core.backends.base.Generator` on a remote server.

    :param url: base URL, as in "http://127.0.0.1:11434/v1".
    :param model: the server's name for the model.
    :param api_key: sent as a bearer token, where given.
    :param timeout: seconds the server may stay silent, for the connection and between two pieces.
    :param languages: ISO 639-1 codes it writes well.
    :param context_tokens: prompt and completion together; the server is not asked.
    :param concurrency: generations that may run on the server at once.
    :raises InputError: if the URL is not http or https.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str | None = None,
        timeout: float = 30.0,
        languages: frozenset[str] = frozenset({"en", "zh"}),
        context_tokens: int = 8192,
        concurrency: int = 8,
    ) -> None:
        if not _WEB.fullmatch(url):
            raise InputError(f"the generator's URL is {url!r}; it must be like http://127.0.0.1:11434/v1")
        if api_key and not api_key.isascii():
            raise InputError("the generator's key has characters outside ASCII; no HTTP header can carry them")
        self._url = url.rstrip("/")
        self._model = model
        self._languages = languages
        self._context_tokens = context_tokens
        self._concurrency = concurrency
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx2.Client(
            headers=headers, timeout=httpx2.Timeout(timeout, connect=min(timeout, 10.0)), follow_redirects=False
        )

    @property
    def name(self) -> str:
        """The server's name for the model."""
        return self._model

    @property
    def context_tokens(self) -> int:
        """Prompt and completion together may not exceed this."""
        return self._context_tokens

    @property
    def languages(self) -> frozenset[str]:
        """ISO 639-1 codes it writes well."""
        return self._languages

    @property
    def concurrency(self) -> int:
        """Generations that may run on the server at once."""
        return self._concurrency

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def count_tokens(self, text: str) -> int:
        """An estimate: a token for each Chinese, Japanese or Korean character, else one for four characters."""
        wide = len(_WIDE.findall(text))
        return wide + -(-(len(text) - wide) // 4)

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Generator[Piece, None, None]:
        """Yield pieces as they come; see `core.backends.base.Generator.stream`.

        :raises InputError: if there is no message, a value is out of range, or the server calls the request wrong.
        :raises Overloaded: if the server answers 429; `retry_after` is what it said, or 5 s.
        :raises Unavailable: if it cannot be reached, stays silent, refuses the key, fails, or breaks off.
        """
        check(sampling)
        if not messages:
            raise InputError("no messages: a chat needs at least one")
        return self._pieces(self._body(messages, sampling), list(messages), StopMatcher(sampling.stop))

    def _body(self, messages: Sequence[Message], sampling: Sampling) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if sampling.stop:
            body["stop"] = list(sampling.stop[:4])
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        return body

    def _pieces(
        self, body: dict[str, Any], messages: list[Message], matcher: StopMatcher
    ) -> Generator[Piece, None, None]:
        reason: FinishReason | None = None
        usage: Usage | None = None
        whole = ""
        done = False
        try:
            with self._client.stream("POST", f"{self._url}/chat/completions", json=body) as response:
                self._check(response)
                for event in self._events(response):
                    if event is None:
                        done = True
                        break
                    usage = _usage(event) or usage
                    text, ended = self._choice(event)
                    whole += text
                    reason = ended or reason
                    shown = matcher.feed(text)
                    if matcher.stopped:
                        reason, done = "stop", True
                        if shown:
                            yield Piece(shown)
                        break
                    if shown:
                        yield Piece(shown)
        except httpx2.HTTPError as error:
            raise self._unavailable(_why(error)) from error
        if not done and reason is None:
            raise self._unavailable("broke off in the middle of an answer")
        if usage is None:
            usage = Usage(sum(self.count_tokens(m.content) + 4 for m in messages), self.count_tokens(whole))
        yield Piece(matcher.finish(), reason or "stop", usage)

    def _events(self, response: httpx2.Response) -> Iterator[dict[str, Any] | None]:
        """Parsed `data:` events; None for `[DONE]`."""
        for line in response.iter_lines():
            if not line.startswith("data:"):
                continue
            data = line[5:].strip()
            if data == "[DONE]":
                yield None
                return
            try:
                event = json.loads(data) if len(data) <= _MAX_LINE else None
            except ValueError:
                event = None
            if not isinstance(event, dict):
                raise self._unavailable(f"sent something that is no OpenAI stream: {data[:80]!r}")
            if event.get("error"):
                raise self._unavailable(f"failed in the middle of an answer: {_short(event['error'])}")
            yield event

    def _choice(self, event: dict[str, Any]) -> tuple[str, FinishReason | None]:
        choices = event.get("choices") or []
        if not choices:
            return "", None
        try:
            text = choices[0].get("delta", {}).get("content") or ""
            ended = choices[0].get("finish_reason")
            if not isinstance(text, str):
                raise TypeError
        except (AttributeError, TypeError, KeyError, IndexError):
            raise self._unavailable(f"sent something that is no OpenAI stream: {_short(event)}") from None
        if ended is None:
            return text, None
        return text, "length" if ended == "length" else "stop"

    def _check(self, response: httpx2.Response) -> None:
        status = response.status_code
        if status == 200:
            if "json" in response.headers.get("content-type", ""):
                raise self._unavailable("answered JSON where a stream was asked for")
            return
        response.read()
        said = _short(response.text)
        if status == 429:
            raise Overloaded(f"{self._url} is overloaded: {said}", retry_after=_seconds(response.headers))
        if status in {400, 413, 422}:
            raise InputError(f"{self._url} refuses the request for {self._model!r}: {said}")
        if status in {401, 403}:
            raise self._unavailable("refuses the key; set TRIPTYCH_GENERATOR_API_KEY")
        if status == 404:
            raise self._unavailable(f"does not know the model {self._model!r} or the path: {said}")
        raise self._unavailable(f"answered {status}: {said}", _seconds(response.headers))

    def _unavailable(self, what: str, retry_after: float = _RETRY_AFTER) -> Unavailable:
        return Unavailable(f"the generator at {self._url} {what}", retry_after=retry_after)


def _why(error: httpx2.HTTPError) -> str:
    if isinstance(error, httpx2.ConnectTimeout | httpx2.ConnectError):
        return f"cannot be reached ({error or type(error).__name__}); is the server running?"
    if isinstance(error, httpx2.TimeoutException):
        return "stayed silent too long; raise TRIPTYCH_GENERATOR_TIMEOUT or use a faster model"
    return f"broke off ({type(error).__name__})"


def _usage(event: dict[str, Any]) -> Usage | None:
    found = event.get("usage")
    if not isinstance(found, dict):
        return None
    prompt, completion = found.get("prompt_tokens"), found.get("completion_tokens")
    return Usage(prompt, completion) if isinstance(prompt, int) and isinstance(completion, int) else None


def _seconds(headers: httpx2.Headers) -> float:
    try:
        return max(0.0, min(float(headers.get("retry-after", _RETRY_AFTER)), 3600.0))
    except ValueError:
        return _RETRY_AFTER


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text[:200]
