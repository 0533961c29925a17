"""Between the monitor and the alerts: what a rule's change of mind becomes, with its evidence.

Knows both sides; judges nothing and sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from apps.finance_sentiment.alert_desk import AlertDesk
from apps.finance_sentiment.alert_life import AlertCondition, Change, RuleFacts
from apps.finance_sentiment.evidence import RuleName, collect
from apps.finance_sentiment.rule_engine import Transition
from apps.finance_sentiment.rules import Rule
from apps.finance_sentiment.schemas import SeriesKey
from apps.finance_sentiment.store import Store


def facts_of(rule: Rule) -> RuleFacts:
    """What an alert keeps of its rule."""
    return RuleFacts(
        rule.id,
        rule.name,
        rule.severity,
        rule.group_by,
        rule.cooldown_seconds,
        rule.channels,
        rule.repeat_seconds,
        rule.escalate_seconds,
        rule.inhibits,
    )


class Alerting:
    """Makes changes of transitions, and has them written.

    :param desk: where they are written.
    :param name_of: the name of a series for people.
    """

    def __init__(self, store: Store, desk: AlertDesk, name_of: Callable[[SeriesKey], str]) -> None:
        self._store, self._desk, self._name_of = store, desk, name_of

    def prepare(self, rule: Rule, change: Transition) -> Change:
        """The change with its evidence, where it begins to fire."""
        condition: AlertCondition = change.after
        if change.after == "firing" and rule.kind == "no_data":
            condition = "no_data"
        window = change.window
        evidence = None
        if change.after == "firing":
            evidence = collect(
                self._store,
                change.key,
                window.start,
                window.end,
                rule=RuleName(rule.id, rule.name, rule.severity, rule.measure),
                verdict=change.verdict,
                name=self._name_of(change.key),
                now=change.at,
            )
        return Change(
            facts_of(rule), change.key, condition, change.verdict, change.at, window.start, window.end, evidence
        )

    def apply(self, connection: sa.Connection, changes: Sequence[Change], now: int) -> None:
        """Write alerts and what is to be sent, within the transaction."""
        self._desk.apply(connection, changes, now)
