"""Runs a server for a person at a terminal: a taken port, a failed start and a ready page are said in plain words.

Knows uvicorn through `core.web.server`; knows no app.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.console import hint
from core.errors import Conflict, InputError, SuiteError, Unavailable
from core.log import configure
from core.settings import CoreSettings
from core.web.server import server
from core.web.settings import WebSettings

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

TAKEN = frozenset({48, 98, 10048})
"""EADDRINUSE on macOS, Linux and Windows."""


def run(app: FastAPI, web: WebSettings, core: CoreSettings) -> None:
    """Serve until SIGINT or SIGTERM, and say on stderr when the page can be opened.

    :raises Conflict: if the port is taken.
    :raises InputError: if the address is not one of this machine.
    :raises SuiteError: whatever stopped the app from starting.
    """
    listening = listen(web.host, web.port)
    start = Start(app)
    try:
        running = server(app, web)
        running.config.app = start
        configure(core)  # after uvicorn's own set-up: one kind of log lines, personal data taken out
        asyncio.run(_serve(running, listening))
    except KeyboardInterrupt:
        hint("Stopped.")
    finally:
        listening.close()
    if start.error is not None:
        raise start.error
    if not running.started:
        raise Unavailable("The server did not start; the log above says why.")


def web_settings(host: str | None = None, port: int | None = None) -> WebSettings:
    """The HTTP settings in force, with what the command line says on top."""
    given = {"host": host, "port": port}
    return WebSettings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]


async def _serve(running: uvicorn.Server, listening: socket.socket) -> None:
    announcing = asyncio.create_task(_announce(running, listening))
    try:
        await running.serve(sockets=[listening])
    except SystemExit:  # uvicorn's way to say that the start failed
        return
    finally:
        announcing.cancel()


async def _announce(running: uvicorn.Server, listening: socket.socket) -> None:
    while not running.started:  # noqa: ASYNC110  (uvicorn has no event for it)
        await asyncio.sleep(0.02)
    hint(f"Ready on {address(listening)}  (Ctrl-C stops it)", "bold green")


def address(listening: socket.socket) -> str:
    """The URL that a browser on this machine opens."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def listen(host: str, port: int) -> socket.socket:
    """A bound, listening TCP socket.

    :raises Conflict: if the port is taken.
    :raises InputError: if the address is not one of this machine, or the port needs another user.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InputError(f"Cannot listen on {host!r}: {error.strerror}. Use 127.0.0.1 or 0.0.0.0.") from error
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(place)
        listening.listen(2048)
    except OSError as error:
        listening.close()
        if error.errno in TAKEN:
            free = f"choose another: --port {port + 1}"
            raise Conflict(f"{host}:{port} is in use. Stop what listens there, or {free}.") from error
        raise InputError(f"Cannot listen on {host}:{port}: {error.strerror}.") from error
    return listening


class Start:
    """ASGI middleware: keeps the error of the suite that stopped the start, and its traceback out of the log."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.error: SuiteError | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or the lifespan."""
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        held: list[Message] = []

        async def hold_failure(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                held.append(message)
            else:
                await send(message)

        try:
            await self.app(scope, receive, hold_failure)
        except SuiteError as error:
            self.error = error
        finally:
            for message in held:
                await send({**message, "message": ""} if self.error else message)
