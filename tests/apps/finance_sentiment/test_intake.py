from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from apps.finance_sentiment.intake import BATCH, Intake
from apps.finance_sentiment.reading import LONGEST_BODY, Reader
from apps.finance_sentiment.rows import DAY, MINUTE, epoch
from apps.finance_sentiment.schemas import Analysed, Incoming, SeriesKey
from apps.finance_sentiment.settings import FinanceSettings
from apps.finance_sentiment.store import Store
from tests._postgres import database_url
from tests.apps.finance_sentiment._reading import CapitalLinker, WordLabels

__all__ = ["database_url"]

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DAY0 = epoch(NOW) - epoch(NOW) % DAY


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as opened:
        yield opened


def reader() -> Reader:
    return Reader(WordLabels(), CapitalLinker(), FinanceSettings())


def intake(store: Store, heard: list[Analysed] | None = None) -> Intake:
    seen = heard if heard is not None else []
    return Intake(store, reader(), FinanceSettings(), lambda texts, _: seen.extend(texts))


def text(id: str, title: str, *, published: datetime | None = NOW, **parts: str) -> Incoming:
    return Incoming(id, parts.pop("source", "wire"), NOW, title, published_at=published, **parts)


def test_each_company_gets_the_sentiment_of_its_own_clause() -> None:
    [read] = reader().read([text("1", "ACME misses forecasts while BOLT beats them")])
    assert {entity: labels.sentiment for entity, labels in read.by_entity.items()} == {
        "US:ACME": "negative",
        "US:BOLT": "positive",
    }


def test_the_model_runs_once_for_a_batch() -> None:
    model = WordLabels()
    texts = [text(str(i), "ACME misses while BOLT beats") for i in range(10)]
    Reader(model, CapitalLinker(), FinanceSettings()).read(texts)
    assert model.batches == [30]


@pytest.mark.parametrize(
    ("published", "mark", "counts_at"),
    [
        (NOW - timedelta(days=3), "", NOW - timedelta(days=3)),
        (NOW + timedelta(minutes=5), "", NOW + timedelta(minutes=5)),
        (NOW + timedelta(minutes=11), "future", NOW),
        (datetime(1970, 1, 1, tzinfo=UTC), "ancient", NOW),
        (None, "missing", NOW),
    ],
)
def test_a_time_that_cannot_be_true_gives_way_to_the_arrival(
    published: datetime | None, mark: str, counts_at: datetime
) -> None:
    [read] = reader().read([text("1", "x", published=published)])
    assert (read.time_mark, read.event_at) == (mark, counts_at)


def test_late_texts_land_in_their_own_bucket(store: Store) -> None:
    taking = intake(store)
    taking.ingest([text("now", "ACME wins an order")])
    taking.ingest([text("late", "BOLT pays a fine", published=NOW - timedelta(hours=30))])
    day = store.trend(SeriesKey("all"), DAY0 - 2 * DAY, DAY0 + DAY, DAY)
    assert [(start, counts.stories) for start, counts in day] == [(DAY0 - DAY, 1), (DAY0, 1)]


def test_markup_and_hostile_parts_are_taken_off_and_sizes_bounded(store: Store) -> None:
    heard: list[Analysed] = []
    huge = text(
        "i" * 5000, "<b>ACME</b> falls <script>alert(1)</script>", body="z " * 5_000_000, url="javascript:alert(1)"
    )
    intake(store, heard).ingest([huge])
    [found] = heard
    assert "<" not in found.text.title and found.text.url == "" and len(found.text.id) == 500
    assert len(found.text.body) <= LONGEST_BODY


def test_a_batch_sent_again_changes_nothing(store: Store) -> None:
    heard: list[Analysed] = []
    taking = intake(store, heard)
    batch = [text(str(i), f"ACME wins order number {i} of its long list") for i in range(BATCH + 5)]
    first, again = taking.ingest(batch), taking.ingest(batch)
    assert (first.new, first.known, again.new, again.known) == (BATCH + 5, 0, 0, BATCH + 5)
    assert len(heard) == BATCH + 5
    assert store.totals("all", DAY0, DAY0 + DAY)[""].texts == BATCH + 5


def test_threads_that_send_the_same_texts_at_once_store_each_once(store: Store) -> None:
    taking = intake(store)
    batch = [text(str(i), f"BOLT pays fine {i} to the regulator of state {i}") for i in range(60)]
    threads = [threading.Thread(target=taking.ingest, args=(batch,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.count_texts() == 60
    assert store.totals("all", DAY0, DAY0 + DAY)[""].texts == 60


def test_a_thousand_copies_at_once_are_one_story(store: Store) -> None:
    copies = [
        text(str(i), "BOLT pays a fine to the markets regulator of the state", source=f"s{i}") for i in range(1000)
    ]
    report = intake(store).ingest(copies)
    assert (report.new, report.stories, report.negative) == (1000, 1, 1)
    minute = store.trend(SeriesKey("entity", "US:BOLT"), epoch(NOW), epoch(NOW) + MINUTE, MINUTE)
    assert [(c.stories, c.texts) for _, c in minute] == [(1, 1000)]
