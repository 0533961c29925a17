"""The customer-service bot as a web app: pages, widget, OpenAI-compatible endpoints, documents, conversations.

Knows HTTP wiring; knows nothing of models or SQL. The service is built when the server starts, not at import.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse, RedirectResponse

from apps.customer_service.documents_api import PREFIX, conversations_router, documents_router
from apps.customer_service.metrics import ChatMetrics
from apps.customer_service.openai_api import openai_router
from apps.customer_service.ports import ChatService
from core.errors import Unavailable
from core.web import Part, WebSettings, create_web_app
from core.web.static import file

if TYPE_CHECKING:
    from apps.customer_service.settings import CustomerServiceSettings

NAME = "customer-service"
ASSETS = Path(__file__).parent / "web"

TITLE = {"en": "Customer service", "zh": "客户服务"}
SUMMARY = {
    "en": "Answers from your own documents, with the passage they stand on, or says that it cannot.",
    "zh": "依据您自己的文档作答，并附上原文出处；文档中没有的，会如实说明。",
}


class Slot:
    """Holds the running service between the start and the end of the server."""

    def __init__(self) -> None:
        self.service: ChatService | None = None

    def __call__(self) -> ChatService:
        """The running service.

        :raises Unavailable: while there is none.
        """
        if self.service is None:
            raise Unavailable("The bot is starting.", retry_after=1)
        return self.service


def part(build: Callable[[], ChatService], web: WebSettings) -> Part:
    """The bot as a part of a server.

    :param build: opens the service; runs on a thread when the server starts.
    """
    slot = Slot()
    metrics = ChatMetrics()

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        slot.service = await asyncio.to_thread(build)
        try:
            yield
        finally:
            service, slot.service = slot.service, None
            await service.aclose()

    return Part(
        name=NAME,
        path=f"{PREFIX}/",
        title=TITLE,
        summary=SUMMARY,
        routers=[
            openai_router(slot, metrics),
            conversations_router(slot),
            documents_router(slot, web.admin_key),
            pages_router(),
        ],
        ready=lambda: slot().ready(),
        lifespan=lifespan,
        assets=ASSETS,
        shared_places=[
            "/widget.js",
            "/livez",
            f"/static/{NAME}/",
            "/v1/chat/completions",
            f"{PREFIX}/conversations",
            f"{PREFIX}/conversations/",
        ],
        readable_places=[f"{PREFIX}/documents/"],
        limited_places=["/v1/chat/completions", f"{PREFIX}/conversations"],
        collectors=metrics.collectors,
    )


def pages_router() -> APIRouter:
    """The chat page, a host page that shows the widget, and the widget's script."""
    router = APIRouter(include_in_schema=False)

    @router.get(PREFIX)
    async def without_slash() -> RedirectResponse:
        return RedirectResponse(f"{PREFIX}/")

    @router.get(f"{PREFIX}/")
    async def chat_page() -> FileResponse:
        return file(ASSETS / "chat.html")

    @router.get(f"{PREFIX}/demo")
    async def demo_page() -> FileResponse:
        return file(ASSETS / "demo.html")

    @router.get("/widget.js")
    async def widget() -> FileResponse:
        return file(ASSETS / "widget.js")

    return router


def create_app_with(
    build: Callable[[], ChatService], web: WebSettings | None = None, *, max_body_bytes: int = 32 * 2**20
) -> FastAPI:
    """A server of this app alone, over any service."""
    web = web or WebSettings()
    return create_web_app("Triptych customer service", [part(build, web)], web, max_body_bytes=max_body_bytes)


def create_app(
    settings: CustomerServiceSettings | None = None,
    *,
    backend: object | None = None,
    store: object | None = None,
    notifier: object | None = None,
    web: WebSettings | None = None,
) -> FastAPI:
    """A server of this app alone, over the real service.

    :param settings: read from the environment where left out.
    :param backend: replaces the configured encoders and generator.
    :param store: replaces the configured database.
    :param notifier: unused; this app sends no notifications.
    :param web: HTTP settings; read from the environment where left out.
    """
    from apps.customer_service.settings import CustomerServiceSettings

    settings = settings or CustomerServiceSettings()
    return create_app_with(lambda: build(settings, backend, store), web, max_body_bytes=settings.max_body_bytes)


def build(settings: CustomerServiceSettings, backend: object | None, store: object | None) -> ChatService:
    """Open the real service."""
    from apps.customer_service.service import build_service

    return build_service(settings, backend, store)
