"""What the monitor did and where it stands, in numbers for Prometheus.

Counts what it is told of; reads alerts and sources when it is asked, so that several processes over one database show
the same. `deploy/monitoring` holds a dashboard and alarms over these names.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from apps.finance_sentiment.notify.channel import Channel
from apps.finance_sentiment.notify.send import Send
from apps.finance_sentiment.outbox import Notification
from apps.finance_sentiment.schemas import SENTIMENTS, Analysed
from core.errors import SuiteError

MOST_SOURCES = 200
"""Sources that are counted by name; texts of further ones count as "other", for a client may name any."""
KINDS = ("email", "webhook", "slack", "dingtalk", "feishu", "wecom")

Tally = tuple[Mapping[str, int], Mapping[str, int], int]
"""Alerts by state, open ones by severity, silenced ones among those."""
Heard = Callable[[Sequence[Analysed], int], None]


class FinanceMetrics:
    """Texts, stories, notifications and rules; alerts and sources as they stand.

    :param alerts: the tally of alerts.
    :param sources: how many sources there are of each health. Both may raise a `SuiteError` while there is no answer;
        the numbers are left out then.
    """

    def __init__(self, alerts: Callable[[], Tally], sources: Callable[[], Mapping[str, int]]) -> None:
        self.texts = Counter("triptych_finance_texts", "New texts by source.", ["source"], registry=None)
        self.stories = Counter(
            "triptych_finance_stories", "New stories by sentiment; a story counts once.", ["sentiment"], registry=None
        )
        self.notifications = Counter(
            "triptych_finance_notifications", "Tries to notify by kind of channel and result.", ["kind", "result"],
            registry=None,
        )  # fmt: skip
        self.judging = Histogram(
            "triptych_finance_judging_seconds",
            "Seconds from stored texts to judged rules and standing alerts, by batch.",
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
            registry=None,
        )
        self.delay = Histogram(
            "triptych_finance_delay_seconds",
            "Seconds from the arrival of a text until it is stored.",
            buckets=(0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0),
            registry=None,
        )
        self.standing = _Standing(alerts, sources)
        self._named: set[str] = set()
        for sentiment in SENTIMENTS:
            self.stories.labels(sentiment)
        for kind in KINDS:
            for result in ("sent", "failed"):
                self.notifications.labels(kind, result)

    @property
    def collectors(self) -> Sequence[Collector]:
        """For the server's registry."""
        return (self.texts, self.stories, self.notifications, self.judging, self.delay, self.standing)

    def heard(self, inner: Heard) -> Heard:
        """`inner`, which judges what was stored, counted and timed."""

        def counted(texts: Sequence[Analysed], revision: int) -> None:
            self.count(texts)
            began = time.perf_counter()
            inner(texts, revision)
            self.judging.observe(time.perf_counter() - began)

        return counted

    def sending(self, inner: Send) -> Send:
        """`inner`, which sends notifications, counted; a failure passes through."""

        def counted(channel: Channel, notification: Notification, now: float) -> str:
            try:
                remark = inner(channel, notification, now)
            except Exception:
                self.notifications.labels(channel.kind, "failed").inc()
                raise
            self.notifications.labels(channel.kind, "sent").inc()
            return remark

        return counted

    def count(self, texts: Sequence[Analysed]) -> None:
        """Take stored texts into account."""
        now = time.time()
        for text in texts:
            self.texts.labels(self._source(text.text.source)).inc()
            self.delay.observe(max(0.0, now - text.text.received_at.timestamp()))
            if text.first:
                self.stories.labels(text.labels.sentiment).inc()

    def _source(self, name: str) -> str:
        if name not in self._named and len(self._named) >= MOST_SOURCES:
            return "other"
        self._named.add(name)
        return name


class _Standing(Collector):
    """Alerts and sources at the moment of asking."""

    def __init__(self, alerts: Callable[[], Tally], sources: Callable[[], Mapping[str, int]]) -> None:
        self._alerts, self._sources = alerts, sources

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The names alone, so that registering asks nobody."""
        yield from _families()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The numbers."""
        by_state, by_severity, silenced, by_health = _families()
        try:
            states, severities, mute = self._alerts()
            healths = self._sources()
        except SuiteError:
            return
        for family, numbers in ((by_state, states), (by_severity, severities), (by_health, healths)):
            for name, number in numbers.items():
                family.add_metric([name], number)
        silenced.add_metric([], mute)
        yield from (by_state, by_severity, silenced, by_health)


def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
    return (
        GaugeMetricFamily("triptych_finance_alerts", "Alerts by state.", labels=["state"]),
        GaugeMetricFamily("triptych_finance_open_alerts", "Open alerts by severity.", labels=["severity"]),
        GaugeMetricFamily("triptych_finance_silenced_alerts", "Open alerts that are silenced or covered by another."),
        GaugeMetricFamily("triptych_finance_sources", "Sources by health.", labels=["health"]),
    )
