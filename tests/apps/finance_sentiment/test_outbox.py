"""Notifications survive crashes, dead channels and jumping clocks. On both databases."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from apps.finance_sentiment import alerts as alerts_room
from apps.finance_sentiment import outbox
from apps.finance_sentiment.alerts import AlertStore
from apps.finance_sentiment.notify.deliverer import Deliverer
from apps.finance_sentiment.notify.send import sender
from apps.finance_sentiment.outbox import CAP_SECONDS, Retrying
from apps.finance_sentiment.store import Store
from core.errors import Conflict, NotFound
from core.store import retrying
from tests._postgres import database_url
from tests.apps.finance_sentiment._alerts import DESK, NOW, QUICK, change, tell
from tests.apps.finance_sentiment._outbox import Clock, Recorder, series
from tests.apps.finance_sentiment._sinks import hook

__all__ = ["database_url"]


@pytest.fixture
def store(database_url: str) -> Iterator[AlertStore]:
    with Store.open(database_url) as opened:
        desk = AlertStore(opened.engine, QUICK)
        desk.put_channel(DESK)
        yield desk


def test_an_alert_and_its_notification_stand_together_or_not_at_all(store: AlertStore) -> None:
    def fail(connection: sa.Connection) -> None:
        alerts_room.apply(connection, [change()], NOW, QUICK)
        raise RuntimeError("the machine dies here")

    with pytest.raises(RuntimeError):
        retrying(store.engine, fail)
    assert store.notifications() == [] and store.count_alerts()[0]["firing"] == 0
    tell(store.engine, change())
    assert [n.kind for n in store.notifications()] == ["firing"]


def test_what_waits_is_sent_once_and_marked(store: AlertStore) -> None:
    send = Recorder()
    (id,) = tell(store.engine, change())
    deliverer = Deliverer(store.engine, send, clock=Clock())
    assert deliverer.deliver_due() == 1 and deliverer.deliver_due() == 0
    (sent,) = store.notifications(alert_id=id)
    assert (sent.state, sent.attempts, sent.delivered_at, sent.error) == ("delivered", 1, NOW, "")
    assert send.told == [("firing", id)]


KILLED = """
import os, signal, sys
from apps.finance_sentiment.notify.deliverer import Deliverer
from apps.finance_sentiment.notify.send import sender
from core.store import open_engine
real = sender(allow_private=True)
def send(channel, notification, now):
    real(channel, notification, now)
    os.kill(os.getpid(), signal.SIGKILL)
Deliverer(open_engine(sys.argv[1]), send).deliver_due()
"""


def test_a_process_killed_between_sending_and_marking_costs_one_duplicate_under_the_same_key(
    store: AlertStore, database_url: str
) -> None:
    with hook() as there:
        store.put_channel(replace(DESK, url=there.url))
        for i in range(3):
            tell(store.engine, change(key=series(i)))
        root = Path(__file__).resolve().parents[3]
        killed = subprocess.run([sys.executable, "-c", KILLED, database_url], cwd=root, timeout=60, check=False)
        assert killed.returncode == -signal.SIGKILL and len(there.got) == 1
        send = sender(allow_private=True)
        Deliverer(store.engine, send).deliver_due()
        assert len(there.got) == 3  # the other two at once; the first one's lease still runs
        hours = Deliverer(store.engine, send, clock=lambda: time.time() + 3000)
        assert hours.deliver_due() == 1
        keys = Counter(got.headers["idempotency-key"] for got in there.got)
    assert sorted(keys.values()) == [1, 1, 2] and there.got[0].headers["idempotency-key"] == keys.most_common(1)[0][0]
    assert {n.state for n in store.notifications()} == {"delivered"}


def test_the_killed_ones_notification_goes_out_again_when_its_lease_is_over(store: AlertStore) -> None:
    clock, send = Clock(), Recorder()
    tell(store.engine, change())
    first = outbox.claim(store.engine, "killed", clock.now, lease_seconds=120)
    assert first is not None
    deliverer = Deliverer(store.engine, send, clock=clock)
    clock.now += 119
    assert deliverer.deliver_due() == 0
    clock.now += 1
    assert deliverer.deliver_due() == 1 and send.got[0][1] == first.key
    outbox.delivered(store.engine, first.id, "killed", clock.now + 5)  # a late word of the first one changes nothing
    assert store.notifications()[0].delivered_at == clock.now


def test_two_processes_send_nothing_twice(store: AlertStore) -> None:
    for i in range(24):
        tell(store.engine, change(key=series(i)))
    send = Recorder()
    workers = [Deliverer(store.engine, send, clock=Clock()) for _ in range(3)]
    threads = [threading.Thread(target=worker.deliver_due) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keys = Counter(key for _, key, _ in send.got)
    assert len(keys) == 24 and set(keys.values()) == {1}


def test_a_notifier_that_is_down_for_ten_minutes_misses_nothing(store: AlertStore) -> None:
    clock, send = Clock(), Recorder(down={"desk"})
    deliverer = Deliverer(store.engine, send, clock=clock)
    told: set[tuple[str, int]] = set()
    for minute in range(13):
        if minute < 10:
            (id,) = tell(store.engine, change(key=series(minute)), now=int(clock.now))
            told.add(("firing", id))
            if minute % 3 == 2:
                tell(store.engine, change("inactive", key=series(minute)), now=int(clock.now) + 30)
                told.add(("resolved", id))
        if minute == 10:
            send.down.clear()
            assert send.tried < 40  # it was not hammered
        for _ in range(6):
            clock.now += 10
            deliverer.deliver_due()
    assert set(send.told) == told and len(send.told) == len(told)
    for _, id in {t for t in told if t[0] == "resolved"}:
        assert send.told.index(("firing", id)) < send.told.index(("resolved", id))


def test_a_dead_channel_does_not_hold_up_the_others(store: AlertStore) -> None:
    store.put_channel(replace(DESK, name="other"))
    clock, send = Clock(), Recorder(down={"desk"})
    for i in range(5):
        tell(store.engine, change(key=series(i)))
    assert Deliverer(store.engine, send, clock=clock).deliver_due() == 5
    assert {name for name, _, _ in send.got} == {"other"} and send.tried == 6


def test_after_its_time_it_is_given_up_and_can_be_put_back(store: AlertStore) -> None:
    clock, send = Clock(), Recorder(down={"desk"})
    tell(store.engine, change())
    deliverer = Deliverer(store.engine, send, clock=clock, retrying=Retrying(dead_seconds=600))
    for _ in range(40):
        deliverer.deliver_due()
        clock.now += CAP_SECONDS
    (dead,) = store.notifications(state="dead")
    assert dead.error == "nobody there" and store.channel_health()["desk"].dead == 1
    send.down.clear()
    assert store.retry_notification(dead.id, clock.now).state == "waiting"
    clock.now += CAP_SECONDS
    assert deliverer.deliver_due() == 1
    with pytest.raises(Conflict, match="delivered"):
        store.retry_notification(dead.id, clock.now)
    with pytest.raises(NotFound):
        store.retry_notification(99, clock.now)


@pytest.mark.parametrize("jump", [-86_400, 3 * 3600])
def test_a_clock_that_jumps_stops_no_notification(store: AlertStore, jump: int) -> None:
    clock, send = Clock(), Recorder(down={"desk"})
    tell(store.engine, change())
    deliverer = Deliverer(store.engine, send, clock=clock)
    deliverer.deliver_due()
    clock.now += jump
    send.down.clear()
    clock.now += CAP_SECONDS
    assert deliverer.deliver_due() == 1
