"""Alerts: from what rules say and people do, to alerts, their trail and what is sent.

`apply` runs inside the transaction that keeps what the rules learned, so that an alert, its evidence and its
notifications stand together or not at all. The life itself is pure (`alert_life`), so is who is told
(`alert_routing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from apps.finance_sentiment.alert_acts import AlertActs
from apps.finance_sentiment.alert_channels import ChannelStore
from apps.finance_sentiment.alert_life import Alert, AlertCondition, Change, RuleFacts, fingerprint, step
from apps.finance_sentiment.alert_reads import AlertReads
from apps.finance_sentiment.alert_settle import Policy, settle
from apps.finance_sentiment.alert_silences import SilenceStore
from apps.finance_sentiment.outbox import OutboxStore
from apps.finance_sentiment.store_alerts import keep_evidence, latest, load, lock, save, trail
from apps.finance_sentiment.summary import name_of, summarise
from apps.finance_sentiment.tables_alerts import alerts
from core.store import retrying, transaction

__all__ = ["Alert", "AlertCondition", "AlertStore", "Change", "Policy", "RuleFacts", "apply", "tick"]


class AlertStore(AlertReads, AlertActs, SilenceStore, ChannelStore, OutboxStore):
    """Everything of alerts that people and programs ask for, over one engine. Safe between threads.

    The tables must be there: `Store.open` makes them.

    :param policy: what the desk sets for all rules.
    """

    def __init__(self, engine: sa.Engine, policy: Policy | None = None) -> None:
        self.engine = engine
        self.policy = policy or Policy()


def apply(connection: sa.Connection, changes: Sequence[Change], now: int, policy: Policy | None = None) -> list[int]:
    """Take in what rules say, within the caller's write transaction (`core.store.retrying`).

    :param changes: in order; saying the same again is harmless, and brings new values.
    :param now: seconds since 1970.
    :returns: ids of the alerts that were opened, changed or looked at, in order, each once.
    """
    if not changes:
        return []
    policy = policy or Policy()
    lock(connection)
    known = latest(connection, (fingerprint(c.rule.id, c.key) for c in changes))
    touched: dict[int, Alert] = {}
    named: dict[str, str] = {}
    for change in changes:
        name = fingerprint(change.rule.id, change.key)
        taken = step(known.get(name), change, now, policy.reopen_seconds)
        if taken is None:
            continue
        alert = taken.alert
        if change.evidence is not None:
            named[change.key.value] = str(change.evidence.get("name", ""))
        if taken.opens or not alert.summary_en:
            alert = _summed(alert, change)
        alert = save(connection, alert)
        trail(connection, alert.id, taken.events, alert.updated_at)
        if taken.opens and change.evidence is not None:
            keep_evidence(connection, alert.id, change.evidence)
        known[name] = touched[alert.id] = alert
    settle(connection, touched.values(), now, policy, named=named)
    return list(touched)


def tick(engine: sa.Engine, now: int, policy: Policy | None = None) -> list[int]:
    """What is due by the clock: repeats, escalations, ends of silences. Cheap where nothing is; call it every second.

    :returns: ids of the alerts that were looked at.
    """
    policy = policy or Policy()
    late = alerts.c.check_at <= now
    with transaction(engine) as connection:
        if connection.execute(sa.select(alerts.c.id).where(late).limit(1)).first() is None:
            return []

    def work(connection: sa.Connection) -> list[int]:
        lock(connection)
        return [a.id for a in settle(connection, load(connection, late), now, policy)]

    return retrying(engine, work)


def _summed(alert: Alert, change: Change) -> Alert:
    if change.evidence is not None:
        english, chinese = summarise(change.evidence)
    else:
        names = name_of(change.key.dimension, change.key.value, "")
        english = f"{change.rule.name}, {names[0]}: {change.verdict.reason or _numbers(change)}"
        chinese = f"{change.rule.name}，{names[1]}：{change.verdict.reason or _numbers(change)}"
    return replace(alert, summary_en=english, summary_zh=chinese)


def _numbers(change: Change) -> str:
    v = change.verdict
    return f"{v.value:.3g} ({v.expected:.3g}, {v.limit:.3g})"
