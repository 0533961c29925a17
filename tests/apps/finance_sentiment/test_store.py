from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from apps.finance_sentiment import tables, tables_alerts, tables_sources
from apps.finance_sentiment.clusters import StoryIndex
from apps.finance_sentiment.rows import DAY, HOUR, MINUTE, Reading, epoch
from apps.finance_sentiment.schemas import Counts, SeriesKey
from apps.finance_sentiment.store import Store
from core.errors import InputError, NotFound
from tests._postgres import database_url
from tests.apps.finance_sentiment._texts import BAD, GOOD, START, reading

__all__ = ["database_url"]

T0 = epoch(START)
DAY0 = T0 - T0 % DAY


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as opened:
        yield opened


def fresh() -> StoryIndex:
    return StoryIndex(DAY, 0.6)


def some(count: int, seed: int = 0) -> list[Reading]:
    """Texts of many words each, so that none repeats another."""
    chance = random.Random(seed)
    words = [a + b for a in "bdfgklmnprst" for b in ("ark", "elm", "int", "oak", "ume", "yew", "ash", "ivy")]
    return [
        reading(
            f"{seed}-{i}",
            " ".join(chance.choices(words, k=12)),
            minute=chance.randrange(2 * 24 * 60),
            source=chance.choice(["wire", "blog"]),
            labels=chance.choice([BAD, GOOD]),
            companies={chance.choice(["US:AAA", "HK:0001"]): chance.choice([0.1, 0.9])},
        )
        for i in range(count)
    ]


def test_the_migrations_make_exactly_the_tables_of_the_code(store: Store) -> None:
    def mine(obj: object, name: str | None, kind: str, *_: object) -> bool:
        return kind != "table" or str(name).startswith("finance_sentiment_")

    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False, "include_object": mine})
        assert tables_alerts.metadata is tables_sources.metadata is tables.metadata
        assert compare_metadata(context, tables.metadata) == []


def test_a_text_comes_back_as_it_was_and_counts_in_all_its_series(store: Store) -> None:
    given = reading(
        "1", "Regulator fines Marlow Bank", companies={"US:MRL": 0.9, "US:ALP": 0.1}, by_entity={"US:ALP": GOOD}
    )
    recorded = store.record([given], fresh(), 0.3)
    [found] = store.texts_of("entity", "US:MRL", T0, T0 + 1)
    told = recorded.new[0]
    assert replace(found.text, by_entity={}, text=told.text) == replace(told, by_entity={}) and found.copies == 1
    assert replace(found.text.text, language=None) == told.text
    assert found.text.by_entity["US:ALP"].positive == GOOD.positive
    one = Counts(1, 1, 1, 0, -0.75)
    for key in (
        SeriesKey("all"),
        SeriesKey("topic", "legal"),
        SeriesKey("entity", "US:MRL"),
        SeriesKey("source", "wire"),
    ):
        assert store.trend(key, T0, T0 + MINUTE, MINUTE) == [(T0, one)]
    assert store.trend(SeriesKey("entity", "US:ALP"), DAY0, DAY0 + DAY, DAY) == [], "it is hardly about that one"


def test_the_same_text_twice_counts_once_in_a_batch_and_between_batches(store: Store) -> None:
    index, batch = fresh(), some(20)
    first = store.record([*batch, batch[3]], index, 0.3)
    again = store.record(batch, index, 0.3)
    assert (len(first.new), first.known, len(again.new), again.known) == (20, 1, 0, 20)
    assert store.count_texts() == 20
    assert sum(c.texts for _, c in store.trend(SeriesKey("all"), DAY0, DAY0 + 3 * DAY, DAY)) == 20


def test_a_story_told_two_hundred_times_is_one_story(store: Store) -> None:
    text = "Marlow Bank is fined by the markets regulator over its late trading reports"
    copies = [reading(str(i), text, minute=i / 10, source=f"site {i}") for i in range(200)]
    index = fresh()
    store.record(copies[:90], index, 0.3)
    store.record(copies[90:], index, 0.3)
    totals = store.totals("all", DAY0, DAY0 + DAY)
    assert totals[""] == Counts(1, 200, 1, 0, -0.75)
    told = store.story(int(store.texts_of("all", "", T0, T0 + HOUR)[0].text.story))
    assert len(told) == 200 and told[0].copies == 200 and told[0].text.text.source == "site 0"


