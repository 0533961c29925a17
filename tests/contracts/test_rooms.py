"""Every app has the same rooms; no room has grown too big."""

from __future__ import annotations

import pytest

from apps.__main__ import APPS as REGISTERED
from tests.contracts.house import APPS, ROOT, sources

ROOMS = (
    "README.md",
    "settings.py",
    "schemas.py",
    "data.py",
    "samples/SOURCE.md",
    "store.py",
    "migrations/versions",
    "model.py",
    "service.py",
    "train.py",
    "evaluate.py",
    "api.py",
    "web",
    "cli.py",
)
OWN = {"customer_service": "answer.py", "finance_sentiment": "alerts.py", "recommender": "rank.py"}
LONGEST = 300


@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize("room", ROOMS)
def test_every_app_has_every_room(app: str, room: str) -> None:
    assert (ROOT / "apps" / app / room).exists(), f"apps/{app}/{room} is missing"


@pytest.mark.parametrize("app", APPS)
def test_every_app_has_its_own_room(app: str) -> None:
    assert (ROOT / "apps" / app / OWN[app]).is_file()


def test_every_app_is_on_the_command_line() -> None:
    assert sorted(app.package for app in REGISTERED) == APPS


@pytest.mark.parametrize("app", APPS)
def test_tests_mirror_the_app(app: str) -> None:
    assert any((ROOT / "tests" / "apps" / app).glob("test_*.py"))


def test_no_file_is_longer_than_300_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources("core", "apps", "tests", "deploy")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST
    }
    assert not long, f"these want a wall: {long}"


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in sources("tests")}
    assert not [str(folder) for folder in folders if not (folder / "__init__.py").exists()]
