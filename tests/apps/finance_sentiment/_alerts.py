"""Changes, a desk and counterparts for tests of alerts."""

from __future__ import annotations

import sqlalchemy as sa

from apps.finance_sentiment import alerts
from apps.finance_sentiment.alert_life import AlertCondition, Change, RuleFacts
from apps.finance_sentiment.alerts import Policy
from apps.finance_sentiment.evidence import RuleName, collect
from apps.finance_sentiment.notify.channel import Channel
from apps.finance_sentiment.outbox import Grouping
from apps.finance_sentiment.schemas import SeriesKey, Verdict
from apps.finance_sentiment.store import Store
from core.store import retrying

NOW = 1_772_442_000
APPLE = SeriesKey("entity", "US:AAPL")
SURGE = RuleFacts("negative-surge", "Negative surge", "warning")
FAR_ABOVE = Verdict(True, False, 14.0, 2.1, 8.0, 1e-6, "14 negative stories in 60 min; 2.1 are usual, 8 is the limit.")
QUICK = Policy(reopen_seconds=1800, grouping=Grouping(0, 0))
DESK = Channel("desk", "webhook", "http://127.0.0.1:9/hook", "a secret of the desk")


def change(
    condition: AlertCondition = "firing",
    rule: RuleFacts = SURGE,
    key: SeriesKey = APPLE,
    *,
    at: int = NOW,
    evidence: dict[str, object] | None = None,
) -> Change:
    """A rule's word on a series."""
    return Change(rule, key, condition, FAR_ABOVE, at, at - 3600, at, evidence)


def tell(engine: sa.Engine, *changes: Change, now: int = NOW, policy: Policy = QUICK) -> list[int]:
    """Apply in a transaction of its own."""
    return retrying(engine, lambda connection: alerts.apply(connection, changes, now, policy))


def evidence_of(store: Store, start: int, end: int, key: SeriesKey = APPLE, name: str = "Apple") -> dict[str, object]:
    """What `collect` gives for a window."""
    rule = RuleName(SURGE.id, SURGE.name, SURGE.severity)
    return collect(store, key, start, end, rule=rule, verdict=FAR_ABOVE, name=name, now=NOW)
