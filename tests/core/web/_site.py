"""A small web site on this machine, for what goes out: says what it was asked, and misbehaves on demand."""

from __future__ import annotations

import gzip
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Page = Callable[[BaseHTTPRequestHandler, bytes], None]


@dataclass
class Site:
    """What is where, and what was asked."""

    port: int
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    """Method, path, headers in lower case, body."""

    def url(self, path: str = "/", host: str = "site.test") -> str:
        return f"http://{host}:{self.port}{path}"


def page(
    body: bytes = b"hello", status: int = 200, headers: Mapping[str, str] | None = None, *, sized: bool = True
) -> Page:
    """A page that answers so."""

    def answer(handler: BaseHTTPRequestHandler, _: bytes) -> None:
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        if sized and "Content-Length" not in (headers or {}):
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def moved(place: str, status: int = 302) -> Page:
    return page(b"", status, {"Location": place})


def packed(body: bytes, how: str) -> Page:
    """A page packed as gzip, zlib ("deflate") or bare deflate ("raw")."""
    bare = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = {
        "gzip": lambda: gzip.compress(body),
        "deflate": lambda: zlib.compress(body),
        "raw": lambda: bare.compress(body) + bare.flush(),
    }[how]()
    return page(data, 200, {"Content-Encoding": "gzip" if how == "gzip" else "deflate"})


def drip(head: bytes, piece: bytes = b"x", pause: float = 0.02) -> Page:
    """A page that trickles in for ever."""

    def answer(handler: BaseHTTPRequestHandler, _: bytes) -> None:
        with suppress(OSError):
            handler.wfile.write(head)
            while True:
                handler.wfile.write(piece)
                time.sleep(pause)

    return answer


def raw(data: bytes) -> Page:
    def answer(handler: BaseHTTPRequestHandler, _: bytes) -> None:
        handler.wfile.write(data)

    return answer


@contextmanager
def open_site(tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    """A site on a free port of 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        def serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            site.asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            with suppress(OSError):
                site.pages.get(self.path.partition("?")[0], page(b"nothing here", 404))(self, body)

        do_GET = do_POST = do_HEAD = serve  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    site = Site(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
