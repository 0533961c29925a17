"""A first look: eight days of made-up news that end now, in the middle of a surge.

Made of the shipped replay, moved in time. Everything in it is invented, and its sources say so. Knows the replay and
the service; nothing of HTTP.
"""

from __future__ import annotations

from datetime import UTC, datetime

from apps.finance_sentiment.intake import IngestReport
from apps.finance_sentiment.replay import BEGIN, make_replay
from apps.finance_sentiment.rows import DAY, epoch, moment
from apps.finance_sentiment.schemas import Incoming
from apps.finance_sentiment.service import Service
from core.progress import Report, quiet

DAYS = 8
SEED = 7
SHARE = 4
"""One company in four is kept, and one text in four that is about none."""
PREFIX = "sample/"
"""Begins the name of every source, so that nobody takes the demonstration for news."""


def demo_texts(now: datetime | None = None) -> list[Incoming]:
    """The texts in order of arrival, the last of them published now."""
    replay = make_replay(SEED)
    surges = [s for s in replay.surges if s.member is not None and s.start > BEGIN + DAYS * DAY]
    last = surges[-1]
    end = last.start + 2 * (last.end - last.start) // 3
    shift = epoch(now or datetime.now(UTC)) - end
    names = sorted({t.entity for t in replay.texts if t.entity})
    kept = {*names[::SHARE], *(s.member.company.id for s in surges[-2:] if s.member)}
    chosen = [
        t
        for t in replay.texts
        if end - DAYS * DAY <= t.arrived <= end and (t.entity in kept if t.entity else t.story % SHARE == 0)
    ]
    return [
        Incoming(
            f"demo-{i}",
            PREFIX + t.source,
            moment(t.arrived + shift),
            t.text,
            published_at=moment(t.published + shift),
            language=t.language,
        )
        for i, t in enumerate(chosen)
    ]


def show(service: Service, *, progress: Report = quiet) -> IngestReport:
    """Take the demonstration in, judged as if it had come day by day."""
    return service.intake.ingest(demo_texts(), progress=progress)
