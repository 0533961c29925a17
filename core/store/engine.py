"""Engines and transactions for SQLite and PostgreSQL.

Knows how each of the two must be set up so that an acknowledged write survives a crash, and which driver errors
mean "try again"; knows no table.
"""

from __future__ import annotations

import importlib.util
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import URL, make_url

from core.errors import Conflict, InputError, SuiteError, Unavailable

T = TypeVar("T")

WRITE = "triptych_write"
RETRYABLE_STATES = frozenset({"40001", "40P01", "55P03"})
"""PostgreSQL: serialization failure, deadlock, lock not available."""
UNDEFINED_TABLE = "42P01"


def open_engine(url: str, *, busy_seconds: float = 30.0, pool_size: int = 8) -> sa.Engine:
    """An engine that has already answered once. Dispose of it when done.

    SQLite runs in WAL mode with `synchronous=FULL` (a committed write survives a power cut), foreign keys on, and
    explicit BEGIN, so that reads in one transaction see one snapshot and DDL rolls back. The file's folder is made.

    :param url: `sqlite:///path/file.db`, or `postgresql://user:password@host/name` (with the extra `postgres`).
    :param busy_seconds: how long a SQLite write waits for another one.
    :param pool_size: connections kept open.
    :raises InputError: if the URL is malformed, of another database, in-memory, or its file is no SQLite database.
    :raises Unavailable: if the driver is not installed, the server does not answer, or the file cannot be opened.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        engine = _open_sqlite(parsed, busy_seconds, pool_size)
    else:
        engine = _open_postgresql(parsed, pool_size)
    try:
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
    except exc.DBAPIError as error:
        engine.dispose()
        raise _explained(error, parsed) from error
    return engine


@contextmanager
def transaction(engine: sa.Engine, *, write: bool = False) -> Iterator[sa.Connection]:
    """One transaction: committed at the end, rolled back on any error.

    :param write: take SQLite's write lock at once; a read that turns into a write could not wait for another writer.
        A transaction that only reads sees one snapshot.
    :raises Unavailable: if the database is gone, full, read-only or locked for too long.
    """
    try:
        with _transaction(engine, write) as connection:
            yield connection
    except (exc.OperationalError, exc.InterfaceError, exc.ProgrammingError) as error:
        raise _explained(error, engine.url) from error


def retrying(engine: sa.Engine, work: Callable[[sa.Connection], T], *, attempts: int = 6) -> T:
    """Run `work` in a write transaction; on a deadlock or a busy file, run it again from the start.

    :param work: gets the connection; must have no effect outside it.
    :param attempts: at least 1; the waits between them double from 20 ms.
    :raises Conflict: if a row it inserts exists already.
    :raises Unavailable: if the database stays busy through all attempts, or at once where a retry would not help.
    """
    attempt = 1
    while True:
        try:
            with _transaction(engine, True) as connection:
                return work(connection)
        except (exc.OperationalError, exc.InterfaceError, exc.ProgrammingError, exc.IntegrityError) as error:
            if attempt >= attempts or not _retryable(error):
                raise _explained(error, engine.url) from error
        time.sleep(random.uniform(0.01, 0.02) * 2**attempt)
        attempt += 1


@contextmanager
def _transaction(engine: sa.Engine, write: bool) -> Iterator[sa.Connection]:
    options: dict[str, Any] = {WRITE: write}
    if engine.dialect.name == "postgresql" and not write:
        options["isolation_level"] = "REPEATABLE READ"
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


def _retryable(error: exc.DBAPIError) -> bool:
    """Whether the same transaction may well succeed when it is run again."""
    if isinstance(error.orig, sqlite3.OperationalError):
        return "locked" in str(error.orig) or "busy" in str(error.orig)
    return getattr(error.orig, "sqlstate", None) in RETRYABLE_STATES


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except exc.ArgumentError as error:
        raise InputError(
            f"{url!r} is no database URL. Use sqlite:///path/file.db or postgresql://user@host/name."
        ) from error
    name = "postgresql" if parsed.drivername == "postgres" else parsed.get_backend_name()
    if name == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if name != "sqlite":
        raise InputError(f"Database {parsed.drivername!r} is not supported. Use sqlite:/// or postgresql://.")
    if parsed.database in {None, "", ":memory:"} or "mode=memory" in str(parsed):
        raise InputError("An in-memory database is not shared between threads. Give a file: sqlite:///path/file.db.")
    return parsed.set(drivername="sqlite")


def _open_sqlite(url: URL, busy_seconds: float, pool_size: int) -> sa.Engine:
    path = Path(str(url.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"Cannot make the folder {path.parent}: {error.strerror}.") from error
    engine = sa.create_engine(
        url, connect_args={"timeout": busy_seconds, "check_same_thread": False}, pool_size=pool_size, max_overflow=16
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # this code, not the driver, says BEGIN
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        _enter_wal(connection, busy_seconds)
        connection.create_function("lower", 1, _lower, deterministic=True)  # the built-in one knows ASCII only

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        write = connection.get_execution_options().get(WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _lower(text: str | float | bytes | None) -> str | float | bytes | None:
    return text.lower() if isinstance(text, str) else text


def _enter_wal(connection: sqlite3.Connection, busy_seconds: float) -> None:
    """Switch to WAL; SQLite does not wait by itself here when another process switches at the same moment."""
    deadline = time.monotonic() + busy_seconds
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        with suppress(sqlite3.OperationalError):
            # A file system without shared memory answers with another mode; that one is safe too, only slower.
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            return
        if time.monotonic() > deadline:
            raise sqlite3.OperationalError("database is locked")
        time.sleep(0.01)


def _open_postgresql(url: URL, pool_size: int) -> sa.Engine:
    if importlib.util.find_spec("psycopg") is None:
        raise Unavailable("PostgreSQL needs its driver: pip install 'triptych[postgres]'.")
    defaults = {"connect_timeout": "5", "application_name": "triptych"}
    url = url.update_query_dict({k: v for k, v in defaults.items() if k not in url.query})
    try:
        return sa.create_engine(url, pool_pre_ping=True, pool_size=pool_size, max_overflow=16)
    except ImportError as error:  # psycopg is there, the libpq it wraps is not
        raise Unavailable(f"PostgreSQL's driver does not load ({error}): pip install 'psycopg[binary]'.") from error


def _explained(error: exc.DBAPIError, url: URL) -> SuiteError:
    """The driver's error in words that say what to do; the password is never shown."""
    reason = " ".join(str(error.orig).split())
    if isinstance(error, exc.IntegrityError):
        return Conflict(f"The database refused the change: {reason}.")
    if "file is not a database" in reason:
        return InputError(f"{url.database} is no SQLite database. Give another path, or move the file away.")
    if "no such table" in reason or getattr(error.orig, "sqlstate", None) == UNDEFINED_TABLE:
        return Unavailable(f"The database lacks its tables ({reason}). Run `triptych db upgrade`.")
    if isinstance(error, exc.ProgrammingError):
        return SuiteError(f"The database refused a statement: {reason}.")
    if url.get_backend_name() == "sqlite":
        return Unavailable(f"Cannot use the database {url.database}: {reason}.", retry_after=5)
    where = url.set(query={}).render_as_string(hide_password=True)
    return Unavailable(f"Cannot use the database {where}: {reason}. Is the server running?", retry_after=5)
