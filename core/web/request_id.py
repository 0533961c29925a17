"""A name for every request, in its answer, its log lines and its errors; and one log line when it ends.

Knows nothing of bodies or query strings: neither is ever logged.
"""

from __future__ import annotations

import re
import time
import uuid
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.log import get_logger, request_context

log = get_logger(__name__)

SANE = re.compile(r"[A-Za-z0-9._:-]{1,64}")
QUIET = frozenset({"/livez", "/readyz", "/metrics"})


class RequestId:
    """ASGI middleware: takes the caller's X-Request-ID if it is sane, else makes one; binds it for structlog."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if SANE.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0
        began = time.perf_counter()

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        with request_context(request_id):
            try:
                await self.app(scope, receive, named)
            finally:
                if scope["path"] not in QUIET:
                    ms = round(1000 * (time.perf_counter() - began), 1)
                    log.info(
                        "request",
                        method=scope["method"],
                        path=quote(scope["path"], errors="replace"),
                        status=status,
                        ms=ms,
                    )
