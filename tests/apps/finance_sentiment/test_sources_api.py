from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from apps.finance_sentiment.jobs import Jobs
from apps.finance_sentiment.polite import Hosts
from apps.finance_sentiment.sources_api import MOST_TEXTS, sources_router
from apps.finance_sentiment.store import Store
from core.errors import Unavailable
from core.web import Part, WebSettings, create_web_app
from tests.apps.finance_sentiment._feeds import Taker, get, item, rss
from tests.apps.finance_sentiment.test_jobs import Settings
from tests.core.web._site import Site, open_site, page

KEY = {"Authorization": "Bearer secret"}


@pytest.fixture
def site() -> Iterator[Site]:
    with open_site() as opened:
        yield opened


@pytest.fixture
def taker() -> Taker:
    return Taker()


@pytest.fixture
def client(tmp_path: Path, site: Site, taker: Taker) -> Iterator[TestClient]:
    (tmp_path / "in").mkdir()
    with Store.open(f"sqlite:///{tmp_path / 'test.db'}") as store:
        settings = Settings(outbound_ports=(site.port,), watch_folder=str(tmp_path / "in"))
        jobs = Jobs(taker, store, settings, get=get, hosts=Hosts(0))
        part = Part(
            name="finance-sentiment",
            path="/finance/",
            title={"en": "F"},
            summary={"en": "F"},
            routers=[sources_router(lambda: taker, lambda: jobs, SecretStr("secret"))],
            ready=dict,
        )
        app = create_web_app("Test", [part], WebSettings(), max_body_bytes=4 * 2**20)
        with TestClient(app, headers=KEY, raise_server_exceptions=False) as opened:
            yield opened
        jobs.close()


def feed(site: Site, **told: Any) -> dict[str, Any]:
    return {"location": site.url("/feed", "wire.test"), "interval_seconds": 60, **told}


def test_one_text_is_taken(client: TestClient, taker: Taker) -> None:
    body = {"title": "Bank fined", "published_at": "2026-03-02T09:30:00Z"}
    answer = client.post("/finance/texts", json=body)
    assert answer.status_code == 200
    expected = {"new": 1, "known": 0, "stories": 1, "negative": 0, "undated": 0, "seconds": 0.0, "refused": []}
    assert answer.json() == expected
    assert client.post("/finance/texts", json=body).json()["known"] == 1
    assert next(iter(taker.texts))[0] == "api"


def test_a_batch_is_taken_as_far_as_it_is_right(client: TestClient, taker: Taker) -> None:
    rows = [{"text": "Good"}, {"text": ""}, {"text": "x", "published_at": "soon"}, 5, {"title": "Fine", "source": "FT"}]
    answer = client.post("/finance/texts", json={"texts": rows})
    assert answer.status_code == 200 and answer.json()["new"] == 2
    refused = {r["index"]: r["reason"] for r in answer.json()["refused"]}
    assert sorted(refused) == [1, 2, 3] and "'soon' is no time" in refused[2]
    assert {source for source, _ in taker.texts} == {"api", "FT"}


