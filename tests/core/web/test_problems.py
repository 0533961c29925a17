from __future__ import annotations

import pytest

from tests.core.web._parts import client


def test_an_error_of_the_tree_becomes_problem_json_with_its_status() -> None:
    reply = client().get("/fail/column")
    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"
    body = reply.json()
    assert body["type"] == "urn:triptych:error:unknown-column"
    assert body["title"] == "Unknown column"
    assert body["detail"] == "t.csv has no column 'label'; it has text."
    assert body["instance"] == "/fail/column"
    assert body["request_id"] == reply.headers["x-request-id"]


def test_retry_after_is_whole_seconds_rounded_up() -> None:
    reply = client().get("/fail/busy")
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "3")


@pytest.mark.parametrize("path", ["/fail/bug", "/v1/fail/bug"])
def test_an_unforeseen_error_tells_nothing_of_the_inside(path: str) -> None:
    reply = client().get(path)
    assert reply.status_code == 500
    assert "secret" not in reply.text and "Traceback" not in reply.text


def test_under_v1_every_error_has_openais_body() -> None:
    with client() as http:
        missing = http.get("/v1/fail/missing")
        unknown = http.get("/v1/nothing")
        wrong = http.post("/v1/cats", json={"name": "Methuselah"})
        method = http.delete("/v1/cats")
    assert missing.status_code == 404
    assert missing.json()["error"] == {
        "message": "There is no cat 'x'.",
        "type": "invalid_request_error",
        "param": None,
        "code": "not_found",
    }
    assert unknown.status_code == 404 and "error" in unknown.json()
    assert wrong.status_code == 400 and wrong.json()["error"]["param"] == "name"
    assert method.status_code == 405 and "POST" in method.json()["error"]["message"]


def test_a_wrong_field_is_named_and_its_value_is_not_echoed() -> None:
    reply = client().post("/cats", json={"name": "Methuselah", "age": "many"})
    assert reply.status_code == 422
    assert [e["field"] for e in reply.json()["errors"]] == ["name", "age"]
    assert "Methuselah" not in reply.text


def test_unknown_paths_and_methods_are_problems_too() -> None:
    with client() as http:
        assert http.get("/nothing").json()["detail"] == "There is nothing at /nothing."
        reply = http.delete("/cats/tom")
    assert reply.status_code == 405
    assert reply.headers["allow"] == "GET"
    assert reply.headers["content-type"] == "application/problem+json"


def test_broken_json_and_lone_surrogates_are_answered_not_crashed_on() -> None:
    with client() as http:
        assert http.post("/cats", content=b"{", headers={"content-type": "application/json"}).status_code == 422
        lone = http.post("/cats", content=b'{"name": "\\ud83d"}', headers={"content-type": "application/json"})
        assert lone.status_code == 422
        assert http.get("/fail/surrogate").status_code == 404
