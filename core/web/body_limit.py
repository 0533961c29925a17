"""A bound on request bodies, whatever their framing.

Knows bytes only. A declared length over the bound is refused before a byte is read; a chunked body is refused at the
byte that passes the bound, and the rest is never read.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import TooLarge
from core.web.problems import suite_error_response


class _Refused(Exception):
    """Stops the app at the byte that passes the bound; never seen outside this module."""


class BodyLimit:
    """ASGI middleware: 413 for a body of more than `limit` bytes."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdecimal() and int(declared) > self.limit:
            await self._refuse(scope, receive, send)
            return
        seen = 0
        refused = started = False

        async def counted() -> Message:
            nonlocal seen, refused
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.limit:
                refused = True
                raise _Refused
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            if refused and not started:
                return  # what the app makes of the broken body is not what the client should read
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, counted, watched)
        except Exception:
            if not refused:
                raise
        if refused and not started:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = TooLarge(f"The request body is over {self.limit:,} bytes. Send less, or raise TRIPTYCH_MAX_BODY_BYTES.")
        response = suite_error_response(scope, error)
        response.headers["Connection"] = "close"
        await response(scope, receive, send)
