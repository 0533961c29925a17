"""One thread for a decoder, a bounded queue, and readers that go away."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence

import pytest

from core.backends.base import Sampling
from core.backends.fake import FakeGenerator
from core.errors import InputError, Overloaded, Unavailable
from core.generate.worker import GenerationWorker
from core.types import Message, Piece, Usage

ASK = [Message("user", "hi")]
SAMPLING = Sampling(max_tokens=10_000)


class Slow(FakeGenerator):
    """Ten words a second at most, and remembers what ran at once and what was closed."""

    def __init__(self, delay: float = 0.01, concurrency: int = 1) -> None:
        super().__init__("word " * 500)
        self.delay = delay
        self.concurrency = concurrency
        self.at_once = self.most = self.closed = self.begun = 0
        self._lock = threading.Lock()

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[Piece]:
        inner = super().stream(messages, sampling)
        return self._slowly(inner)

    def _slowly(self, inner: Iterator[Piece]) -> Iterator[Piece]:
        with self._lock:
            self.begun += 1
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        try:
            for piece in inner:
                time.sleep(self.delay)
                yield piece
        finally:
            with self._lock:
                self.at_once -= 1
                self.closed += 1


def _until(condition: Callable[[], bool], seconds: float = 5.0) -> Awaitable[None]:
    async def wait() -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "waited too long"
            await asyncio.sleep(0.005)

    return wait()


def test_pieces_cross_to_the_event_loop_in_order() -> None:
    async def run() -> None:
        with GenerationWorker(FakeGenerator("The fee is five dollars.")) as worker:
            pieces = [piece async for piece in worker.stream(ASK, SAMPLING)]
            assert "".join(p.text for p in pieces) == "The fee is five dollars."
            assert (pieces[-1].finish_reason, pieces[-1].usage) == ("stop", Usage(1, 5))
            assert (await worker.complete(ASK, SAMPLING)).text == "The fee is five dollars."

    asyncio.run(run())


def test_the_event_loop_stays_free_while_the_decoder_works() -> None:
    async def run() -> None:
        with GenerationWorker(Slow(delay=0.2)) as worker:
            stream = worker.stream(ASK, SAMPLING)
            began = time.monotonic()
            await asyncio.sleep(0.01)
            assert time.monotonic() - began < 0.15
            await stream.aclose()

    asyncio.run(run())


def test_one_runs_some_wait_and_one_more_is_refused_with_a_delay() -> None:
    async def run() -> None:
        generator = Slow()
        with GenerationWorker(generator, queue_size=2) as worker:
            first = worker.stream(ASK, SAMPLING)
            await anext(first)
            others = [worker.stream(ASK, SAMPLING), worker.stream(ASK, SAMPLING)]
            assert (worker.running, worker.waiting) == (1, 2)
            with pytest.raises(Overloaded, match="2 wait") as caught:
                worker.stream(ASK, SAMPLING)
            assert caught.value.retry_after is not None
            assert caught.value.retry_after >= 1
            await others[0].aclose()
            others.append(worker.stream(ASK, SAMPLING))
            await first.aclose()
            assert (await anext(others[1])).text == "word"
            assert generator.most == 1
            for stream in others:
                await stream.aclose()

    asyncio.run(run())


def test_a_queue_of_none_still_runs_one() -> None:
    async def run() -> None:
        with GenerationWorker(Slow(), queue_size=0) as worker:
            stream = worker.stream(ASK, SAMPLING)
            with pytest.raises(Overloaded):
                worker.stream(ASK, SAMPLING)
            await anext(stream)
            await stream.aclose()
            await _until(lambda: worker.running == 0)
            await anext(worker.stream(ASK, SAMPLING))

    asyncio.run(run())


def test_a_cancelled_reader_stops_its_generation_at_the_next_token() -> None:
    async def run() -> None:
        generator = Slow()
        with GenerationWorker(generator) as worker:

            async def read() -> None:
                async for _ in worker.stream(ASK, SAMPLING):
                    pass

            task = asyncio.create_task(read())
            await _until(lambda: generator.begun == 1)
            task.cancel()
            began = time.monotonic()
            await _until(lambda: generator.closed == 1)
            assert time.monotonic() - began < 0.5
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())


def test_a_dropped_stream_stops_too_and_a_waiting_one_never_begins() -> None:
    async def run() -> None:
        generator = Slow()
        with GenerationWorker(generator) as worker:
            first = worker.stream(ASK, SAMPLING)
            await anext(first)
            waiting = worker.stream(ASK, SAMPLING)
            del waiting
            assert worker.waiting == 0
            del first
            await _until(lambda: generator.closed == 1 and worker.running == 0)
            assert generator.begun == 1

    asyncio.run(run())


def test_a_crash_of_one_generation_leaves_the_worker_alive() -> None:
    def says(messages: Sequence[Message]) -> str:
        if messages[-1].content == "crash":
            raise ZeroDivisionError("inside the decoder")
        return "fine"

    async def run() -> None:
        with GenerationWorker(FakeGenerator(says, context_tokens=20)) as worker:
            with pytest.raises(Unavailable, match="ZeroDivisionError"):
                await worker.complete([Message("user", "crash")], SAMPLING)
            with pytest.raises(InputError):
                await worker.complete([Message("user", "long " * 50)], SAMPLING)
            assert (await worker.complete(ASK, SAMPLING)).text == "fine"

    asyncio.run(run())


def test_a_remote_generator_runs_as_many_as_it_says() -> None:
    async def run() -> None:
        generator = Slow(concurrency=3)
        with GenerationWorker(generator, queue_size=0) as worker:
            streams = [worker.stream(ASK, SAMPLING) for _ in range(3)]
            await asyncio.gather(*(anext(stream) for stream in streams))
            assert generator.most == 3
            for stream in streams:
                await stream.aclose()

    asyncio.run(run())


def test_closing_ends_running_and_waiting_generations_and_the_threads() -> None:
    async def run() -> None:
        generator = Slow()
        worker = GenerationWorker(generator).start()
        first = worker.stream(ASK, SAMPLING)
        await anext(first)
        second = worker.stream(ASK, SAMPLING)
        assert await asyncio.to_thread(worker.close)
        with pytest.raises(Unavailable, match="shutting down"):
            async for _ in first:
                pass
        with pytest.raises(Unavailable, match="shutting down"):
            await anext(second)
        with pytest.raises(Unavailable, match="not running"):
            worker.stream(ASK, SAMPLING)
        assert generator.closed == 1
        assert not [t for t in threading.enumerate() if t.name.startswith("generation-")]

    asyncio.run(run())


def test_a_loop_that_is_gone_does_not_hurt_the_worker() -> None:
    generator = Slow()
    with GenerationWorker(generator) as worker:

        async def leave() -> None:
            stream = worker.stream(ASK, SAMPLING)
            await anext(stream)
            kept.append(stream)

        kept: list[object] = []
        asyncio.run(leave())
        asyncio.run(_waited(lambda: generator.closed == 1))

        async def again() -> str:
            return (await anext(worker.stream(ASK, SAMPLING))).text

        assert asyncio.run(again()) == "word"


async def _waited(condition: Callable[[], bool]) -> None:
    await _until(condition)


def test_nothing_starts_before_start() -> None:
    before = threading.active_count()
    GenerationWorker(FakeGenerator())
    assert threading.active_count() == before
