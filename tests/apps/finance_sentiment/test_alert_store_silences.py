"""Silences and inhibition: who is held back, and let go. On both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from apps.finance_sentiment import alerts as alerts_room
from apps.finance_sentiment.alert_routing import Matcher
from apps.finance_sentiment.alerts import AlertStore
from apps.finance_sentiment.schemas import SeriesKey
from apps.finance_sentiment.store import Store
from core.errors import Conflict, InputError
from tests._postgres import database_url
from tests.apps.finance_sentiment._alerts import DESK, NOW, QUICK, SURGE, change, tell

__all__ = ["database_url"]


@pytest.fixture
def store(database_url: str) -> Iterator[AlertStore]:
    with Store.open(database_url) as opened:
        yield AlertStore(opened.engine, QUICK)


def actions(store: AlertStore, id: int) -> list[str]:
    return [entry.action for entry in store.whole_alert(id).trail]


def test_a_silence_holds_back_what_it_fits_and_lets_go_by_itself(store: AlertStore) -> None:
    store.put_channel(DESK)
    silence = store.add_silence([Matcher("value", "US:*")], NOW, NOW + 600, "earnings day", "Li Na", NOW)
    (id,) = tell(store.engine, change())
    assert store.alert(id).silence_id == silence.id and store.notifications() == []
    assert alerts_room.tick(store.engine, NOW + 599, QUICK) == []
    assert alerts_room.tick(store.engine, NOW + 600, QUICK) == [id]
    assert [n.kind for n in store.notifications()] == ["firing"] and not store.alert(id).silenced
    assert actions(store, id) == ["firing", "silenced", "unsilenced", "notified"]
    assert store.silences(NOW + 600, state="expired") == [silence]


def test_a_silence_over_an_open_alert_begins_and_ends_at_once(store: AlertStore) -> None:
    store.put_channel(DESK)
    rule = replace(SURGE, repeat_seconds=300)
    (id,) = tell(store.engine, change(rule=rule))
    alert, silence = store.silence_alert(id, "Wei", "known", 3600, NOW + 10)
    assert alert.silence_id == silence.id and silence.matchers[0] == Matcher("rule", SURGE.id)
    assert alerts_room.tick(store.engine, NOW + 400, QUICK) == []
    store.end_silence(silence.id, "Wei", NOW + 500)
    assert [n.kind for n in store.notifications()] == ["repeat", "firing"] and not store.alert(id).silenced
    with pytest.raises(Conflict, match="is over"):
        store.change_silence(silence.id, silence.matchers, NOW, NOW + 900, "more", "Wei", NOW + 600)


def test_a_scheduled_silence_begins_by_itself(store: AlertStore) -> None:
    (id,) = tell(store.engine, change())
    store.add_silence([Matcher("rule", SURGE.id)], NOW + 100, NOW + 200, "maintenance", "Li", NOW)
    alerts_room.tick(store.engine, NOW + 100, QUICK)
    assert store.alert(id).silenced
    alerts_room.tick(store.engine, NOW + 200, QUICK)
    assert not store.alert(id).silenced


def test_a_silence_that_makes_no_sense_is_refused(store: AlertStore) -> None:
    for matchers, end, reason, message in (
        ([], NOW + 60, "x", "1 to 20 matchers"),
        ([Matcher("colour", "red")], NOW + 60, "x", "'colour'"),
        ([Matcher("rule", "")], NOW + 60, "x", "1 to 200"),
        ([Matcher("rule", "a")], NOW, "x", "later than now"),
        ([Matcher("rule", "a")], NOW + 400 * 86_400, "x", "366 days"),
        ([Matcher("rule", "a")], NOW + 60, " ", "reason"),
    ):
        with pytest.raises(InputError, match=message):
            store.add_silence(matchers, NOW, end, reason, "Li", NOW)


def test_an_alert_of_higher_level_holds_others_back_and_lets_them_go(store: AlertStore) -> None:
    store.put_channel(DESK)
    overall = replace(SURGE, id="overall", name="Overall", severity="critical", inhibits=("negative-*",))
    (wide,) = tell(store.engine, change(rule=overall, key=SeriesKey("all")))
    (apple,) = tell(store.engine, change(), now=NOW + 10)
    assert store.alert(apple).inhibited_by == wide
    assert [i["alert_id"] for n in store.notifications() for i in n.items] == [wide]
    tell(store.engine, change("inactive", overall, SeriesKey("all")), now=NOW + 60)
    assert not store.alert(apple).silenced
    assert [n.kind for n in store.notifications()] == ["firing", "resolved", "firing"]
    assert actions(store, apple) == ["firing", "inhibited", "uninhibited", "notified"]


def test_the_one_above_that_comes_later_takes_over(store: AlertStore) -> None:
    overall = replace(SURGE, id="overall", name="Overall", inhibits=("*",))
    (apple,) = tell(store.engine, change(rule=replace(SURGE, repeat_seconds=60)))
    (wide,) = tell(store.engine, change(rule=overall, key=SeriesKey("all")), now=NOW + 5)
    assert store.alert(apple).inhibited_by == wide and not store.alert(wide).silenced
    assert alerts_room.tick(store.engine, NOW + 600, QUICK) == []
