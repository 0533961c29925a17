"""A notification in words: a title, and a few lines for each alert, in English or Chinese. Knows no channel.

What is quoted from texts is other people's: links and markup in it stay text wherever it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from apps.finance_sentiment.outbox import Notification
from apps.finance_sentiment.summary import name_of

SHOWN = 10
"""Alerts that are spelled out; of the others there is a count."""
_KINDS = {
    "firing": ("ALERT", "预警"),
    "no_data": ("NO DATA", "无数据"),
    "resolved": ("RESOLVED", "已恢复"),
    "repeat": ("STILL FIRING", "仍在预警"),
    "escalation": ("UNACKNOWLEDGED", "无人确认"),
    "test": ("TEST", "测试"),
}
_SEVERITIES = {"info": ("info", "提示"), "warning": ("warning", "警告"), "critical": ("critical", "严重")}
_TEST = (
    "This is a test of the channel. No alert stands behind it.",
    "这是通知渠道的测试，并无真实预警。",
)
_MORE = ("and {count} more", "另有{count}条")
_OPEN = ("Open", "查看")
_BACK = ("came back {count} times", "已复发{count}次")


@dataclass(frozen=True, slots=True)
class Line:
    """One alert in words."""

    heading: str
    body: str
    link: str
    """Empty where the server's address is not set."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel shows."""

    key: str
    """Idempotency key."""
    kind: str
    title: str
    lines: tuple[Line, ...]
    footer: str
    """How many alerts are not spelled out; may be empty."""
    open_label: str
    items: tuple[Mapping[str, Any], ...]
    """What programs get: one object per alert."""
    created_at: float

    @property
    def text(self) -> str:
        """Plain text."""
        parts = [self.title, *("\n".join(p for p in (line.heading, line.body, line.link) if p) for line in self.lines)]
        return "\n\n".join([*parts, self.footer] if self.footer else parts)


def message_of(sent: Notification, language: str, public_url: str) -> Message:
    """The words of a notification.

    :param language: zh, or anything else for English.
    :param public_url: where people reach the server, as in "https://triptych.example.com"; empty leaves links out.
    """
    at = 1 if language == "zh" else 0
    items = sorted(sent.items, key=_urgency)
    lines = tuple(_line(item, at, public_url.rstrip("/")) for item in items[:SHOWN])
    more = len(items) - SHOWN
    if sent.kind == "test":
        lines = (Line(_TEST[at], "", ""),)
    return Message(
        sent.key,
        sent.kind,
        _title(sent, items, at),
        lines,
        _MORE[at].format(count=more) if more > 0 else "",
        _OPEN[at],
        tuple(items),
        sent.created_at,
    )


def _title(sent: Notification, items: Sequence[Mapping[str, Any]], at: int) -> str:
    mark = _KINDS.get(sent.kind, (sent.kind, sent.kind))[at]
    if not items:
        return f"[{mark}] Triptych"
    if len(items) == 1:
        return f"[{mark}] {_heading(items[0], at)}"
    rules = list(dict.fromkeys(str(item["rule"]["name"]) for item in items))
    counts = f"{len(items)}条预警" if at else f"{len(items)} alerts"
    return f"[{mark}] {counts}{'：' if at else ': '}{('、' if at else ', ').join(rules[:3])}"


def _heading(item: Mapping[str, Any], at: int) -> str:
    name = name_of(item["dimension"], item["value"], item["name"])[at]
    return f"{item['rule']['name']}{'：' if at else ': '}{name}"


def _line(item: Mapping[str, Any], at: int, public_url: str) -> Line:
    kind = _KINDS.get(item["kind"], ("", ""))[at]
    severity = _SEVERITIES.get(item["severity"], ("", ""))[at]
    back = _BACK[at].format(count=item["reopened"]) if item["reopened"] else ""
    facts = ("，" if at else ", ").join(part for part in (kind, severity, item["owner"], back) if part)
    heading = f"{_heading(item, at)}{'（' if at else ' ('}{facts}{'）' if at else ')'}"
    link = f"{public_url}/finance/alert?id={quote(str(item['alert_id']))}" if public_url else ""
    return Line(heading, item["summary"]["zh" if at else "en"], link)


def _urgency(item: Mapping[str, Any]) -> tuple[int, int, int]:
    ranks = {"critical": 0, "warning": 1}
    return (item["kind"] == "resolved", ranks.get(item["severity"], 2), int(item["alert_id"]))
