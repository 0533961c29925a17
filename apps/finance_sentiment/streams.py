"""Texts that come one after the other: JSON lines from a pipe, or messages of a broker, in small batches.

Knows JSON objects and the shape of what gives messages; knows no broker and no store. A message is given back as done
only when its text is stored; what comes twice is known by its id and counts once.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, Any, Protocol

from apps.finance_sentiment.data import names_of, to_incoming
from apps.finance_sentiment.schemas import Incoming
from core.errors import InputError, SuiteError, Unavailable
from core.text.parse import Problem

BATCH = 64
FLUSH_SECONDS = 1.0
"""A text waits no longer than this for others to come."""
LINE_BYTES = 4 * 2**20
"""Of one line or message; a longer one is reported and left out."""
ATTEMPTS = 6
"""Tries to store a batch, a few seconds apart in the end; then the stream stops and nothing is lost."""
MOST_PROBLEMS = 1_000


class Stored(Protocol):
    """The part of a report on texts that is needed here."""

    @property
    def new(self) -> int:
        """Texts that were stored."""
        ...


Take = Callable[[Sequence[Incoming]], Stored]


@dataclass(frozen=True, slots=True)
class Message:
    """One object as it came."""

    data: bytes
    number: int
    """Line, offset or sequence number, for messages about it."""


class Messages(Protocol):
    """What gives messages."""

    @property
    def name(self) -> str:
        """As shown to people: a file, topic or subject."""
        ...

    def take(self, most: int, seconds: float) -> list[Message] | None:
        """The next messages: as many as come in that time; None at the end.

        :raises Unavailable: if the source of the messages is gone.
        """
        ...

    def done(self) -> None:
        """All that was taken is stored, or reported as wrong."""
        ...

    def close(self) -> None:
        """Let go. What was not `done` comes again the next time, where the source can."""
        ...


@dataclass(slots=True)
class StreamReport:
    """What came of a stream."""

    messages: int = 0
    texts: int = 0
    """Messages that are texts."""
    new: int = 0
    wrong: int = 0
    problems: list[Problem] = field(default_factory=list)
    """The first ones of those that are wrong."""


def pump(
    messages: Messages,
    take: Take,
    *,
    source: str,
    batch: int = BATCH,
    seconds: float = FLUSH_SECONDS,
    stop: threading.Event | None = None,
    wrong: Callable[[Problem], None] = lambda _: None,
) -> StreamReport:
    """Take messages in until they end or `stop` is set.

    :param source: source of texts that name none.
    :param wrong: hears of every message that is no text, at once.
    :raises SuiteError: if a batch cannot be stored after some tries; it is not `done` and comes again.
    """
    report = StreamReport()
    stop = stop or threading.Event()
    while not stop.is_set():
        taken = messages.take(batch, seconds)
        if taken is None:
            break
        texts = []
        for message in taken:
            try:
                texts.append(read_message(message, source))
            except InputError as error:
                problem = Problem(messages.name, message.number, str(error).rstrip("."))
                report.wrong += 1
                if len(report.problems) < MOST_PROBLEMS:
                    report.problems.append(problem)
                wrong(problem)
        if texts:
            report.new += _stored(take, texts, stop)
        if taken:
            messages.done()
        report.messages += len(taken)
        report.texts += len(texts)
    return report


def read_message(message: Message, source: str) -> Incoming:
    """The text of a message.

    :raises InputError: if it is no JSON object with words.
    """
    if len(message.data) > LINE_BYTES:
        raise InputError(f"It is over {LINE_BYTES:,} bytes.")
    try:
        value = json.loads(message.data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"It is no JSON: {str(error)[:100]}.") from None
    return read_object(value, source)


def read_object(value: object, source: str, now: datetime | None = None) -> Incoming:
    """A text from a JSON object, its parts found by the names of `data.COLUMNS`.

    :raises InputError: if it is no object, has no words, or a part is no plain value.
    """
    if not isinstance(value, dict):
        raise InputError('It is no JSON object, as in {"title": "...", "text": "..."}.')
    cells: dict[str, Any] = {part: value[name] for part, name in names_of(value).items()}
    for part, cell in cells.items():
        if isinstance(cell, dict | list | bool):
            raise InputError(f"Its {part} is no plain value but {json.dumps(cell)[:60]}.")
    return to_incoming(cells, source=source, now=now or datetime.now(UTC))


def _stored(take: Take, texts: list[Incoming], stop: threading.Event) -> int:
    for attempt in range(ATTEMPTS):
        try:
            return take(texts).new
        except InputError:
            raise
        except SuiteError:
            if attempt == ATTEMPTS - 1 or stop.wait(min(0.1 * 3**attempt, 5.0)):
                raise
    raise AssertionError("unreachable")


@dataclass(frozen=True, slots=True)
class _End:
    error: Exception | None = None


class LineMessages:
    """JSON lines from a pipe or a file; a thread reads them, so that a slow writer never holds a text back.

    :param lines: opened for bytes.
    """

    def __init__(self, lines: IO[bytes], name: str = "stdin") -> None:
        self.name = name
        self._lines = lines
        self._queue: queue.Queue[Message | _End] = queue.Queue(maxsize=4 * BATCH)
        self._closing = threading.Event()
        self._end: _End | None = None
        self._thread = threading.Thread(target=self._read, name=f"lines of {name}", daemon=True)
        self._thread.start()

    def take(self, most: int, seconds: float) -> list[Message] | None:
        """Lines that are there, or come in time; blank ones are left out.

        :raises Unavailable: if they cannot be read on.
        """
        taken: list[Message] = []
        deadline = time.monotonic() + seconds
        while self._end is None and len(taken) < most:
            try:
                item = self._queue.get(timeout=max(deadline - time.monotonic(), 0.001))
            except queue.Empty:
                break
            if isinstance(item, Message):
                taken.append(item)
            else:
                self._end = item
        if self._end is None or taken:
            return taken
        if self._end.error is not None:
            raise Unavailable(f"{self.name} cannot be read on: {self._end.error}.")
        return None

    def done(self) -> None:
        """Nothing to do: a pipe cannot be asked again."""

    def close(self) -> None:
        """Stop reading."""
        self._closing.set()

    def _read(self) -> None:
        number = 0
        try:
            while not self._closing.is_set():
                line = self._lines.readline(LINE_BYTES + 2)
                if not line:
                    break
                number += 1
                rest = line
                while len(rest) > LINE_BYTES + 1 and not rest.endswith(b"\n"):
                    rest = self._lines.readline(LINE_BYTES + 2)  # the end of a line that is too long
                if line.strip():
                    self._put(Message(line, number))
            self._put(_End())
        except (OSError, ValueError) as error:
            self._put(_End(error))

    def _put(self, item: Message | _End) -> None:
        while not self._closing.is_set():
            try:
                self._queue.put(item, timeout=0.2)
                return
            except queue.Full:
                continue
