"""Counterparts of notifications on this machine: an HTTP server that keeps what it gets, and an SMTP server."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from apps.finance_sentiment.notify.request import Reply


@dataclass
class Got:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Hook:
    """A server that takes POSTs."""

    url: str = ""
    got: list[Got] = field(default_factory=list)
    answer: Callable[[Got], Reply] = lambda got: Reply(200, b"ok")


@contextmanager
def hook() -> Iterator[Hook]:
    """A running one."""
    state = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got = Got(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            state.got.append(got)
            reply = state.answer(got)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    with _running(server):
        yield state


@dataclass
class Mailbox:
    """An SMTP server and what it took."""

    port: int = 0
    commands: list[str] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)
    refuse: tuple[str, ...] = ()
    """Recipients that are refused."""


@contextmanager
def mailbox(extensions: tuple[str, ...] = ()) -> Iterator[Mailbox]:
    """A running one, without TLS."""
    state = Mailbox()

    class Handler(socketserver.StreamRequestHandler):
        def say(self, *lines: str) -> None:
            self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

        def handle(self) -> None:
            self.say("220 here")
            while line := self.rfile.readline().decode().strip():
                state.commands.append(line)
                verb = line.split(":")[0].split(" ")[0].upper()
                if verb == "EHLO":
                    self.say(*[f"250-{e}" for e in extensions], "250 8BITMIME")
                elif verb == "RCPT" and any(who in line for who in state.refuse):
                    self.say("550 nobody here")
                elif verb == "DATA":
                    self.say("354 go on")
                    lines = []
                    while (part := self.rfile.readline()) not in (b".\r\n", b""):
                        lines.append(part)
                    state.mails.append(b"".join(lines))
                    self.say("250 taken")
                elif verb == "QUIT":
                    self.say("221 bye")
                    return
                elif verb in ("MAIL", "RCPT", "RSET", "NOOP"):
                    self.say("250 ok")
                else:
                    self.say("502 unknown")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.port = int(server.server_address[1])
    with _running(server):
        yield state


@contextmanager
def _running(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=lambda: server.serve_forever(0.02))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
