"""Security headers, and who may call from which site.

Knows headers; knows no app. Pages get a Content-Security-Policy under which nothing but this server's own files runs,
and Trusted Types, under which no text can become markup by accident.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.web.problems import error_response

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def content_security_policy(framers: Sequence[str] = (), *, inline_styles: bool = False) -> str:
    """The policy of a page.

    :param framers: origins that may show it in a frame; none means nobody.
    :param inline_styles: for the API description only, whose viewer styles itself that way; it also goes without
        Trusted Types, which that viewer does not know.
    """
    policy = [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'" if inline_styles else "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors " + (" ".join(framers) or "'none'"),
    ]
    if not inline_styles:
        policy += ["require-trusted-types-for 'script'", "trusted-types 'none'"]
    return "; ".join(policy)


def is_under(path: str, places: Sequence[str]) -> bool:
    """Whether a path is one of the places, or lies under one that ends in a slash."""
    return any(path == place or (place.endswith("/") and path.startswith(place)) for place in places)


class SecurityHeaders:
    """ASGI middleware: adds the headers that a response does not set itself."""

    def __init__(self, app: ASGIApp, framers: Sequence[str] = (), shared: Sequence[str] = ()) -> None:
        self.app = app
        self.shared = tuple(shared)
        self.headers = {
            "Content-Security-Policy": content_security_policy(framers),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
            "Cross-Origin-Opener-Policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        policy = "cross-origin" if is_under(scope["path"], self.shared) else "same-origin"

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cross-Origin-Resource-Policy", policy)
            await send(message)

        await self.app(scope, receive, guarded)


class Origins:
    """ASGI middleware: the allowed sites may use the shared places; other sites may change nothing.

    A browser that was led by a strange site to send a changing request says so in Sec-Fetch-Site or Origin; such a
    request is refused, so that no site can reach a server on its reader's own machine. Programs, which send neither
    header, are not touched.
    """

    def __init__(
        self, app: ASGIApp, allowed: Sequence[str] = (), shared: Sequence[str] = (), readable: Sequence[str] = ()
    ) -> None:
        self.app = app
        self.allowed = tuple(allowed)
        self.shared = tuple(shared)
        self.readable = tuple(readable)
        self.cors = CORSMiddleware(
            app,
            allow_origins=self.allowed,
            allow_methods=("GET", "HEAD", "POST", "DELETE"),
            allow_headers=("Authorization", "Content-Type", "X-Request-ID"),
            expose_headers=("Retry-After", "X-Request-ID"),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        shared = bool(self.allowed) and is_under(scope["path"], self.shared)
        readable = bool(self.allowed) and is_under(scope["path"], self.readable)
        headers = Headers(scope=scope)
        origin = headers.get("origin", "").lower()
        known = shared and ("*" in self.allowed or origin in self.allowed)
        if scope["method"] not in SAFE_METHODS and not known and _is_foreign(headers, origin):
            detail = f"The site {origin or 'that sent this'} may not do this; TRIPTYCH_ALLOWED_ORIGINS names who may."
            await error_response(scope, 403, "Forbidden", detail)(scope, receive, send)
            return
        await (self.cors if shared or readable else self.app)(scope, receive, send)


def _is_foreign(headers: Headers, origin: str) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    return bool(origin) and urlsplit(origin).netloc != headers.get("host", "").lower()
