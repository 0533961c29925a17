"""Server-sent events, and work that ends when its client is gone.

Knows ASGI; knows nothing of what is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

T = TypeVar("T")


class ClientGone(Exception):
    """The client hung up before its answer was ready."""


class EventStream(Response):
    """A response of server-sent events.

    The generator is closed, and with it whatever it waits for, as soon as the client hangs up. While it is silent for
    `ping_seconds` a comment line goes out, so that proxies keep the connection.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes], *, ping_seconds: float = 15.0) -> None:
        self.events = events
        self.ping_seconds = ping_seconds
        self.status_code = 200
        self.background = None
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events; return when they end or nobody listens."""
        pump = asyncio.create_task(self._pump(send))
        watch = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({pump, watch}, return_when=asyncio.FIRST_COMPLETED)
            finished = pump.done()
        finally:
            await _end(pump, watch)
        if finished:
            pump.result()

    async def _pump(self, send: Send) -> None:
        last = time.monotonic()

        async def ping() -> None:
            while True:
                await asyncio.sleep(self.ping_seconds / 2)
                if time.monotonic() - last >= self.ping_seconds:
                    await send({"type": "http.response.body", "body": b": still here\n\n", "more_body": True})

        async with contextlib.aclosing(self.events):
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            pinger = asyncio.create_task(ping())
            try:
                async for event in self.events:
                    last = time.monotonic()
                    await send({"type": "http.response.body", "body": event, "more_body": True})
            finally:
                await _end(pinger)
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def until_disconnect(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The work's result; the work is cancelled when the client hangs up first.

    :param request: its body must have been read.
    :raises ClientGone: if nobody waits for the result any more.
    """
    task = asyncio.create_task(work)
    watch = asyncio.create_task(_disconnected(request.receive))
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        await _end(task, watch)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
