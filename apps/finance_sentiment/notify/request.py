"""What goes out over HTTP and what comes back. Knows no channel."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from core.web.outbound import fetch

TIMEOUT = 10.0
"""Seconds for a whole request."""


class NotDelivered(Exception):
    """The other side did not take it; the message says why, without keys."""

    def __init__(self, message: str, *, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait
        """Seconds that the other side asked to wait; None where it said nothing."""


@dataclass(frozen=True, slots=True)
class Request:
    """A POST."""

    url: str = field(repr=False)
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""


Post = Callable[[Request], Reply]
"""Sends a request. Raises SuiteError where it cannot; every status is an answer."""


def outbound_post(*, allow_private: bool, ports: Collection[int] | None = None) -> Post:
    """Posts through `core.web.outbound`, which refuses addresses that nobody outside may ask.

    :param allow_private: whether webhooks may lead to this machine or its network.
    :param ports: ports that may be used; None allows all.
    """

    def post(request: Request) -> Reply:
        answer = fetch(
            request.url,
            method="POST",
            headers=request.headers,
            body=request.body,
            timeout=TIMEOUT,
            max_bytes=64 * 1024,
            allow_private=allow_private,
            ports=ports,
        )
        return Reply(answer.status, answer.body, answer.headers)

    return post


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of the header Retry-After, where it gives them as a number."""
    text = headers.get("retry-after", "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else None