def test_where_all_are_wrong_the_problem_names_each(client: TestClient, taker: Taker) -> None:
    answer = client.post("/finance/texts", json={"texts": [{"text": ""}] * 30})
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["type"] == "urn:triptych:error:input-error" and "No text could be taken" in body["detail"]
    assert len(body["errors"]) == 20 and body["errors"][3] == {"field": "texts.3", "message": "The text is empty"}
    assert not taker.texts


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ([], 422),
        (None, 422),
        ("x", 422),
        ({"texts": []}, 422),
        ({"texts": {"title": "x"}}, 422),
        ({"texts": None}, 422),
        ({"title": {"a": 1}}, 422),
        ({"title": "\ud800"}, 200),
        ({"title": "x\x00y", "id": 5, "published_at": 1e300}, 422),
        ({"texts": [{"title": "x"}] * (MOST_TEXTS + 1)}, 413),
        ({"title": "x" * (5 * 2**20)}, 413),
    ],
)
def test_odd_bodies_are_answered_and_never_break_anything(client: TestClient, body: object, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.post("/finance/texts", content=json.dumps(body), headers=headers)
    assert answer.status_code == status
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json" and answer.json()["detail"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"texts": [' + b"[" * 100_000])
def test_what_is_no_json_is_a_problem(client: TestClient, content: bytes) -> None:
    answer = client.post("/finance/texts", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422) and answer.headers["content-type"] == "application/problem+json"


def test_a_service_that_cannot_store_says_so(client: TestClient, taker: Taker) -> None:
    taker.fail.append(Unavailable("The database is locked.", retry_after=5))
    answer = client.post("/finance/texts", json={"title": "x"})
    assert answer.status_code == 503 and answer.headers["retry-after"] == "5"


def test_a_source_is_added_shown_changed_and_forgotten(client: TestClient, site: Site) -> None:
    added = client.put("/finance/sources/wire", json=feed(site))
    assert added.status_code == 201 and added.json()["health"] == "never" and added.json()["kind"] == "feed"
    assert client.get("/finance/sources/wire").json() == added.json()
    changed = client.put("/finance/sources/wire", json={"interval_seconds": 120, "enabled": False})
    assert changed.status_code == 200 and changed.json()["location"] == added.json()["location"]
    assert (changed.json()["interval_seconds"], changed.json()["health"]) == (120, "off")
    assert changed.json()["next_due_at"] is None
    listed = client.get("/finance/sources").json()
    assert [s["name"] for s in listed["items"]] == ["wire"] and listed["counts"]["off"] == 1
    assert set(listed["counts"]) == {"ok", "late", "failing", "never", "off"}
    assert client.delete("/finance/sources/wire").status_code == 204
    assert client.get("/finance/sources/wire").status_code == 404
    assert client.delete("/finance/sources/wire").status_code == 404


def test_a_source_added_twice_is_a_conflict(client: TestClient, site: Site) -> None:
    assert client.post("/finance/sources", json=feed(site, name="财经.新闻-1")).status_code == 201
    answer = client.post("/finance/sources", json=feed(site, name="财经.新闻-1"))
    assert answer.status_code == 409 and "财经.新闻-1" in answer.json()["detail"]


def test_keys_in_urls_are_not_shown(client: TestClient, site: Site) -> None:
    site.pages["/feed"] = page(b"", 500)
    client.put("/finance/sources/wire", json={"location": site.url("/feed?key=s3cret&x", "wire.test")})
    client.post("/finance/sources/wire/poll")
    text = client.get("/finance/sources").text
    assert "s3cret" not in text and "?key=***&***" in text


def test_a_poll_is_done_at_once_and_tells_what_it_brought(client: TestClient, site: Site) -> None:
    site.pages["/feed"] = page(rss(item(1), item(2, date="soon")))
    client.put("/finance/sources/wire", json=feed(site))
    answer = client.post("/finance/sources/wire/poll").json()
    assert (answer["found"], answer["new"], answer["source"]["health"], answer["source"]["texts"]) == (2, 2, "ok", 2)
    assert "soon" in answer["problems"][0] and answer["source"]["last_new_at"].endswith("Z")


def test_a_poll_that_fails_says_why_and_the_source_too(client: TestClient, site: Site) -> None:
    site.pages["/feed"] = page(b"<html>login</html>")
    client.put("/finance/sources/wire", json=feed(site))
    answer = client.post("/finance/sources/wire/poll")
    assert answer.status_code == 422 and "is no RSS or Atom feed" in answer.json()["detail"]
    source = client.get("/finance/sources/wire").json()
    assert source["health"] == "failing" and source["last_error"] == answer.json()["detail"]
    assert client.post("/finance/sources/other/poll").status_code == 404


def test_a_folder_is_watched_below_the_allowed_one(client: TestClient, tmp_path: Path) -> None:
    answer = client.put("/finance/sources/inbox", json={"kind": "folder", "location": "."})
    assert answer.status_code == 201 and answer.json()["interval_seconds"] == 5
    assert answer.json()["location"] == str(tmp_path / "in")
    assert client.put("/finance/sources/etc", json={"kind": "folder", "location": "/etc"}).status_code == 422


@pytest.mark.parametrize(
    "change",
    [
        {"location": "http://127.0.0.1/"},
        {"location": "http://169.254.169.254/latest"},
        {"location": "file:///etc/passwd"},
        {"location": ""},
        {"location": "https://a.test/", "interval_seconds": 9},
        {"location": "https://a.test/", "interval_seconds": 0},
        {"location": "https://a.test/", "interval_seconds": 90_000},
        {"location": "https://a.test/", "kind": "ftp"},
        {"location": "https://a.test/", "what": 1},
        {"kind": "folder"},
        {},
    ],
)
def test_what_cannot_be_a_source_is_refused(client: TestClient, change: dict[str, Any]) -> None:
    assert client.put("/finance/sources/wire", json=change).status_code == 422
    assert client.get("/finance/sources").json()["items"] == []


@pytest.mark.parametrize("name", ["a b", "a%2Fb", "x" * 81, ".hidden", "a%00b", "<script>"])
def test_names_that_no_path_can_hold_are_refused(client: TestClient, site: Site, name: str) -> None:
    assert client.put(f"/finance/sources/{name}", json=feed(site)).status_code in (404, 405, 422)


def test_a_feed_that_becomes_a_folder_needs_a_place(client: TestClient, site: Site) -> None:
    client.put("/finance/sources/wire", json=feed(site))
    assert client.put("/finance/sources/wire", json={"kind": "folder"}).status_code == 422
    assert client.put("/finance/sources/wire", json={"kind": "folder", "location": "."}).json()["kind"] == "folder"
    assert client.put("/finance/sources/wire", json={"interval_seconds": 1}).status_code == 200


def test_everything_but_reading_asks_for_the_key(client: TestClient, site: Site) -> None:
    client.headers.pop("Authorization")
    assert client.get("/finance/sources").status_code == 200
    for method, path in [
        ("POST", "/finance/texts"),
        ("POST", "/finance/sources"),
        ("PUT", "/finance/sources/a"),
        ("DELETE", "/finance/sources/a"),
        ("POST", "/finance/sources/a/poll"),
    ]:
        assert client.request(method, path, json={"title": "x"}).status_code == 401
