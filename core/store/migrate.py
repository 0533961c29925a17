"""Runs each app's migrations from Python, without alembic.ini or env.py.

Knows alembic, and that an app's migrations lie in `apps/<app>/migrations/versions` and are counted in a table of
their own, `alembic_version_<app>`; knows no table of any app.
"""

from __future__ import annotations

import importlib.util
import threading
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from core.errors import Conflict, NotFound
from core.store.engine import transaction

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext, RevisionStep
    from alembic.script import ScriptDirectory

_one_at_a_time = threading.Lock()
"""alembic's `op` is one object for the whole process."""


def upgrade(engine: sa.Engine, app: str, *, revision: str = "head", folder: Path | None = None) -> str:
    """Bring an app's tables to a revision; does nothing when they are there already.

    All steps run in one transaction under a lock of the database, so two processes that start at once both find the
    tables ready, and a step that fails leaves nothing behind.

    :param app: folder name under `apps`, as in "customer_service".
    :param revision: "head" or a revision's id.
    :param folder: the migrations, where they are not the app's own.
    :returns: the revision in force afterwards.
    :raises NotFound: if there is no such app or revision.
    :raises Conflict: if the database was written by a newer version of the program.
    """
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.util import CommandError

    script = _script(app, folder)

    def steps(heads: tuple[str, ...], _context: MigrationContext) -> list[RevisionStep]:
        return script._upgrade_revs(revision, heads)  # type: ignore[arg-type]

    with _one_at_a_time, transaction(engine, write=True) as connection:
        if engine.dialect.name == "postgresql":
            key = zlib.crc32(_table(app).encode())
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
        before = _current(connection, app)
        _known(script, before, app)
        with EnvironmentContext(Config(), script, fn=steps, destination_rev=revision) as environment:
            environment.configure(connection=connection, version_table=_table(app), transactional_ddl=True)
            try:
                environment.run_migrations()
            except CommandError as error:
                raise NotFound(f"{app} has no migration {revision!r}: {error}") from error
        after = _current(connection, app)
    return after or ""


def current(engine: sa.Engine, app: str) -> str | None:
    """The revision of an app's tables; None before the first migration."""
    with transaction(engine) as connection:
        return _current(connection, app)


def _current(connection: sa.Connection, app: str) -> str | None:
    if not sa.inspect(connection).has_table(_table(app)):
        return None
    table = sa.table(_table(app), sa.column("version_num", sa.String))
    return connection.execute(sa.select(table.c.version_num)).scalar_one_or_none()


def _table(app: str) -> str:
    return f"alembic_version_{app}"


def _script(app: str, folder: Path | None) -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    if folder is None:
        spec = importlib.util.find_spec(f"apps.{app}") if app.isidentifier() else None
        if spec is None or not spec.submodule_search_locations:
            raise NotFound(f"There is no app {app!r}.")
        folder = Path(spec.submodule_search_locations[0]) / "migrations"
    if not (folder / "versions").is_dir():
        raise NotFound(f"{app} has no migrations in {folder / 'versions'}.")
    return ScriptDirectory(str(folder))


def _known(script: ScriptDirectory, revision: str | None, app: str) -> None:
    from alembic.util import CommandError

    try:
        if revision is not None:
            script.get_revision(revision)
    except CommandError as error:
        raise Conflict(
            f"The tables of {app} are at revision {revision!r}, which this version does not know: the database was "
            "written by a newer one. Install that version again, or restore a backup."
        ) from error
