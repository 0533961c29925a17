"""The generic webhook: JSON signed the way of Standard Webhooks (standardwebhooks.com, version 1.0).

    webhook-id: <idempotency key>          the same with every attempt: take a key once
    webhook-timestamp: <seconds since 1970>  refuse what is older than a few minutes
    webhook-signature: v1,<base64 of HMAC-SHA256(secret, "<id>.<timestamp>.<body>")>
    idempotency-key: <the same key>

A secret that starts with `whsec_` holds its bytes in base64, as that specification has it; any other is taken as it is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json

from apps.finance_sentiment.evidence import stamp
from apps.finance_sentiment.notify.channel import Channel
from apps.finance_sentiment.notify.message import Message
from apps.finance_sentiment.notify.request import Request


def webhook(channel: Channel, message: Message, now: float) -> Request:
    """The request for a webhook channel. Its body:

    {"type": "finance.alert", "id": key, "kind": "firing", "created_at": "...", "title": "...", "text": "...",
     "alerts": [{"alert_id", "kind", "state", "rule", "severity", "dimension", "value", "name", "owner", "reopened",
                 "fired_at", "at", "window", "measured", "summary", "url"}]}
    """
    links = {line_item["alert_id"]: line.link for line_item, line in zip(message.items, message.lines, strict=False)}
    body = {
        "type": "finance.alert" if message.kind != "test" else "finance.test",
        "id": message.key,
        "kind": message.kind,
        "created_at": stamp(message.created_at),
        "title": message.title,
        "text": message.text,
        "alerts": [dict(item) | {"url": links.get(item["alert_id"], "")} for item in message.items],
    }
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    at = str(int(now))
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": message.key,
        "webhook-id": message.key,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{signature(channel.secret, message.key, at, content)}",
    }
    return Request(channel.url, content, headers)


def signature(secret: str, id: str, timestamp: str, body: bytes) -> str:
    """Base64 of HMAC-SHA256 over "<id>.<timestamp>.<body>"."""
    key = secret.encode()
    if secret.startswith("whsec_"):
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            key = secret.encode()
    signed = b".".join((id.encode(), timestamp.encode(), body))
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
