"""A channel: where notifications go, and what is wrong with one that cannot work. Knows no protocol of delivery."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from core.errors import InputError

ChannelKind = Literal["email", "webhook", "slack", "dingtalk", "feishu", "wecom"]
Role = Literal["default", "named", "escalation"]
Security = Literal["starttls", "tls", "none"]
KINDS: tuple[ChannelKind, ...] = get_args(ChannelKind)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_ADDRESS = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,255}")


@dataclass(frozen=True, slots=True)
class Smtp:
    """The mail server of a channel."""

    host: str
    sender: str
    port: int = 587
    security: Security = "starttls"
    """starttls (587), tls from the first byte (465), or none: for a relay on the same machine only."""
    username: str = ""
    """With the channel's secret as password; empty sends without a login."""


@dataclass(frozen=True, slots=True)
class Channel:
    """Where notifications go."""

    name: str
    kind: ChannelKind
    url: str = field(default="", repr=False)
    """Where to post, for all but email. It holds the key of a chat service, so it is kept like a secret."""
    secret: str = field(default="", repr=False)
    """Signs what is posted (webhook, dingtalk, feishu); the password of a mail server."""
    to: tuple[str, ...] = ()
    """Addresses, for email."""
    smtp: Smtp | None = None
    role: Role = "default"
    """default: told of every rule that names no channel; named: only of rules that name it; escalation: only of
    alerts that nobody acknowledged in time."""
    min_severity: str = "info"
    send_resolved: bool = True
    language: str = "en"
    """en or zh."""
    enabled: bool = True

    @property
    def target(self) -> str:
        """Where it goes, without keys."""
        if self.kind == "email":
            return ", ".join(self.to)
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}/…"

    def checked(self) -> Channel:
        """Itself.

        :raises InputError: naming what is missing or cannot work.
        """
        where = f"Channel {self.name!r}"
        if not _NAME.fullmatch(self.name):
            raise InputError(f"{where}: a name has 1 to 64 letters, digits, '_', '.' and '-'.")
        choices: dict[str, tuple[str, tuple[str, ...]]] = {
            "kind": (self.kind, KINDS),
            "role": (self.role, get_args(Role)),
            "min_severity": (self.min_severity, ("info", "warning", "critical")),
            "language": (self.language, ("en", "zh")),
        }
        for name, (value, allowed) in choices.items():
            if value not in allowed:
                raise InputError(f"{where}: {name} is {value!r}; it is one of {', '.join(allowed)}.")
        if self.kind == "email":
            self._check_mail(where)
        else:
            self._check_url(where)
        return self

    def _check_mail(self, where: str) -> None:
        if self.smtp is None or not self.smtp.host:
            raise InputError(f"{where} sends e-mail and needs a mail server: give smtp with host and sender.")
        if not self.to:
            raise InputError(f"{where} sends e-mail and needs an address in `to`.")
        for address in (*self.to, self.smtp.sender):
            if not _ADDRESS.fullmatch(address):
                raise InputError(f"{where}: {address!r} is no e-mail address.")
        if self.smtp.security not in get_args(Security):
            raise InputError(f"{where}: smtp.security is {self.smtp.security!r}; it is starttls, tls or none.")
        if not 0 < self.smtp.port < 65_536:
            raise InputError(f"{where}: smtp.port is {self.smtp.port}; it lies between 1 and 65535.")
        if self.smtp.username and self.smtp.security == "none":
            raise InputError(f"{where} would send its password unencrypted; set smtp.security to starttls or tls.")

    def _check_url(self, where: str) -> None:
        try:
            parts = urlsplit(self.url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or re.search(r"[\s\x00]", self.url):
            raise InputError(f"{where} needs an http(s) address as url.")
        if self.kind == "webhook" and len(self.secret) < 16:
            raise InputError(f"{where}: a webhook is signed; give it a secret of 16 characters or more.")

    def to_body(self) -> dict[str, Any]:
        """Everything but name, kind, url and secret, as JSON."""
        smtp = self.smtp
        return {
            "to": list(self.to),
            "smtp": None
            if smtp is None
            else {
                "host": smtp.host,
                "port": smtp.port,
                "security": smtp.security,
                "username": smtp.username,
                "sender": smtp.sender,
            },
            "role": self.role,
            "min_severity": self.min_severity,
            "send_resolved": self.send_resolved,
            "language": self.language,
            "enabled": self.enabled,
        }

    @classmethod
    def from_body(cls, name: str, kind: ChannelKind, url: str, secret: str, body: Mapping[str, Any]) -> Channel:
        """The inverse of `to_body`."""
        rest = {k: v for k, v in body.items() if k not in ("to", "smtp")}
        smtp = Smtp(**body["smtp"]) if body.get("smtp") else None
        return cls(name, kind, url, secret, tuple(body.get("to", ())), smtp, **rest)
