"""What each kind of channel sends, checked by a counterpart that verifies signatures."""

from __future__ import annotations

import base64
import email
import hashlib
import hmac
import json
from dataclasses import replace
from email.policy import default
from urllib.parse import parse_qs, urlsplit

import pytest

from apps.finance_sentiment.alert_life import step
from apps.finance_sentiment.alert_settle import item_of
from apps.finance_sentiment.notify.channel import Channel, ChannelKind, Smtp
from apps.finance_sentiment.notify.message import SHOWN, message_of
from apps.finance_sentiment.notify.request import NotDelivered, Reply
from apps.finance_sentiment.notify.send import Send, sender
from apps.finance_sentiment.outbox import Notification
from core.errors import InputError
from tests.apps.finance_sentiment._alerts import NOW, change
from tests.apps.finance_sentiment._sinks import Got, hook, mailbox

SECRET = "a secret of the desk"
SUMMARY = "14 of 20 stories were negative. The story that weighs most is “<b>*[Sue](http://evil)*</b> & Co”."


def notification(count: int = 1, kind: str = "firing", summary: str = SUMMARY) -> Notification:
    taken = step(None, change(), NOW, 0)
    assert taken is not None
    alert = replace(taken.alert, summary_en=summary, summary_zh="关于Apple的20条报道中有14条为负面。")
    items = tuple(item_of(replace(alert, id=i + 1), "firing", "Apple", NOW) for i in range(count))
    return Notification(5, "key-5", "desk", "g", kind, items, "waiting", NOW, NOW, 1, None, "")


@pytest.fixture
def send() -> Send:
    return sender(public_url="https://triptych.example.com/", allow_private=True)


def channel(kind: ChannelKind, url: str, secret: str = SECRET, **rest: object) -> Channel:
    return Channel("desk", kind, url, secret, **rest)  # type: ignore[arg-type]


def test_a_webhook_is_signed_and_carries_its_idempotency_key(send: Send) -> None:
    with hook() as there:
        send(channel("webhook", f"{there.url}/in?x=1"), notification(), NOW)
    (got,) = there.got
    signed = b".".join((b"key-5", str(NOW).encode(), got.body))
    right = base64.b64encode(hmac.digest(SECRET.encode(), signed, hashlib.sha256)).decode()
    assert got.headers["webhook-signature"] == f"v1,{right}" and got.headers["webhook-timestamp"] == str(NOW)
    assert got.headers["webhook-id"] == got.headers["idempotency-key"] == "key-5"
    body = json.loads(got.body)
    assert body["type"] == "finance.alert" and body["id"] == "key-5" and body["kind"] == "firing"
    (alert,) = body["alerts"]
    assert alert["alert_id"] == 1 and alert["url"] == "https://triptych.example.com/finance/alert?id=1"
    assert alert["measured"]["value"] == 14.0 and alert["rule"]["id"] == "negative-surge"


def test_a_secret_of_standard_webhooks_is_decoded(send: Send) -> None:
    key = b"0123456789abcdef01234567"
    with hook() as there:
        send(channel("webhook", there.url, "whsec_" + base64.b64encode(key).decode()), notification(), NOW)
    signed = b".".join((b"key-5", str(NOW).encode(), there.got[0].body))
    right = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert there.got[0].headers["webhook-signature"] == f"v1,{right}"


def test_slack_gets_blocks_in_which_foreign_markup_is_text(send: Send) -> None:
    with hook() as there:
        send(channel("slack", f"{there.url}/services/T/B/x", ""), notification(), NOW)
    body = json.loads(there.got[0].body)
    text = body["blocks"][1]["text"]["text"]
    assert "&lt;b&gt;" in text and "&amp; Co" in text
    assert text.endswith("<https://triptych.example.com/finance/alert?id=1|Open>")
    assert body["blocks"][0]["text"]["text"] == "[ALERT] Negative surge: Apple"


