from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from core.web import WebSettings
from core.web.rate_limit import address_key
from tests.core.web._parts import client


def test_a_body_over_the_limit_is_refused_by_its_declared_length() -> None:
    reply = client().post("/length", content=b"x" * 1001)
    assert reply.status_code == 413
    assert reply.headers["content-type"] == "application/problem+json"
    assert "1,000 bytes" in reply.json()["detail"]


@pytest.mark.parametrize("path", ["/length", "/cats"])
def test_a_chunked_body_is_refused_at_the_byte_that_passes_the_limit(path: str) -> None:
    sent = []

    def chunks() -> Iterator[bytes]:
        for n in range(100):
            sent.append(n)
            yield b"x" * 100

    reply = client().post(path, content=chunks(), headers={"content-type": "application/json"})
    assert reply.status_code == 413


def test_a_body_of_exactly_the_limit_passes() -> None:
    assert client().post("/length", content=b"x" * 1000).json() == {"length": 1000}
    assert client().post("/length", content=iter([b"x" * 999, b"x"])).json() == {"length": 1000}


def test_a_sane_request_id_is_kept_and_another_is_replaced() -> None:
    with client() as http:
        assert http.get("/livez", headers={"x-request-id": "job-7"}).headers["x-request-id"] == "job-7"
        for odd in ("a b", "x" * 65, "<script>"):
            given = http.get("/livez", headers={"x-request-id": odd}).headers["x-request-id"]
            assert given != odd and len(given) == 32
        assert "x-request-id" in http.get("/nothing").headers


def test_every_answer_has_the_security_headers() -> None:
    with client() as http:
        for path in ("/", "/livez", "/nothing", "/fail/bug", "/static/core/tokens.css"):
            headers = http.get(path).headers
            policy = headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';"), path
            assert "frame-ancestors 'none'" in policy and "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"


def test_no_site_is_allowed_by_default() -> None:
    with client() as http:
        reply = http.get("/cats/tom", headers={"origin": "https://shop.example"})
        assert "access-control-allow-origin" not in reply.headers
        for headers in (
            {"origin": "https://shop.example"},
            {"origin": "null"},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site", "origin": "http://testserver"},
        ):
            assert http.post("/cats", json={"name": "tom"}, headers=headers).status_code == 403
        for headers in (
            {},
            {"origin": "http://testserver"},
            {"sec-fetch-site": "same-origin", "origin": "https://x.y"},
        ):
            assert http.post("/cats", json={"name": "tom"}, headers=headers).status_code == 200


def test_an_allowed_site_may_use_what_is_shared_and_only_read_what_is_readable() -> None:
    shop = {"origin": "https://shop.example", "sec-fetch-site": "cross-site"}
    with client(allowed_origins=("https://shop.example",)) as http:
        reply = http.post("/cats", json={"name": "tom"}, headers=shop)
        assert reply.status_code == 200
        assert reply.headers["access-control-allow-origin"] == "https://shop.example"
        preflight = http.options(
            "/cats",
            headers={**shop, "access-control-request-method": "POST", "access-control-request-headers": "content-type"},
        )
        assert preflight.status_code == 200
        assert http.post("/length", content=b"x", headers=shop).status_code == 403
        assert http.post("/fail/bug", headers=shop).status_code == 403
        other = {"origin": "https://other.example", "sec-fetch-site": "cross-site"}
        assert http.post("/cats", json={"name": "tom"}, headers=other).status_code == 403
        assert "access-control-allow-origin" not in http.get("/cats/tom", headers=other).headers
        assert "frame-ancestors https://shop.example" in http.get("/").headers["content-security-policy"]


def test_errors_reach_an_allowed_site_with_cors_headers() -> None:
    with client(allowed_origins=("https://shop.example",), chat_rate_limit="1/minute") as http:
        shop = {"origin": "https://shop.example"}
        http.post("/cats", json={"name": "tom"}, headers=shop)
        refused = http.post("/cats", json={"name": "tom"}, headers=shop)
    assert refused.status_code == 429
    assert refused.headers["access-control-allow-origin"] == "https://shop.example"


def test_an_address_over_its_rate_waits_and_reading_is_free() -> None:
    with client(chat_rate_limit="3/minute") as http:
        codes = [http.post("/cats", json={"name": "tom"}).status_code for _ in range(5)]
        assert codes == [200, 200, 200, 429, 429]
        refused = http.post("/cats", json={"name": "tom"})
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert http.get("/cats/tom").status_code == 200
        assert http.post("/length", content=b"").status_code == 200


def test_a_limited_stream_still_streams() -> None:
    heard: list[str] = []
    with client(chat_rate_limit="9/minute", opened=heard) as http:
        reply = http.post("/count")
    assert reply.text == "data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert heard == ["open", "stream closed", "closed"]


def test_an_ipv6_customer_is_one_caller() -> None:
    assert address_key("2001:db8:1:2::1") == address_key("2001:db8:1:2:ffff::9")
    assert address_key("2001:db8:1:3::1") != address_key("2001:db8:1:2::1")
    assert address_key("::ffff:10.0.0.1") == address_key("10.0.0.1") == "10.0.0.1"
    assert address_key("testclient") == "testclient"


@pytest.mark.parametrize("origin", ["shop.example", "https://shop.example/", "ftp://x", "https://", "javascript:1"])
def test_an_origin_that_is_none_is_refused_with_its_name(origin: str) -> None:
    with pytest.raises(ValidationError, match="is no origin"):
        WebSettings(allowed_origins=(origin,))


def test_a_rate_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="is no rate"):
        WebSettings(chat_rate_limit="many")
