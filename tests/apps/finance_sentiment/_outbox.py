"""A sender that sends to nobody, and a clock that is set by hand."""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.finance_sentiment.notify.channel import Channel
from apps.finance_sentiment.notify.request import NotDelivered
from apps.finance_sentiment.outbox import Notification
from apps.finance_sentiment.schemas import SeriesKey
from tests.apps.finance_sentiment._alerts import NOW


@dataclass
class Recorder:
    """Sends to nobody, and remembers; a channel in `down` fails."""

    got: list[tuple[str, str, Notification]] = field(default_factory=list)
    down: set[str] = field(default_factory=set)
    tried: int = 0

    def __call__(self, channel: Channel, sent: Notification, now: float) -> str:
        self.tried += 1
        if channel.name in self.down:
            raise NotDelivered("nobody there")
        self.got.append((channel.name, sent.key, sent))
        return ""

    @property
    def told(self) -> list[tuple[str, int]]:
        return [(item["kind"], item["alert_id"]) for _, _, sent in self.got for item in sent.items]


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


def series(i: int) -> SeriesKey:
    return SeriesKey("entity", f"US:{i:03d}")
