from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from apps.finance_sentiment.clusters import StoryIndex
from apps.finance_sentiment.monitor import Monitor
from apps.finance_sentiment.rows import epoch
from apps.finance_sentiment.rule_engine import Transition
from apps.finance_sentiment.rules import Rule
from apps.finance_sentiment.schemas import SeriesKey
from apps.finance_sentiment.store import Store
from core.errors import InputError, Unavailable
from tests._postgres import database_url
from tests.apps.finance_sentiment._texts import START, reading

__all__ = ["database_url"]

RULE = Rule(
    "many", "Many bad stories", "entity", "absolute", parameters={"limit": 3}, clear_seconds=0, cooldown_seconds=600
)
KEY = SeriesKey("entity", "US:ACME")


class Kept:
    """Keeps what it is given; can be told to fail once within the transaction."""

    def __init__(self) -> None:
        self.changes: list[Transition] = []
        self.fail = False

    def prepare(self, rule: Rule, change: Transition) -> Any:
        return change

    def apply(self, connection: sa.Connection, changes: Sequence[Any], now: int) -> None:
        if self.fail:
            self.fail = False
            raise Unavailable("The database is gone.")
        self.changes += changes


class Desk:
    """A store and a monitor over it."""

    def __init__(self, store: Store, kept: Kept | None = None) -> None:
        self.store, self.kept, self.told = store, kept or Kept(), 0
        self.index = StoryIndex(3600, 0.6)
        self.monitor = Monitor(store, self.kept, [RULE], clock=lambda: 0.0)

    def tell(self, minute: float, company: str = "US:ACME") -> None:
        """One bad story."""
        self.told += 1
        text = f"{uuid4().hex} {uuid4().hex} {uuid4().hex} trouble"
        new = self.store.record(
            [reading(f"{id(self)}-{self.told}", text, minute=minute, companies={company: 0.9})], self.index, 0.3
        )
        self.monitor.heard(new.new, new.revision)

    def seen(self) -> list[tuple[str, int]]:
        """Condition and minute of every change."""
        return [(change.after, (change.at - epoch(START)) // 60) for change in self.kept.changes]


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as opened:
        opened.add_rules([RULE.to_json()])
        yield opened


def at(minute: float) -> int:
    return epoch(START + timedelta(minutes=minute))


def test_an_alert_stands_as_soon_as_the_text_is_taken_in_and_ends_by_the_clock(store: Store) -> None:
    desk = Desk(store)
    for minute in (0, 1, 2):
        desk.tell(minute)
    assert desk.seen() == [("firing", 2)]
    assert desk.kept.changes[0].key == KEY and desk.kept.changes[0].verdict.value == 3
    desk.tell(3, "US:BOLT")
    desk.monitor.tick(at(30))
    assert len(desk.seen()) == 1
    desk.monitor.tick(at(70))
    assert desk.seen() == [("firing", 2), ("inactive", 70)]


def test_a_restart_goes_on_where_the_rule_stood(store: Store) -> None:
    desk = Desk(store)
    for minute in (0, 1, 2):
        desk.tell(minute)
    after = Desk(store)
    after.tell(5)
    assert after.seen() == [], "it fires already, and was told"
    after.monitor.tick(at(90))
    assert after.seen() == [("inactive", 90)]


def test_what_another_process_stored_counts_too(store: Store) -> None:
    here, there = Desk(store), Desk(store)
    here.tell(0)
    there.tell(1)
    here.tell(2)
    assert here.seen() == [("firing", 2)]


def test_a_tick_between_storing_and_hearing_counts_nothing_twice(store: Store) -> None:
    desk = Desk(store)
    desk.tell(0)
    new = store.record(
        [reading("x", "granite ledger orchard trouble", minute=1, companies={"US:ACME": 0.9})], desk.index, 0.3
    )
    desk.monitor.tick(at(1))
    desk.monitor.heard(new.new, new.revision)
    assert desk.seen() == [], "two stories, not three"
    desk.tell(2)
    assert desk.seen() == [("firing", 2)]


def test_an_alert_that_could_not_be_stored_is_made_by_the_next_look(store: Store) -> None:
    desk = Desk(store)
    desk.tell(0)
    desk.tell(1)
    desk.kept.fail = True
    desk.tell(2)
    assert desk.seen() == [] and store.count_texts() == 3
    desk.monitor.tick(at(3))
    assert [after for after, _ in desk.seen()] == ["firing"]


def test_a_process_killed_before_it_judged_is_caught_up_by_the_next(store: Store) -> None:
    killed = Desk(store)
    for minute in (0, 1, 2):
        new = [
            reading(
                uuid4().hex, f"{uuid4().hex} {uuid4().hex} {uuid4().hex}", minute=minute, companies={"US:ACME": 0.9}
            )
        ]
        store.record(new, killed.index, 0.3)
    started = Desk(store)
    started.monitor.tick(at(4))
    assert started.seen() == [("firing", 4)]


def test_a_replay_is_judged_minute_by_minute_and_each_text_counts_once(store: Store) -> None:
    desk = Desk(store)
    stories = [
        reading(uuid4().hex, f"{uuid4().hex} {uuid4().hex} {uuid4().hex}", minute=minute, companies={"US:ACME": 0.9})
        for minute in (0, 20, 40, 200, 210, 220)
    ]
    new = store.record(stories, desk.index, 0.3)
    desk.monitor.heard(new.new, new.revision)
    assert desk.seen() == [("firing", 40), ("inactive", 200), ("firing", 220)]
    assert [change.verdict.value for change in desk.kept.changes] == [3, 1, 3]


def test_rules_are_changed_while_it_runs_and_bad_ones_change_nothing(store: Store) -> None:
    desk = Desk(store)
    desk.tell(0)
    with pytest.raises(InputError):
        desk.monitor.set_rules(
            [RULE, Rule("x", "X", "entity", "all", parameters={"parts": [{"rule": "gone"}, {"rule": "many"}]})]
        )
    assert [rule.id for rule in desk.monitor.rules] == ["many"]
    desk.monitor.set_rules([Rule("one", "One", "entity", "absolute", parameters={"limit": 1})])
    desk.tell(1)
    assert desk.seen() == [("firing", 1)]
