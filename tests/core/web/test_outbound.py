from __future__ import annotations

import datetime
import ipaddress
import ssl
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.errors import InputError, TooLarge, Unavailable
from core.web.addresses import read_url, refusal, shown
from core.web.outbound import Response, fetch
from tests.core.web._site import Site, drip, moved, open_site, packed, page, raw

REFUSED = """
http://127.0.0.1/ http://127.1.2.3/ http://127.1/ http://127.0.1/ http://2130706433/ http://0x7f000001/ http://0x7f.1/
http://0177.0.0.1/ http://017700000001/ http://127.0.0.01/ http://0/ http://0.0.0.0/ http://10.1.2.3/
http://172.16.0.1/ http://172.31.255.255/ http://192.168.1.1/ http://169.254.169.254/latest/meta-data/
http://2852039166/ http://0xa9fea9fe/ http://0251.0376.0251.0376/ http://169.254.1.1/ http://100.64.0.1/
http://100.100.100.200/ http://168.63.129.16/ http://192.0.0.192/ http://192.0.2.1/ http://198.18.0.1/
http://198.51.100.7/ http://203.0.113.7/ http://192.88.99.1/ http://224.0.0.1/ http://239.255.255.250/
http://240.0.0.1/ http://255.255.255.255/ http://[::1]/ http://[::]/ http://[::ffff:127.0.0.1]/
http://[::ffff:8.8.8.8]/ http://[::ffff:a9fe:a9fe]/ http://[::127.0.0.1]/ http://[64:ff9b::a9fe:a9fe]/
http://[64:ff9b::8.8.8.8]/ http://[64:ff9b:1::1]/ http://[2002:7f00:1::]/ http://[2002:a9fe:a9fe::1]/
http://[2001::1]/ http://[2001:db8::1]/ http://[3fff::1]/ http://[fc00::1]/ http://[fd00:ec2::254]/
http://[fe80::1]/ http://[fe80::1%25eth0]/ http://[fec0::1]/ http://[ff02::1]/ http://[100::1]/ http://127.0.0.1./
http://１２７.0.0.1/ http://127。0。0。1/ http://①②⑦.0.0.1/ http://user@8.8.8.8/ http://user:pass@8.8.8.8/
http://8.8.8.8@127.0.0.1/ http://127.0.0.1#@8.8.8.8/ http://8.8.8.8\\@127.0.0.1/ http://%31%32%37.0.0.1/
http://8.8.8.8:22/ http://8.8.8.8:6379/ http://8.8.8.8:0/ http://8.8.8.8:99999/ http://8.8.8.8:x/
ftp://8.8.8.8/ file:///etc/passwd gopher://8.8.8.8/ //8.8.8.8/ 8.8.8.8 http:/8.8.8.8/ http:// javascript:alert(1)
http://256.1.1.1/ http://1.2.3/ http://1.2.3.4.5/ http://a..b/ http://-a.test/ http://a_$.test/ http://[::1/
"""


def nobody(host: str, port: int) -> Sequence[str]:
    raise AssertionError(f"{host} was looked up")


