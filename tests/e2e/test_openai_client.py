"""The official client, unmodified, against a real server on loopback."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import numpy as np
import openai
import pytest

from core.errors import Overloaded
from core.web import WebSettings
from tests.apps.customer_service._service import ENCODER, EchoService
from tests.e2e.servers import LiveServer, wait_for

QUESTION = [{"role": "user", "content": "Can I return a lamp?"}]


@pytest.fixture
def client(server: LiveServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=10) as client:
        yield client


def test_create(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="customer-service", messages=QUESTION, temperature=0.2)
    assert "within 30 days" in (reply.choices[0].message.content or "")
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage and reply.usage.total_tokens > 0
    extra = reply.model_extra or {}
    assert extra["action"] == "quote"
    assert extra["citations"][0]["document_id"] == "policies/returns.md"


def test_stream(client: openai.OpenAI) -> None:
    text, last = "", None
    for chunk in client.chat.completions.create(model="customer-service", messages=QUESTION, stream=True):
        text += chunk.choices[0].delta.content or ""
        last = chunk
    assert "within 30 days" in text
    assert last and last.choices[0].finish_reason == "stop"
    assert (last.model_extra or {})["action"] == "quote"


def test_stream_with_usage(client: openai.OpenAI) -> None:
    options = {"include_usage": True}
    got = list(
        client.chat.completions.create(model="customer-service", messages=QUESTION, stream=True, stream_options=options)
    )
    assert got[-1].choices == [] and got[-1].usage and got[-1].usage.total_tokens > 0
    assert all(chunk.usage is None for chunk in got[:-1])


def test_the_clients_own_stream_helper_puts_the_answer_together(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="customer-service", messages=QUESTION) as stream:
        final = stream.get_final_completion()
    assert "within 30 days" in (final.choices[0].message.content or "")


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["customer-service", ENCODER]
    assert client.models.retrieve(ENCODER).id == ENCODER


def test_embeddings_are_the_same_as_numbers_and_as_base64(client: openai.OpenAI) -> None:
    texts = ["a red lamp", "une lampe", "灯"]
    by_default = client.embeddings.create(model=ENCODER, input=texts)  # the client asks for base64 by itself
    as_floats = client.embeddings.create(model=ENCODER, input=texts, encoding_format="float")
    one, two = ([row.embedding for row in reply.data] for reply in (by_default, as_floats))
    assert np.array(one).shape == (3, 8)
    np.testing.assert_array_equal(np.float32(one), np.float32(two))
    assert as_floats.usage.prompt_tokens > 0


def test_errors_are_the_clients_own_exceptions(client: openai.OpenAI, service: EchoService) -> None:
    with pytest.raises(openai.NotFoundError, match="gpt-9"):
        client.chat.completions.create(model="gpt-9", messages=QUESTION)
    with pytest.raises(openai.BadRequestError, match="n=2"):
        client.chat.completions.create(model="customer-service", messages=QUESTION, n=2)
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="nosuch", input="x")
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="customer-service", messages=[{"role": "user", "content": "x" * 2**21}])
    assert caught.value.status_code == 413
    service.fail = Overloaded("Too many wait.", retry_after=1)
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="customer-service", messages=QUESTION)
    service.fail = ValueError("inside")
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model="customer-service", messages=QUESTION)
    service.fail, service.fail_after_first = None, ValueError("inside")
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(model="customer-service", messages=QUESTION, stream=True))


def test_the_client_waits_and_asks_again_when_told_to(service: EchoService) -> None:
    with (
        LiveServer(service, WebSettings(chat_rate_limit="1/second")) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=3, timeout=10) as client,
    ):
        for _ in range(2):
            client.chat.completions.create(model="customer-service", messages=QUESTION)
    assert len(service.questions) == 2


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_hangs_up_stops_the_generation(stream: bool) -> None:
    service = EchoService(delay=0.05 if stream else 5.0)
    body = b'{"stream": %s, "messages": [{"role": "user", "content": "x"}]}' % (b"true" if stream else b"false")
    with LiveServer(service) as server:
        raw = socket.create_connection(("127.0.0.1", server.port))
        raw.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        if stream:
            assert b"200" in raw.recv(1000)
        else:
            wait_for(lambda: len(service.questions) == 1)
        raw.close()
        wait_for(lambda: service.cancelled == 1)


def test_a_huge_chunked_body_is_cut_off(server: LiveServer) -> None:
    raw = socket.create_connection(("127.0.0.1", server.port))
    raw.sendall(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    sent = 0
    answer = b""
    raw.settimeout(0.01)
    try:
        while sent < 100 * 2**20 and not answer:
            raw.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            sent += 65536
            try:
                answer = raw.recv(4096)
            except TimeoutError:
                continue
    except OSError:
        pass
    finally:
        raw.close()
    assert sent < 20 * 2**20
    assert not answer or b" 413 " in answer
