"""A running desk: the service, its sources, and the threads that poll them. What a server holds.

Knows how the parts are put together and in which order they begin and end.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from typing import cast

from apps.finance_sentiment.alert_desk import AlertDesk
from apps.finance_sentiment.jobs import Jobs
from apps.finance_sentiment.metrics import Tally
from apps.finance_sentiment.notify.send import Send
from apps.finance_sentiment.service import Service, build_service
from apps.finance_sentiment.settings import FinanceSettings


class Desk:
    """The service with its sources."""

    def __init__(self, service: Service, jobs: Jobs) -> None:
        self.service, self.jobs = service, jobs

    @property
    def alerts(self) -> AlertDesk:
        """The alerts."""
        return self.service.alerts

    def ready(self) -> dict[str, str]:
        """Part -> "ok" or what is wrong."""
        return {**self.service.ready(), "sources": self.jobs.problem or "ok"}

    def tally(self) -> Tally:
        """Alerts by state, open ones by severity, silenced ones."""
        return self.alerts.count_alerts()

    def source_health(self) -> Mapping[str, int]:
        """How many sources there are of each health."""
        now = time.time()
        return Counter(source.health(now) for source in self.jobs.sources.sources())

    def start(self) -> Desk:
        """Begin to judge, to send and to poll."""
        self.service.start()
        self.jobs.start()
        return self

    async def aclose(self) -> None:
        """Let go of everything."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """As `aclose`; blocking. Sources end first, so that nothing comes in any more."""
        self.jobs.close()
        self.service.close()


def build_desk(
    settings: FinanceSettings,
    backend: object | None = None,
    store: object | None = None,
    notifier: object | None = None,
) -> Desk:
    """Open the real parts and begin; see `service.build_service`."""
    service = build_service(settings, backend, store, cast("Send | None", notifier))
    try:
        return Desk(service, Jobs(service, service.store, settings)).start()
    except BaseException:
        service.close()
        raise
