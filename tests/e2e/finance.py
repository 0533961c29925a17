"""The real finance monitor on loopback: real store, rules, alerts and sources; only the labeller is a small one."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import uvicorn
from playwright.sync_api import Page, expect

from apps.finance_sentiment.alert_life import AlertCondition, RuleFacts
from apps.finance_sentiment.api import part
from apps.finance_sentiment.clusters import Sketch, StoryIndex
from apps.finance_sentiment.desk import Desk, build_desk
from apps.finance_sentiment.evidence import RuleName, collect
from apps.finance_sentiment.rows import Reading
from apps.finance_sentiment.schemas import Incoming, Labels, Mention, SeriesKey, Verdict
from apps.finance_sentiment.settings import FinanceSettings
from apps.finance_sentiment.store import Store
from core.web import WebSettings, create_web_app
from tests.apps.finance_sentiment._alerts import change, tell
from tests.apps.finance_sentiment._reading import WordLabels
from tests.e2e.servers import free_port, wait_for

SAMPLES = Path(__file__).parents[2] / "apps/finance_sentiment/samples"
COMPANIES = ("US:AAPL", "US:JPM", "HK:0700", "CN:600519", "US:TSLA", "US:BA", "HK:9988", "US:NVDA")
SHAPES = {"negative": (0.82, 0.13, 0.05), "neutral": (0.1, 0.82, 0.08), "positive": (0.05, 0.15, 0.8)}
RULES = {
    "negative-surge": RuleFacts("negative-surge", "Negative surge", "critical"),
    "share-shift": RuleFacts("share-shift", "Share of negative shifted", "warning"),
    "volume": RuleFacts("volume", "Unusual volume", "info"),
    "silence": RuleFacts("silence", "Source is silent", "warning"),
}


def labels_of(sentiment: str, topics: Mapping[str, float]) -> Labels:
    return Labels(*SHAPES[sentiment], topics)


def readings(now: datetime, *, hours: int = 26, seed: int = 7, every: int = 4) -> Iterator[Reading]:
    """Shipped samples spread over the last hours; the last hour is bad for one company."""
    chance = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for name, language in (("texts_en_1", "en"), ("texts_en_2", "en"), ("texts_zh", "zh")):
        lines = (SAMPLES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()[:: 2 * every]
        rows += [{**json.loads(line), "language": language} for line in lines]
    chance.shuffle(rows)
    for number, row in enumerate(rows):
        hour = hours * (1 - (number + 0.5) / len(rows))
        bad = hour < 1
        at = now - timedelta(hours=hour)
        labels = labels_of("negative" if bad else row["sentiment"], dict.fromkeys(row["topics"], 0.9))
        company = "US:TSLA" if bad else chance.choice(COMPANIES)
        text, _, rest = row["text"].partition(". ")
        source = chance.choice(["reuters", "caixin", "desk-wire", "filings"])
        url = f"https://news.example.com/{number}"
        incoming = Incoming(f"{number}", source, at, text, rest, url, at, row["language"])
        mention = Mention(company, company.partition(":")[2], 0, 1, 0.9)
        yield Reading(incoming, row["language"], labels, (mention,), {}, at, "", Sketch.of(incoming.text))


def raise_alert(
    store: Store,
    rule: str = "negative-surge",
    key: SeriesKey | None = None,
    *,
    minutes: float = 5,
    condition: AlertCondition = "firing",
    name: str = "",
    evidence: bool = False,
    facts: RuleFacts | None = None,
) -> int:
    """An alert that began some minutes ago."""
    key = key or SeriesKey("entity", "US:TSLA")
    now = int(time.time() - minutes * 60)
    told = facts or RULES[rule]
    verdict = Verdict(
        True, False, 14.0, 2.1, 8.0, 1e-6, "14 negative stories in 60 minutes; 2.1 are usual and 8 is the limit."
    )
    frozen = None
    if evidence:
        end = now - now % 60
        frozen = collect(
            store, key, end - 3600, end, rule=RuleName(told.id, told.name, told.severity), verdict=verdict,
            name=name or key.value, now=now,
        )  # fmt: skip
    made = replace(change(condition, told, key, at=now, evidence=frozen), verdict=verdict)
    return tell(store.engine, made, now=now)[0]


class FinanceServer:
    """The monitor under uvicorn on a thread; can be stopped and started again on its port."""

    def __init__(self, home: Path, *, web: WebSettings | None = None) -> None:
        self.web = web or WebSettings(chat_rate_limit="")
        self.watched = home / "watched"
        self.watched.mkdir()
        self.settings = FinanceSettings(home=home, watch_folder=str(self.watched))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = f"sqlite:///{home / 'desk.db'}"
        self.store = Store.open(self.database)
        self.desk: Desk | None = None

    def fill(self, *, every: int = 4) -> FinanceServer:
        """Store samples of the last day."""
        chosen = list(readings(datetime.now(UTC), every=every))
        self.store.record(chosen, StoryIndex(3600, 0.9), 0.3)
        return self

    def start(self) -> FinanceServer:
        def build() -> Desk:
            self.desk = build_desk(self.settings, WordLabels(), Store.open(self.database))
            return self.desk

        made = part(build, self.web)
        app = create_web_app("Triptych", [made], self.web)
        config = uvicorn.Config(
            app, host="127.0.0.1", port=self.port, log_level="critical", timeout_graceful_shutdown=1
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        wait_for(lambda: self.server.started)
        return self

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(timeout=10)
        assert not self.thread.is_alive()

    def close(self) -> None:
        self.stop()
        self.store.close()


@contextmanager
def finance_server(home: Path, *, every: int = 4, web: WebSettings | None = None) -> Iterator[FinanceServer]:
    live = FinanceServer(home, web=web).fill(every=every)
    live.start()
    try:
        yield live
    finally:
        live.close()


def ask(server: FinanceServer, path: str, body: Any = None, accept: str = "*/*") -> Answer:
    """What the server says to a program; a body is posted as JSON."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Accept": accept, "Content-Type": "application/json"}
    with urlopen(Request(f"{server.url}/finance{path}", data, headers), timeout=10) as response:
        return Answer(response.read(), response.headers, response.url)


@dataclass(frozen=True)
class Answer:
    body: bytes
    headers: Message
    url: str

    def json(self) -> Any:
        return json.loads(self.body)


def visit(page: Page, server: FinanceServer, path: str = "") -> None:
    """Open a page of the monitor and wait until it shows what the server said and hears the stream."""
    page.goto(f"{server.url}/finance/{path}")
    expect(page.locator("body[data-loaded]")).to_be_attached()
    expect(page.locator(".lamp.on")).to_be_attached()
