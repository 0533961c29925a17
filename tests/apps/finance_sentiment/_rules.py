"""Counts and streams for tests of rules, told minute by minute; no text, no model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from apps.finance_sentiment.rows import moment
from apps.finance_sentiment.rule_engine import Engine, Transition
from apps.finance_sentiment.rule_memory import MemoryCounts
from apps.finance_sentiment.rules import Rule
from apps.finance_sentiment.schemas import Analysed, Counts, Incoming, Labels, Mention, SeriesKey

MINUTE, HOUR, DAY = 60, 3600, 86_400
MONDAY = 1_772_409_600
"""2 March 2026, midnight UTC."""
KEY = SeriesKey("entity", "US:ACME")
NEGATIVE, OTHER = Counts(1, 1, 1, 0, -0.8), Counts(1, 1, 0, 1, 0.8)


class Stream:
    """Rules over one series, told of stories."""

    def __init__(self, *rules: Rule, key: SeriesKey = KEY) -> None:
        self.counts, self.key = MemoryCounts(), key
        self.engine = Engine(rules, self.counts)
        self.changes: list[Transition] = []

    def tell(self, at: int, counts: Counts = NEGATIVE, source: str = "", *, now: int | None = None) -> None:
        """Count a story and judge."""
        self.counts.add(self.key, at, counts, source or f"wire-{at % 7}")
        self.changes += self.engine.touch(self.key, at if now is None else now)

    def tick(self, at: int) -> None:
        """Let the clock judge."""
        self.changes += self.engine.tick(at)

    @property
    def seen(self) -> list[tuple[str, int]]:
        """Condition and moment of every change."""
        return [(change.after, change.at) for change in self.changes]

    @property
    def fired(self) -> list[int]:
        """When a rule began to fire."""
        return [at for after, at in self.seen if after == "firing"]


def absolute(limit: int = 3, **given: object) -> Rule:
    """A rule whose verdict is plain: so many negative stories in an hour."""
    body: dict[str, object] = {
        "id": "many", "name": "Many", "kind": "absolute", "series": {"dimension": "entity"},
        "parameters": {"limit": limit}, "clear_seconds": 0, "cooldown_seconds": 0,
    }  # fmt: skip
    return Rule.from_json({**body, **given})


def told(
    at: int, sentiment: str, *, entity: str = "US:ACME", source: str = "wire", first: bool = True, topic: str = "legal"
) -> Analysed:
    """A text as a reader gives it."""
    chances = {name: 0.8 if name == sentiment else 0.1 for name in ("negative", "neutral", "positive")}
    labels = Labels(chances["negative"], chances["neutral"], chances["positive"], {topic: 0.9})
    text = Incoming(f"{at}-{source}", source, moment(at), "x", published_at=moment(at))
    mentions = (Mention(entity, entity, 0, 1, 1.0),) if entity else ()
    return Analysed(text, "en", labels, mentions, {}, "s", 1.0 if first else 0.0, first, moment(at))


def ordered(*streams: Iterable[Analysed]) -> Sequence[Analysed]:
    """The texts of several, in order of arrival."""
    return sorted((t for stream in streams for t in stream), key=lambda t: t.text.received_at)
