from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI

from core.errors import Conflict, InputError, ModelNotPrepared
from core.settings import CoreSettings
from core.web.run import address, listen, run, web_settings


def test_a_taken_port_is_said_with_another_to_try() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(Conflict, match=f"127.0.0.1:{port} is in use.*--port {port + 1}"):
            listen("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(InputError, match=r"192\.0\.2\.1"):
        listen("192.0.2.1", 0)


def test_the_url_is_one_that_a_browser_can_open() -> None:
    with listen("0.0.0.0", 0) as listening:
        assert address(listening) == f"http://127.0.0.1:{listening.getsockname()[1]}/"


def test_the_command_line_stands_over_the_settings() -> None:
    assert web_settings(None, 8123).port == 8123
    assert web_settings().host == "127.0.0.1"


def test_what_stops_the_start_is_raised_without_a_traceback_in_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        raise ModelNotPrepared("Run `triptych models prepare`.")
        yield

    with pytest.raises(ModelNotPrepared):
        run(FastAPI(lifespan=lifespan), web_settings("127.0.0.1", 0), CoreSettings())
    assert "Traceback" not in capfd.readouterr().err


def test_the_port_is_free_again_after_a_failed_start() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        raise ModelNotPrepared("missing")
        yield

    with pytest.raises(ModelNotPrepared):
        run(FastAPI(lifespan=lifespan), web_settings("127.0.0.1", port), CoreSettings())
    listen("127.0.0.1", port).close()
