"""Slack, DingTalk, Feishu and WeCom: the JSON of their group robots, their signatures, and how they say no.

- Slack, incoming webhook: `text` and `blocks`; answers "ok". The URL is the key.
  docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
- DingTalk, custom robot: `markdown`; answers `errcode` 0. With a secret, the URL gets `timestamp` (ms) and
  `sign` = base64(HMAC-SHA256(secret, "<timestamp>\\n<secret>")).
  open.dingtalk.com/document/robots/customize-robot-security-settings
- Feishu, custom robot: `post`; answers `code` 0. With a secret, the body gets `timestamp` (s) and
  `sign` = base64(HMAC-SHA256(key="<timestamp>\\n<secret>", "")).
  open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
- WeCom, group robot: `markdown` of at most 4,096 bytes; answers `errcode` 0. The URL is the key.
  developer.work.weixin.qq.com/document/path/91770

None of them has an idempotency key: who crashes between sending and marking may be told twice, the same words.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

from apps.finance_sentiment.notify.channel import Channel, ChannelKind
from apps.finance_sentiment.notify.message import Line, Message
from apps.finance_sentiment.notify.request import Reply, Request

_WECOM_BYTES = 4096
_DINGTALK_BYTES = 18_000
_SLACK_TEXT = 2900
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-.!|>~<])")


def slack(channel: Channel, message: Message, now: float) -> Request:
    """The request for a Slack channel."""
    blocks: list[dict[str, Any]] = [{"type": "header", "text": {"type": "plain_text", "text": message.title[:150]}}]
    for line in message.lines:
        link = f"\n<{line.link}|{message.open_label}>" if line.link else ""
        text = f"*{_slack(line.heading)}*\n{_slack(line.body)}"[: _SLACK_TEXT - len(link)] + link
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": text}})
    if message.footer:
        blocks.append({"type": "context", "elements": [{"type": "plain_text", "text": message.footer}]})
    return _json(channel.url, {"text": _slack(message.title), "blocks": blocks})


def dingtalk(channel: Channel, message: Message, now: float) -> Request:
    """The request for a DingTalk channel."""
    url = channel.url
    if channel.secret:
        at = str(int(now * 1000))
        sign = dingtalk_sign(channel.secret, at)
        url += f"{'&' if '?' in url else '?'}timestamp={at}&sign={quote_plus(sign)}"
    text = _markdown(message, _DINGTALK_BYTES)
    return _json(url, {"msgtype": "markdown", "markdown": {"title": message.title[:100], "text": text}})


def dingtalk_sign(secret: str, timestamp: str) -> str:
    """Base64 of HMAC-SHA256 with the secret over "<timestamp>\\n<secret>"."""
    return base64.b64encode(hmac.digest(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256)).decode()


def feishu(channel: Channel, message: Message, now: float) -> Request:
    """The request for a Feishu channel."""
    paragraphs: list[list[dict[str, str]]] = []
    for line in message.lines:
        paragraphs.append([{"tag": "text", "text": line.heading}])
        if line.body:
            paragraphs.append([{"tag": "text", "text": line.body}])
        if line.link:
            paragraphs.append([{"tag": "a", "text": message.open_label, "href": line.link}])
    if message.footer:
        paragraphs.append([{"tag": "text", "text": message.footer}])
    post = {"title": message.title, "content": paragraphs}
    body: dict[str, Any] = {"msg_type": "post", "content": {"post": {"zh_cn": post}}}
    if channel.secret:
        at = str(int(now))
        body = {"timestamp": at, "sign": feishu_sign(channel.secret, at), **body}
    return _json(channel.url, body)


def feishu_sign(secret: str, timestamp: str) -> str:
    """Base64 of HMAC-SHA256 with the key "<timestamp>\\n<secret>" over nothing."""
    return base64.b64encode(hmac.digest(f"{timestamp}\n{secret}".encode(), b"", hashlib.sha256)).decode()


def wecom(channel: Channel, message: Message, now: float) -> Request:
    """The request for a WeCom channel."""
    return _json(channel.url, {"msgtype": "markdown", "markdown": {"content": _markdown(message, _WECOM_BYTES)}})


CHATS: dict[ChannelKind, Callable[[Channel, Message, float], Request]] = {
    "slack": slack,
    "dingtalk": dingtalk,
    "feishu": feishu,
    "wecom": wecom,
}


def refusal(kind: ChannelKind, reply: Reply) -> str:
    """What a chat service says against a message that it answered with 200; empty where it took it."""
    if kind == "slack":
        text = reply.body.decode("utf-8", "replace").strip()
        return "" if text == "ok" else f"it answered {text[:200]!r}"
    try:
        answer = json.loads(reply.body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        return f"it answered {reply.body[:200]!r} and no JSON"
    code = next((answer[name] for name in ("errcode", "code", "StatusCode") if name in answer), None)
    if code == 0:
        return ""
    said = answer.get("errmsg") or answer.get("msg") or answer.get("StatusMessage") or ""
    return f"it answered code {code}: {str(said)[:200]}"


def _markdown(message: Message, limit: int) -> str:
    """Markdown of at most so many bytes; alerts that do not fit are left out whole, and the end says so."""
    parts = [f"### {_plain(message.title)}"]
    tail = f"\n\n{message.footer or '…'}"
    size = len((parts[0] + tail).encode())
    for line in message.lines:
        part = _markdown_line(line, message.open_label)
        size += len(part.encode()) + 2
        if size > limit:
            break
        parts.append(part)
    whole = len(parts) == len(message.lines) + 1
    if len(parts) == 1 and message.lines:
        room = limit - len((parts[0] + tail).encode()) - 8
        parts.append(_markdown_line(message.lines[0], message.open_label).encode()[:room].decode("utf-8", "ignore"))
    text = "\n\n".join(parts)
    return text + (f"\n\n{message.footer}" if message.footer else "") if whole else text + tail


def _markdown_line(line: Line, label: str) -> str:
    link = f"\n\n[{label}]({line.link})" if line.link else ""
    body = f"\n\n{_plain(line.body)}" if line.body else ""
    return f"**{_plain(line.heading)}**{body}{link}"


def _plain(text: str) -> str:
    """Text in which markdown finds no markup."""
    return _MARKUP.sub(_escape, " ".join(text.split()))


def _escape(found: re.Match[str]) -> str:
    sign = found[1]
    return {"<": "＜", ">": "＞", "[": "［", "]": "］", "`": "'", "*": "＊", "_": "＿", "#": "＃"}.get(sign, sign)


def _slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _json(url: str, body: dict[str, Any]) -> Request:
    return Request(url, json.dumps(body, ensure_ascii=False).encode(), {"Content-Type": "application/json"})
