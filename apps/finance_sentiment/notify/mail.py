"""E-mail over SMTP with TLS: plain text and the same as HTML. Knows the standard library's mail."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape

from apps.finance_sentiment.notify.channel import Channel, Smtp
from apps.finance_sentiment.notify.message import Message
from apps.finance_sentiment.notify.request import TIMEOUT, NotDelivered
from apps.finance_sentiment.rows import moment

Mail = Callable[[Channel, EmailMessage], None]
"""Sends a mail. Raises NotDelivered."""


def mail_of(channel: Channel, message: Message) -> EmailMessage:
    """The mail of a notification. Its Message-ID comes of the key, so that mailboxes know a second copy."""
    assert channel.smtp is not None
    mail = EmailMessage()
    mail["Subject"] = " ".join(message.title.split())[:200]
    mail["From"] = channel.smtp.sender
    mail["To"] = ", ".join(channel.to)
    mail["Date"] = format_datetime(moment(int(message.created_at)))
    mail["Message-ID"] = f"<{message.key}@{channel.smtp.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Idempotency-Key"] = message.key
    mail.set_content(message.text)
    mail.add_alternative(_html(message), subtype="html")
    return mail


def _html(message: Message) -> str:
    parts = [f"<h2>{escape(message.title)}</h2>"]
    for line in message.lines:
        parts.append(f"<h3>{escape(line.heading)}</h3>")
        if line.body:
            parts.append(f"<p>{escape(line.body)}</p>")
        if line.link:
            parts.append(f'<p><a href="{escape(line.link)}">{escape(message.open_label)}</a></p>')
    if message.footer:
        parts.append(f"<p>{escape(message.footer)}</p>")
    return f"<!doctype html><html><body>{''.join(parts)}</body></html>"


def smtp_mail(context: ssl.SSLContext | None = None) -> Mail:
    """Sends through the mail server of the channel.

    :param context: TLS settings; the system's certificates where left out.
    """

    def send(channel: Channel, mail: EmailMessage) -> None:
        server = channel.smtp
        assert server is not None
        try:
            with _connected(server, context or ssl.create_default_context()) as link:
                if server.username:
                    link.login(server.username, channel.secret)
                refused = link.send_message(mail)
        except smtplib.SMTPAuthenticationError as error:
            raise NotDelivered(f"{server.host} refuses the login of {server.username!r}.") from error
        except smtplib.SMTPRecipientsRefused as error:
            raise NotDelivered(f"{server.host} refuses every address: {', '.join(error.recipients)}.") from error
        except (smtplib.SMTPException, OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise NotDelivered(f"The mail server {server.host}:{server.port} does not take it: {reason}.") from error
        if refused:
            # The others have it: sending again would tell them twice.
            raise PartlyRefused(f"{server.host} refuses {', '.join(refused)}; the other addresses have it.")

    return send


class PartlyRefused(NotDelivered):
    """Some addresses have the mail and others never will."""


def _connected(server: Smtp, context: ssl.SSLContext) -> smtplib.SMTP:
    if server.security == "tls":
        return smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT, context=context)
    link = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT)
    if server.security == "starttls":
        try:
            link.starttls(context=context)
        except BaseException:
            link.close()
            raise
    return link
