"""Texts from Kafka and NATS JetStream, as `streams.Messages`. Each needs its client: `pip install 'triptych[brokers]'`.

Knows the two clients, which are imported when a broker is opened. Offsets are committed, and messages acknowledged,
only when `done` is called, after their texts are stored: a crash in between brings them again, and their ids are known.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Coroutine, Mapping
from types import ModuleType
from typing import Any, TypeVar

from apps.finance_sentiment.streams import Message
from core.errors import Unavailable

T = TypeVar("T")

CONNECT_SECONDS = 15.0
ACK_SECONDS = 120
"""A message that is not acknowledged in so long is sent again by JetStream."""

_log = logging.getLogger(__name__)


class KafkaMessages:
    """A topic of Kafka, read as a member of a group.

    :param servers: as in "kafka-1:9092,kafka-2:9092".
    :param group: processes of one group share the partitions.
    :param settings: further settings of librdkafka, as in `{"security.protocol": "SASL_SSL"}`.
    :raises Unavailable: if the client is not installed, or a setting is wrong.
    """

    def __init__(
        self, servers: str, topic: str, group: str = "triptych", settings: Mapping[str, str | int | bool] | None = None
    ) -> None:
        self.name = f"kafka topic {topic}"
        self._kafka = _client("confluent_kafka")
        asked = {
            "bootstrap.servers": servers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            **(settings or {}),
            "enable.auto.commit": False,
            "logger": _log,
        }
        try:
            self._consumer = self._kafka.Consumer(asked)
            self._consumer.subscribe([topic])
        except self._kafka.KafkaException as error:
            raise Unavailable(f"Kafka refuses its settings: {error.args[0]}.") from error
        codes = self._kafka.KafkaError
        self._passing = {codes._PARTITION_EOF, codes._TRANSPORT, codes._ALL_BROKERS_DOWN, codes._TIMED_OUT}
        self._next: dict[tuple[str, int], int] = {}

    def take(self, most: int, seconds: float) -> list[Message] | None:
        """The next messages of all partitions this member has; empty while brokers are down, for they come back.

        :raises Unavailable: on an error that does not pass by itself: no such topic, no right to read it.
        """
        taken = []
        for found in self._consumer.consume(most, seconds):
            error = found.error()
            if error is None:
                self._next[found.topic(), found.partition()] = found.offset() + 1
                taken.append(Message(found.value() or b"", found.offset()))
            elif error.fatal() or not (error.retriable() or error.code() in self._passing):
                raise Unavailable(f"{self.name}: {error.str()}.")
            else:
                _log.warning("%s: %s", self.name, error.str())
        return taken

    def done(self) -> None:
        """Commit what was taken. Where that fails, the texts come again and are known."""
        offsets = [self._kafka.TopicPartition(*partition, offset) for partition, offset in self._next.items()]
        self._next.clear()
        if not offsets:
            return
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except self._kafka.KafkaException as error:
            _log.warning("%s: offsets are not committed: %s", self.name, error)

    def committed(self) -> dict[tuple[str, int], int]:
        """Where the group would go on: the next offset of every partition that this member has."""
        found = self._consumer.committed(self._consumer.assignment(), timeout=CONNECT_SECONDS)
        return {(place.topic, place.partition): place.offset for place in found if place.offset >= 0}

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()


class NatsMessages:
    """A subject of a JetStream stream, read through a durable consumer.

    :param servers: as in "nats://nats-1:4222,nats://nats-2:4222".
    :param stream: the stream's name; it must be there.
    :param subject: which of its subjects; ">" for all.
    :param durable: name of the consumer; processes that give the same name share the messages.
    :param settings: further arguments of `nats.connect`, as in `{"user_credentials": "desk.creds"}`.
    :param connect_seconds: for the first connection; a later one is tried for again without end.
    :raises Unavailable: if the client is not installed, or no server or no such stream answers.
    """

    def __init__(
        self,
        servers: str,
        stream: str,
        subject: str = ">",
        durable: str = "triptych",
        settings: Mapping[str, Any] | None = None,
        *,
        connect_seconds: float = CONNECT_SECONDS,
    ) -> None:
        self.name = f"nats stream {stream}"
        self._connect_seconds = connect_seconds
        self._nats = _client("nats")
        self._loop = _Loop()
        self._pending: list[Any] = []
        try:
            self._loop.run(self._open(servers, stream, subject, durable, dict(settings or {})))
        except Exception as error:  # the client's own errors have no common root
            self._loop.close()
            raise Unavailable(f"{self.name} does not open: {_told(error)}.") from error

    async def _open(self, servers: str, stream: str, subject: str, durable: str, settings: dict[str, Any]) -> None:
        from nats.js.api import AckPolicy, ConsumerConfig

        async def heard(error: Exception) -> None:
            _log.warning("%s: %s", self.name, _told(error))

        options = {"connect_timeout": 5, "max_reconnect_attempts": -1, "error_cb": heard, **settings}
        connecting = self._nats.connect(servers.split(","), **options)
        self._connection = await asyncio.wait_for(connecting, self._connect_seconds)
        try:
            config = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, ack_wait=ACK_SECONDS)
            jetstream = self._connection.jetstream()
            self._consumer = await jetstream.pull_subscribe(subject, durable=durable, stream=stream, config=config)
        except BaseException:
            await self._connection.close()
            raise

    def take(self, most: int, seconds: float) -> list[Message] | None:
        """The next messages; empty while servers are away, for the client finds them again."""
        return self._loop.run(self._take(most, seconds))

    async def _take(self, most: int, seconds: float) -> list[Message]:
        try:
            found = await self._consumer.fetch(most, timeout=max(seconds, 0.05))
        except TimeoutError:
            return []
        except self._nats.errors.Error as error:
            if self._connection.is_closed:
                raise Unavailable(f"{self.name}: {_told(error)}.") from error
            _log.warning("%s: %s", self.name, _told(error))
            await asyncio.sleep(seconds)
            return []
        self._pending += found
        return [Message(message.data, message.metadata.sequence.stream) for message in found]

    def done(self) -> None:
        """Acknowledge what was taken. Where that fails, the texts come again and are known."""
        self._loop.run(self._answer("ack"))

    async def _answer(self, verb: str) -> None:
        pending, self._pending = self._pending, []
        try:
            for message in pending:
                await getattr(message, verb)()
            await self._connection.flush(timeout=5)
        except (self._nats.errors.Error, TimeoutError, OSError) as error:
            _log.warning("%s: messages are not acknowledged: %s", self.name, _told(error))

    def close(self) -> None:
        """Give back what was not `done`, so that others get it at once, and leave."""

        async def leave() -> None:
            await self._answer("nak")
            await self._connection.close()

        try:
            self._loop.run(leave())
        finally:
            self._loop.close()


class _Loop:
    """An event loop on a thread of its own: a client keeps in touch with its server while texts are read and stored."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="broker", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _client(name: str) -> ModuleType:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Unavailable(f"This needs {name}: pip install 'triptych[brokers]'.") from error


def _told(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
