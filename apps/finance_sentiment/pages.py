"""The finance monitor's pages. Knows their files; what stands on them comes from the other routes.

A page may share its address with the JSON behind it, as `/finance/trends` does: who asks for HTML, as a browser's
address bar does, gets the page, everybody else the JSON. So these routes go before the others into a server.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, RedirectResponse
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.routing import Match
from starlette.types import Scope

from core.web.static import file

PREFIX = "/finance"
NAME = "finance-sentiment"
"""The part's name: its files are served under `/static/finance-sentiment/`."""
ASSETS = Path(__file__).parent / "web"

PAGES = {
    "/": "alerts.html",
    "/alert": "alert.html",
    "/trends": "trends.html",
    "/map": "map.html",
    "/sources": "sources.html",
    "/rules": "rules.html",
}
SHARED = {"/trends", "/sources", "/rules"}
"""Pages at whose address there is JSON too."""


class PageRoute(APIRoute):
    """A route for those who ask for HTML; for others it is not there."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this route answers."""
        found = super().matches(scope)
        if found[0] is Match.FULL and "text/html" in Headers(scope=scope).get("accept", ""):
            return found
        return Match.NONE, {}


def pages_router() -> APIRouter:
    """The dashboard: alerts, one alert, trends, the map, sources, rules."""
    router = APIRouter(include_in_schema=False, prefix=PREFIX)

    @router.get("")
    async def without_slash() -> RedirectResponse:
        return RedirectResponse(f"{PREFIX}/")

    for path, name in PAGES.items():
        kind = PageRoute if path in SHARED else APIRoute
        router.add_api_route(path, _page(name), methods=["GET"], route_class_override=kind)
    return router


def _page(name: str) -> Callable[[], Awaitable[FileResponse]]:
    async def page() -> FileResponse:
        response = file(ASSETS / name)
        response.headers["Vary"] = "Accept"
        return response

    return page
