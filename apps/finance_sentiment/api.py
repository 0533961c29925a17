"""The finance monitor as a web app: dashboard, texts in, alerts, trends and sources.

Knows HTTP wiring; knows nothing of models or SQL. The service is built when the server starts, not at import.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI

from apps.finance_sentiment.alerts_api import alerts_router
from apps.finance_sentiment.metrics import FinanceMetrics
from apps.finance_sentiment.pages import ASSETS, NAME, PREFIX, pages_router
from apps.finance_sentiment.rules_api import rules_router
from apps.finance_sentiment.sources_api import sources_router
from apps.finance_sentiment.trends_api import trends_router
from core.errors import Unavailable
from core.web import Part, WebSettings, create_web_app

if TYPE_CHECKING:
    from apps.finance_sentiment.desk import Desk
    from apps.finance_sentiment.settings import FinanceSettings

TITLE = {"en": "Finance monitor", "zh": "金融舆情监测"}
SUMMARY = {
    "en": "Reads the news of your feeds, follows topics and companies, and warns when negative news surges.",
    "zh": "阅读您订阅的新闻，跟踪主题与公司，在负面消息激增时发出预警并附上依据。",
}


class Slot:
    """Holds the running desk between the start and the end of the server."""

    def __init__(self) -> None:
        self.desk: Desk | None = None

    def __call__(self) -> Desk:
        """The running desk.

        :raises Unavailable: while there is none.
        """
        if self.desk is None:
            raise Unavailable("The monitor is starting.", retry_after=1)
        return self.desk


def part(build: Callable[[], Desk], web: WebSettings) -> Part:
    """The monitor as a part of a server.

    :param build: opens the desk; runs on a thread when the server starts.
    """
    slot = Slot()
    metrics = FinanceMetrics(lambda: slot().tally(), lambda: slot().source_health())

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        slot.desk = await asyncio.to_thread(build)
        slot.desk.service.measure(metrics)
        try:
            yield
        finally:
            desk, slot.desk = slot.desk, None
            await desk.aclose()

    return Part(
        name=NAME,
        path=f"{PREFIX}/",
        title=TITLE,
        summary=SUMMARY,
        routers=[
            pages_router(),  # first: two pages share their address with JSON
            alerts_router(lambda: slot().alerts, web.admin_key),
            rules_router(lambda: slot().service, web.admin_key),
            sources_router(lambda: slot().service, lambda: slot().jobs, web.admin_key),
            trends_router(lambda: slot().service),
        ],
        ready=lambda: slot().ready(),
        lifespan=lifespan,
        assets=ASSETS,
        limited_places=[f"{PREFIX}/texts"],
        collectors=metrics.collectors,
    )


def create_app(
    settings: FinanceSettings | None = None,
    *,
    backend: object | None = None,
    store: object | None = None,
    notifier: object | None = None,
    web: WebSettings | None = None,
) -> FastAPI:
    """A server of this app alone, over the real service.

    :param settings: read from the environment where left out.
    :param backend: replaces the model: an object with `label`.
    :param store: replaces the configured database.
    :param notifier: replaces what delivers notifications.
    :param web: HTTP settings; read from the environment where left out.
    """
    from apps.finance_sentiment.settings import FinanceSettings

    settings = settings or FinanceSettings()
    web = web or WebSettings()
    made = part(lambda: build(settings, backend, store, notifier), web)
    return create_web_app("Triptych finance monitor", [made], web, max_body_bytes=settings.max_body_bytes)


def build(
    settings: FinanceSettings, backend: object | None, store: object | None, notifier: object | None = None
) -> Desk:
    """Open the real desk and let it begin."""
    from apps.finance_sentiment.desk import build_desk

    return build_desk(settings, backend, store, notifier)
