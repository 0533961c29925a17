from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client import CollectorRegistry, generate_latest

from apps.finance_sentiment.metrics import MOST_SOURCES, FinanceMetrics, Tally
from apps.finance_sentiment.notify.channel import Channel
from apps.finance_sentiment.notify.request import NotDelivered
from apps.finance_sentiment.outbox import Notification
from apps.finance_sentiment.schemas import Analysed, Incoming, Labels
from core.errors import Unavailable
from core.web.metrics import WebMetrics
from tests.apps.finance_sentiment._texts import BAD, GOOD

MONITORING = Path(__file__).parents[3] / "deploy/monitoring"
NAME = re.compile(r"\btriptych_[a-z0-9_]+")
QUOTED = re.compile(r'"[^"]*"')


class Standing:
    """Alerts and sources as they stand; may be gone."""

    gone = False

    def alerts(self) -> Tally:
        if self.gone:
            raise Unavailable("The monitor is starting.")
        return {"firing": 2, "pending": 0}, {"critical": 1, "warning": 1, "info": 0}, 1

    def sources(self) -> Mapping[str, int]:
        return {"ok": 3, "failing": 1}


def text(source: str = "wire", labels: Labels = BAD, *, first: bool = True) -> Analysed:
    now = datetime.now(UTC)
    return Analysed(Incoming("1", source, now, "x"), "en", labels, (), {}, "1", 1.0, first, now)


def waiting() -> Notification:
    return Notification(5, "key-5", "desk", "g", "firing", (), "waiting", 1, 1, 1, None, "")


def numbers(metrics: FinanceMetrics) -> dict[str, float]:
    registry = CollectorRegistry()
    for collector in metrics.collectors:
        registry.register(collector)
    lines = generate_latest(registry).decode().splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}


@pytest.fixture
def standing() -> Standing:
    return Standing()


@pytest.fixture
def metrics(standing: Standing) -> FinanceMetrics:
    return FinanceMetrics(standing.alerts, standing.sources)


def test_texts_count_by_source_and_a_story_once(metrics: FinanceMetrics) -> None:
    judged: list[int] = []
    heard = metrics.heard(lambda texts, revision: judged.append(revision))
    heard([text(), text("blog", first=False), text(labels=GOOD)], 7)
    found = numbers(metrics)
    assert judged == [7]
    assert found['triptych_finance_texts_total{source="wire"}'] == 2
    assert found['triptych_finance_stories_total{sentiment="negative"}'] == 1
    assert found['triptych_finance_stories_total{sentiment="positive"}'] == 1
    assert found["triptych_finance_judging_seconds_count"] == 1
    assert found["triptych_finance_delay_seconds_count"] == 3


def test_a_client_that_names_many_sources_makes_no_endless_list(metrics: FinanceMetrics) -> None:
    metrics.count([text(f"s{n}") for n in range(MOST_SOURCES + 50)])
    found = numbers(metrics)
    assert found['triptych_finance_texts_total{source="other"}'] == 50
    assert sum(name.startswith("triptych_finance_texts_total{") for name in found) == MOST_SOURCES + 1


def test_alerts_and_sources_are_those_of_the_moment_and_missing_while_nobody_answers(
    metrics: FinanceMetrics, standing: Standing
) -> None:
    found = numbers(metrics)
    assert found['triptych_finance_alerts{state="firing"}'] == 2
    assert found['triptych_finance_open_alerts{severity="critical"}'] == 1
    assert found["triptych_finance_silenced_alerts"] == 1
    assert found['triptych_finance_sources{health="failing"}'] == 1
    standing.gone = True
    found = numbers(metrics)
    assert "triptych_finance_silenced_alerts" not in found
    assert found['triptych_finance_stories_total{sentiment="neutral"}'] == 0


def test_a_notification_that_fails_is_counted_and_still_fails(metrics: FinanceMetrics) -> None:
    def send(channel: Channel, notification: Notification, now: float) -> str:
        if now > 1:
            raise NotDelivered("HTTP 500")
        return "fine"

    channel, notification = Channel("desk", "slack", "https://hooks.example.com/x"), waiting()
    counted = metrics.sending(send)
    assert counted(channel, notification, 1) == "fine"
    with pytest.raises(NotDelivered):
        counted(channel, notification, 2)
    found = numbers(metrics)
    assert found['triptych_finance_notifications_total{kind="slack",result="sent"}'] == 1
    assert found['triptych_finance_notifications_total{kind="slack",result="failed"}'] == 1


def expressions() -> Iterator[str]:
    board = json.loads((MONITORING / "finance-dashboard.json").read_text(encoding="utf-8"))
    places = [[p["gridPos"][k] for k in "xywh"] for p in board["panels"]]
    assert len({tuple(place) for place in places}) == len(board["panels"]) >= 10
    yield from (target["expr"] for panel in board["panels"] for target in panel["targets"])
    rules = yaml.safe_load((MONITORING / "finance-rules.yml").read_text(encoding="utf-8"))
    for rule in rules["groups"][0]["rules"]:
        yield rule["expr"]
        if "alert" in rule:
            assert {"summary", "description"} <= rule["annotations"].keys() and rule["labels"]["severity"]


def test_dashboard_and_alarms_name_only_metrics_and_labels_that_exist(metrics: FinanceMetrics) -> None:
    metrics.heard(lambda texts, revision: None)([text()], 1)
    server = WebMetrics(metrics.collectors)
    server.requests.labels("GET", "/", "200").inc()
    server.seconds.labels("GET", "/").observe(1)
    lines = generate_latest(server.registry).decode().splitlines()
    known = {line.partition(" ")[0].partition("{")[0] for line in lines if not line.startswith("#")}
    labels = set(re.findall(r'[{,]([a-z]+)="', "\n".join(lines)))
    seen = set()
    for expression in expressions():
        seen |= set(NAME.findall(QUOTED.sub("", expression)))
        assert expression.count("(") == expression.count(")")
        used = re.findall(r'[{,]([a-z]+)=~?"', expression)
        used += [name for group in re.findall(r"by \(([a-z, ]+)\)", expression) for name in group.split(", ")]
        assert set(used) <= labels, expression
    assert seen <= known, seen - known
    ours = {name for name in known if name.startswith("triptych_finance_")}
    assert {n for n in ours if not n.endswith(("_created", "_sum", "_count", "_bucket"))} <= seen
