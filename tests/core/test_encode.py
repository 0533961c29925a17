from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from core.backends.base import Encoder
from core.backends.fake import FakeEncoder
from core.encode import BatchingEncoder
from core.errors import Overloaded, Unavailable
from core.types import FloatArray


class SlowEncoder(FakeEncoder):
    """Counts its calls, waits at a gate, and breaks on the text "bad"."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.calls: list[int] = []

    def encode(self, texts: Sequence[str], *, batch_size: int = 32) -> FloatArray:
        self.calls.append(len(texts))
        self.entered.set()
        self.gate.wait(10)
        if "bad" in texts:
            raise ValueError("bad text")
        return super().encode(texts, batch_size=batch_size)


@pytest.fixture
def slow() -> SlowEncoder:
    return SlowEncoder()


@pytest.fixture
def batching(slow: SlowEncoder) -> Iterator[BatchingEncoder]:
    with BatchingEncoder(slow, max_batch=4, queue_size=8) as encoder:
        yield encoder
        slow.gate.set()


def hold(batching: BatchingEncoder, slow: SlowEncoder, pool: ThreadPoolExecutor) -> None:
    """Keep the worker busy with one request."""
    slow.gate.clear()
    slow.entered.clear()
    pool.submit(batching.encode, ["busy"])
    assert slow.entered.wait(10)


def wait_until_queued(batching: BatchingEncoder, count: int) -> None:
    for _ in range(1000):
        if batching.waiting == count:
            return
        time.sleep(0.005)
    raise AssertionError(f"{batching.waiting} wait, expected {count}")


def test_it_is_an_encoder_with_the_same_answers(batching: BatchingEncoder) -> None:
    assert isinstance(batching, Encoder)
    texts = ["one card", "two cards", ""]
    assert np.array_equal(batching.encode(texts), FakeEncoder().encode(texts))
    assert batching.encode([]).shape == (0, 64)
    assert batching.count_tokens(texts) == [2, 2, 0] and batching.name == "fake"
    assert np.allclose(batching.finish(batching.forward(batching.prepare(texts))), batching.encode(texts))


def test_a_lone_request_runs_at_once(batching: BatchingEncoder) -> None:
    batching.encode(["warm"])
    started = time.perf_counter()
    for _ in range(20):
        batching.encode(["alone"])
    assert (time.perf_counter() - started) / 20 < 0.05


def test_requests_that_wait_are_encoded_together_and_each_gets_its_own(
    batching: BatchingEncoder, slow: SlowEncoder
) -> None:
    with ThreadPoolExecutor(8) as pool:
        hold(batching, slow, pool)
        futures = [pool.submit(batching.encode, [f"text {i}"]) for i in range(6)]
        wait_until_queued(batching, 6)
        slow.gate.set()
        rows = [future.result(10) for future in futures]
    assert slow.calls == [1, 4, 2]
    for i, row in enumerate(rows):
        assert np.allclose(row, FakeEncoder().encode([f"text {i}"]))


def test_over_the_queue_a_request_is_refused_with_the_time_to_come_back(
    batching: BatchingEncoder, slow: SlowEncoder
) -> None:
    with ThreadPoolExecutor(16) as pool:
        hold(batching, slow, pool)
        futures = [pool.submit(batching.encode, ["x"]) for _ in range(8)]
        wait_until_queued(batching, 8)
        with pytest.raises(Overloaded, match="TRIPTYCH_QUEUE_SIZE") as refused:
            batching.encode(["one more"])
        assert refused.value.retry_after is not None and refused.value.retry_after >= 1
        slow.gate.set()
        assert all(future.result(10).shape == (1, 64) for future in futures)


def test_a_failing_request_takes_neither_its_neighbours_nor_the_worker_along(
    batching: BatchingEncoder, slow: SlowEncoder
) -> None:
    with ThreadPoolExecutor(4) as pool:
        hold(batching, slow, pool)
        good, bad = pool.submit(batching.encode, ["good"]), pool.submit(batching.encode, ["bad"])
        wait_until_queued(batching, 2)
        slow.gate.set()
        assert good.result(10).shape == (1, 64)
        with pytest.raises(ValueError, match="bad text"):
            bad.result(10)
    assert batching.encode(["after"]).shape == (1, 64)


def test_coroutines_are_batched_too(batching: BatchingEncoder) -> None:
    async def ask() -> list[FloatArray]:
        return await asyncio.gather(*(batching.aencode([f"text {i}"]) for i in range(6)))

    for i, row in enumerate(asyncio.run(ask())):
        assert np.allclose(row, FakeEncoder().encode([f"text {i}"]))


def test_a_cancelled_request_is_not_computed_and_harms_nobody(batching: BatchingEncoder, slow: SlowEncoder) -> None:
    async def ask() -> FloatArray:
        loop = asyncio.get_running_loop()
        slow.gate.clear()
        slow.entered.clear()
        busy = asyncio.create_task(batching.aencode(["busy"]))
        await loop.run_in_executor(None, slow.entered.wait, 10)
        waiting = asyncio.create_task(batching.aencode(["gone"]))
        stays = asyncio.create_task(batching.aencode(["stays"]))
        await loop.run_in_executor(None, wait_until_queued, batching, 2)
        busy.cancel()
        waiting.cancel()
        await asyncio.gather(busy, waiting, return_exceptions=True)
        await asyncio.sleep(0.01)  # the loop hands the cancellation on in its next turn
        slow.gate.set()
        return await stays

    assert asyncio.run(ask()).shape == (1, 64)
    assert slow.calls == [1, 1]


def test_closing_answers_the_waiting_and_refuses_the_late(slow: SlowEncoder) -> None:
    batching = BatchingEncoder(slow, max_batch=4)
    with ThreadPoolExecutor(4) as pool:
        slow.gate.clear()
        running = pool.submit(batching.encode, ["running"])
        assert slow.entered.wait(10)
        waiting = pool.submit(batching.encode, ["waiting"])
        wait_until_queued(batching, 1)
        closing = pool.submit(batching.close)
        with pytest.raises(Unavailable, match="was closed"):
            waiting.result(10)
        slow.gate.set()
        closing.result(10)
        assert running.result(10).shape == (1, 64)
    with pytest.raises(Unavailable):
        batching.encode(["late"])
    batching.close()


def test_a_big_request_is_taken_alone_and_whole(batching: BatchingEncoder, slow: SlowEncoder) -> None:
    assert batching.encode([f"text {i}" for i in range(50)]).shape == (50, 64)
    assert slow.calls == [50]
