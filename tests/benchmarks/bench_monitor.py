"""The finance monitor whole: texts taken in a second, from a text to its alert, and reading beside a full database.

    python -m tests.benchmarks.bench_monitor [--stored 1000000] [--alerts 100000] [--threads 2] [--write]

Ingest: the labelled samples, each once, in batches of 64, through cleaning, duplicates, companies, both heads, buckets
and the default rules, into SQLite. Delay: eight days of the demonstration, then bad news on companies one text at a
time over the ASGI app; from the call to an answered list that holds the alert. Lists: that many alerts beside that many
texts, asked for in the ways the page does. Trends: 90 days of every shipped company by the day: the sums of each, the
heat map's three questions over HTTP, and every single bucket as Python objects. Prints one JSON object; `--write` keeps
it as `results/monitor.json`.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from fastapi.testclient import TestClient

from apps.finance_sentiment.alert_reads import Filter
from apps.finance_sentiment.alert_rows import alert_row
from apps.finance_sentiment.api import create_app
from apps.finance_sentiment.demo import demo_texts
from apps.finance_sentiment.examples import read_samples
from apps.finance_sentiment.model import FinanceModel
from apps.finance_sentiment.schemas import Incoming, SeriesKey
from apps.finance_sentiment.service import Service, build_service
from apps.finance_sentiment.settings import FinanceSettings
from apps.finance_sentiment.store import Store
from apps.finance_sentiment.tables import buckets, texts
from apps.finance_sentiment.tables_alerts import alerts
from core.log import configure
from core.store import retrying
from core.web import WebSettings
from tests.benchmarks._results import write

BAD = (
    "{0} shares sink after the company cuts its outlook for the year",
    "Regulator opens a probe into how {0} booked its revenue",
    "{0} recalls products after injuries; analysts fear a large charge",
    "Creditors press {0} as it misses an interest payment",
    "{0} loses its finance chief amid doubts over the accounts",
    "Rating agency lowers {0} to junk and warns of default",
    "Factory fire stops production at {0}, losses expected",
    "Court orders {0} to pay damages, the company will appeal",
    "{0} warns that quarterly profit will miss estimates by a wide margin",
    "Hackers stole data of millions of customers from {0}",
)
SOURCES = ("wire", "paper", "portal", "agency")
COMPANIES = 20
DAY = 86_400


@contextmanager
def opened(model: FinanceModel, threads: int) -> Iterator[Service]:
    """A service over an empty database and the prepared models."""
    with tempfile.TemporaryDirectory() as folder:
        settings = FinanceSettings(threads=threads, database_url=f"sqlite:///{folder}/bench.db")
        service = build_service(settings, backend=model)
        try:
            yield service
        finally:
            service.close()


def ingest(service: Service) -> float:
    """Texts a second, after a warm-up."""
    rows = [s.text for language in ("en", "zh") for s in read_samples(language)]
    random.Random(1).shuffle(rows)
    now = datetime.now(UTC)
    came = [
        Incoming(str(i), SOURCES[i % 4], now, text, published_at=now - timedelta(seconds=len(rows) - i))
        for i, text in enumerate(rows)
    ]
    service.ingest(came[:128])
    started = time.perf_counter()
    for at in range(128, len(came), 64):
        service.ingest(came[at : at + 64])
    return (len(came) - 128) / (time.perf_counter() - started)


def delays(service: Service, http: TestClient) -> list[float]:
    """Seconds from sending a text to a list that shows its alert, of every text that raised one."""
    names = [c for c in service.gazetteer if c.id.startswith("US:")][:: len(BAD)][:COMPANIES]
    found: list[float] = []
    for company in names:
        for i, sentence in enumerate(BAD):
            known = set(numbers(http))
            text = {
                "id": f"{company.id}-{i}",
                "source": SOURCES[i % 4],
                "title": sentence.format(company.title("en")),
                "published_at": datetime.now(UTC).isoformat(),
            }
            started = time.perf_counter()
            http.post("/finance/texts", json={"texts": [text]}).raise_for_status()
            if set(numbers(http)) - known:
                found.append(time.perf_counter() - started)
    return found


def numbers(http: TestClient) -> list[int]:
    """Ids of the newest alerts."""
    return [item["id"] for item in http.get("/finance/alerts", params={"limit": 200}).json()["items"]]


def fill_texts(store: Store, many: int) -> None:
    """That many stored texts, each a copy of the first under another name."""
    with store.engine.connect() as connection:
        row = dict(connection.execute(sa.select(texts).limit(1)).mappings().one())
    first = int(row.pop("event_at"))
    del row["id"]
    for at in range(0, many, 20_000):
        block = [
            row | {"external_id": f"fill-{i}", "event_at": first - i, "title": f"Text {i}"}
            for i in range(at, min(at + 20_000, many))
        ]
        retrying(store.engine, lambda c, block=block: c.execute(texts.insert(), block))  # type: ignore[misc]


def fill_alerts(service: Service, many: int) -> None:
    """That many alerts like one there is, of many rules, series and states."""
    pattern = service.alerts.list_alerts(Filter(), limit=1)[0][0]
    kept = [replace(pattern.rule, id=f"rule-{i}", severity=("info", "warning", "critical")[i % 3]) for i in range(20)]

    def row(i: int) -> dict[str, Any]:
        state = "firing" if i % 200 == 0 else "acknowledged" if i % 200 == 1 else "resolved"
        key = SeriesKey("entity", f"US:{i % 900}")
        owner = "" if i % 50 else "Wei"
        at = pattern.started_at - i // 3
        made = replace(pattern, rule=kept[i % 20], key=key, state=state, started_at=at, owner=owner)  # type: ignore[arg-type]
        return alert_row(made) | {"fingerprint": f"fill-{i}"}

    for at in range(0, many, 5_000):
        block = [row(i) for i in range(at, min(at + 5_000, many))]
        retrying(service.store.engine, lambda c, block=block: c.execute(alerts.insert(), block))  # type: ignore[misc]


def fill_days(store: Store, names: list[str], end: int, days: int = 90) -> None:
    """Counts of every company for every day but those that have some."""
    with store.engine.connect() as connection:
        there = {tuple(r) for r in connection.execute(sa.select(buckets.c.value, buckets.c.start))}
    same = {"seconds": DAY, "dimension": "entity", "stories": 5, "texts": 7, "negative": 2, "positive": 1}
    for day in range(days):
        start = end - (day + 1) * DAY
        block = [
            same | {"value": name, "start": start, "score_micro": 0} for name in names if (name, start) not in there
        ]
        retrying(store.engine, lambda c, block=block: c.execute(buckets.insert(), block))  # type: ignore[misc]


ASKED: tuple[dict[str, Any], ...] = (
    {},
    {"state": "open"},
    {"state": "open", "order": "severity"},
    {"rule": "rule-3"},
    {"value": "US:7", "dimension": "entity"},
    {"owner": "Wei"},
    {"owner": "nobody"},
    {"severity": "critical", "state": ["firing", "resolved"]},
    {"rule": "rule-3", "owner": "Wei", "severity": "info"},
    {"limit": 200},
    {"order": "severity"},
)


def p95(values: list[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(values, n=20)[-1]


def timed(call: Callable[[], object], rounds: int) -> list[float]:
    """Milliseconds of every call."""
    found = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        found.append((time.perf_counter() - started) * 1000)
    return found


def lists(http: TestClient) -> list[float]:
    """Milliseconds of every way the page asks for alerts, and of forty pages one after another."""
    found = []
    for asked in ASKED:
        found += timed(lambda asked=asked: http.get("/finance/alerts", params=asked).raise_for_status(), 15)  # type: ignore[misc]
    cursor = ""
    for _ in range(40):
        started = time.perf_counter()
        cursor = http.get("/finance/alerts", params={"after": cursor, "limit": 50}).json()["next"]
        found.append((time.perf_counter() - started) * 1000)
    return found


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stored", type=int, default=1_000_000)
    parser.add_argument("--alerts", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    configure(FinanceSettings(), quietly=True)
    model = FinanceModel.load(FinanceSettings(threads=arguments.threads))
    found: dict[str, Any] = {}
    with opened(model, arguments.threads) as service:
        found["ingest_texts_per_second"] = ingest(service)
    with opened(model, arguments.threads) as service:
        service.intake.ingest(demo_texts())
        app = create_app(service.settings, backend=model, store=service.store, web=WebSettings(chat_rate_limit=""))
        with TestClient(app) as http:
            seconds = delays(service, http)
            found |= {"alerts_raised": len(seconds), "text_to_alert_p95_seconds": p95(seconds)}
            fill_texts(service.store, arguments.stored)
            fill_alerts(service, arguments.alerts)
            found |= {"stored_texts": arguments.stored, "stored_alerts": arguments.alerts}
            found["alert_list_p95_ms"] = p95(lists(http))
            end = (int(time.time()) // DAY + 1) * DAY
            names = [c.id for c in service.gazetteer]
            fill_days(service.store, names, end)
            heat: dict[str, str | int] = {"dimension": "entity", "start": end - 90 * DAY, "end": end}
            asked = timed(lambda: http.get("/finance/heatmap", params=heat).raise_for_status(), 20)
            summed = timed(lambda: service.store.totals("entity", end - 90 * DAY, end, seconds=DAY), 20)
            read = timed(lambda: service.store.trends("entity", end - 90 * DAY, end, DAY, values=names), 20)
            found |= {"trend_companies": len(names), "trend_p95_ms": p95(summed), "heatmap_p95_ms": p95(asked)}
            found["every_bucket_p95_ms"] = p95(read)
    if arguments.write:
        write("monitor", found, data="the shipped samples and demonstration")
    else:
        print(json.dumps(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