def test_dingtalk_is_signed_in_the_url(send: Send) -> None:
    def check(got: Got) -> Reply:
        query = parse_qs(urlsplit(got.path).query)
        at = query["timestamp"][0]
        right = hmac.digest(SECRET.encode(), f"{at}\n{SECRET}".encode(), hashlib.sha256)
        fits = query["sign"][0] == base64.b64encode(right).decode() and at == str(NOW * 1000)
        return Reply(200, b'{"errcode":0,"errmsg":"ok"}' if fits else b'{"errcode":310000,"errmsg":"sign not match"}')

    with hook() as there:
        there.answer = check
        where = channel("dingtalk", f"{there.url}/robot/send?access_token=t", language="zh")
        send(where, notification(), NOW)
        with pytest.raises(NotDelivered, match="310000: sign not match"):
            send(replace(where, secret="another secret"), notification(), NOW)
    text = json.loads(there.got[0].body)["markdown"]["text"]
    assert text.startswith("### ") and "预警" in text and "(https://triptych.example.com/finance/alert?id=1)" in text
    assert urlsplit(there.got[0].path).query.startswith("access_token=t&timestamp=")


def test_feishu_is_signed_in_the_body(send: Send) -> None:
    def check(got: Got) -> Reply:
        body = json.loads(got.body)
        right = hmac.digest(f"{body['timestamp']}\n{SECRET}".encode(), b"", hashlib.sha256)
        fits = body["sign"] == base64.b64encode(right).decode()
        return Reply(200, b'{"code":0,"msg":"success"}' if fits else b'{"code":19021,"msg":"sign match fail"}')

    with hook() as there:
        there.answer = check
        send(channel("feishu", there.url), notification(), NOW)
        with pytest.raises(NotDelivered, match="19021"):
            send(channel("feishu", there.url, "another secret"), notification(), NOW)
    post = json.loads(there.got[0].body)["content"]["post"]["zh_cn"]
    assert post["title"] == "[ALERT] Negative surge: Apple"
    assert post["content"][-1][0] == {
        "tag": "a",
        "text": "Open",
        "href": "https://triptych.example.com/finance/alert?id=1",
    }


def test_wecom_gets_markdown_of_at_most_4096_bytes(send: Send) -> None:
    with hook() as there:
        there.answer = lambda got: Reply(200, b'{"errcode":0}')
        send(channel("wecom", f"{there.url}/cgi-bin/webhook/send?key=k", language="zh"), notification(40), NOW)
        send(channel("wecom", there.url), notification(1, summary="字" * 9000), NOW)
    for got in there.got:
        content = json.loads(got.body)["markdown"]["content"]
        assert len(content.encode()) <= 4096 and content.startswith("### ")
    assert "另有30条" in json.loads(there.got[0].body)["markdown"]["content"]


@pytest.mark.parametrize("kind", ["dingtalk", "wecom"])
def test_markup_in_a_headline_makes_no_link(send: Send, kind: ChannelKind) -> None:
    with hook() as there:
        there.answer = lambda got: Reply(200, b'{"errcode":0}')
        send(channel(kind, there.url), notification(), NOW)
    text = next(v for k, v in json.loads(there.got[0].body)["markdown"].items() if k in ("text", "content"))
    assert "[Sue](" not in text and "<b>" not in text and "Sue" in text


@pytest.mark.parametrize(
    ("kind", "reply", "message"),
    [
        ("webhook", Reply(500, b"oops"), "answered 500: oops"),
        ("webhook", Reply(302, b"", {"Location": "http://127.0.0.1:1/"}), "answered 302"),
        ("slack", Reply(200, b"invalid_payload"), "invalid_payload"),
        ("feishu", Reply(200, b"<html>"), "no JSON"),
        ("wecom", Reply(200, b'{"errcode":93000,"errmsg":"invalid webhook url"}'), "93000: invalid webhook url"),
        ("dingtalk", Reply(200, b"[]"), "no JSON"),
    ],
)
def test_what_is_refused_is_not_delivered(send: Send, kind: ChannelKind, reply: Reply, message: str) -> None:
    with hook() as there:
        there.answer = lambda got: reply
        with pytest.raises(NotDelivered, match=message) as caught:
            send(channel(kind, f"{there.url}/key-in-path"), notification(), NOW)
    assert "key-in-path" not in str(caught.value)


def test_the_wait_that_the_other_side_asks_for_is_kept(send: Send) -> None:
    with hook() as there:
        there.answer = lambda got: Reply(429, b"slow down", {"Retry-After": "77"})
        with pytest.raises(NotDelivered) as caught:
            send(channel("slack", there.url), notification(), NOW)
    assert caught.value.wait == 77


def test_nobody_there_is_not_delivered(send: Send) -> None:
    with pytest.raises(NotDelivered, match="no whole answer"):
        send(channel("webhook", "http://127.0.0.1:9/secret-path"), notification(), NOW)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/x", "http://169.254.169.254/latest", "http://[::1]/", "http://10.0.0.8/"]
)
def test_webhooks_to_this_machine_and_its_network_are_refused_unless_allowed(url: str) -> None:
    with pytest.raises(NotDelivered, match="may not be asked"):
        sender()(channel("webhook", url), notification(), NOW)


