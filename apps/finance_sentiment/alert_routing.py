"""Whether somebody must be told of an alert now, and who. Pure: no clock, no SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from apps.finance_sentiment.alert_life import LOUD, RANKS, Alert
from apps.finance_sentiment.notify.channel import Channel

Kind = Literal["firing", "no_data", "resolved", "repeat", "escalation"]
FIELDS = ("rule", "dimension", "value", "severity")
"""What a silence can match."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition of a silence."""

    field: str
    value: str
    """Exact, or with `*` and `?`."""

    def fits(self, alert: Alert) -> bool:
        """Whether the alert has such a value."""
        own = {
            "rule": alert.rule.id,
            "dimension": alert.key.dimension,
            "value": alert.key.value,
            "severity": alert.rule.severity,
        }[self.field]
        return own == self.value or fnmatchcase(own, self.value.replace("[", "[[]"))


@dataclass(frozen=True, slots=True)
class Silence:
    """Holds back the notifications of alerts that all its matchers fit, for a time."""

    id: int
    matchers: tuple[Matcher, ...]
    starts_at: int
    ends_at: int
    reason: str
    author: str
    created_at: int
    ended_by: str = ""

    def state(self, now: float) -> str:
        """scheduled, active or expired."""
        return "expired" if now >= self.ends_at else "scheduled" if now < self.starts_at else "active"

    def fits(self, alert: Alert) -> bool:
        """Whether it is about the alert, at whatever time."""
        return all(matcher.fits(alert) for matcher in self.matchers)


def silence_of(alert: Alert, silences: Iterable[Silence], now: int) -> Silence | None:
    """The active silence that ends last among those that fit."""
    fitting = [s for s in silences if s.state(now) == "active" and s.fits(alert)]
    return max(fitting, key=lambda s: s.ends_at, default=None)


def inhibits(source: Alert, target: Alert) -> bool:
    """Whether an alert that fires holds back another one's notifications."""
    if source.id == target.id or source.state not in ("firing", "acknowledged"):
        return False
    if source.key.dimension != "all" and source.key != target.key:
        return False
    if target.rule.id == source.rule.id:
        return False
    return any(fnmatchcase(target.rule.id, pattern) for pattern in source.rule.inhibits)


def inhibitor_of(alert: Alert, sources: Iterable[Alert]) -> Alert | None:
    """The first alert that inhibits it. Two that inhibit each other: the older one wins."""
    for source in sorted(sources, key=lambda s: s.id):
        if inhibits(source, alert) and not (inhibits(alert, source) and alert.id < source.id):
            return source
    return None


def due(alert: Alert, now: int) -> Kind | None:
    """What people must be told now, if anything."""
    if alert.silence_id is not None:
        return None
    if alert.state == "resolved":
        return "resolved" if alert.notified_state in ("firing", "no_data") else None
    if alert.inhibited_by is not None or alert.state not in LOUD:
        return None
    news = _news(alert)
    if news is not None or alert.state == "acknowledged":
        return news if now >= _cooled(alert) else None
    return _again(alert, now)


def _again(alert: Alert, now: int) -> Kind | None:
    """What is said once more of an alert that nobody acknowledged."""
    rule = alert.rule
    if rule.escalate_seconds and alert.escalated_at is None and now >= alert.state_at + rule.escalate_seconds:
        return "escalation"
    return "repeat" if rule.repeat_seconds and now >= (alert.notified_at or 0) + rule.repeat_seconds else None


def next_check(alert: Alert, now: int, silences: Sequence[Silence]) -> int | None:
    """When something may be due though no rule says anything new; None where never."""
    if not alert.open:
        return None
    times = [s.starts_at for s in silences if s.starts_at > now and s.fits(alert)]
    times += [s.ends_at for s in silences if s.id == alert.silence_id]
    if not alert.silenced and alert.state in LOUD:
        if _news(alert) is not None:
            times.append(_cooled(alert))
        elif alert.state != "acknowledged":
            if alert.rule.escalate_seconds and alert.escalated_at is None:
                times.append(alert.state_at + alert.rule.escalate_seconds)
            if alert.rule.repeat_seconds:
                times.append((alert.notified_at or now) + alert.rule.repeat_seconds)
    return min(times, default=None)


def receivers(alert: Alert, kind: Kind, channels: Mapping[str, Channel]) -> list[Channel]:
    """The channels that get a notification of this kind.

    A rule that names no channel, or only such as are not there any more, speaks to the default ones.
    """
    named = [channels[name] for name in alert.rule.channels if name in channels]
    chosen = named or [c for c in channels.values() if c.role == "default"]
    if kind == "escalation" or (kind == "resolved" and alert.escalated_at is not None):
        chosen = chosen + [c for c in channels.values() if c.role == "escalation" and c not in chosen]
    rank = RANKS.get(alert.rule.severity, 1)
    return [
        c for c in chosen if c.enabled and rank >= RANKS[c.min_severity] and (kind != "resolved" or c.send_resolved)
    ]


def _news(alert: Alert) -> Kind | None:
    """What people do not know yet of an open alert."""
    rank = RANKS.get(alert.rule.severity, 1)
    if alert.state == "acknowledged":
        return "firing" if alert.notified_state == "resolved" or _worse(alert, rank) else None
    if alert.notified_state != alert.state or _worse(alert, rank):
        return "no_data" if alert.state == "no_data" else "firing"
    return None


def _worse(alert: Alert, rank: int) -> bool:
    return alert.notified_state == "firing" and rank > alert.notified_rank


def _cooled(alert: Alert) -> int:
    if alert.notified_at is None or _worse(alert, RANKS.get(alert.rule.severity, 1)):
        return 0
    return alert.notified_at + alert.rule.cooldown_seconds
