from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from apps.customer_service.api import ASSETS, create_app_with
from apps.customer_service.schemas import DocumentIn
from core.web import WebSettings
from tests.apps.customer_service._service import EchoService

RETURNS = DocumentIn(id="policies/returns.md", title="Returns", text="You can return goods within 30 days.")


@pytest.fixture
def service() -> EchoService:
    return EchoService(documents=(RETURNS,))


@pytest.fixture
def http(service: EchoService) -> Iterator[TestClient]:
    with TestClient(create_app_with(lambda: service, WebSettings(chat_rate_limit=""), max_body_bytes=2**20)) as client:
        yield client


def test_a_document_is_added_read_replaced_listed_and_forgotten(http: TestClient) -> None:
    added = http.post("/customer-service/documents", json={"title": "Fees", "text": "The fee is $50."})
    assert added.status_code == 201
    id = added.json()["id"]
    assert http.get(f"/customer-service/documents/{id}").json()["text"] == "The fee is $50."
    changed = http.put(f"/customer-service/documents/{id}", json={"title": "Fees", "text": "The fee is $60."})
    assert changed.status_code == 200
    listed = http.get("/customer-service/documents", params={"query": "fee"}).json()
    assert listed["total"] == 1
    assert "text" not in listed["items"][0]
    assert http.delete(f"/customer-service/documents/{id}").status_code == 204
    gone = http.get(f"/customer-service/documents/{id}")
    assert gone.status_code == 404
    assert gone.headers["content-type"] == "application/problem+json"


def test_a_document_id_may_hold_slashes(http: TestClient) -> None:
    assert http.get("/customer-service/documents/policies/returns.md").json()["title"] == "Returns"
    assert http.get("/customer-service/documents/policies%2Freturns.md").json()["title"] == "Returns"


def test_listing_goes_page_by_page(http: TestClient) -> None:
    for n in range(5):
        http.put(f"/customer-service/documents/d{n}", json={"title": f"Page {n}", "text": "x"})
    reply = http.get("/customer-service/documents", params={"query": "page", "limit": 2, "offset": 4}).json()
    assert (reply["total"], [d["id"] for d in reply["items"]]) == (5, ["d4"])
    for wrong in ({"limit": 0}, {"limit": 501}, {"offset": -1}, {"offset": 10**12}):
        assert http.get("/customer-service/documents", params=wrong).status_code == 422


def test_files_are_taken_in_and_a_bad_one_does_not_stop_the_others(http: TestClient) -> None:
    files = [("files", ("a.md", b"Alpha.")), ("files", ("b.md", b"\xff\xfe\x00")), ("files", ("c.md", b"Gamma."))]
    reply = http.post("/customer-service/documents", files=files)
    assert reply.status_code == 201
    assert [(f["source"], f["status"]) for f in reply.json()["files"]] == [
        ("a.md", "added"),
        ("b.md", "error"),
        ("c.md", "added"),
    ]
    assert "UTF-8" in reply.json()["files"][1]["detail"]


def test_one_bad_file_alone_is_an_error(http: TestClient) -> None:
    reply = http.post("/customer-service/documents", files={"files": ("b.md", b"\xff\xfe\x00")})
    assert reply.status_code == 422
    assert reply.json()["title"] == "Unreadable document"


def test_a_file_name_cannot_lead_out_of_its_place(http: TestClient, service: EchoService) -> None:
    http.post("/customer-service/documents", files={"files": ("../../etc/pass\\wd.md", b"Alpha.")})
    assert "wd.md" in service.documents


@pytest.mark.parametrize(
    ("request_parts", "status"),
    [
        ({"json": {"title": "", "text": "x"}}, 422),
        ({"json": {"title": "x"}}, 422),
        ({"json": [1]}, 422),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 422),
        ({"content": b"\xff", "headers": {"content-type": "application/json"}}, 422),
        ({"content": b"hello", "headers": {"content-type": "text/plain"}}, 415),
        ({"content": b"hello"}, 415),
        ({"data": {"note": "no file"}, "files": {}}, 415),
        ({"content": b"--x\r\nbroken", "headers": {"content-type": "multipart/form-data; boundary=x"}}, 422),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400),
    ],
)
def test_what_cannot_be_a_document_is_refused(http: TestClient, request_parts: dict[str, Any], status: int) -> None:
    reply = http.post("/customer-service/documents", **request_parts)
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"


