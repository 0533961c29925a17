from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator

import pytest
import structlog

from core.log import configure, get_logger, request_context, request_id
from core.settings import CoreSettings

Lines = Callable[[], list[str]]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    def read() -> list[str]:
        return capsys.readouterr().err.splitlines()

    return read


def start(*, quietly: bool = False, **settings: str) -> None:
    configure(CoreSettings.model_validate({"log_format": "json", **settings}), quietly=quietly)


def test_a_record_is_one_json_object_with_its_facts(lines: Lines) -> None:
    start()
    get_logger("core.test").info("ingested", files=3, folder=["a", {"b": 1.5}])
    record = json.loads(lines()[-1])
    assert record["event"] == "ingested" and record["files"] == 3 and record["folder"] == ["a", {"b": 1.5}]
    assert record["level"] == "info" and record["logger"] == "core.test" and record["timestamp"].endswith("Z")


def test_personal_data_leaves_every_string_however_deep(lines: Lines) -> None:
    start()
    get_logger("t").info("asked by ann@example.com", question={"text": ["mail bob@example.org", None]}, ok=True)
    (line,) = lines()
    assert "@example" not in line and json.loads(line)["ok"] is True


def test_a_traceback_is_redacted_too(lines: Lines) -> None:
    start()
    try:
        raise ValueError("no mail to eve@example.com")
    except ValueError:
        get_logger("t").exception("failed")
    (line,) = lines()
    assert "ValueError" in line and "eve@" not in line


def test_records_of_other_libraries_take_the_same_way(lines: Lines) -> None:
    start()
    logging.getLogger("another.library").warning("started by %s", "zoe@example.com")
    record = json.loads(lines()[-1])
    assert record["logger"] == "another.library" and "zoe@" not in record["event"]


def test_a_record_inside_a_request_carries_its_id(lines: Lines) -> None:
    start()
    assert request_id() is None
    with request_context("abc-1", client="web") as name:
        get_logger("t").info("answered")
        assert request_id() == name == "abc-1"
    get_logger("t").info("after")
    first, second = (json.loads(line) for line in lines())
    assert first["request_id"] == "abc-1" and first["client"] == "web" and "request_id" not in second


def test_a_request_without_an_id_gets_one() -> None:
    with request_context() as one, request_context() as two:
        assert one != two and len(one) == 16


def test_less_severe_records_are_not_written(lines: Lines) -> None:
    start(log_level="warning")
    get_logger("t").info("nothing")
    logging.getLogger("alembic.runtime").info("nothing")
    assert lines() == []


def test_a_command_is_quiet_unless_a_level_was_set(lines: Lines) -> None:
    start(quietly=True)
    get_logger("t").info("nothing")
    assert lines() == []
    start(quietly=True, log_level="info")
    get_logger("t").info("something")
    assert "something" in lines()[0]


def test_lines_for_people_are_not_json(lines: Lines) -> None:
    start(log_format="console")
    get_logger("t").warning("low disk", free="2 GB")
    (line,) = lines()
    assert "low disk" in line and not line.startswith("{")
