from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from apps.finance_sentiment import tables_sources
from apps.finance_sentiment.store import Store
from apps.finance_sentiment.store_sources import Outcome, Source, SourceStore
from core.errors import Conflict, NotFound
from tests._postgres import database_url

__all__ = ["database_url"]

T = 1_772_440_000.0


@pytest.fixture
def store(database_url: str) -> Iterator[SourceStore]:
    with Store.open(database_url) as opened:
        yield SourceStore(opened.engine)


def feed(name: str = "wire") -> Source:
    return Source(name, "feed", f"https://{name}.test/rss", 300)


def test_the_migration_makes_exactly_the_table_of_the_code(store: SourceStore) -> None:
    table = tables_sources.sources

    def mine(obj: object, name: str | None, kind: str, *_: object) -> bool:
        return kind != "table" or name == table.name

    with store.engine.connect() as connection:
        options = {"compare_type": False, "include_object": mine}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, table.metadata) == []


def test_a_source_comes_back_as_it_was_added_and_is_due_at_once(store: SourceStore) -> None:
    given = feed()
    assert store.add_source(given) == given == store.source("wire") and store.sources() == [given]
    assert store.has_due(T) and [s.name for s in store.claim_due(T, 9)] == ["wire"]
    with pytest.raises(Conflict, match="'wire'"):
        store.add_source(given)


def test_a_leased_source_is_nobody_elses_until_the_lease_ends(store: SourceStore) -> None:
    for name in ("a", "b", "c"):
        store.add_source(feed(name))
    first = store.claim_due(T, 2, lease=60)
    assert [s.name for s in first] == ["a", "b"] and [s.name for s in store.claim_due(T, 9, lease=60)] == ["c"]
    assert not store.has_due(T + 59) and store.claim_due(T + 59, 9) == []
    with pytest.raises(Conflict, match="a is being polled"):
        store.claim("a", T + 59)
    assert store.renew(first[0], T + 59, lease=60)
    assert [s.name for s in store.claim_due(T + 61, 9)] == ["b", "c"]
    assert not store.finish(first[1], Outcome(10), T + 62), "its lease was lost"
    assert store.source("b").last_try_at is None


def test_many_threads_never_get_the_same_source(store: SourceStore) -> None:
    for i in range(12):
        store.add_source(feed(f"s{i}"))
    got: list[str] = []

    def work() -> None:
        while found := store.claim_due(T, 1):
            got.append(found[0].name)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == len(set(got)) and len(got) >= 4
    got += [s.name for s in store.claim_due(T, 99)]
    assert sorted(got) == sorted(f"s{i}" for i in range(12))


def test_what_came_of_a_poll_is_kept(store: SourceStore) -> None:
    store.add_source(feed())
    outcome = Outcome(120.4, 7, "", "line 3 was odd", '"e1"', "Mon, 02 Mar 2026 09:00:00 GMT")
    assert store.finish(store.claim("wire", T), outcome, T + 1)
    now = store.source("wire")
    assert (now.wait_seconds, now.next_due, now.texts, now.failures) == (121, T + 122, 7, 0)
    assert (now.etag, now.problem, now.lease_owner, now.lease_until) == ('"e1"', "line 3 was odd", "", 0)
    assert now.last_success_at == now.last_new_at == now.last_try_at and now.last_try_at is not None
    assert now.last_try_at.timestamp() == T + 1
    store.finish(store.claim("wire", T + 200), Outcome(120, etag='"e2"'), T + 200)
    again = store.source("wire")
    assert again.texts == 7 and again.last_new_at == now.last_new_at and again.problem == "line 3 was odd"


def test_a_source_that_dies_fails_visibly_and_recovers(store: SourceStore) -> None:
    store.add_source(feed())
    assert store.source("wire").health(T) == "never"
    seen = []
    for error in ("", "down", "down", "down", "down", ""):
        store.finish(store.claim("wire", T), Outcome(300, error=error, etag="x"), T)
        source = store.source("wire")
        seen.append((source.health(T), source.failures, source.last_error))
    assert seen == [
        ("ok", 0, ""),
        ("late", 1, "down"),
        ("late", 2, "down"),
        ("failing", 3, "down"),
        ("failing", 4, "down"),
        ("ok", 0, ""),
    ]


def test_health_tells_what_nobody_polls_and_what_never_worked(store: SourceStore) -> None:
    store.add_source(feed())
    store.finish(store.claim("wire", T), Outcome(300), T)
    assert [store.source("wire").health(T + s) for s in (0, 300, 599, 602)] == ["ok", "ok", "ok", "late"]
    store.add_source(feed("new"))
    store.finish(store.claim("new", T), Outcome(300, error="no such host"), T)
    assert store.source("new").health(T) == "failing"
    assert (
        store.change_source("new", enabled=False).health(T) == "off" and store.claim_due(T + 9999, 9)[0].name == "wire"
    )


def test_a_poll_that_had_to_wait_is_neither_a_failure_nor_a_success(store: SourceStore) -> None:
    store.add_source(feed())
    store.finish(store.claim("wire", T), Outcome(5, postponed=True), T)
    source = store.source("wire")
    assert (source.failures, source.last_try_at, source.wait_seconds, source.next_due) == (0, None, 300, T + 5)


def test_another_location_begins_from_the_start_and_other_changes_do_not(store: SourceStore) -> None:
    store.add_source(feed())
    store.finish(store.claim("wire", T), Outcome(300, 5, etag='"e"'), T)
    slower = store.change_source("wire", interval_seconds=900)
    assert (slower.interval_seconds, slower.wait_seconds, slower.etag, slower.next_due) == (900, 900, '"e"', 0)
    under_way = store.claim("wire", T)
    moved = store.change_source("wire", location="https://new.test/")
    assert (moved.etag, moved.texts, moved.last_success_at, moved.health(T)) == ("", 5, None, "never")
    assert not store.finish(under_way, Outcome(300, etag='"old"'), T) and store.source("wire").etag == ""


def test_what_is_not_there_is_not_found(store: SourceStore) -> None:
    for ask in (
        lambda: store.source("x"),
        lambda: store.claim("x", T),
        lambda: store.delete_source("x"),
        lambda: store.change_source("x", enabled=True),
    ):
        with pytest.raises(NotFound, match="'x'"):
            ask()
    store.add_source(feed())
    store.delete_source("wire")
    assert store.sources() == []


def test_names_and_errors_of_any_characters_are_kept(store: SourceStore) -> None:
    store.add_source(replace(feed(), name="财经-新闻", location="https://a.test/\ud83d"))
    store.finish(store.claim("财经-新闻", T), Outcome(1, error="x\x00" * 900), T)
    assert len(store.source("财经-新闻").last_error) == 500
