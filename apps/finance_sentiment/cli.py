"""The verbs `triptych finance ...`.

Knows arguments and what to print; the work is done by `service`, `train`, `evaluate` and `backtest`, imported when a
verb runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.finance_sentiment import cli_alerts, cli_backtest, cli_listen, cli_rules
from core.console import hint, put_figures, put_json, put_table, say

if TYPE_CHECKING:
    from apps.finance_sentiment.intake import IngestReport
    from apps.finance_sentiment.schemas import Incoming
    from apps.finance_sentiment.settings import FinanceSettings
    from core.text.parse import Problem

app = typer.Typer(no_args_is_help=True)
train = typer.Typer(no_args_is_help=True)
evaluate = typer.Typer(no_args_is_help=True)
app.add_typer(train, name="train", help="Train on your own labels.")
app.add_typer(evaluate, name="evaluate", help="Measure on labelled data: a table, then one line of JSON.")
app.add_typer(cli_backtest.app, name="backtest", help="Replay what happened through the rules, and judge the alerts.")
app.add_typer(cli_alerts.alerts, name="alerts", help="Alerts: list, acknowledge, silence.")
app.add_typer(cli_listen.app, name="listen", help="Texts from a message broker: Kafka, NATS JetStream.")
app.add_typer(cli_rules.app, name="rules", help="When to alert: list, add, change, switch off.")
app.add_typer(cli_alerts.notify, name="notify", help="Where alerts are sent.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse the file if one row is wrong.")]
Meaning = Annotated[
    list[str] | None,
    typer.Option("--label", help="What a label of the file means, as in 0=negative; may be repeated."),
]
SENTIMENTS = "CSV or JSONL with the columns text and label (negative, neutral, positive)"
TOPICS = "JSONL with text and labels, a list"


def _file(help: str, *names: str) -> Any:
    return typer.Option(*names, help=help, exists=True, dir_okay=False, readable=True)


@app.command()
def ingest(
    paths: Annotated[
        list[str], typer.Argument(help="CSV, JSONL, JSON or Parquet files; - reads JSON lines from standard input.")
    ],
    source: Annotated[
        str | None, typer.Option(help="Name of the source of rows that name none.", show_default="the file's name")
    ] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="As if each text arrived when it was published: rules judge it then.")
    ] = False,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Take texts in: each once, copies of a story together; count them, and judge the rules.

    Columns: title, text or body, published_at, source, url, id, language. Wrong rows are listed and the rest goes in.
    Exit code 1 if there was one.
    """
    from apps.finance_sentiment.data import read_texts
    from apps.finance_sentiment.service import build_service
    from core.progress import Bar

    service = build_service(_settings())
    reports: list[IngestReport] = []
    problems: list[Problem] = []
    try:
        with Bar() as bar:
            for path in paths:
                if path == "-":
                    problems += _from_stdin(lambda texts: _kept(service.ingest(texts), reports), source)
                    continue
                read = read_texts(Path(path), source=source, strict=strict)
                problems += read.problems
                reports.append((service.replay if replay else service.ingest)(read.texts, progress=bar))
    finally:
        service.close()
    told = {
        "new": sum(r.new for r in reports),
        "known": sum(r.known for r in reports),
        "stories": sum(r.stories for r in reports),
        "negative": sum(r.negative for r in reports),
        "undated": sum(r.undated for r in reports),
        "seconds": round(sum(r.seconds for r in reports), 2),
        "problems": [str(problem) for problem in problems],
    }
    if as_json:
        put_json(told)
    else:
        _show_ingest(reports)
        if problems:
            put_table(("row", "why it was left out"), [(f"{p.source}:{p.line}", p.reason) for p in problems[:50]])
    if problems:
        raise typer.Exit(1)


@app.command()
def watch(
    folder: Annotated[Path, typer.Argument(help="Folder whose new files are taken in.", file_okay=False)],
    every: Annotated[float, typer.Option(min=0.2, help="Seconds between looks.")] = 2.0,
) -> None:
    """Take in every file that comes into a folder, until Ctrl-C; then it moves to `done` or `failed` there."""
    import time

    from apps.finance_sentiment.service import build_service
    from apps.finance_sentiment.watching import WatchedFolder

    service = build_service(_settings())
    service.start()
    watched = WatchedFolder(folder, folder.name)
    hint(f"Watching {folder}. Ctrl-C ends it.")
    try:
        while True:
            for taken in watched.look(service.ingest):
                wrong = f", {len(taken.problems)} rows left out" if taken.problems else ""
                say(f"{taken.name}: {taken.error or f'{taken.texts} texts{wrong}'} -> {taken.moved_to}")
            time.sleep(every)
    finally:
        service.close()


@app.command()
def demo(as_json: AsJson = False) -> None:
    """Take in eight days of made-up news that end in a surge now, for a first look at the dashboard."""
    from apps.finance_sentiment.demo import show
    from apps.finance_sentiment.service import build_service
    from core.progress import Bar

    service = build_service(_settings())
    try:
        with Bar() as bar:
            report = show(service, progress=bar)
    finally:
        service.close()
    if as_json:
        put_json({"new": report.new, "stories": report.stories, "seconds": round(report.seconds, 2)})
    else:
        _show_ingest([report])


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.", show_default="8000")] = None,
) -> None:
    """Serve this app alone: dashboard and API, sources and notifications."""
    from apps.finance_sentiment.api import create_app
    from core.web.run import run, web_settings

    settings = _settings(quietly=False)
    web = web_settings(host, port)
    run(create_app(settings, web=web), web, settings)


