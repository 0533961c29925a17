"""Feeds and what takes their texts, for tests of sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from xml.sax.saxutils import escape

from apps.finance_sentiment.intake import IngestReport
from apps.finance_sentiment.schemas import Incoming
from core.errors import SuiteError
from core.web.outbound import fetch


def here(host: str, port: int) -> Sequence[str]:
    """Every name is this machine."""
    return ["127.0.0.1"]


get = partial(fetch, resolve=here, allow_private=True, ports=None, timeout=5.0)


def item(
    number: int, *, date: str | None = "Mon, 02 Mar 2026 09:30:00 GMT", title: str = "", body: str = "words"
) -> str:
    told = f"<pubDate>{date}</pubDate>" if date is not None else ""
    title = title or f"Headline {number}"
    return (
        f"<item><guid>g{number}</guid><title>{escape(title)}</title><link>https://a.test/{number}</link>"
        f"<description>{escape(body)}</description>{told}</item>"
    )


def rss(*items: str) -> bytes:
    head = '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>Wire</title>'
    return (head + "".join(items) + "</channel></rss>").encode()


@dataclass
class Taker:
    """Keeps texts by (source, id), as the service does, without a model."""

    texts: dict[tuple[str, str], Incoming] = field(default_factory=dict)
    calls: int = 0
    fail: list[SuiteError] = field(default_factory=list)
    """Errors of the next calls."""

    def ingest(self, texts: Sequence[Incoming]) -> IngestReport:
        self.calls += 1
        if self.fail:
            raise self.fail.pop(0)
        before = len(self.texts)
        for text in texts:
            self.texts.setdefault((text.source, text.id), text)
        new = len(self.texts) - before
        return IngestReport(new, len(texts) - new, new, 0, 0, 0.0)

    @property
    def titles(self) -> list[str]:
        return [text.title for text in self.texts.values()]
