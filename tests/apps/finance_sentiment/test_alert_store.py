"""Alerts in SQL: one incident one row, trail, acts, lists. On both databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from apps.finance_sentiment.alert_reads import Filter
from apps.finance_sentiment.alert_rows import alert_row
from apps.finance_sentiment.alerts import AlertStore
from apps.finance_sentiment.schemas import SeriesKey
from apps.finance_sentiment.store import Store
from apps.finance_sentiment.tables import metadata
from apps.finance_sentiment.tables_alerts import alert_events, alert_state, alerts
from core.errors import Conflict, InputError, NotFound, SuiteError
from core.store import retrying
from tests._postgres import database_url
from tests.apps.finance_sentiment._alerts import NOW, QUICK, SURGE, change, tell

__all__ = ["database_url"]


@pytest.fixture
def store(database_url: str) -> Iterator[AlertStore]:
    with Store.open(database_url) as opened:
        yield AlertStore(opened.engine, QUICK)


def actions(store: AlertStore, id: int) -> list[str]:
    return [entry.action for entry in store.whole_alert(id).trail]


def test_the_migration_makes_exactly_the_tables_of_alerts(store: AlertStore) -> None:
    names = {t.name for t in metadata.tables.values() if t.name.split("sentiment_")[1].startswith(("alert", "outbox"))}
    names |= {"finance_sentiment_silences", "finance_sentiment_channels"}

    def mine(obj: object, name: str | None, kind: str, *_: object) -> bool:
        return kind != "table" or name in names

    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False, "include_object": mine})
        assert compare_metadata(context, metadata) == []


def test_an_alert_comes_back_as_it_was_told(store: AlertStore) -> None:
    (id,) = tell(store.engine, change("pending"))
    assert tell(store.engine, change(evidence=None), now=NOW + 60) == [id]
    alert = store.alert(id)
    assert (alert.state, alert.started_at, alert.fired_at, alert.rule) == ("firing", NOW, NOW + 60, SURGE)
    assert alert.verdict == change().verdict and "14 negative stories" in alert.summary_en
    assert actions(store, id) == ["pending", "firing", "notified"]
    assert {e.actor for e in store.whole_alert(id).trail} == {"rule", "system"}


def test_what_never_fired_is_kept_out_of_the_list_and_its_row_serves_again(store: AlertStore) -> None:
    (id,) = tell(store.engine, change("pending"))
    tell(store.engine, change("inactive"), now=NOW + 60)
    assert store.list_alerts(Filter())[0] == []
    assert [a.id for a in store.list_alerts(Filter(states=("inactive",)))[0]] == [id]
    assert tell(store.engine, change("pending"), now=NOW + 9000) == [id]
    assert store.alert(id).started_at == NOW + 9000


def test_one_incident_is_one_row_and_the_next_one_another(store: AlertStore) -> None:
    (id,) = tell(store.engine, change())
    for i in range(1, 7):
        tell(store.engine, change("inactive" if i % 2 else "firing"), now=NOW + i * 60)
    assert store.alert(id).reopened == 3
    tell(store.engine, change("inactive"), now=NOW + 600)
    (other,) = tell(store.engine, change(), now=NOW + 600 + QUICK.reopen_seconds + 1)
    assert other != id and len(store.list_alerts(Filter())[0]) == 2


def test_evidence_stays_as_it_was_when_the_alert_first_fired(store: AlertStore) -> None:
    (id,) = tell(store.engine, change(evidence=_evidence("first")))
    for i in range(3):
        tell(store.engine, change("inactive"), now=NOW + 100 * i + 50)
        tell(store.engine, change(evidence=_evidence(f"again {i}")), now=NOW + 100 * i + 100)
    whole = store.whole_alert(id)
    assert whole.evidence and whole.evidence["name"] == "first"
    assert whole.latest_evidence and whole.latest_evidence["name"] == "again 2"


def _evidence(name: str) -> dict[str, object]:
    return {
        "name": name, "dimension": "entity", "value": "US:AAPL", "stories": [], "last_text_at": None,
        "window": {"start": "2026-03-02T08:00:00Z", "end": "2026-03-02T09:00:00Z"}, "chart": {"measure": "negative"},
        "totals": {"stories": 20, "negative": 14}, "measured": {"value": 14.0, "expected": 2.1, "limit": 8.0},
    }  # fmt: skip


def test_an_act_names_the_version_it_saw(store: AlertStore) -> None:
    (id,) = tell(store.engine, change())
    done = store.acknowledge(id, "Li Na", NOW + 9, version=1, comment="looking")
    assert (done.state, done.version, done.acknowledged_by) == ("acknowledged", 2, "Li Na")
    with pytest.raises(Conflict, match="you saw version 1, it is 2"):
        store.resolve(id, "Wei", NOW + 10, version=1)
    with pytest.raises(Conflict, match="acknowledged by Li Na"):
        store.acknowledge(id, "Wei", NOW + 10)
    store.assign(id, "Li Na", "Wei", NOW + 11, version=2)
    store.comment(id, "Wei", "supplier denies it", NOW + 12)
    assert store.resolve(id, "Wei", NOW + 13, version=3).resolved_by == "Wei"
    trail = store.whole_alert(id).trail
    assert [(e.actor, e.action) for e in trail if e.actor not in ("rule", "system")] == [
        ("Li Na", "acknowledged"), ("Li Na", "assigned"), ("Wei", "comment"), ("Wei", "resolved"),
    ]  # fmt: skip
    assert trail[-1].action in ("resolved", "notified") and {e.detail.get("owner") for e in trail} >= {"Wei"}


def test_of_two_who_acknowledge_at_once_one_is_told_of_the_other(store: AlertStore) -> None:
    (id,) = tell(store.engine, change())
    done: list[object] = []

    def acknowledge(name: str) -> None:
        try:
            done.append(store.acknowledge(id, name, NOW, version=1).acknowledged_by)
        except Conflict as error:
            done.append(error)

    threads = [threading.Thread(target=acknowledge, args=(name,)) for name in ("Li Na", "Wei", "Ann")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(d, Conflict) for d in done) == 2 and store.alert(id).version == 2


def test_an_act_needs_a_persons_name(store: AlertStore) -> None:
    (id,) = tell(store.engine, change())
    for by in ("", "   ", "x" * 81, "rule", "system"):
        with pytest.raises(InputError, match="names nobody"):
            store.acknowledge(id, by, NOW)


def test_unknown_alerts_and_empty_comments_are_refused(store: AlertStore) -> None:
    with pytest.raises(NotFound, match="no alert 99"):
        store.resolve(99, "Li", NOW)
    (id,) = tell(store.engine, change("pending"))
    with pytest.raises(InputError, match="empty"):
        store.comment(id, "Li", "  ", NOW)
    with pytest.raises(Conflict, match="pending"):
        store.resolve(id, "Li", NOW)


def test_nobody_rewrites_the_trail(store: AlertStore) -> None:
    tell(store.engine, change())
    for statement in (alert_events.update().values(actor="nobody"), alert_events.delete()):
        with pytest.raises((SuiteError, sa.exc.DBAPIError), match="append-only"):
            retrying(store.engine, lambda c, s=statement: c.execute(s))
    assert len(store.events_after(0)) == 2


def test_lists_filter_order_and_turn_pages(store: AlertStore) -> None:
    keys = [SeriesKey("entity", f"US:{i:03d}") for i in range(30)]
    for i, key in enumerate(keys):
        rule = replace(SURGE, severity=("info", "warning", "critical")[i % 3])
        (id,) = tell(store.engine, change(rule=rule, key=key), now=NOW + i)
        if i % 5 == 0:
            store.acknowledge(id, "Li", NOW + i)
            store.assign(id, "Li", "Wei", NOW + i)
        if i % 7 == 0:
            tell(store.engine, change("inactive", rule, key), now=NOW + 100 + i)
    seen, after = [], ""
    for _ in range(9):
        page, following = store.list_alerts(Filter(), limit=4, after=after)
        seen += page
        if following is None:
            break
        after = following
    assert [a.key for a in seen] == keys[::-1]
    grave, following = store.list_alerts(Filter(), order="severity", limit=7)
    more, _ = store.list_alerts(Filter(), order="severity", limit=30, after=following or "")
    ranks = [a.rule.severity for a in grave + more]
    assert ranks == ["critical"] * 10 + ["warning"] * 10 + ["info"] * 10
    assert [a.key.value for a in grave][:2] == ["US:029", "US:026"]

    def count(**chosen: object) -> int:
        return len(store.list_alerts(Filter(**chosen), limit=200)[0])  # type: ignore[arg-type]

    assert count(states=("resolved",)) == 5 and count(states=("firing", "acknowledged")) == 25
    assert count(owner="Wei") == 6 and count(owner="") == 24 and count(rule="other") == 0
    assert count(severities=("critical",)) == 10 and count(value="US:003") == 1 and count(since=NOW + 20) == 10
    assert count(silenced=True) == 0 and count(dimension="entity") == 30
    states, severities, silenced = store.count_alerts()
    assert states["resolved"] == 5 and sum(severities.values()) == 25 and silenced == 0


def test_a_cursor_that_is_none_is_refused(store: AlertStore) -> None:
    for after in ("x", "W10", "bnVsbA", "é", "WyJzZXZlcml0eSIsMSwyLDNd"):
        with pytest.raises(InputError, match="no cursor"):
            store.list_alerts(Filter(), after=after)


def test_text_that_no_database_takes_is_kept_with_a_mark(store: AlertStore) -> None:
    key = SeriesKey("source", "a\x00b\ud800")
    (id,) = tell(store.engine, change(key=key, evidence=_evidence("n\x00\udfff")))
    store.comment(id, "Li\x00", "so\x00", NOW)
    assert store.alert(id).key.value == "a\ufffdb\ufffd"


def test_twenty_thousand_alerts_are_listed_fast(store: AlertStore) -> None:
    (id,) = tell(store.engine, change())
    pattern = store.alert(id)
    rules = [replace(SURGE, id=f"rule-{i}", severity=("info", "warning", "critical")[i % 3]) for i in range(20)]

    def row(i: int) -> dict[str, object]:
        state = "firing" if i % 200 == 0 else "acknowledged" if i % 200 == 1 else "resolved"
        made = replace(
            pattern, rule=rules[i % 20], key=SeriesKey("entity", f"US:{i % 900}"), state=state, started_at=NOW + i // 3,
            owner="" if i % 50 else "Wei", summary_en="x" * 300, summary_zh="字" * 150,
        )  # fmt: skip
        return alert_row(made) | {"fingerprint": f"{i}"}

    count = 20_000

    def fill(connection: sa.Connection) -> None:
        connection.execute(alert_state.update().values(revision=1))
        for start in range(0, count, 4000):
            connection.execute(alerts.insert(), [row(i) for i in range(start, start + 4000)])

    retrying(store.engine, fill)
    asked = [
        Filter(), Filter(states=("firing", "acknowledged")), Filter(rule="rule-3", severities=("warning",)),
        Filter(value="US:7", dimension="entity"), Filter(owner="Wei", states=("firing",)), Filter(since=NOW + 9000),
        Filter(owner="nobody"), Filter(silenced=True, states=("firing",)),
    ]  # fmt: skip
    spent = []
    for chosen in asked:
        for order in ("newest", "severity"):
            began = time.perf_counter()
            store.list_alerts(chosen, order=order)  # type: ignore[arg-type]
            spent.append(time.perf_counter() - began)
    assert sorted(spent)[-2] < 0.2, spent
