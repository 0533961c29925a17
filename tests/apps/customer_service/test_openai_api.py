from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from apps.customer_service.api import create_app_with
from apps.customer_service.schemas import DocumentIn
from core.errors import Overloaded, Unavailable
from core.web import WebSettings
from tests.apps.customer_service._service import ENCODER, EchoService

RETURNS = DocumentIn(id="returns", title="Returns", text="You can return goods within 30 days.")


@pytest.fixture
def service() -> EchoService:
    return EchoService(documents=(RETURNS,))


@pytest.fixture
def http(service: EchoService) -> Iterator[TestClient]:
    web = WebSettings(chat_rate_limit="")
    with TestClient(create_app_with(lambda: service, web, max_body_bytes=2**22)) as client:
        yield client


def ask(http: TestClient, text: object = "Can I return goods?", **more: Any) -> Any:
    return http.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": text}], **more})


def chunks(text: str) -> list[Any]:
    data = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    return [json.loads(d) if d != "[DONE]" else d for d in data]


def test_an_answer_has_openais_shape_and_the_extensions(http: TestClient) -> None:
    body = ask(http).json()
    assert body["object"] == "chat.completion"
    assert body["model"] == "customer-service"
    (choice,) = body["choices"]
    assert choice["message"]["content"] == "You can return goods within 30 days. [1]"
    assert choice["finish_reason"] == "stop"
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]
    assert body["action"] == "quote"
    assert body["citations"][0]["quote"] == RETURNS.text
    assert body["verdict"]["reason"] == "answerable"
    assert body["conversation_id"] is None


def test_a_stream_has_the_role_first_the_extensions_last_and_done(http: TestClient) -> None:
    got = chunks(ask(http, stream=True).text)
    assert got[-1] == "[DONE]"
    *deltas, last = got[:-1]
    assert deltas[0]["choices"][0]["delta"]["role"] == "assistant"
    text = "".join(d["choices"][0]["delta"].get("content", "") for d in deltas)
    assert text == "You can return goods within 30 days. [1]"
    assert len(deltas) > 5
    assert all(d["choices"][0]["finish_reason"] is None and "action" not in d for d in deltas)
    assert last["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    assert last["action"] == "quote" and last["citations"][0]["document_id"] == "returns"
    assert len({c["id"] for c in got[:-1]}) == 1


def test_usage_comes_in_a_chunk_of_its_own_when_asked_for(http: TestClient) -> None:
    got = chunks(ask(http, stream=True, stream_options={"include_usage": True}).text)
    assert got[-2]["choices"] == [] and got[-2]["usage"]["total_tokens"] > 0
    assert all(c["usage"] is None for c in got[:-2])


def test_a_conversation_is_started_on_request_and_named_before_the_first_word(http: TestClient) -> None:
    for new in ("", "new"):
        got = chunks(ask(http, stream=True, conversation_id=new).text)
        id = got[0]["conversation_id"]
        assert id and got[-2]["conversation_id"] == id
        assert len(http.get(f"/customer-service/conversations/{id}").json()["messages"]) == 2
    assert ask(http, conversation_id="nosuch").status_code == 404
    assert ask(http, conversation_id="nosuch", stream=True).status_code == 404
    assert ask(http, conversation_id="no such").status_code == 400


def test_earlier_messages_are_history_unless_a_conversation_is_kept(http: TestClient, service: EchoService) -> None:
    messages = [
        {"role": "system", "content": "Be rude."},
        {"role": "user", "content": "Returns?"},
        {"role": "assistant", "content": "30 days."},
        {"role": "user", "content": [{"type": "text", "text": "And for"}, {"type": "text", "text": "lamps?"}]},
    ]
    http.post("/v1/chat/completions", json={"messages": messages, "max_tokens": 99999, "language": "en"})
    question = service.questions[-1]
    assert question.text == "And for\nlamps?"
    assert question.history == (("user", "Returns?"), ("assistant", "30 days."))
    assert (question.max_tokens, question.language) == (4096, "en")
    http.post("/v1/chat/completions", json={"messages": messages, "conversation_id": "new"})
    assert service.questions[-1].history == ()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"n": 2}, "n=2"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "json_object"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "last message"),
        ({"messages": [{"role": "user", "content": "  "}]}, "empty"),
        ({"messages": [{"role": "user", "content": None}]}, "empty"),
        ({"messages": [{"role": "user", "content": "x" * 8001}]}, "8,001"),
        ({"messages": [{"role": "user", "content": "x" * 2**20}]}, "1,048,576"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "image_url"),
        ({"messages": [{"role": "pope", "content": "x"}]}, "role"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"language": "English"}, "language"),
        ({"messages": "hello"}, "messages"),
    ],
)
def test_what_the_bot_cannot_do_is_refused_in_plain_words(http: TestClient, more: dict[str, Any], says: str) -> None:
    reply = http.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "x"}], **more})
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert says in error["message"]
    assert error["type"] == "invalid_request_error"


def test_unknown_fields_and_null_bytes_do_no_harm(http: TestClient, service: EchoService) -> None:
    assert ask(http, "re\x00turn goods", logit_bias={}, seed=1, whatever=[1]).status_code == 200
    assert service.questions[-1].text == "return goods"


def test_an_unknown_model_is_404_and_names_those_there_are(http: TestClient) -> None:
    for reply in (ask(http, model="gpt-9"), http.get("/v1/models/gpt-9")):
        assert reply.status_code == 404
        assert "customer-service" in reply.json()["error"]["message"]
    assert http.get("/v1/models/customer-service").json()["object"] == "model"


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_before_the_first_word_keeps_its_status(http: TestClient, service: EchoService, stream: bool) -> None:
    service.fail = Overloaded("Sixteen questions wait already.", retry_after=3)
    reply = ask(http, stream=stream)
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "3")
    service.fail = Unavailable("The model server does not answer.")
    assert ask(http, stream=stream).status_code == 503
    service.fail = ValueError("secret")
    reply = ask(http, stream=stream)
    assert reply.status_code == 500 and "secret" not in reply.text


@pytest.mark.parametrize("error", [Unavailable("The model server went away."), ValueError("secret")])
def test_an_error_after_the_first_word_ends_the_stream_without_done(
    http: TestClient, service: EchoService, error: Exception
) -> None:
    service.fail_after_first = error
    got = chunks(ask(http, stream=True).text)
    assert got[-1]["error"]["type"] == "server_error"
    assert "[DONE]" not in got and "secret" not in json.dumps(got)


def test_embeddings_refuse_what_they_cannot_embed(http: TestClient) -> None:
    for body, says in (
        ({"input": [1, 2]}, "token ids"),
        ({"input": [[1, 2]]}, "token ids"),
        ({"input": []}, "empty"),
        ({"input": ""}, "empty"),
        ({"input": ["a", ""]}, "empty"),
        ({"input": ["a"] * 2049}, "2,049"),
        ({"input": "a", "dimensions": 3}, "8 dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
    ):
        reply = http.post("/v1/embeddings", json={"model": ENCODER, **body})
        assert reply.status_code == 400, body
        assert says in reply.text
    assert http.post("/v1/embeddings", json={"model": "nosuch", "input": "a"}).status_code == 404
    assert http.post("/v1/embeddings", json={"model": ENCODER, "input": "a", "dimensions": 8}).status_code == 200
