"""Between alerts and the rows of their tables. Knows both; runs no SQL."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from apps.finance_sentiment.alert_life import RANKS, Alert, RuleFacts
from apps.finance_sentiment.alert_routing import Matcher, Silence
from apps.finance_sentiment.notify.channel import Channel
from apps.finance_sentiment.schemas import SeriesKey, Verdict
from core.store.columns import storable

_IN_BODY = (
    "window_start", "window_end", "state_at", "fired_at", "acknowledged_at", "acknowledged_by", "resolved_at",
    "resolved_by", "held", "reopened", "notified_at", "notified_state", "notified_rank", "escalated_at",
)  # fmt: skip
_IN_COLUMNS = (
    "version", "state", "condition", "owner", "started_at", "updated_at", "check_at", "silence_id", "inhibited_by",
    "summary_en", "summary_zh",
)  # fmt: skip


def alert_row(alert: Alert) -> dict[str, Any]:
    """The row of an alert, but for its id."""
    body = {name: getattr(alert, name) for name in _IN_BODY}
    body["rule"] = asdict(alert.rule)
    body["verdict"] = asdict(alert.verdict)
    return {
        "fingerprint": alert.fingerprint,
        "rule_id": alert.rule.id,
        "dimension": alert.key.dimension,
        "value": alert.key.value,
        "severity": alert.rule.severity,
        "severity_rank": RANKS.get(alert.rule.severity, 1),
        "inhibits": bool(alert.rule.inhibits),
        "body": plain(body),
        **{name: getattr(alert, name) for name in _IN_COLUMNS},
    }


def to_alert(row: Any) -> Alert:
    """A stored alert as it was."""
    rule: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.body["rule"].items()}
    return Alert(
        id=int(row.id),
        rule=RuleFacts(**rule),
        key=SeriesKey(row.dimension, row.value),
        verdict=Verdict(**row.body["verdict"]),
        **{name: row.body[name] for name in _IN_BODY},
        **{name: getattr(row, name) for name in _IN_COLUMNS},
    )


def silence_row(silence: Silence) -> dict[str, Any]:
    """The row of a silence, but for its id."""
    return {
        "matchers": plain([{"field": m.field, "value": m.value} for m in silence.matchers]),
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "reason": silence.reason,
        "author": silence.author,
        "created_at": silence.created_at,
        "ended_by": silence.ended_by,
    }


def to_silence(row: Any) -> Silence:
    """A stored silence as it was."""
    matchers = tuple(Matcher(m["field"], m["value"]) for m in row.matchers)
    return Silence(row.id, matchers, row.starts_at, row.ends_at, row.reason, row.author, row.created_at, row.ended_by)


def channel_row(channel: Channel) -> dict[str, Any]:
    """The row of a channel."""
    return {
        "name": channel.name,
        "kind": channel.kind,
        "url": channel.url,
        "secret": channel.secret,
        "body": plain(channel.to_body()),
    }


def to_channel(row: Any) -> Channel:
    """A stored channel as it was."""
    return Channel.from_body(row.name, row.kind, row.url, row.secret, row.body)


def plain(value: Any) -> Any:
    """JSON that both databases keep: no NUL, no lone surrogates, no NaN or infinity, tuples as lists."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {str(plain(k)): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
