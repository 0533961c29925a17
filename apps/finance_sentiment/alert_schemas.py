"""Alerts, and acts on them, as JSON. Knows the values on one side and pydantic on the other."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from apps.finance_sentiment.alert_life import Alert
from apps.finance_sentiment.alert_reads import Entry, Whole
from apps.finance_sentiment.evidence import measured_json
from apps.finance_sentiment.outbox import Notification
from apps.finance_sentiment.rows import moment

Name = Annotated[str, Field(min_length=1, max_length=80)]
Long = Annotated[str, Field(max_length=2000)]
Needed = Annotated[str, Field(min_length=1, max_length=2000)]


class Strict(BaseModel):
    """A body that may hold nothing unknown."""

    model_config = ConfigDict(extra="forbid")


class RuleOut(BaseModel):
    """Which rule an alert is of."""

    id: str
    name: str


class Measured(BaseModel):
    """A rule's latest judgement."""

    value: float | None
    expected: float | None
    limit: float | None
    p_value: float | None
    reason: str


class Between(BaseModel):
    """A stretch of time."""

    start: datetime
    end: datetime


class Summary(BaseModel):
    """Two sentences."""

    en: str
    zh: str


class AlertOut(BaseModel):
    """An alert as it stands."""

    id: int
    version: int
    state: Literal["inactive", "pending", "firing", "acknowledged", "no_data", "resolved"]
    condition: Literal["inactive", "pending", "firing", "no_data"]
    silenced: bool
    silence_id: int | None
    inhibited_by: int | None
    rule: RuleOut
    severity: str
    dimension: str
    value: str
    started_at: datetime
    fired_at: datetime | None
    updated_at: datetime
    owner: str
    acknowledged_at: datetime | None
    acknowledged_by: str
    resolved_at: datetime | None
    resolved_by: str
    reopened: int
    notified_at: datetime | None
    escalated_at: datetime | None
    measured: Measured
    window: Between
    summary: Summary

    @classmethod
    def of(cls, a: Alert) -> AlertOut:
        """From the value."""
        return cls(**_alert(a))


class AlertPage(BaseModel):
    """A page of alerts."""

    items: list[AlertOut]
    next: str | None


class Tally(BaseModel):
    """How many alerts there are."""

    by_state: dict[str, int]
    by_severity: dict[str, int]
    silenced: int


class AuditOut(BaseModel):
    """An entry of the audit trail."""

    id: int
    alert_id: int
    at: datetime
    actor: str
    action: str
    from_state: str
    to_state: str
    detail: dict[str, Any]

    @classmethod
    def of(cls, e: Entry) -> AuditOut:
        """From the value."""
        return cls(
            id=e.id, alert_id=e.alert_id, at=moment(e.at), actor=e.actor, action=e.action, from_state=e.from_state,
            to_state=e.to_state, detail=dict(e.detail),
        )  # fmt: skip


class CommentOut(BaseModel):
    """A comment."""

    id: int
    at: datetime
    author: str
    text: str


class NotificationOut(BaseModel):
    """A notification and how far it got."""

    id: int
    key: str
    channel: str
    kind: str
    state: Literal["waiting", "delivered", "dead"]
    attempts: int
    created_at: datetime
    due_at: datetime
    delivered_at: datetime | None
    error: str
    alert_ids: list[int]

    @classmethod
    def of(cls, n: Notification) -> NotificationOut:
        """From the value."""
        return cls(
            id=n.id, key=n.key, channel=n.channel, kind=n.kind, state=n.state, attempts=n.attempts,
            created_at=moment(int(n.created_at)), due_at=moment(int(n.due_at)),
            delivered_at=None if n.delivered_at is None else moment(int(n.delivered_at)), error=n.error,
            alert_ids=[int(item["alert_id"]) for item in n.items],
        )  # fmt: skip


class AlertDetail(AlertOut):
    """An alert with everything that belongs to it."""

    evidence: dict[str, Any] | None
    latest_evidence: dict[str, Any] | None
    audit: list[AuditOut]
    comments: list[CommentOut]
    notifications: list[NotificationOut]

    @classmethod
    def whole(cls, w: Whole, notifications: list[Notification]) -> AlertDetail:
        """From the values."""
        comments = [
            CommentOut(id=e.id, at=moment(e.at), author=e.actor, text=str(e.detail.get("text", "")))
            for e in w.trail
            if e.action == "comment"
        ]
        return cls(
            **_alert(w.alert),
            evidence=None if w.evidence is None else dict(w.evidence),
            latest_evidence=None if w.latest_evidence is None else dict(w.latest_evidence),
            audit=[AuditOut.of(e) for e in w.trail],
            comments=comments,
            notifications=[NotificationOut.of(n) for n in notifications],
        )


class Acknowledge(Strict):
    """Acknowledge or resolve."""

    version: int
    by: Name
    comment: Long = ""


class Assign(Strict):
    """Give an alert to somebody; an empty owner gives it back."""

    version: int
    by: Name
    owner: Annotated[str, Field(max_length=80)] = ""


class CommentIn(Strict):
    """Say something about an alert."""

    by: Name
    text: Needed


class Quiet(Strict):
    """Silence an alert's rule and series for a time."""

    by: Name
    reason: Needed
    minutes: Annotated[int, Field(ge=1, le=366 * 1440)]


def _alert(a: Alert) -> dict[str, Any]:
    def at(seconds: int | None) -> datetime | None:
        return None if seconds is None else moment(seconds)

    same = (
        "id", "version", "state", "condition", "silenced", "silence_id", "inhibited_by", "owner", "acknowledged_by",
        "resolved_by", "reopened",
    )  # fmt: skip
    times = ("started_at", "fired_at", "updated_at", "acknowledged_at", "resolved_at", "notified_at", "escalated_at")
    return {
        **{name: getattr(a, name) for name in same},
        **{name: at(getattr(a, name)) for name in times},
        "rule": RuleOut(id=a.rule.id, name=a.rule.name),
        "severity": a.rule.severity,
        "dimension": a.key.dimension,
        "value": a.key.value,
        "measured": Measured(**measured_json(a.verdict)),
        "window": Between(start=moment(a.window_start), end=moment(a.window_end)),
        "summary": Summary(en=a.summary_en, zh=a.summary_zh),
    }
