"""One notification to one channel, once. Raises where it was not taken. Knows all kinds of channels."""

from __future__ import annotations

from collections.abc import Callable, Collection

from apps.finance_sentiment.notify.channel import Channel
from apps.finance_sentiment.notify.chat import CHATS, refusal
from apps.finance_sentiment.notify.mail import Mail, PartlyRefused, mail_of, smtp_mail
from apps.finance_sentiment.notify.message import message_of
from apps.finance_sentiment.notify.request import NotDelivered, Post, outbound_post, retry_after
from apps.finance_sentiment.notify.webhook import webhook
from apps.finance_sentiment.outbox import Notification
from core.errors import SuiteError

Send = Callable[[Channel, Notification, float], str]
"""Channel, notification, now -> a remark, mostly empty. Raises NotDelivered."""


def sender(
    *,
    public_url: str = "",
    allow_private: bool = False,
    ports: Collection[int] | None = None,
    post: Post | None = None,
    mail: Mail | None = None,
) -> Send:
    """What sends notifications.

    :param public_url: where people reach the server, for links; empty leaves them out.
    :param allow_private: whether webhooks may lead to this machine or its network.
    :param ports: ports that webhooks may use; None allows all.
    :param post: replaces the guarded HTTP of `core.web.outbound`.
    :param mail: replaces SMTP.
    """
    post = post or outbound_post(allow_private=allow_private, ports=ports)
    mail = mail or smtp_mail()

    def send(channel: Channel, notification: Notification, now: float) -> str:
        message = message_of(notification, channel.language, public_url)
        if channel.kind == "email":
            try:
                mail(channel, mail_of(channel, message))
            except PartlyRefused as error:
                return str(error)
            return ""
        request = (webhook if channel.kind == "webhook" else CHATS[channel.kind])(channel, message, now)
        try:
            reply = post(request)
        except SuiteError as error:
            raise NotDelivered(_without_keys(str(error), channel)) from error
        if not 200 <= reply.status < 300:
            said = reply.body[:200].decode("utf-8", "replace").strip()
            raise NotDelivered(
                f"{channel.target} answered {reply.status}{': ' + said if said else ''}",
                wait=retry_after(reply.headers),
            )
        problem = "" if channel.kind == "webhook" else refusal(channel.kind, reply)
        if problem:
            raise NotDelivered(f"{channel.target} did not take it: {problem}.")
        return ""

    return send


def _without_keys(text: str, channel: Channel) -> str:
    """An error without the path and query of the URL, where chat services put their keys."""
    for part in (channel.url, channel.url.partition("://")[2].partition("/")[2]):
        if part:
            text = text.replace(part, "…")
    return text
