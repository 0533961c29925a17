"""Against a real NATS server and the cluster that Kafka's client library brings for tests; left out without them."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from apps.finance_sentiment.brokers import KafkaMessages, NatsMessages
from apps.finance_sentiment.streams import Message, Messages, pump
from core.errors import Unavailable
from tests.apps.finance_sentiment._feeds import Taker


def take(messages: Messages, count: int) -> list[Message]:
    taken: list[Message] = []
    deadline = time.monotonic() + 20
    while len(taken) < count and time.monotonic() < deadline:
        taken += messages.take(count - len(taken), 0.2) or []
    return taken


def read(messages: Messages, taker: Taker, count: int) -> None:
    """Pump until so many texts are there."""
    stop = threading.Event()

    def ends(texts: Any) -> Any:
        report = taker.ingest(texts)
        if len(taker.texts) >= count:
            stop.set()
        return report

    timer = threading.Timer(20, stop.set)
    timer.start()
    pump(messages, ends, source="broker", batch=4, seconds=0.2, stop=stop)
    timer.cancel()


@pytest.fixture
def nats_url(tmp_path: Path) -> Iterator[str]:
    pytest.importorskip("nats")
    program = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which("nats-server")
    if program is None:
        pytest.skip("no nats-server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = [program, "-js", "-a", "127.0.0.1", "-p", str(port), "-sd", str(tmp_path / "js")]
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        deadline = time.monotonic() + 15
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield f"nats://127.0.0.1:{port}"
        server.terminate()


def publish(url: str, datas: list[bytes]) -> None:
    import nats

    async def work() -> None:
        connection = await nats.connect(url)
        stream = connection.jetstream()
        await stream.add_stream(name="NEWS", subjects=["news.>"])
        for data in datas:
            await stream.publish("news.ft", data)
        await connection.close()

    asyncio.run(work())


def texts(count: int) -> list[bytes]:
    return [json.dumps({"id": f"m{i}", "title": f"T{i}"}).encode() for i in range(count)]


def test_messages_of_nats_are_acknowledged_when_they_are_stored(nats_url: str) -> None:
    publish(nats_url, [*texts(9), b"{oops"])
    first = NatsMessages(nats_url, "NEWS")
    assert [m.number for m in take(first, 4)] == [1, 2, 3, 4]
    first.close()
    second = NatsMessages(nats_url, "NEWS", "news.>")
    taker = Taker()
    read(second, taker, 9)
    second.done()
    second.close()
    assert sorted(id for _, id in taker.texts) == [f"m{i}" for i in range(9)], "what was not done came again"
    third = NatsMessages(nats_url, "NEWS")
    left = take_for(third, 0.5)
    third.close()
    assert [m.data for m in left] in ([], [b"{oops"]), "what was done does not"


def take_for(messages: Messages, seconds: float) -> list[Message]:
    deadline = time.monotonic() + seconds
    taken: list[Message] = []
    while time.monotonic() < deadline:
        taken += messages.take(10, 0.1) or []
    return taken


def test_a_nats_server_or_stream_that_is_not_there_is_told(nats_url: str) -> None:
    with pytest.raises(Unavailable, match="nats stream NONE does not open"):
        NatsMessages(nats_url, "NONE")
    with pytest.raises(Unavailable, match="does not open"):
        NatsMessages("nats://127.0.0.1:1", "NEWS", connect_seconds=0.5)


def test_offsets_of_kafka_are_committed_when_texts_are_stored() -> None:
    kafka = pytest.importorskip("confluent_kafka")
    producer = kafka.Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0})
    brokers = producer.list_topics(timeout=10).brokers.values()
    servers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    for data in [*texts(9), b"{oops"]:
        producer.produce("news", data, partition=0)
    producer.flush(10)
    settings = {"session.timeout.ms": 6000, "log_level": 0}
    first = KafkaMessages(servers, "news", settings=settings)
    assert [m.number for m in take(first, 4)] == [0, 1, 2, 3]
    first.close()
    second = KafkaMessages(servers, "news", settings=settings)
    taker = Taker()
    read(second, taker, 9)
    assert second.committed() in ({("news", 0): 9}, {("news", 0): 10})
    second.close()
    assert sorted(id for _, id in taker.texts) == [f"m{i}" for i in range(9)], "what was not done came again"


def test_a_setting_that_kafka_does_not_know_is_told() -> None:
    pytest.importorskip("confluent_kafka")
    with pytest.raises(Unavailable, match="refuses its settings"):
        KafkaMessages("127.0.0.1:1", "news", settings={"no.such.thing": 1})