def test_where_an_admin_key_is_set_only_its_holder_lists_and_changes(service: EchoService) -> None:
    web = WebSettings(admin_key="s3cret", chat_rate_limit="")
    with TestClient(create_app_with(lambda: service, web)) as http:
        path = "/customer-service/documents/policies/returns.md"
        body = {"title": "Returns", "text": "None."}
        assert http.get(path).status_code == 200
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic s3cret"}):
            for refused in (
                http.put(path, json=body, headers=headers),
                http.delete(path, headers=headers),
                http.post("/customer-service/documents", json=body, headers=headers),
                http.get("/customer-service/documents", headers=headers),
            ):
                assert refused.status_code == 401
                assert refused.headers["www-authenticate"] == "Bearer"
        assert http.put(path, json=body, headers={"authorization": "Bearer s3cret"}).status_code == 200


def test_a_conversation_is_kept_and_forgotten(http: TestClient) -> None:
    id = http.post("/customer-service/conversations").json()["id"]
    asked = {"messages": [{"role": "user", "content": "Can I return goods?"}], "conversation_id": id}
    answer = http.post("/v1/chat/completions", json=asked).json()
    assert answer["conversation_id"] == id
    kept = http.get(f"/customer-service/conversations/{id}").json()
    assert [m["role"] for m in kept["messages"]] == ["user", "assistant"]
    assert kept["messages"][1]["action"] == "quote"
    assert kept["messages"][1]["citations"][0]["quote"] == RETURNS.text
    assert http.delete(f"/customer-service/conversations/{id}").status_code == 204
    assert http.get(f"/customer-service/conversations/{id}").status_code == 404


@pytest.mark.parametrize("id", ["x%00y", "a" * 65, "%F0%9F%92%A1"])
def test_an_impossible_conversation_id_is_refused(http: TestClient, id: str) -> None:
    assert http.get(f"/customer-service/conversations/{id}").status_code == 422


def test_the_pages_and_the_widget_are_served(http: TestClient) -> None:
    for path, kind in (
        ("/", "text/html"),
        ("/customer-service/", "text/html"),
        ("/customer-service", "text/html"),
        ("/customer-service/demo", "text/html"),
        ("/widget.js", "text/javascript"),
        ("/static/customer-service/chat.js", "text/javascript"),
        ("/favicon.ico", "image/svg+xml"),
    ):
        reply = http.get(path)
        assert reply.status_code == 200
        assert reply.headers["content-type"].startswith(kind), path
        assert "no-cache" in reply.headers["cache-control"]


def test_every_word_of_the_chat_exists_in_both_languages() -> None:
    text = (ASSETS / "words.js").read_text("utf-8")
    english, chinese = text.split("  zh: {")
    keys = re.findall(r"^    (\w+):", english, re.MULTILINE)
    assert keys and keys == re.findall(r"^    (\w+):", chinese, re.MULTILINE)
    scripts = "".join(path.read_text("utf-8") for path in ASSETS.glob("*.js"))
    used = set(re.findall(r'i18n\.(?:t\(|node\("\w+", )"(\w+)"', scripts))
    assert len(used) > 15
    assert used <= set(keys), used - set(keys)


def test_the_widget_may_be_loaded_by_any_site_but_pages_may_not(http: TestClient) -> None:
    assert http.get("/widget.js").headers["cross-origin-resource-policy"] == "cross-origin"
    assert http.get("/customer-service/").headers["cross-origin-resource-policy"] == "same-origin"


def test_metrics_tell_answers_from_declines(http: TestClient) -> None:
    for text in ("Can I return goods?", "Do you sell spaceships?", "And rockets?"):
        http.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": text}]})
    text = http.get("/metrics").text
    assert 'triptych_answers_total{action="quote"} 1.0' in text
    assert 'triptych_answers_total{action="decline"} 2.0' in text
    assert 'triptych_tokens_total{kind="completion"}' in text


def test_the_service_opens_with_the_server_and_closes_with_it() -> None:
    built: list[EchoService] = []

    def build() -> EchoService:
        built.append(EchoService())
        return built[-1]

    app = create_app_with(build, WebSettings())
    assert not built
    with TestClient(app) as http:
        assert http.get("/readyz").status_code == 200
        built[0].parts = {"index": "rebuilding"}
        assert http.get("/readyz").status_code == 503
        assert built[0].closed == 0
    assert built[0].closed == 1


def test_before_the_start_the_bot_says_so() -> None:
    http = TestClient(create_app_with(EchoService, WebSettings()))
    reply = http.get("/v1/models")
    assert reply.status_code == 503
    assert reply.headers["retry-after"] == "1"
    assert http.get("/readyz").status_code == 503
    assert http.get("/livez").status_code == 200
