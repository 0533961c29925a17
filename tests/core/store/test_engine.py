from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.errors import Conflict, InputError, Unavailable
from core.store import open_engine, retrying, transaction

metadata = sa.MetaData()
counter = sa.Table("counter", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("n", sa.Integer))
child = sa.Table("child", metadata, sa.Column("id", sa.ForeignKey("counter.id", ondelete="CASCADE"), primary_key=True))


@pytest.fixture(autouse=True)
def _tables(request: pytest.FixtureRequest) -> None:
    if "engine" in request.fixturenames:
        engine: sa.Engine = request.getfixturevalue("engine")
        with transaction(engine, write=True) as connection:
            metadata.create_all(connection)
            connection.execute(counter.insert(), [{"id": 1, "n": 0}])


def value(engine: sa.Engine) -> int:
    with transaction(engine) as connection:
        return int(connection.execute(sa.select(counter.c.n)).scalar_one())


def test_sqlite_syncs_every_commit_in_wal_and_checks_foreign_keys(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'new' / 'folder' / 'a.db'}")
    with engine.connect() as connection:
        pragmas = {
            p: connection.exec_driver_sql(f"PRAGMA {p}").scalar()
            for p in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


def test_an_error_rolls_the_whole_transaction_back(engine: sa.Engine) -> None:
    with pytest.raises(RuntimeError), transaction(engine, write=True) as connection:
        connection.execute(counter.update().values(n=5))
        raise RuntimeError
    assert value(engine) == 0


def test_tables_made_in_a_failed_transaction_are_gone(engine: sa.Engine) -> None:
    with pytest.raises(RuntimeError), transaction(engine, write=True) as connection:
        connection.execute(sa.text("CREATE TABLE half (x INTEGER)"))
        raise RuntimeError
    with engine.connect() as connection:
        assert not sa.inspect(connection).has_table("half")


def test_a_read_sees_one_snapshot_while_another_thread_writes(engine: sa.Engine) -> None:
    with transaction(engine) as reader:
        before = reader.execute(sa.select(counter.c.n)).scalar_one()
        with transaction(engine, write=True) as writer:
            writer.execute(counter.update().values(n=9))
        assert reader.execute(sa.select(counter.c.n)).scalar_one() == before
    assert value(engine) == 9


def test_eight_threads_that_read_and_then_write_lose_no_update(engine: sa.Engine) -> None:
    def add(connection: sa.Connection) -> None:
        n = connection.execute(sa.select(counter.c.n).with_for_update()).scalar_one()
        connection.execute(counter.update().values(n=n + 1))

    def work() -> None:
        for _ in range(5):
            retrying(engine, add)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value(engine) == 40


def test_a_deadlock_is_run_again_until_both_are_done(engine: sa.Engine) -> None:
    with transaction(engine, write=True) as connection:
        connection.execute(counter.insert(), [{"id": 2, "n": 0}])
    runs: list[int] = []

    def crossing(first: int, second: int) -> None:
        def work(connection: sa.Connection) -> None:
            runs.append(first)
            for row in (first, second):
                connection.execute(counter.update().where(counter.c.id == row).values(n=counter.c.n + 1))
                time.sleep(0.2)

        retrying(engine, work)

    threads = [threading.Thread(target=crossing, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with transaction(engine) as connection:
        assert connection.execute(sa.select(counter.c.n)).scalars().all() == [2, 2]
    assert len(runs) >= 2


def test_a_row_that_exists_already_is_a_conflict(engine: sa.Engine) -> None:
    with pytest.raises(Conflict, match="refused"):
        retrying(engine, lambda c: c.execute(counter.insert(), [{"id": 1, "n": 0}]))


def test_foreign_keys_cascade(engine: sa.Engine) -> None:
    with transaction(engine, write=True) as connection:
        connection.execute(child.insert(), [{"id": 1}])
        connection.execute(counter.delete())
        assert connection.execute(sa.select(child)).all() == []


def test_a_missing_table_says_to_upgrade(engine: sa.Engine) -> None:
    with pytest.raises(Unavailable, match="triptych db upgrade"), transaction(engine) as connection:
        connection.execute(sa.text("SELECT * FROM nowhere"))


def test_a_writer_that_waits_too_long_is_told_so(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}", busy_seconds=0.05)
    with transaction(engine, write=True), pytest.raises(Unavailable) as caught:
        retrying(engine, lambda c: c.execute(sa.text("SELECT 1")), attempts=2)
    engine.dispose()
    assert "locked" in str(caught.value) and caught.value.retry_after == 5


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://root@host/db", "sqlite://", "sqlite:///:memory:"])
def test_a_url_that_cannot_work_is_the_callers_error(url: str) -> None:
    with pytest.raises(InputError, match=r"sqlite:///"):
        open_engine(url)


def test_a_file_that_is_no_database_is_the_callers_error_and_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, not a database" * 100)
    with pytest.raises(InputError, match=r"notes\.txt is no SQLite database"):
        open_engine(f"sqlite:///{path}")
    assert path.read_text().startswith("these are my notes")


def test_a_database_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(Unavailable, match="taken"):
        open_engine(f"sqlite:///{tmp_path / 'taken' / 'a.db'}")


def test_a_server_that_does_not_answer_is_unavailable_and_its_password_stays_secret() -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1") as caught:
        open_engine("postgres://someone:hunter2@127.0.0.1:1/name")
    assert "hunter2" not in str(caught.value) and caught.value.retry_after == 5


def test_a_killed_writer_leaves_the_last_commit(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    engine = open_engine(f"sqlite:///{path}")
    with transaction(engine, write=True) as connection:
        connection.execute(sa.text("CREATE TABLE t (x INTEGER)"))
        connection.execute(sa.text("INSERT INTO t VALUES (1)"))
    half = sqlite3.connect(path, isolation_level=None)
    half.execute("BEGIN IMMEDIATE")
    half.execute("INSERT INTO t VALUES (2)")
    half.close()
    with transaction(engine) as connection:
        assert connection.execute(sa.text("SELECT x FROM t")).scalars().all() == [1]
    engine.dispose()
