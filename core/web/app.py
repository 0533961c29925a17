"""The server that carries the apps: one factory, no globals.

Knows parts (`core.web.part`), knows no app. Resources open in the lifespan; building the server opens nothing but the
folders of its own files.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI, Request, Response
from starlette.middleware import Middleware
from starlette.responses import FileResponse

from core.log import get_logger
from core.web.body_limit import BodyLimit
from core.web.docs import install_docs
from core.web.health import health_router
from core.web.metrics import Measure, WebMetrics, metrics_router
from core.web.part import Part
from core.web.problems import PROBLEM_RESPONSES, ErrorGuard, install_error_handlers
from core.web.rate_limit import RateLimit
from core.web.request_id import RequestId
from core.web.security import Origins, SecurityHeaders
from core.web.settings import WebSettings
from core.web.static import CORE_ASSETS, Assets, file
from core.web.stream import ClientGone

log = get_logger(__name__)

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def create_web_app(
    title: str,
    parts: Sequence[Part],
    settings: WebSettings,
    *,
    max_body_bytes: int = 32 * 2**20,
    version: str = "0.1.0",
) -> FastAPI:
    """A server that carries `parts`, with a start page, health, metrics and the API description.

    :param title: heads the API description.
    :param max_body_bytes: larger request bodies are answered 413.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if settings.host not in LOOPBACK and settings.admin_key is None:
            log.warning("documents can be changed by anyone who reaches this server; set TRIPTYCH_ADMIN_KEY")
        async with AsyncExitStack() as stack:
            for part in parts:
                await stack.enter_async_context(part.lifespan())
            yield

    metrics = WebMetrics(collector for part in parts for collector in part.collectors)
    app = FastAPI(
        title=title,
        version=version,
        lifespan=lifespan,
        responses=PROBLEM_RESPONSES,
        docs_url=None,
        redoc_url=None,
        middleware=_middleware(parts, settings, metrics, max_body_bytes),
    )
    app.state.metrics = metrics
    install_error_handlers(app)
    app.add_exception_handler(ClientGone, _client_gone)
    app.include_router(health_router(parts))
    app.include_router(metrics_router(metrics))
    for part in parts:
        for router in part.routers:
            app.include_router(router)
        if part.assets is not None:
            app.mount(f"/static/{part.name}", Assets(part.assets), name=part.name)
    app.mount("/static/core", Assets(CORE_ASSETS), name="core")
    if settings.docs:
        install_docs(app)

    @app.head("/", include_in_schema=False)
    @app.get("/", include_in_schema=False)
    async def start_page() -> FileResponse:
        return file(CORE_ASSETS / "home.html")

    @app.get("/favicon.ico", include_in_schema=False)
    async def icon() -> FileResponse:
        return file(CORE_ASSETS / "icon.svg")

    return app


def _middleware(
    parts: Sequence[Part], settings: WebSettings, metrics: WebMetrics, max_body_bytes: int
) -> list[Middleware]:
    """Outermost first. All are plain ASGI, so that streams pass through as they come."""
    shared = [place for part in parts for place in part.shared_places]
    readable = ["/static/core/", *(place for part in parts for place in part.readable_places)]
    limited = [place for part in parts for place in part.limited_places]
    stack = [
        Middleware(RequestId),
        Middleware(SecurityHeaders, framers=settings.allowed_origins, shared=shared + readable),
        Middleware(Measure, metrics=metrics),
        Middleware(Origins, allowed=settings.allowed_origins, shared=shared, readable=readable),
        Middleware(ErrorGuard),
        Middleware(BodyLimit, limit=max_body_bytes),
    ]
    if settings.chat_rate_limit and limited:
        stack.insert(-1, Middleware(RateLimit, rate=settings.chat_rate_limit, places=limited))
    return stack


def _client_gone(request: Request, error: Exception) -> Response:
    return Response(status_code=499)
