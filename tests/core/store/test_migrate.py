from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.errors import Conflict, NotFound
from core.store import current, open_engine, transaction, upgrade

FIRST = """
import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None

def upgrade():
    op.create_table("first", sa.Column("id", sa.Integer, primary_key=True))
"""
SECOND = """
import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"

def upgrade():
    op.create_table("second", sa.Column("id", sa.Integer, primary_key=True))
    {}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    versions = tmp_path / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions / "0001_first.py").write_text(FIRST)
    return versions.parent


def tables(engine: sa.Engine) -> set[str]:
    with engine.connect() as connection:
        return set(sa.inspect(connection).get_table_names())


def test_an_upgrade_makes_the_tables_once_and_then_does_nothing(engine: sa.Engine, folder: Path) -> None:
    assert current(engine, "shop") is None
    assert upgrade(engine, "shop", folder=folder) == "1"
    assert upgrade(engine, "shop", folder=folder) == "1"
    assert current(engine, "shop") == "1"
    assert tables(engine) == {"first", "alembic_version_shop"}


def test_a_new_step_is_added_to_a_database_that_holds_data(engine: sa.Engine, folder: Path) -> None:
    upgrade(engine, "shop", folder=folder)
    with transaction(engine, write=True) as connection:
        connection.execute(sa.text("INSERT INTO first VALUES (7)"))
    (folder / "versions" / "0002_second.py").write_text(SECOND.format(""))
    assert upgrade(engine, "shop", folder=folder) == "2"
    with transaction(engine) as connection:
        assert connection.execute(sa.text("SELECT id FROM first")).scalars().all() == [7]


def test_a_step_that_fails_leaves_nothing_behind(engine: sa.Engine, folder: Path) -> None:
    (folder / "versions" / "0002_second.py").write_text(SECOND.format("raise RuntimeError('in the middle')"))
    with pytest.raises(RuntimeError, match="in the middle"):
        upgrade(engine, "shop", folder=folder)
    assert tables(engine) == set()
    assert upgrade(engine, "shop", revision="1", folder=folder) == "1"


def test_a_database_of_a_newer_version_is_refused_and_left_alone(engine: sa.Engine, folder: Path) -> None:
    second = folder / "versions" / "0002_second.py"
    second.write_text(SECOND.format(""))
    upgrade(engine, "shop", folder=folder)
    second.unlink()
    with pytest.raises(Conflict, match=r"'2'.*newer"):
        upgrade(engine, "shop", folder=folder)
    assert current(engine, "shop") == "2"


def test_two_apps_in_one_database_count_their_migrations_apart(engine: sa.Engine, folder: Path) -> None:
    upgrade(engine, "shop", folder=folder)
    upgrade(engine, "customer_service")
    assert current(engine, "shop") == "1"
    assert {"alembic_version_shop", "alembic_version_customer_service"} <= tables(engine)


def test_three_processes_that_start_at_once_all_find_the_tables(database_url: str) -> None:
    code = (
        "import sys; from core.store import open_engine, upgrade; "
        "engine = open_engine(sys.argv[1]); print(upgrade(engine, 'customer_service')); engine.dispose()"
    )
    started = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", code, database_url], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = [process.communicate(timeout=120)[0].strip() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    engine = open_engine(database_url)
    assert answers == [current(engine, "customer_service")] * 3
    engine.dispose()


@pytest.mark.parametrize("app", ["nothing_like_it", "../etc", ""])
def test_an_app_that_does_not_exist_is_not_found(engine: sa.Engine, app: str) -> None:
    with pytest.raises(NotFound, match="no app"):
        upgrade(engine, app)


def test_a_revision_that_does_not_exist_is_not_found(engine: sa.Engine, folder: Path) -> None:
    with pytest.raises(NotFound, match="'99'"):
        upgrade(engine, "shop", revision="99", folder=folder)
