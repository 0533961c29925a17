"""A small OpenAI-compatible server that really listens; the model's name says how it behaves."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

CHINESE = "早期销户费为50美元，九十天后免收。"
ENGLISH = "The early closure fee is $50 within 90 days. STOP here is more."


class Remote:
    """Where the server listens and what it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.closed_early = threading.Event()


def _event(value: object) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


def _delta(text: str, reason: str | None = None) -> str:
    return _event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": reason}]})


def _app(remote: Remote) -> FastAPI:
    app = FastAPI()

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        body = await request.json()
        remote.bodies.append(body)
        remote.keys.append(request.headers.get("authorization"))
        model = body["model"]
        if model == "busy":
            return JSONResponse({"error": {"message": "too many"}}, 429, {"retry-after": "7"})
        if model == "picky":
            return JSONResponse({"error": {"message": "context length exceeded"}}, 400)
        if model == "locked":
            return JSONResponse({"error": {"message": "bad key"}}, 401)
        if model == "unknown":
            return JSONResponse({"error": {"message": "no such model"}}, 404)
        if model == "broken":
            return PlainTextResponse("oops", 500)
        if model == "not-a-stream":
            return JSONResponse({"choices": []})
        if model == "endless":
            return StreamingResponse(_endless(remote), media_type="text/event-stream")
        return StreamingResponse(_stream(model), media_type="text/event-stream")

    return app


async def _endless(remote: Remote) -> AsyncIterator[bytes]:
    try:
        for number in range(10_000):
            yield _delta(f"{number} ").encode()
            await asyncio.sleep(0.01)
    finally:
        remote.closed_early.set()


def _stream(model: str) -> Iterator[bytes]:
    if model == "garbage":
        yield b"data: {not json\n\n"
        return
    if model == "strange":
        yield _event({"choices": [{"delta": {"content": 5}}]}).encode()
        return
    if model == "dying":
        yield _delta("The fee ").encode()
        raise ConnectionResetError("the server died")
    if model == "complains":
        yield _delta("The fee ").encode()
        yield _event({"error": {"message": "out of memory"}}).encode()
        return
    if model == "silent":
        yield b": waiting\n\n"
        time.sleep(1.5)
    text = CHINESE if model == "chinese" else ENGLISH
    yield _event({"choices": [{"delta": {"role": "assistant", "content": None}, "finish_reason": None}]}).encode()
    if model == "chinese":  # bytes cut inside characters
        raw = "".join(_delta(c) for c in text).encode()
        yield from (raw[i : i + 5] for i in range(0, len(raw), 5))
    else:
        yield from (_delta(word + " ").encode() for word in text.split(" "))
    yield _delta("", "length" if model == "short" else "stop").encode()
    if model != "no-usage":
        yield _event({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7}}).encode()
    yield b"data: [DONE]\n\n"


@contextmanager
def serve() -> Iterator[Remote]:
    """Run the server on a free port until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    remote = Remote(f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
    server = uvicorn.Server(uvicorn.Config(_app(remote), log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield remote
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(10)
        listener.close()
