"""What an app brings to the server that carries it.

Knows the shape of an app, knows no app. One server carries one app or all of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import APIRouter
from prometheus_client.registry import Collector


@asynccontextmanager
async def no_resources() -> AsyncIterator[None]:
    """The lifespan of an app that opens nothing."""
    yield


@dataclass(frozen=True, slots=True)
class Part:
    """One app inside a server."""

    name: str
    """Kebab case, as in "customer-service"; also its folder under `/static/`."""
    path: str
    """Its page, as in "/customer-service/"."""
    title: Mapping[str, str]
    """Name for people by language; "en" at least."""
    summary: Mapping[str, str]
    """One sentence for the start page by language; "en" at least."""
    routers: Sequence[APIRouter]
    """Routes with their whole paths."""
    ready: Callable[[], Mapping[str, str]]
    """What it stands on -> "ok" or what is wrong. Cheap: probes call it every few seconds."""
    lifespan: Callable[[], AbstractAsyncContextManager[None]] = no_resources
    """Opens its resources when the server starts and closes them when it ends."""
    assets: Path | None = None
    """Folder of scripts and styles, served under `/static/<name>/`."""
    shared_places: Sequence[str] = ()
    """Paths, or prefixes that end in a slash, which allowed origins may use from a browser."""
    readable_places: Sequence[str] = ()
    """The same, for reading only."""
    limited_places: Sequence[str] = ()
    """Paths, or prefixes that end in a slash, whose POSTs count against the rate limit."""
    collectors: Sequence[Collector] = field(default_factory=tuple)
    """Metrics made with `registry=None`."""
