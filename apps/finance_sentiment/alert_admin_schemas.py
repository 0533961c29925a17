"""Silences, channels and notifications as JSON. Knows the values on one side and pydantic on the other."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from apps.finance_sentiment.alert_channels import ChannelHealth
from apps.finance_sentiment.alert_routing import Silence
from apps.finance_sentiment.alert_schemas import AlertOut, Name, Needed, NotificationOut, Strict
from apps.finance_sentiment.notify.channel import Channel, ChannelKind, Role, Security, Smtp
from apps.finance_sentiment.rows import moment


class NotificationList(BaseModel):
    """Notifications, the newest first."""

    items: list[NotificationOut]


class MatcherBody(Strict):
    """A condition of a silence."""

    field: Literal["rule", "dimension", "value", "severity"]
    value: Annotated[str, Field(min_length=1, max_length=200)]


class SilenceIn(Strict):
    """A silence to be made. It begins now where no start is given."""

    matchers: Annotated[list[MatcherBody], Field(min_length=1, max_length=20)]
    starts_at: datetime | None = None
    ends_at: datetime
    reason: Needed
    by: Name


class SilenceOut(BaseModel):
    """A silence."""

    id: int
    matchers: list[MatcherBody]
    starts_at: datetime
    ends_at: datetime
    reason: str
    author: str
    created_at: datetime
    ended_by: str
    state: Literal["scheduled", "active", "expired"]

    @classmethod
    def of(cls, s: Silence, now: int) -> SilenceOut:
        """From the value."""
        return cls.model_validate(
            {
                "id": s.id, "matchers": [{"field": m.field, "value": m.value} for m in s.matchers],
                "starts_at": moment(s.starts_at), "ends_at": moment(s.ends_at), "reason": s.reason,
                "author": s.author, "created_at": moment(s.created_at), "ended_by": s.ended_by,
                "state": s.state(now),
            }
        )  # fmt: skip


class SilenceList(BaseModel):
    """Silences, the newest first."""

    items: list[SilenceOut]


class Silenced(BaseModel):
    """An alert and the silence over it."""

    alert: AlertOut
    silence: SilenceOut


class SmtpBody(Strict):
    """A mail server."""

    host: Annotated[str, Field(min_length=1, max_length=255)]
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Security = "starttls"
    username: Annotated[str, Field(max_length=255)] = ""
    sender: Annotated[str, Field(min_length=3, max_length=320)]


class ChannelIn(Strict):
    """A channel to be made or replaced. `url` and `secret` null keep what is stored."""

    kind: ChannelKind
    url: Annotated[str, Field(max_length=2000)] | None = None
    to: Annotated[tuple[Annotated[str, Field(max_length=320)], ...], Field(max_length=100)] = ()
    secret: Annotated[str, Field(max_length=500)] | None = None
    role: Role = "default"
    min_severity: Literal["info", "warning", "critical"] = "info"
    send_resolved: bool = True
    language: Literal["en", "zh"] = "en"
    enabled: bool = True
    smtp: SmtpBody | None = None

    def channel(self, name: str) -> Channel:
        """The value."""
        smtp = None if self.smtp is None else Smtp(**self.smtp.model_dump())
        return Channel(
            name, self.kind, self.url or "", self.secret or "", self.to, smtp, self.role, self.min_severity,
            self.send_resolved, self.language, self.enabled,
        )  # fmt: skip


class ChannelOut(BaseModel):
    """A channel without its keys, and how delivery goes."""

    name: str
    kind: ChannelKind
    target: str
    has_secret: bool
    role: Role
    min_severity: str
    send_resolved: bool
    language: str
    enabled: bool
    smtp: SmtpBody | None
    waiting: int
    dead: int
    last_delivered_at: datetime | None
    last_error: str

    @classmethod
    def of(cls, c: Channel, health: ChannelHealth) -> ChannelOut:
        """From the values."""
        body: Mapping[str, Any] = c.to_body()
        last = health.last_delivered_at
        return cls.model_validate(
            {k: v for k, v in body.items() if k != "to"}
            | {"name": c.name, "kind": c.kind, "target": c.target, "has_secret": bool(c.secret)}
            | {"waiting": health.waiting, "dead": health.dead, "last_error": health.last_error}
            | {"last_delivered_at": None if last is None else moment(int(last))}
        )


class ChannelList(BaseModel):
    """Channels by name."""

    items: list[ChannelOut]


class Tested(BaseModel):
    """What came of a test."""

    delivered: bool
    detail: str
    seconds: float
