"""The verbs `triptych finance listen kafka|nats`: texts from a message broker, judged as they come.

Knows arguments and what to print; reading is `brokers`, taking in is `streams`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from core.console import hint, say

if TYPE_CHECKING:
    from apps.finance_sentiment.streams import Messages

app = typer.Typer(no_args_is_help=True)

Servers = Annotated[str, typer.Argument(help="Addresses of the brokers, separated by commas.")]
Source = Annotated[
    str | None, typer.Option(help="Name of the source of texts that name none.", show_default="the topic or stream")
]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="A further setting of the client, as in security.protocol=SSL.")
]


@app.command()
def kafka(
    servers: Servers,
    topic: Annotated[str, typer.Argument(help="Topic whose messages are JSON objects, one text each.")],
    group: Annotated[str, typer.Option(help="Processes of one group share the partitions.")] = "triptych",
    source: Source = None,
    settings: Set = None,
) -> None:
    """Take in a topic of Kafka until Ctrl-C; offsets are committed after the texts are stored."""
    from apps.finance_sentiment.brokers import KafkaMessages

    _listen(lambda: KafkaMessages(servers, topic, group, _pairs(settings)), source or topic)


@app.command()
def nats(
    servers: Servers,
    stream: Annotated[str, typer.Argument(help="JetStream stream; its messages are JSON objects, one text each.")],
    subject: Annotated[str, typer.Option(help="Which of its subjects.")] = ">",
    durable: Annotated[str, typer.Option(help="Name of the consumer; processes of one name share.")] = "triptych",
    source: Source = None,
    settings: Set = None,
) -> None:
    """Take in a stream of NATS JetStream until Ctrl-C; messages are acknowledged after the texts are stored."""
    from apps.finance_sentiment.brokers import NatsMessages

    _listen(lambda: NatsMessages(servers, stream, subject, durable, _pairs(settings)), source or stream)


def _listen(connect: Callable[[], Messages], source: str) -> None:
    from apps.finance_sentiment.service import build_service
    from apps.finance_sentiment.settings import FinanceSettings
    from apps.finance_sentiment.streams import pump
    from core.log import configure

    settings = FinanceSettings()
    configure(settings, quietly=True)
    messages = connect()
    try:
        service = build_service(settings)
        service.start()
        hint(f"Listening to {messages.name}. Ctrl-C ends it.")
        try:
            report = pump(
                messages,
                service.ingest,
                source=source,
                wrong=lambda problem: say(f"{problem.source} {problem.line}: {problem.reason}", "yellow"),
            )
        finally:
            service.close()
    finally:
        messages.close()
    say(f"{report.messages} messages, {report.new} new texts, {report.wrong} left out.")


def _pairs(given: list[str] | None) -> dict[str, str | int | bool]:
    from core.errors import InputError

    found: dict[str, str | int | bool] = {}
    for pair in given or ():
        name, sign, value = pair.partition("=")
        if not sign or not name.strip():
            raise InputError(f"--set {pair!r}: write it as name=value.")
        found[name.strip()] = value.strip()
    return found