def test_another_process_and_a_restart_know_the_stories(store: Store) -> None:
    text = "Marlow Bank is fined by the markets regulator over its late trading reports"
    one, other = fresh(), fresh()
    store.record([reading("1", text)], one, 0.3)
    joined = store.record([reading("2", text, minute=5)], other, 0.3)
    assert not joined.new[0].first
    restarted = fresh()
    store.load_stories(restarted)
    assert not store.record([reading("3", text, minute=9)], restarted, 0.3).new[0].first


def test_counts_do_not_depend_on_the_order_or_the_size_of_batches(store: Store, tmp_path: object) -> None:
    batch = some(120)
    shuffled = random.Random(1).sample(batch, len(batch))
    store.record(batch, fresh(), 0.3)
    with Store.open(f"sqlite:///{tmp_path}/other.db") as other:
        index = fresh()
        for i in range(0, len(shuffled), 7):
            other.record(shuffled[i : i + 7], index, 0.3)
        for dimension in ("all", "topic", "entity", "source", "language"):
            for seconds in (MINUTE, 5 * MINUTE, HOUR, 6 * HOUR, DAY):
                here = store.trends(dimension, DAY0, DAY0 + 3 * DAY, seconds)
                assert here == other.trends(dimension, DAY0, DAY0 + 3 * DAY, seconds)
                summed = {value: sum((c for _, c in row), Counts()) for value, row in here.items()}
                totals = store.totals(dimension, DAY0, DAY0 + 3 * DAY)
                assert summed.keys() == totals.keys()
                assert all(summed[v].score_sum == pytest.approx(totals[v].score_sum) for v in totals)
                assert [replace(c, score_sum=0) for c in summed.values()] == [
                    replace(totals[v], score_sum=0) for v in summed
                ]


def test_bounds_that_do_not_fit_are_refused(store: Store) -> None:
    for start, end, seconds in ((0, 3600, 90), (60, 3600, 3600), (3600, 0, 60), (0, 3600, 0)):
        with pytest.raises(InputError):
            store.trend(SeriesKey("all"), start, end, seconds)
    with pytest.raises(InputError, match="buckets"):
        store.trend(SeriesKey("all"), 0, 60 * 60 * 24 * 365, 60)
    with pytest.raises(InputError, match="dimension"):
        store.trends("mood", 0, 60, 60)


def test_what_no_database_keeps_is_stored_all_the_same(store: Store) -> None:
    store.record([reading("nul", "a\x00b <script>alert(1)</script> \ud800")], fresh(), 0.3)
    [found] = store.texts_of("all", "", T0, T0 + 1)
    assert found.text.text.title == "a\ufffdb <script>alert(1)</script> \ufffd"


def test_retention_forgets_texts_and_minutes_but_not_hours(store: Store) -> None:
    store.record(some(30), fresh(), 0.3)
    assert store.delete_texts_before(DAY0 + 10 * DAY) == 30
    assert store.delete_minutes_before(DAY0 + 10 * DAY) > 0
    assert store.trends("all", DAY0, DAY0 + 3 * DAY, MINUTE) == {}
    assert sum(c.texts for _, c in store.trend(SeriesKey("all"), DAY0, DAY0 + 3 * DAY, HOUR)) == 30


def test_rules_are_kept_in_order_and_shipped_ones_do_not_overwrite(store: Store) -> None:
    store.add_rules([{"id": "a", "x": 1}, {"id": "b"}])
    store.put_rule("a", {"id": "a", "x": 2})
    store.add_rules([{"id": "a", "x": 1}, {"id": "c"}])
    assert store.list_rules() == [{"id": "a", "x": 2}, {"id": "b"}, {"id": "c"}]
    store.delete_rule("b")
    with pytest.raises(NotFound):
        store.delete_rule("b")