def test_a_mail_is_sent_as_text_and_html(send: Send) -> None:
    with mailbox() as box:
        smtp = Smtp("127.0.0.1", "monitor@example.com", box.port, "none")
        where = Channel("desk", "email", to=("a@example.com", "b@example.com"), smtp=smtp)
        assert send(where, notification(), NOW) == ""
    mail = email.message_from_bytes(box.mails[0], policy=default)
    assert mail["Subject"] == "[ALERT] Negative surge: Apple" and mail["To"] == "a@example.com, b@example.com"
    assert mail["Message-ID"] == "<key-5@example.com>" and mail["Auto-Submitted"] == "auto-generated"
    text, html = (part.get_content() for part in mail.iter_parts())
    assert "https://triptych.example.com/finance/alert?id=1" in text and "<b>" in text
    assert "&lt;b&gt;" in html and "<b>" not in html


def test_a_mail_that_one_address_refuses_is_not_sent_to_the_other_again(send: Send) -> None:
    with mailbox() as box:
        box.refuse = ("b@example.com",)
        smtp = Smtp("127.0.0.1", "m@example.com", box.port, "none")
        where = Channel("desk", "email", to=("a@example.com", "b@example.com"), smtp=smtp)
        assert "refuses b@example.com" in send(where, notification(), NOW)
        box.refuse = ("a@example.com", "b@example.com")
        with pytest.raises(NotDelivered, match="every address"):
            send(where, notification(), NOW)


def test_a_mail_server_without_tls_is_not_trusted_with_a_password(send: Send) -> None:
    with mailbox() as box:
        smtp = Smtp("127.0.0.1", "m@example.com", box.port, "starttls", "user")
        where = Channel("desk", "email", "", "password", to=("a@example.com",), smtp=smtp)
        with pytest.raises(NotDelivered, match="STARTTLS"):
            send(where, notification(), NOW)
    assert not any("AUTH" in line for line in box.commands)


def test_many_alerts_are_one_message_with_the_gravest_first() -> None:
    sent = notification(SHOWN + 5)
    items = [dict(i) | {"severity": "critical" if i["alert_id"] == 9 else "info"} for i in sent.items]
    message = message_of(replace(sent, items=tuple(items)), "en", "")
    assert message.title == "[ALERT] 15 alerts: Negative surge" and message.footer == "and 5 more"
    assert len(message.lines) == SHOWN and message.items[0]["alert_id"] == 9 and message.lines[0].link == ""


def test_a_test_message_says_that_it_is_one(send: Send) -> None:
    with hook() as there:
        send(channel("webhook", there.url), replace(notification(0), kind="test"), NOW)
    body = json.loads(there.got[0].body)
    assert body["type"] == "finance.test" and body["alerts"] == [] and "test of the channel" in body["text"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Channel("a b", "slack", "https://x.com"), "1 to 64 letters"),
        (Channel("a", "pager", "https://x.com"), "'pager'"),  # type: ignore[arg-type]
        (Channel("a", "slack", "ftp://x.com"), "http"),
        (Channel("a", "slack", "https://"), "http"),
        (Channel("a", "webhook", "https://x.com", "short"), "16 characters"),
        (Channel("a", "email", to=("a@x.com",)), "mail server"),
        (Channel("a", "email", smtp=Smtp("h", "m@x.com")), "needs an address"),
        (Channel("a", "email", to=("a@x.com\nBcc: b@x.com",), smtp=Smtp("h", "m@x.com")), "no e-mail address"),
        (
            Channel("a", "email", to=("a@x.com",), smtp=Smtp("h", "m@x.com", 25, "none", "u")),
            "unencrypted",
        ),
        (Channel("a", "slack", "https://x.com", role="boss"), "'boss'"),  # type: ignore[arg-type]
    ],
)
def test_a_channel_that_cannot_work_is_refused(given: Channel, message: str) -> None:
    with pytest.raises(InputError, match=message):
        given.checked()


def test_keys_of_a_channel_are_in_no_text_of_it() -> None:
    given = channel("slack", "https://hooks.slack.com/services/T0/B0/KEY")
    assert "KEY" not in repr(given) and SECRET not in repr(given) and given.target == "https://hooks.slack.com/…"
