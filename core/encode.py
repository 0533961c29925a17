"""Requests of many threads and coroutines, encoded together: gathered by one worker, bounded in number.

Tokenising runs on the callers' side of the queue, computing in one worker thread, alone: two forward passes at once
would only fight for the same cores. A lone request runs at once; while a batch is computed the next one gathers.
Knows encoders, nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np

from core.backends.base import Encoder
from core.errors import Overloaded, Unavailable
from core.types import FloatArray, TokenBatch


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    texts: tuple[str, ...]
    future: Future[FloatArray] = field(default_factory=Future)


class BatchingEncoder:
    """An `Encoder` that many may call at once."""

    def __init__(self, encoder: Encoder, *, max_batch: int = 32, queue_size: int = 256) -> None:
        """Start the worker.

        :param encoder: computes; used by the worker thread alone, except for counting tokens.
        :param max_batch: texts gathered into one call of the encoder, and rows of one forward pass.
        :param queue_size: requests that may wait; one more is refused.
        """
        self.encoder = encoder
        self.max_batch = max_batch
        self.queue_size = queue_size
        self._waiting: deque[_Request] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._rate = 100.0
        """Texts a second lately; for the Retry-After of a refusal."""
        self._worker = threading.Thread(target=self._work, name=f"encode-{encoder.name}", daemon=True)
        self._worker.start()

    @property
    def name(self) -> str:
        """The encoder's name."""
        return self.encoder.name

    @property
    def dimension(self) -> int:
        """Length d of a row."""
        return self.encoder.dimension

    @property
    def max_tokens(self) -> int:
        """Longer texts are cut to this many tokens."""
        return self.encoder.max_tokens

    @property
    def waiting(self) -> int:
        """Requests in the queue now."""
        return len(self._waiting)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text; runs on the caller's thread."""
        return self.encoder.count_tokens(texts)

    def prepare(self, texts: Sequence[str]) -> TokenBatch:
        """Tokenise and pad; runs on the caller's thread."""
        return self.encoder.prepare(texts)

    def forward(self, batch: TokenBatch) -> FloatArray:
        """(n, d) float32, pooled, not normalised; runs on the caller's thread, beside the queue."""
        return self.encoder.forward(batch)

    def finish(self, rows: FloatArray) -> FloatArray:
        """(n, d) float32, rows L2-normalised."""
        return self.encoder.finish(rows)

    def encode(self, texts: Sequence[str], *, batch_size: int = 32) -> FloatArray:
        """(n, d) float32, rows L2-normalised, in the order given; waits for the worker.

        :param batch_size: accepted for the `Encoder` contract; the worker's `max_batch` rules.
        :raises Overloaded: if the queue is full; carries `retry_after`.
        :raises Unavailable: if the encoder was closed.
        """
        return self._submit(texts).result()

    async def aencode(self, texts: Sequence[str]) -> FloatArray:
        """`encode` for coroutines. Cancelling takes the request out of the queue, or drops its result.

        :raises Overloaded: if the queue is full; carries `retry_after`.
        :raises Unavailable: if the encoder was closed.
        """
        return await asyncio.wrap_future(self._submit(texts))

    def close(self) -> None:
        """Refuse new requests, answer the waiting ones with `Unavailable`, wait for the batch under way."""
        with self._changed:
            self._closed = True
            left = list(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        for request in left:
            _fail(request, Unavailable("The encoder was closed; the server is stopping.", retry_after=5.0))
        if threading.current_thread() is not self._worker:
            self._worker.join()

    def __enter__(self) -> BatchingEncoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _submit(self, texts: Sequence[str]) -> Future[FloatArray]:
        request = _Request(tuple(texts))
        with self._changed:
            if self._closed:
                raise Unavailable("The encoder was closed; the server is stopping.", retry_after=5.0)
            if len(self._waiting) >= self.queue_size:
                pending = sum(len(waiting.texts) for waiting in self._waiting)
                raise Overloaded(
                    f"{len(self._waiting)} encoding requests wait already; retry later or raise TRIPTYCH_QUEUE_SIZE.",
                    retry_after=max(1.0, round(pending / self._rate, 1)),
                )
            self._waiting.append(request)
            self._changed.notify()
        return request.future

    def _gather(self) -> list[_Request]:
        """Wait for requests; then all that fit into one batch, at least one. Empty when closed."""
        with self._changed:
            while True:
                while not self._waiting:
                    if self._closed:
                        return []
                    self._changed.wait()
                batch: list[_Request] = []
                size = 0
                while self._waiting:
                    following = self._waiting[0]
                    if batch and size + len(following.texts) > self.max_batch:
                        break
                    self._waiting.popleft()
                    if following.future.set_running_or_notify_cancel():  # else its caller has gone
                        batch.append(following)
                        size += len(following.texts)
                if batch:
                    return batch

    def _work(self) -> None:
        while batch := self._gather():
            self._compute(batch)

    def _compute(self, batch: list[_Request]) -> None:
        texts = [text for request in batch for text in request.texts]
        started = time.perf_counter()
        try:
            rows = self.encoder.encode(texts, batch_size=self.max_batch)
        except BaseException as error:
            if len(batch) == 1:
                _fail(batch[0], error)
            else:  # one bad request must not take its neighbours along
                for request in batch:
                    self._compute([request])
            return
        if texts:
            spent = max(time.perf_counter() - started, 1e-6)
            self._rate = 0.8 * self._rate + 0.2 * len(texts) / spent
        start = 0
        for request in batch:
            end = start + len(request.texts)
            _answer(request, np.array(rows[start:end]))
            start = end


def _answer(request: _Request, rows: FloatArray) -> None:
    try:
        request.future.set_result(rows)
    except InvalidStateError:  # cancelled while it was computed
        return


def _fail(request: _Request, error: BaseException) -> None:
    try:
        request.future.set_exception(error)
    except InvalidStateError:
        return
