"""How many requests an address may send to the costly places.

Knows addresses and time; the counts live in this process. Behind a proxy the address is the one that the server takes
from X-Forwarded-For (uvicorn, `FORWARDED_ALLOW_IPS`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address

from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import Overloaded
from core.web.problems import suite_error_response
from core.web.security import is_under


class RateLimit:
    """ASGI middleware: 429 with Retry-After once an address has sent more POSTs than `rate` to the `places`."""

    def __init__(self, app: ASGIApp, rate: str, places: Sequence[str]) -> None:
        self.app = app
        self.places = tuple(places)
        self.item = parse(rate)
        self.limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        limited = scope["type"] == "http" and scope["method"] == "POST" and is_under(scope["path"], self.places)
        who = address_key(scope["client"][0] if scope.get("client") else "")
        if not limited or await self.limiter.hit(self.item, who):
            await self.app(scope, receive, send)
            return
        stats = await self.limiter.get_window_stats(self.item, who)
        error = Overloaded(
            f"More than {self.item.amount} questions in {self.item.get_expiry()} s came from this address. Wait a bit.",
            retry_after=max(1.0, stats.reset_time - time.time()),
        )
        await suite_error_response(scope, error)(scope, receive, send)


def address_key(address: str) -> str:
    """What counts as one caller: an IPv4 address, or an IPv6 network of 64 bits, which one customer is given whole."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
    return address
