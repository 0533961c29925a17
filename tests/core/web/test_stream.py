from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message

from core.web.stream import ClientGone, EventStream, until_disconnect


class Wire:
    """An ASGI connection in memory: hangs up when told, keeps what was sent."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(m.get("body", b"") for m in self.sent)


async def endless(log: list[str]) -> AsyncGenerator[bytes]:
    try:
        while True:
            yield b"data: x\n\n"
            await asyncio.sleep(0.001)
    finally:
        log.append("closed")


def test_a_client_that_hangs_up_closes_the_generator() -> None:
    log: list[str] = []

    async def scenario() -> None:
        wire = Wire()
        serving = asyncio.create_task(EventStream(endless(log))({}, wire.receive, wire.send))
        await asyncio.sleep(0.02)
        wire.gone.set()
        await asyncio.wait_for(serving, 2)
        assert wire.body.startswith(b"data: x")

    asyncio.run(scenario())
    assert log == ["closed"]


def test_a_silent_stream_sends_comments() -> None:
    async def slow() -> AsyncGenerator[bytes]:
        await asyncio.sleep(0.08)
        yield b"data: end\n\n"

    async def scenario() -> bytes:
        wire = Wire()
        await EventStream(slow(), ping_seconds=0.02)({}, wire.receive, wire.send)
        assert wire.sent[-1]["more_body"] is False
        return wire.body

    body = asyncio.run(scenario())
    assert body.startswith(b": still here\n\n") and body.endswith(b"data: end\n\n")


def test_an_error_of_the_generator_is_not_swallowed() -> None:
    async def broken() -> AsyncGenerator[bytes]:
        yield b"data: 1\n\n"
        raise RuntimeError("broken")

    async def scenario() -> None:
        wire = Wire()
        await EventStream(broken())({}, wire.receive, wire.send)

    with pytest.raises(RuntimeError, match="broken"):
        asyncio.run(scenario())


def test_work_for_a_client_that_is_gone_is_cancelled() -> None:
    log: list[str] = []

    async def work() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        return "never"

    async def scenario() -> None:
        wire = Wire()
        scope: dict[str, Any] = {"type": "http", "headers": []}
        waiting = asyncio.create_task(until_disconnect(Request(scope, wire.receive), work()))
        await asyncio.sleep(0.01)
        wire.gone.set()
        with pytest.raises(ClientGone):
            await waiting

    asyncio.run(scenario())
    assert log == ["cancelled"]


def test_work_that_ends_first_gives_its_result() -> None:
    async def work() -> int:
        return 7

    async def scenario() -> int:
        wire = Wire()
        return await until_disconnect(Request({"type": "http", "headers": []}, wire.receive), work())

    assert asyncio.run(scenario()) == 7
