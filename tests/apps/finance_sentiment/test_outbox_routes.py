"""Who gets which notification, and when they are joined into one. On both databases."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from apps.finance_sentiment import alerts as alerts_room
from apps.finance_sentiment.alerts import AlertStore, Policy
from apps.finance_sentiment.notify.deliverer import Deliverer
from apps.finance_sentiment.notify.request import Reply
from apps.finance_sentiment.notify.send import sender
from apps.finance_sentiment.outbox import CAP_SECONDS, Grouping, backoff
from apps.finance_sentiment.store import Store
from core.errors import NotFound
from tests._postgres import database_url
from tests.apps.finance_sentiment._alerts import DESK, NOW, QUICK, SURGE, change, tell
from tests.apps.finance_sentiment._outbox import Clock, Recorder, series
from tests.apps.finance_sentiment._sinks import hook

__all__ = ["database_url"]


@pytest.fixture
def store(database_url: str) -> Iterator[AlertStore]:
    with Store.open(database_url) as opened:
        desk = AlertStore(opened.engine, QUICK)
        desk.put_channel(DESK)
        yield desk


def test_alerts_of_one_group_share_a_notification_that_waits_for_them(store: AlertStore) -> None:
    policy = Policy(grouping=Grouping(5, 60))
    rule = replace(SURGE, group_by=("rule",))
    tell(store.engine, *[change(rule=rule, key=series(i)) for i in range(3)], policy=policy)
    tell(store.engine, change(rule=rule, key=series(3)), now=NOW + 3, policy=policy)
    clock, send = Clock(NOW + 4), Recorder()
    deliverer = Deliverer(store.engine, send, clock=clock)
    assert deliverer.deliver_due() == 0
    clock.now = NOW + 5
    assert deliverer.deliver_due() == 1 and len(send.got[0][2].items) == 4
    tell(store.engine, change(rule=rule, key=series(4)), now=NOW + 10, policy=policy)
    tell(store.engine, change("inactive", rule, series(4)), now=NOW + 20, policy=policy)
    tell(store.engine, change("inactive", rule, series(0)), now=NOW + 20, policy=policy)
    clock.now = NOW + 64
    assert deliverer.deliver_due() == 0
    clock.now = NOW + 65
    assert deliverer.deliver_due() == 1
    assert sorted(i["kind"] for i in send.got[1][2].items) == ["resolved", "resolved"]


def test_without_a_group_every_alert_is_told_by_itself_at_once(store: AlertStore) -> None:
    tell(store.engine, *[change(key=series(i)) for i in range(3)])
    send = Recorder()
    assert Deliverer(store.engine, send, clock=Clock()).deliver_due() == 3


def test_channels_are_chosen_by_rule_role_and_severity(store: AlertStore) -> None:
    store.put_channel(replace(DESK, name="grave", min_severity="critical", send_resolved=False))
    store.put_channel(replace(DESK, name="named", role="named"))
    store.put_channel(replace(DESK, name="boss", role="escalation"))
    store.put_channel(replace(DESK, name="off", enabled=False))
    rules = [
        replace(SURGE, id="plain", escalate_seconds=60),
        replace(SURGE, id="by-name", channels=("named", "gone")),
        replace(SURGE, id="lost", channels=("gone",)),
        replace(SURGE, id="grave", severity="critical"),
    ]
    ids = [tell(store.engine, change(rule=rule))[0] for rule in rules]
    send, clock = Recorder(), Clock()
    deliverer = Deliverer(store.engine, send, clock=clock)
    deliverer.deliver_due()
    names = {id: {n for n, _, sent in send.got if sent.items[0]["alert_id"] == id} for id in ids}
    assert list(names.values()) == [{"desk"}, {"named"}, {"desk"}, {"desk", "grave"}]
    alerts_room.tick(store.engine, NOW + 60, QUICK)
    tell(store.engine, change("inactive", rules[0]), change("inactive", rules[3]), now=NOW + 90)
    clock.now, send.got = NOW + 100, []
    deliverer.deliver_due()
    assert sorted((n, sent.kind) for n, _, sent in send.got) == [
        ("boss", "escalation"),
        ("boss", "resolved"),
        ("desk", "escalation"),
        ("desk", "resolved"),
        ("desk", "resolved"),
    ]


def test_a_channel_that_was_deleted_leaves_its_notifications_given_up(store: AlertStore) -> None:
    tell(store.engine, change())
    store.delete_channel("desk")
    assert [n.error for n in store.notifications(state="dead")] == ["The channel was deleted."]
    with pytest.raises(NotFound):
        store.delete_channel("desk")


def test_the_thread_delivers_by_itself_and_ends_when_asked(store: AlertStore) -> None:
    with hook() as there:
        store.put_channel(replace(DESK, url=there.url))
        deliverer = Deliverer(store.engine, sender(allow_private=True), poll=0.02).start()
        came = threading.Event()

        def answer(got: object) -> Reply:
            came.set()
            return Reply(200)

        there.answer = answer
        tell(store.engine, change())
        assert came.wait(10)
        deliverer.close()
    assert json.loads(there.got[0].body)["kind"] == "firing" and deliverer.problem == ""


def test_a_channel_is_tested_past_the_outbox(store: AlertStore) -> None:
    with hook() as there:
        store.put_channel(replace(DESK, url=there.url))
        deliverer = Deliverer(store.engine, sender(allow_private=True))
        assert deliverer.send_test("desk").delivered
        there.answer = lambda got: Reply(403, b"no")
        reached = deliverer.send_test("desk")
    assert not reached.delivered and "answered 403: no" in reached.detail and store.notifications() == []
    with pytest.raises(NotFound):
        deliverer.send_test("nobody")


def test_retention_forgets_what_waits_no_longer(store: AlertStore) -> None:
    tell(store.engine, change(key=series(1)))
    Deliverer(store.engine, Recorder(), clock=Clock()).deliver_due()
    tell(store.engine, change(key=series(2)))
    assert store.delete_notifications_before(NOW + 1) == 1 and len(store.notifications()) == 1


def test_waits_double_up_to_a_cap_and_are_spread() -> None:
    assert [backoff(n, 0) for n in (1, 2, 3, 9, 5000)] == [5, 10, 20, CAP_SECONDS, CAP_SECONDS]
    assert backoff(1, 1) == 2.5