@app.command()
def export(
    force: Annotated[bool, typer.Option("--force", help="Make again what is published already.")] = False,
    as_json: AsJson = False,
) -> None:
    """Export the encoders to ONNX, compare them with torch, fit the shipped heads on the samples, publish all."""
    from apps.finance_sentiment.train import prepare
    from core.export.prepare import prepare as prepare_encoders
    from core.progress import Bar

    settings = _settings()
    with Bar() as bar:
        names = [settings.encoder, settings.multilingual_encoder]
        made = prepare_encoders(settings, names, force=force, progress=bar)
        made += prepare(settings, force=force, progress=bar)
    rows = [{"name": a.name, "version": a.version, "folder": str(a.folder)} for a in made]
    if as_json:
        put_json(rows)
    else:
        put_table(("model", "version", "folder"), [tuple(row.values()) for row in rows])


@train.command("sentiment")
def train_sentiment(
    file: Annotated[Path, typer.Argument(help=f"{SENTIMENTS}.", exists=True, dir_okay=False)],
    label: Meaning = None,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Fit the sentiment head on your labels and publish it; it replaces the one of the languages in the file."""
    _train("sentiment", file, label, strict, as_json)


@train.command("topics")
def train_topics(
    file: Annotated[Path, typer.Argument(help=f"{TOPICS}.", exists=True, dir_okay=False)],
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Fit the topics head on your labels and publish it. The topics are those of the file."""
    _train("topics", file, None, strict, as_json)


@evaluate.command("sentiment")
def evaluate_sentiment(
    test: Annotated[Path, _file(f"Test data: {SENTIMENTS}.", "--test")],
    train: Annotated[Path | None, _file("Training data; none measures the published model.", "--train")] = None,
    label: Meaning = None,
) -> None:
    """Accuracy, macro F1, calibration and speed of the sentiment."""
    _evaluate("sentiment", test, train, label)


@evaluate.command("topics")
def evaluate_topics(
    test: Annotated[Path, _file(f"Test data: {TOPICS}.", "--test")],
    train: Annotated[Path | None, _file("Training data; none measures the published model.", "--train")] = None,
) -> None:
    """Micro and macro F1, calibration and speed of the topics."""
    _evaluate("topics", test, train, None)


def _kept(report: IngestReport, reports: list[IngestReport]) -> IngestReport:
    reports.append(report)
    return report


def _from_stdin(take: Callable[[Sequence[Incoming]], IngestReport], source: str | None) -> list[Problem]:
    from apps.finance_sentiment.streams import LineMessages, pump

    name = source or "stdin"
    return pump(LineMessages(sys.stdin.buffer, name), take, source=name).problems


def _train(task: Any, file: Path, label: list[str] | None, strict: bool, as_json: bool) -> None:
    from apps.finance_sentiment.train import train as work
    from core.progress import Bar

    with Bar() as bar:
        report = work(task, file, _settings(), mapping=_mapping(label), strict=strict, progress=bar)
    if as_json:
        put_json(report)
    else:
        put_figures(task, report)


def _evaluate(task: Any, test: Path, train: Path | None, label: list[str] | None) -> None:
    from apps.finance_sentiment.evaluate import evaluate_sentiment, evaluate_topics
    from core.progress import Bar

    with Bar() as bar:
        if task == "sentiment":
            figures = evaluate_sentiment(test, _settings(), train=train, mapping=_mapping(label), progress=bar)
        else:
            figures = evaluate_topics(test, _settings(), train=train, progress=bar)
    put_figures(task, figures)


def _mapping(pairs: list[str] | None) -> dict[str, str] | None:
    from core.errors import InputError

    found = {}
    for pair in pairs or ():
        name, sign, meaning = pair.partition("=")
        if not sign or not name.strip() or not meaning.strip():
            raise InputError(f"--label {pair!r}: write it as 0=negative.")
        found[name.strip()] = meaning.strip()
    return found or None


def _settings(*, quietly: bool = True) -> FinanceSettings:
    from apps.finance_sentiment.settings import FinanceSettings
    from core.log import configure

    settings = FinanceSettings()
    configure(settings, quietly=quietly)
    return settings


def _show_ingest(reports: list[IngestReport]) -> None:
    new, seconds = sum(r.new for r in reports), sum(r.seconds for r in reports)
    rate = f", {new / seconds:,.0f} a second" if new and seconds else ""
    undated = sum(r.undated for r in reports)
    say(
        f"{new} new texts, {sum(r.known for r in reports)} known ones; {sum(r.stories for r in reports)} stories, "
        f"{sum(r.negative for r in reports)} of them negative; {seconds:.1f} s{rate}."
    )
    if undated:
        hint(f"{undated} have no time that can be true and count under their arrival.")
