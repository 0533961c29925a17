"""A bounded queue in front of a decoder, and the bridge from its threads to asyncio.

Knows generators only by their protocol; knows nothing of HTTP. A decoder computes alone on its own thread, so that
the event loop never waits for it; a reader that goes away stops its generation at the next token.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType

from core.backends.base import Generator, Sampling
from core.errors import Overloaded, SuiteError, Unavailable
from core.generate.stream import Completion, collect
from core.types import Message, Piece

_FIRST_GUESS = 3.0
"""Seconds that a generation is taken to last before one was measured."""


class _Job:
    """One generation on its way through the worker. A queue item of None ends the stream."""

    def __init__(self, messages: Sequence[Message], sampling: Sampling, loop: asyncio.AbstractEventLoop) -> None:
        self.messages = list(messages)
        self.sampling = sampling
        self.cancelled = False
        """Set by any thread, read between tokens; a plain flag, for it is also set while an object is collected."""
        self.pieces: asyncio.Queue[Piece | Exception | None] = asyncio.Queue()
        self._loop = loop

    def put(self, item: Piece | Exception | None) -> None:
        """Hand an item to the event loop; a loop that is gone cancels the job."""
        try:
            self._loop.call_soon_threadsafe(self.pieces.put_nowait, item)
        except RuntimeError:
            self.cancelled = True


class Stream:
    """The pieces of one generation, as they come. Close it, or drop it, and the generation stops."""

    def __init__(self, job: _Job) -> None:
        self._job = job
        self._ended = False

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> Piece:
        if self._ended:
            raise StopAsyncIteration
        try:
            item = await self._job.pieces.get()
        except BaseException:
            self.cancel()
            raise
        if isinstance(item, Piece):
            return item
        self._ended = True
        if item is None:
            raise StopAsyncIteration
        raise item

    def cancel(self) -> None:
        """Stop the generation at its next token; a waiting one never begins."""
        self._ended = True
        self._job.cancelled = True

    async def aclose(self) -> None:
        """As `cancel`; the name that asynchronous generators have."""
        self.cancel()

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def __del__(self) -> None:
        self.cancel()


class GenerationWorker:
    """Runs a generator's streams, one at a time for a local decoder, several for a remote server.

    Use it as a context manager, or call `start` and `close`. Threads begin with `start`, never earlier.

    :param generator: what writes.
    :param queue_size: generations that may wait; one more is refused.
    :param threads: generations that run at once; None asks the generator (`concurrency`), else 1.
    """

    def __init__(self, generator: Generator, *, queue_size: int = 16, threads: int | None = None) -> None:
        self.generator = generator
        self._queue_size = queue_size
        self._threads_wanted = max(1, threads or int(getattr(generator, "concurrency", 1)))
        self._threads: list[threading.Thread] = []
        self._waiting: deque[_Job] = deque()
        self._running: set[_Job] = set()
        self._changed = threading.Condition()
        self._closed = True
        self._seconds = _FIRST_GUESS

    def start(self) -> GenerationWorker:
        """Start the threads; a second call does nothing."""
        with self._changed:
            if not self._closed:
                return self
            self._closed = False
        for number in range(self._threads_wanted):
            thread = threading.Thread(target=self._work, name=f"generation-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def close(self, timeout: float = 5.0) -> bool:
        """Stop: waiting generations fail with Unavailable, running ones end at their next token.

        :param timeout: seconds to wait for the threads.
        :returns: whether all threads have ended.
        """
        with self._changed:
            self._closed = True
            waiting, running = list(self._waiting), list(self._running)
            self._waiting.clear()
            self._changed.notify_all()
        for job in waiting:
            job.put(Unavailable("the server is shutting down; ask again", retry_after=self._seconds))
        for job in running:
            job.cancelled = True
        until = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        alive = [thread for thread in self._threads if thread.is_alive()]
        self._threads = alive
        return not alive

    def __enter__(self) -> GenerationWorker:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def waiting(self) -> int:
        """Generations in the queue that somebody still wants."""
        return sum(not job.cancelled for job in list(self._waiting))

    @property
    def running(self) -> int:
        """Generations under way."""
        return len(self._running)

    @property
    def retry_after(self) -> float:
        """Seconds after which a place is likely: the mean length of a generation, shared by the threads."""
        return max(1.0, self._seconds / self._threads_wanted)

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Stream:
        """Queue a generation and return its pieces; call it inside a running event loop.

        What the generator raises comes out of the iteration: InputError, Unavailable...; any other error of it comes
        as Unavailable, and the worker goes on.

        :raises Overloaded: at once, if the queue is full.
        :raises Unavailable: at once, if the worker is closed.
        """
        job = _Job(messages, sampling, asyncio.get_running_loop())
        with self._changed:
            if self._closed:
                raise Unavailable(
                    "the generator is not running; the server is starting or shutting down", retry_after=1
                )
            self._waiting = deque(job for job in self._waiting if not job.cancelled)
            free = self._threads_wanted - len(self._running)
            if len(self._waiting) >= self._queue_size + free:
                raise Overloaded(
                    f"{len(self._running)} answers are being written and {len(self._waiting)} wait; try again shortly",
                    retry_after=self.retry_after,
                )
            self._waiting.append(job)
            self._changed.notify()
        return Stream(job)

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completion:
        """The whole generation; raises as `stream` and its iteration do."""
        async with self.stream(messages, sampling) as pieces:
            return collect([piece async for piece in pieces])

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                job = self._waiting.popleft()
                self._running.add(job)
            began = time.monotonic()
            finished = False
            try:
                finished = self._run(job)
            finally:
                with self._changed:
                    self._running.discard(job)
                    if finished:
                        self._seconds += 0.2 * (time.monotonic() - began - self._seconds)

    def _run(self, job: _Job) -> bool:
        """Generate; True if it went to its end."""
        end: Exception | None = None
        pieces = None
        try:
            if not job.cancelled:
                pieces = self.generator.stream(job.messages, job.sampling)
                for piece in pieces:
                    if job.cancelled:
                        break
                    if piece.text or piece.finish_reason or piece.usage:
                        job.put(piece)
        except SuiteError as error:
            end = error
        except Exception as error:
            end = Unavailable(f"the generator {self.generator.name} failed: {type(error).__name__}: {error}")
            end.__cause__ = error
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                with contextlib.suppress(Exception):
                    close()
        if self._closed and end is None and job.cancelled:
            end = Unavailable("the server is shutting down; ask again", retry_after=self._seconds)
        job.put(end)
        return end is None and not job.cancelled
