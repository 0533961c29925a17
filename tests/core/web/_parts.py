"""A small app for the tests of the server that carries apps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Request
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field

from core.errors import NotFound, Overloaded, SuiteError, UnknownColumn
from core.web import Part, WebSettings, create_web_app
from core.web.stream import EventStream

ERRORS: dict[str, Exception] = {
    "column": UnknownColumn("t.csv has no column 'label'; it has text."),
    "missing": NotFound("There is no cat 'x'."),
    "busy": Overloaded("The queue is full.", retry_after=2.2),
    "suite": SuiteError("The index is out of order."),
    "bug": ValueError("secret inside"),
    "surrogate": NotFound("There is no \ud83d here."),
}


class Cat(BaseModel):
    name: str = Field(max_length=5)
    age: int = 1


def cats(opened: list[str], state: dict[str, str]) -> Part:
    router = APIRouter()

    @router.get("/cats/{name}")
    async def cat(name: str) -> dict[str, str]:
        return {"name": name}

    @router.post("/cats")
    @router.post("/v1/cats")
    async def put(cat: Cat) -> Cat:
        return cat

    @router.get("/fail/{kind}")
    @router.get("/v1/fail/{kind}")
    async def fail(kind: str) -> None:
        raise ERRORS[kind]

    @router.post("/length")
    async def length(request: Request) -> dict[str, int]:
        return {"length": len(await request.body())}

    @router.post("/count")
    async def count() -> EventStream:
        return EventStream(numbers(opened))

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        opened.append("open")
        yield
        opened.append("closed")

    return Part(
        name="cats",
        path="/cats/",
        title={"en": "Cats", "zh": "猫"},
        summary={"en": "All about cats."},
        routers=[router],
        ready=lambda: state,
        lifespan=lifespan,
        shared_places=["/cats", "/cats/"],
        readable_places=["/length"],
        limited_places=["/cats", "/count"],
    )


async def numbers(heard: list[str]) -> AsyncGenerator[bytes]:
    try:
        for n in range(3):
            yield b"data: %d\n\n" % n
            await asyncio.sleep(0.005)
    finally:
        heard.append("stream closed")


def client(*, state: dict[str, str] | None = None, opened: list[str] | None = None, **settings: Any) -> TestClient:
    part = cats([] if opened is None else opened, {"food": "ok"} if state is None else state)
    return TestClient(create_web_app("Test", [part], WebSettings(**settings), max_body_bytes=1000))
