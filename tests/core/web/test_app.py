from __future__ import annotations

import re

import pytest

from core.web.docs import as_openapi_30
from core.web.static import CORE_ASSETS
from tests.core.web._parts import client


def test_parts_open_at_start_and_close_at_the_end() -> None:
    opened: list[str] = []
    with client(opened=opened):
        assert opened == ["open"]
    assert opened == ["open", "closed"]


def test_livez_stays_well_while_readyz_says_what_is_wrong() -> None:
    with client(state={"food": "ok", "water": "the bowl is empty"}) as http:
        assert http.get("/livez").json() == {"status": "ok"}
        reply = http.get("/readyz")
    assert reply.status_code == 503
    (app,) = reply.json()["apps"]
    assert app["status"] == "unavailable"
    assert app["parts"]["water"] == "the bowl is empty"
    assert app["title"]["zh"] == "猫"


def test_readyz_is_200_when_all_is_well() -> None:
    reply = client().get("/readyz")
    assert (reply.status_code, reply.json()["status"]) == (200, "ok")


def test_probes_may_ask_with_head() -> None:
    with client() as http:
        assert [http.head(path).status_code for path in ("/", "/livez", "/readyz")] == [200, 200, 200]


def test_metrics_count_by_route_template_and_never_by_path() -> None:
    with client() as http:
        http.get("/cats/tom")
        http.get("/cats/felix")
        http.get("/no/such/path")
        http.get("/fail/bug")
        text = http.get("/metrics").text
    assert 'triptych_http_requests_total{method="GET",route="/cats/{name}",status="200"} 2.0' in text
    assert 'triptych_http_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text
    assert 'triptych_http_requests_total{method="GET",route="/fail/{kind}",status="500"} 1.0' in text
    assert "triptych_http_requests_in_flight 1.0" in text
    assert 'triptych_http_request_seconds_bucket{le="0.005"' in text
    assert "felix" not in text


def test_two_servers_have_metrics_of_their_own() -> None:
    with client() as one, client() as two:
        one.get("/cats/tom")
        assert "/cats/{name}" not in two.get("/metrics").text


def test_static_files_have_an_etag_and_answer_304() -> None:
    with client() as http:
        first = http.get("/static/core/dom.js")
        assert first.headers["content-type"] == "text/javascript; charset=utf-8"
        assert first.headers["cache-control"] == "no-cache"
        again = http.get("/static/core/dom.js", headers={"if-none-match": first.headers["etag"]})
        assert again.status_code == 304 and not again.content
        assert again.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["../app.py", "%2e%2e/app.py", "..%2fapp.py", "nothing.js", ""])
def test_nothing_outside_the_folder_is_served(path: str) -> None:
    assert client().get(f"/static/core/{path}").status_code == 404


def test_the_docs_page_needs_no_other_host() -> None:
    with client() as http:
        page = http.get("/docs")
        assert "https://" not in page.text and "http://" not in page.text
        assert "'unsafe-inline'" in page.headers["content-security-policy"]
        assert "script-src 'self';" in page.headers["content-security-policy"]
        assert http.get("/static/swagger/swagger-ui-bundle.js").status_code == 200
        assert http.get("/docs/openapi.json").json()["openapi"] == "3.0.3"
        assert http.get("/openapi.json").json()["openapi"].startswith("3.1")


def test_docs_can_be_turned_off() -> None:
    with client(docs=False) as http:
        assert http.get("/docs").status_code == 404


def test_the_description_in_older_words_means_the_same() -> None:
    older = as_openapi_30(
        {
            "openapi": "3.1.0",
            "a": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}], "title": "A"},
            "b": {"anyOf": [{"$ref": "#/x"}, {"type": "null"}]},
            "c": {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
            "d": {"const": "list", "type": "string"},
            "e": {"type": "array", "prefixItems": [{"type": "string"}]},
            "f": {"type": "string", "contentMediaType": "application/octet-stream"},
            "g": {"type": "number", "exclusiveMinimum": 0},
        }
    )
    assert older["a"] == {"type": "string", "maxLength": 3, "title": "A", "nullable": True}
    assert older["b"] == {"allOf": [{"$ref": "#/x"}], "nullable": True}
    assert older["c"] == {"anyOf": [{"type": "string"}, {"type": "integer"}], "nullable": True}
    assert older["d"]["enum"] == ["list"]
    assert older["e"]["items"] == {"anyOf": [{"type": "string"}]}
    assert older["f"] == {"type": "string", "format": "binary"}
    assert older["g"] == {"type": "number", "minimum": 0, "exclusiveMinimum": True}


def test_every_page_word_exists_in_both_languages() -> None:
    for script in ("nav.js", "home.js"):
        text = (CORE_ASSETS / script).read_text("utf-8")
        english, chinese = text.split("  zh: {")[0], text.split("  zh: {")[1].split("\n};")[0]
        keys = re.findall(r"^    (\w+):", english.split("  en: {")[1], re.MULTILINE)
        assert keys and keys == re.findall(r"^    (\w+):", chinese, re.MULTILINE), script
