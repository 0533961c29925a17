"""The tables of alerts: the alerts, what happened to them, their evidence, silences, channels, the outbox.

Migrations make them; a test holds the two together. Times are whole seconds since 1970, but in the outbox, where
fractions spread retries.
"""

from __future__ import annotations

import sqlalchemy as sa

from apps.finance_sentiment.tables import BigKey, metadata
from core.store.columns import Characters

alert_state = sa.Table(
    "finance_sentiment_alert_state",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
)
"""One row. Whoever changes alerts locks it first: changes come one after the other, and ids of events in the order in
which they become visible, so that a reader who follows them by id misses none."""

alerts = sa.Table(
    "finance_sentiment_alerts",
    metadata,
    sa.Column("id", BigKey, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("rule_id", sa.Text, nullable=False),
    sa.Column("dimension", sa.Text, nullable=False),
    sa.Column("value", Characters, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("severity_rank", sa.SmallInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("condition", sa.Text, nullable=False),
    sa.Column("owner", Characters, nullable=False),
    sa.Column("started_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("check_at", sa.BigInteger),
    sa.Column("silence_id", sa.BigInteger),
    sa.Column("inhibited_by", sa.BigInteger),
    sa.Column("inhibits", sa.Boolean, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("summary_en", Characters, nullable=False),
    sa.Column("summary_zh", Characters, nullable=False),
    sqlite_autoincrement=True,
)
"""`check_at`: when something may be due without a change of the rule (a repeat, an escalation, a silence's end);
`body`: the facts of its rule, its latest values and times, which nothing searches by."""

sa.Index(
    "finance_sentiment_alerts_open_ix",
    alerts.c.fingerprint,
    unique=True,
    sqlite_where=alerts.c.state != "resolved",
    postgresql_where=alerts.c.state != "resolved",
)
sa.Index("finance_sentiment_alerts_last_ix", alerts.c.fingerprint, alerts.c.id)
sa.Index("finance_sentiment_alerts_check_ix", alerts.c.check_at)
sa.Index("finance_sentiment_alerts_state_ix", alerts.c.state, alerts.c.started_at, alerts.c.id)
sa.Index(
    "finance_sentiment_alerts_severity_ix",
    alerts.c.state, alerts.c.severity_rank, alerts.c.started_at, alerts.c.id,
)  # fmt: skip
sa.Index("finance_sentiment_alerts_rule_ix", alerts.c.rule_id, alerts.c.state, alerts.c.started_at, alerts.c.id)
sa.Index(
    "finance_sentiment_alerts_series_ix",
    alerts.c.value, alerts.c.dimension, alerts.c.state, alerts.c.started_at, alerts.c.id,
)  # fmt: skip
sa.Index("finance_sentiment_alerts_owner_ix", alerts.c.owner, alerts.c.state, alerts.c.started_at, alerts.c.id)

alert_events = sa.Table(
    "finance_sentiment_alert_events",
    metadata,
    sa.Column("id", BigKey, primary_key=True),
    sa.Column("alert_id", sa.BigInteger, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("actor", Characters, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("from_state", sa.Text, nullable=False),
    sa.Column("to_state", sa.Text, nullable=False),
    sa.Column("detail", sa.JSON, nullable=False),
    sqlite_autoincrement=True,
)
"""The audit trail. Triggers refuse to change or delete a row."""

sa.Index("finance_sentiment_alert_events_alert_ix", alert_events.c.alert_id, alert_events.c.id)

alert_evidence = sa.Table(
    "finance_sentiment_alert_evidence",
    metadata,
    sa.Column("alert_id", sa.ForeignKey(alerts.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("ordinal", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("body", sa.JSON, nullable=False),
)
"""Frozen when an alert fired (ordinal 0) and when it last reopened (ordinal 1)."""

silences = sa.Table(
    "finance_sentiment_silences",
    metadata,
    sa.Column("id", BigKey, primary_key=True),
    sa.Column("matchers", sa.JSON, nullable=False),
    sa.Column("starts_at", sa.BigInteger, nullable=False),
    sa.Column("ends_at", sa.BigInteger, nullable=False, index=True),
    sa.Column("reason", Characters, nullable=False),
    sa.Column("author", Characters, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("ended_by", Characters, nullable=False),
    sqlite_autoincrement=True,
)

channels = sa.Table(
    "finance_sentiment_channels",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("url", Characters, nullable=False),
    sa.Column("secret", Characters, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
)
"""Where notifications go. `url` and `secret` never leave the server: chat services put their keys into URLs."""

outbox = sa.Table(
    "finance_sentiment_outbox",
    metadata,
    sa.Column("id", BigKey, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("group_key", Characters, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("items", sa.JSON, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("due_at", sa.Float, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("leased_by", sa.Text),
    sa.Column("leased_until", sa.Float),
    sa.Column("delivered_at", sa.Float),
    sa.Column("error", Characters, nullable=False),
    sqlite_autoincrement=True,
)
"""Notifications on their way: written in the transaction of what they tell. `key` goes out with every attempt."""

sa.Index("finance_sentiment_outbox_due_ix", outbox.c.state, outbox.c.due_at)
sa.Index("finance_sentiment_outbox_group_ix", outbox.c.channel, outbox.c.group_key, outbox.c.id)

outbox_alerts = sa.Table(
    "finance_sentiment_outbox_alerts",
    metadata,
    sa.Column("alert_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("outbox_id", sa.ForeignKey(outbox.c.id, ondelete="CASCADE"), primary_key=True, index=True),
)
"""Which notifications told of an alert."""