def here(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


@pytest.fixture
def site() -> Iterator[Site]:
    with open_site() as opened:
        yield opened


ask = partial(fetch, resolve=here, allow_private=True, ports=None, timeout=5)


@pytest.mark.parametrize(
    "url", [*REFUSED.split(), "http://8.8.8.8/a b", "http://8.8.8.8/\r\nX: y", "http://ex\tample.com/"]
)
def test_what_leads_inside_or_hides_where_it_leads_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(InputError):
        fetch(url, resolve=nobody, timeout=1)


@pytest.mark.parametrize(
    "found",
    [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::1"], ["::ffff:10.0.0.1"], ["fe80::1%eth0"], ["64:ff9b::7f00:1"]],
)
def test_a_name_with_any_address_inside_is_refused(found: list[str]) -> None:
    with pytest.raises(InputError, match=r"feeds\.test leads to"):
        fetch("https://feeds.test/rss", resolve=lambda *_: found, timeout=1)


@pytest.mark.parametrize("text", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"])
def test_public_addresses_may_be_asked(text: str) -> None:
    assert refusal(ipaddress.ip_address(text)) is None


@pytest.mark.parametrize(
    ("text", "opened"),
    [("10.0.0.1", True), ("127.0.0.1", True), ("::1", True), ("fd12::1", True), ("100.64.0.1", True)]
    + [(t, False) for t in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "fe80::1", "224.0.0.1", "0.0.0.0")]
    + [("::ffff:127.0.0.1", False), ("64:ff9b::7f00:1", False)],
)
def test_private_servers_can_be_allowed_and_metadata_never(text: str, opened: bool) -> None:
    assert (refusal(ipaddress.ip_address(text), allow_private=True) is None) is opened


def test_a_url_is_put_in_its_plain_form() -> None:
    assert read_url("HTTPS://Feeds.Example.COM.:443/新闻?q=a|b#part").url == (
        "https://feeds.example.com/%E6%96%B0%E9%97%BB?q=a%7Cb"
    )
    assert read_url("http://bücher.example:8080").url == "http://xn--bcher-kva.example:8080/"
    assert read_url("http://[2606:4700:0::1111]/").authority == "[2606:4700::1111]"
    with pytest.raises(InputError, match=r"2,000"):
        read_url("http://a.test/" + "x" * 2000)


def test_messages_show_no_secrets_of_a_url() -> None:
    assert shown("https://me:secret@a.test/feed?key=abc&x=1#z") == "https://a.test/feed?key=***&x=***"
    assert len(shown("https://a.test/" + "x" * 500)) == 200


def test_the_page_comes_with_its_status_and_headers(site: Site) -> None:
    site.pages["/feed"] = page(b"<rss/>", 404, {"ETag": '"7"', "X-Two": "a"})
    got = ask(site.url("/feed?a=1"), headers={"If-None-Match": '"6"'})
    assert (got.status, got.body, got.headers["etag"]) == (404, b"<rss/>", '"7"')
    method, path, headers, _ = site.asked[0]
    assert (method, path, headers["host"]) == ("GET", "/feed?a=1", f"site.test:{site.port}")
    assert headers["if-none-match"] == '"6"' and headers["user-agent"].startswith("triptych")


def test_a_post_carries_its_body(site: Site) -> None:
    site.pages["/hook"] = page(b"", 204)
    assert ask(site.url("/hook"), method="POST", body=b"{}", headers={"Content-Type": "application/json"}).status == 204
    assert site.asked[0][0] == "POST" and site.asked[0][3] == b"{}"
    assert site.asked[0][2]["content-type"] == "application/json"


def test_the_connection_goes_to_the_checked_address_even_if_the_name_changes(site: Site) -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    site.pages["/"] = page(b"checked")
    assert fetch(site.url(), resolve=lambda *_: next(answers), allow_private=True, ports=None).body == b"checked"
    assert next(answers) == ["10.0.0.1"], "the name was looked up once"


@pytest.mark.parametrize(
    "place", ["http://169.254.169.254/latest", "http://[fd00:ec2::254]/", "file:///etc/passwd", "http://u@site.test/"]
)
def test_a_redirect_to_where_nobody_may_go_is_refused(site: Site, place: str) -> None:
    site.pages["/"] = moved(place)
    with pytest.raises(InputError):
        ask(site.url())
    assert len(site.asked) == 1


def test_a_redirect_to_a_name_that_leads_inside_is_refused(site: Site) -> None:
    site.pages["/"] = moved("http://metadata.test/")

    def resolve(host: str, port: int) -> list[str]:
        return ["169.254.169.254" if host == "metadata.test" else "127.0.0.1"]

    with pytest.raises(InputError, match=r"metadata\.test leads to 169\.254\.169\.254"):
        fetch(site.url(), resolve=resolve, allow_private=True, ports=None)


def test_redirects_are_followed_up_to_a_number(site: Site) -> None:
    for i in range(9):
        site.pages[f"/{i}"] = moved(f"/{i + 1}", 301)
    site.pages["/9"] = page(b"end")
    assert ask(site.url("/4")).body == b"end" and ask(site.url("/4")).url.endswith("/9")
    with pytest.raises(Unavailable, match="more than 5 redirects"):
        ask(site.url("/0"))


def test_secrets_do_not_follow_to_another_site(site: Site) -> None:
    site.pages["/"] = moved(site.url("/there", "other.test"))
    site.pages["/there"] = moved("/here")
    site.pages["/here"] = page()
    ask(site.url(), headers={"Authorization": "Bearer x", "Accept": "application/rss+xml"})
    assert [("authorization" in asked[2], asked[2]["accept"]) for asked in site.asked] == [
        (True, "application/rss+xml"),
        (False, "application/rss+xml"),
        (False, "application/rss+xml"),
    ]


def test_a_body_is_sent_again_only_within_its_site_and_only_where_that_is_asked(site: Site) -> None:
    site.pages |= {"/302": moved("/ok"), "/307": moved("/ok", 307), "/ok": page(b"ok")}
    site.pages["/away"] = moved(site.url("/ok", "other.test"), 308)
    assert ask(site.url("/302"), method="POST", body=b"1").status == 302
    assert ask(site.url("/307"), method="POST", body=b"2").body == b"ok" and site.asked[-1][3] == b"2"
    with pytest.raises(InputError, match="another site"):
        ask(site.url("/away"), method="POST", body=b"3")


@pytest.mark.parametrize("how", ["gzip", "deflate", "raw"])
def test_what_is_packed_is_unpacked_within_bounds(site: Site, how: str) -> None:
    site.pages |= {"/": packed(b"news " * 1000, how), "/bomb": packed(b"\0" * 50_000_000, how)}
    assert ask(site.url()).body == b"news " * 1000
    with pytest.raises(TooLarge, match="1,000,000 bytes"):
        ask(site.url("/bomb"), max_bytes=1_000_000)


def test_a_large_page_is_refused_whatever_it_says_of_its_size(site: Site) -> None:
    site.pages |= {"/": page(b"x" * 2000), "/unsized": page(b"x" * 2000, sized=False)}
    for path in ("/", "/unsized"):
        with pytest.raises(TooLarge):
            ask(site.url(path), max_bytes=1999)
        assert len(ask(site.url(path), max_bytes=2000).body) == 2000


BROKEN = {
    "short": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",
    "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "no chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "none": b"",
    "no http": b"SSH-2.0-OpenSSH\r\n",
    "headers": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
    "long line": b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000,
    "not gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    "half gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00",
    "brotli": b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\nabc",
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_answer_that_is_not_whole_is_no_answer(site: Site, name: str) -> None:
    site.pages["/"] = raw(BROKEN[name])
    with pytest.raises(Unavailable, match=r"site\.test"):
        ask(site.url())


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nA: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_an_answer_that_trickles_in_ends_with_the_time(site: Site, head: bytes) -> None:
    site.pages["/"] = drip(head)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="in time"):
        ask(site.url(), timeout=0.3)
    assert time.monotonic() - began < 2


def test_a_name_that_is_not_looked_up_in_time_or_not_found_is_told() -> None:
    def slow(host: str, port: int) -> Sequence[str]:
        time.sleep(0.5)
        return []

    with pytest.raises(Unavailable, match="Looking up"):
        fetch("http://slow.test/", resolve=slow, timeout=0.1)

    def missing(host: str, port: int) -> Sequence[str]:
        raise OSError(-2, "Name or service not known")

    with pytest.raises(Unavailable, match=r"none\.test is not found: Name or service"):
        fetch("http://none.test/", resolve=missing)


def test_the_next_address_is_tried_where_one_does_not_answer(site: Site) -> None:
    site.pages["/"] = page(b"second")
    assert ask(site.url(), resolve=lambda *_: ["::1", "127.0.0.1"]).body == b"second"
    with pytest.raises(Unavailable):
        ask("http://site.test:1/")


@pytest.mark.parametrize(
    "headers", [{"Host": "x"}, {"X": "a\r\nB: c"}, {"X Y": "a"}, {"X": "é"}, {"Content-Length": "1"}]
)
def test_headers_that_would_change_the_request_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(InputError):
        fetch("http://8.8.8.8/", headers=headers, resolve=nobody)


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For the server and for who trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "both.pem").write_bytes(pem + private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "both.pem")
    return server, ssl.create_default_context(cadata=pem.decode())


def test_certificates_are_checked_against_the_name_and_not_the_address(tmp_path: Path) -> None:
    server, trust = certificate(tmp_path, "site.test")
    with open_site(server) as site:
        site.pages |= {"/": page(b"safe"), "/down": moved(f"http://site.test:{site.port}/")}

        def get(host: str, path: str = "/", context: ssl.SSLContext | None = None) -> Response:
            return ask(f"https://{host}:{site.port}{path}", context=context)

        assert get("site.test", context=trust).body == b"safe"
        with pytest.raises(Unavailable, match="Hostname mismatch"):
            get("other.test", context=trust)
        with pytest.raises(Unavailable, match="self-signed"):
            get("site.test")
        with pytest.raises(InputError, match="from https to"):
            get("site.test", "/down", trust)
