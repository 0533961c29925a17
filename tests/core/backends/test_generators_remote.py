"""The remote generator against a server that really listens."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from core.backends.base import Generator, Sampling
from core.backends.openai import OpenAIGenerator
from core.errors import InputError, Overloaded, Unavailable
from core.types import Message, Usage
from tests.core.backends.openai_server import CHINESE, ENGLISH, Remote, serve

ASK = [Message("system", "Be short."), Message("user", "What is the fee?")]


@pytest.fixture(scope="module")
def remote() -> Iterator[Remote]:
    with serve() as running:
        yield running


def _say(remote: Remote, model: str, sampling: Sampling | None = None, timeout: float = 10.0) -> str:
    generator = OpenAIGenerator(remote.url, model, timeout=timeout)
    try:
        return "".join(piece.text for piece in generator.stream(ASK, sampling or Sampling()))
    finally:
        generator.close()


def test_it_is_a_generator_and_streams_with_the_servers_usage(remote: Remote) -> None:
    generator = OpenAIGenerator(remote.url, "plain", api_key="secret")
    assert isinstance(generator, Generator)
    pieces = list(generator.stream(ASK, Sampling(max_tokens=9, temperature=0.5, top_p=0.8, seed=3)))
    generator.close()
    assert "".join(p.text for p in pieces).strip() == ENGLISH
    assert len(pieces) > 5
    assert (pieces[-1].finish_reason, pieces[-1].usage) == ("stop", Usage(11, 7))
    assert all(p.finish_reason is None for p in pieces[:-1])
    body = remote.bodies[-1]
    assert remote.keys[-1] == "Bearer secret"
    assert body["messages"][1] == {"role": "user", "content": "What is the fee?"}
    assert (body["max_tokens"], body["temperature"], body["top_p"], body["seed"]) == (9, 0.5, 0.8, 3)


def test_chinese_comes_whole_though_its_bytes_are_cut_anywhere(remote: Remote) -> None:
    assert _say(remote, "chinese") == CHINESE


def test_usage_is_estimated_where_the_server_sends_none(remote: Remote) -> None:
    generator = OpenAIGenerator(remote.url, "no-usage")
    last = list(generator.stream(ASK, Sampling()))[-1]
    generator.close()
    assert last.usage is not None
    assert last.usage.completion_tokens == generator.count_tokens(ENGLISH + " ")
    assert generator.count_tokens("费用是五十") == 5


def test_a_stop_string_across_pieces_ends_the_answer_before_it(remote: Remote) -> None:
    assert _say(remote, "plain", Sampling(stop=("days. STOP",))) == "The early closure fee is $50 within 90 "


def test_the_token_limit_is_reported_as_length(remote: Remote) -> None:
    generator = OpenAIGenerator(remote.url, "short")
    assert list(generator.stream(ASK, Sampling()))[-1].finish_reason == "length"
    generator.close()


def test_closing_the_stream_hangs_up(remote: Remote) -> None:
    generator = OpenAIGenerator(remote.url, "endless")
    stream = generator.stream(ASK, Sampling())
    next(stream)
    stream.close()
    generator.close()
    assert remote.closed_early.wait(5)


def test_429_is_overloaded_with_the_servers_delay(remote: Remote) -> None:
    with pytest.raises(Overloaded, match="too many") as caught:
        _say(remote, "busy")
    assert caught.value.retry_after == 7


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("locked", "TRIPTYCH_GENERATOR_API_KEY"),
        ("unknown", "does not know the model 'unknown'"),
        ("broken", "answered 500"),
        ("not-a-stream", "JSON where a stream"),
        ("garbage", "no OpenAI stream"),
        ("strange", "no OpenAI stream"),
        ("dying", "broke off"),
        ("complains", "out of memory"),
    ],
)
def test_a_server_that_fails_is_unavailable_and_named(remote: Remote, model: str, said: str) -> None:
    with pytest.raises(Unavailable, match=said) as caught:
        _say(remote, model)
    assert remote.url in str(caught.value)
    assert caught.value.retry_after


def test_a_request_the_server_calls_wrong_is_the_callers_to_mend(remote: Remote) -> None:
    with pytest.raises(InputError, match="context length exceeded"):
        _say(remote, "picky")


def test_a_silent_server_is_unavailable_after_the_timeout(remote: Remote) -> None:
    began = time.monotonic()
    with pytest.raises(Unavailable, match="silent too long"):
        _say(remote, "silent", timeout=0.3)
    assert time.monotonic() - began < 1.4


def test_no_server_is_unavailable_with_its_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    generator = OpenAIGenerator(f"http://127.0.0.1:{port}/v1", "any")
    with pytest.raises(Unavailable, match=f"127.0.0.1:{port}.*cannot be reached"):
        list(generator.stream(ASK, Sampling()))
    generator.close()


@pytest.mark.parametrize("url", ["localhost:8000/v1", "ftp://host/v1", "http://", "http://[bad"])
def test_a_wrong_url_is_refused_at_once(url: str) -> None:
    with pytest.raises(InputError, match="URL"):
        OpenAIGenerator(url, "any")
