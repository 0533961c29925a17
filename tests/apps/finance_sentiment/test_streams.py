from __future__ import annotations

import io
import json
import os
import threading
import time
from datetime import UTC, datetime

import pytest

from apps.finance_sentiment.streams import LINE_BYTES, LineMessages, Message, StreamReport, pump, read_object
from core.errors import InputError, Unavailable
from core.text.parse import Problem
from tests.apps.finance_sentiment._feeds import Taker


def line(number: int, **told: object) -> bytes:
    return json.dumps({"id": str(number), "title": f"T{number}", **told}).encode() + b"\n"


def send(data: bytes, taker: Taker, heard: list[Problem] | None = None) -> StreamReport:
    wrong = (lambda _: None) if heard is None else heard.append
    return pump(LineMessages(io.BytesIO(data)), taker.ingest, source="pipe", wrong=wrong)


def test_lines_become_texts_in_small_batches() -> None:
    taker = Taker()
    report = send(b"\xef\xbb\xbf" + b"".join(line(i) for i in range(200)) + b"\n\n", taker)
    assert (report.messages, report.texts, report.new, report.wrong) == (200, 200, 200, 0)
    assert 4 <= taker.calls <= 8 and {source for source, _ in taker.texts} == {"pipe"}


def test_bad_lines_are_told_with_their_number_and_the_others_go_on() -> None:
    heard: list[Problem] = []
    bad = [
        b"{oops\n",
        b"[1]\n",
        b'{"title": ""}\n',
        b'{"title": "x", "date": "soon"}\n',
        b'{"title": {"a": 1}}\n',
        b"\xff\n",
    ]
    taker = Taker()
    report = send(line(1) + b"".join(bad) + line(2), taker, heard)
    assert (report.new, report.wrong) == (2, 6) and report.problems == heard
    assert [p.line for p in heard] == [2, 3, 4, 5, 6, 7] and str(heard[0]).startswith("stdin line 2: It is no JSON")


def test_a_line_that_is_too_long_is_left_out_whole() -> None:
    taker = Taker()
    report = send(line(1) + b'{"title": "' + b"x" * (3 * LINE_BYTES) + b'"}\n' + line(2), taker)
    assert (report.new, report.wrong) == (2, 1) and "bytes" in report.problems[0].reason


def test_a_text_does_not_wait_for_the_batch_to_be_full() -> None:
    reader, writer = os.pipe()
    taker = Taker()
    with os.fdopen(reader, "rb") as lines, os.fdopen(writer, "wb", buffering=0) as pipe:
        messages = LineMessages(lines)
        done: list[StreamReport] = []
        thread = threading.Thread(target=lambda: done.append(pump(messages, taker.ingest, source="p", seconds=0.05)))
        thread.start()
        pipe.write(line(1))
        until(lambda: len(taker.texts) == 1)
        pipe.write(line(2)[:10])
        time.sleep(0.1)
        assert len(taker.texts) == 1, "half a line is no line"
        pipe.write(line(2)[10:])
        until(lambda: len(taker.texts) == 2)
        pipe.close()
        thread.join(5)
    assert done[0].new == 2


def until(true: object) -> None:
    deadline = time.monotonic() + 5
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.005)


class Listed:
    """Messages of a broker that sends again what was not done."""

    name = "list"

    def __init__(self, count: int) -> None:
        self.waiting = [Message(line(i), i) for i in range(count)]
        self.out: list[Message] = []

    def take(self, most: int, seconds: float) -> list[Message] | None:
        self.out = self.waiting[:most]
        return self.out or None

    def done(self) -> None:
        self.waiting = self.waiting[len(self.out) :]

    def close(self) -> None:
        self.out = []


def test_messages_are_done_only_when_their_texts_are_stored() -> None:
    taker, messages = Taker(), Listed(10)
    taker.fail = [Unavailable("locked")] * 6
    with pytest.raises(Unavailable):
        pump(messages, taker.ingest, source="s", batch=4, stop=set_already())
    assert len(messages.waiting) == 10
    taker.fail = [Unavailable("locked")]
    assert pump(messages, taker.ingest, source="s", batch=4).new == 10 and not messages.waiting


def set_already() -> threading.Event:
    """A stop that comes while a batch is stored: the tries end."""

    class Late(threading.Event):
        def is_set(self) -> bool:
            return False

        def wait(self, timeout: float | None = None) -> bool:
            return True

    return Late()


def test_stop_ends_a_stream() -> None:
    stop = threading.Event()
    stop.set()
    assert pump(Listed(3), Taker().ingest, source="s", stop=stop).messages == 0


def test_a_pipe_that_breaks_is_told_after_what_came() -> None:
    lines = [line(1)]

    class Broken(io.RawIOBase):
        def readline(self, size: int | None = -1) -> bytes:
            if lines:
                return lines.pop()
            raise OSError(5, "Input/output error")

    taker = Taker()
    with pytest.raises(Unavailable, match="stdin cannot be read on"):
        pump(LineMessages(Broken()), taker.ingest, source="s")  # type: ignore[arg-type]
    assert len(taker.texts) == 1


@pytest.mark.parametrize(
    "value", [None, 1, "x", [], {}, {"id": 1}, {"title": ["a"]}, {"title": "a", "published_at": True}]
)
def test_what_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(InputError):
        read_object(value, "s")


def test_an_object_may_call_its_parts_by_many_names() -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    told = {
        "Headline": "Bank fined",
        "content": "Much",
        "timestamp": 1772443800,
        "publisher": "FT",
        "guid": 7,
        "lang": "en-GB",
    }
    text = read_object(told, "s", now)
    assert (text.title, text.body, text.source, text.id, text.language) == ("Bank fined", "Much", "FT", "7", "en")
    assert text.published_at == datetime(2026, 3, 2, 9, 30, tzinfo=UTC) and text.received_at == now
