"""The verbs `triptych customer-service ...`.

Knows arguments and what to print; the work is done by `service`, `train` and `evaluate`, imported when a verb runs.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.console import hint, put_figures, put_json, put_table, say

if TYPE_CHECKING:
    from apps.customer_service.schemas import Answer, IngestReport
    from apps.customer_service.settings import CustomerServiceSettings

app = typer.Typer(no_args_is_help=True)
evaluate = typer.Typer(no_args_is_help=True)
train = typer.Typer(no_args_is_help=True)
app.add_typer(train, name="train", help="Train on your own data.")
app.add_typer(evaluate, name="evaluate", help="Measure on labelled data: a table, then one line of JSON.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Tune = Annotated[
    Literal["auto", "off", "contrastive", "full"] | None,
    typer.Option(help="Tune an encoder on the messages first.", show_default="the setting"),
]
TextLabel = "CSV or JSONL with the columns text and label"


def _file(help: str, *names: str) -> Any:
    return typer.Option(*names, help=help, exists=True, dir_okay=False, readable=True)


@app.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files, folders, or JSONL and CSV with one document a row.")],
    sync: Annotated[bool, typer.Option("--sync", help="Also remove what is no longer under these paths.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Take in nothing if one file or row is wrong.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take documents in: new and changed ones only, each whole or not at all.

    Wrong files and rows are listed and the rest goes in. Exit code 1 if there was one.
    """
    from apps.customer_service.service import build_service
    from core.progress import Bar

    settings = _settings()

    async def work() -> IngestReport:
        service = build_service(settings)
        try:
            with Bar() as bar:
                return await asyncio.to_thread(service.ingest, paths, sync=sync, strict=strict, progress=bar)
        finally:
            await service.aclose()

    report = asyncio.run(work())
    if as_json:
        put_json(report.model_dump(mode="json"))
    else:
        _show_ingest(report)
    if report.count("error"):
        raise typer.Exit(1)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question; - reads it from standard input.")],
    compose: Annotated[
        bool | None, typer.Option("--compose/--quote", help="Prose by the generator, or the documents' own sentences.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Language to answer in: en or zh.", show_default="its own")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask one question and get the cited answer, or the honest word that there is none."""
    from pydantic import ValidationError

    from apps.customer_service.schemas import Question
    from core.errors import InputError

    text = (sys.stdin.read() if question == "-" else question).strip()
    if not text:
        raise InputError("The question is empty.")
    try:
        asked = Question(text=text, compose=compose, language=language)
    except ValidationError as error:
        raise InputError(f"The question has {len(text)} characters: {error.errors()[0]['msg']}.") from error
    from apps.customer_service.service import build_service

    settings = _settings()

    async def work() -> Answer:
        service = build_service(settings)
        try:
            return await service.answer(asked)
        finally:
            await service.aclose()

    answer = asyncio.run(work())
    if as_json:
        put_json(answer.model_dump(mode="json"))
    else:
        _show_answer(answer)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.", show_default="8000")] = None,
) -> None:
    """Serve this app alone: chat page, widget and the OpenAI-compatible endpoint."""
    from apps.customer_service.api import create_app
    from core.web.run import run, web_settings

    settings = _settings(quietly=False)
    web = web_settings(host, port)
    run(create_app(settings, web=web), web, settings)


@train.command("intents")
def train_intents(
    csv: Annotated[
        Path, typer.Argument(help=f"{TextLabel}; the label oos is out of scope.", exists=True, dir_okay=False)
    ],
    tune: Tune = None,
    as_json: AsJson = False,
) -> None:
    """Fit the intent classifier on labelled messages and publish it."""
    from apps.customer_service.train import train_intents as work
    from core.progress import Bar

    settings = _settings()
    with Bar() as bar:
        report = work(csv, settings, tuning=tune or settings.tuning, progress=bar)
    if as_json:
        put_json(report)
    else:
        put_figures("intents", report)


@train.command("answerability")
def train_answerability(
    questions: Annotated[
        Path,
        typer.Argument(
            help="JSONL with question, answerable and doc_ids, about what is ingested.", exists=True, dir_okay=False
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Fit the check that decides whether to answer on your own labelled questions, and publish it."""
    from apps.customer_service.train_checks import train_answerability as work

    report = work(questions, _settings())
    if as_json:
        put_json(report)
    else:
        put_figures("answerability", report)


@evaluate.command("intents")
def evaluate_intents(
    train: Annotated[Path, _file(f"Training data: {TextLabel}.", "--train")],
    test: Annotated[Path, _file(f"Test data: {TextLabel}; the label oos is out of scope.", "--test")],
    tune: Tune = None,
) -> None:
    """Train on one file, measure on the other: accuracy, out-of-scope recall, calibration, speed."""
    from apps.customer_service.evaluate import evaluate_intents as work
    from core.progress import Bar

    settings = _settings()
    with Bar() as bar:
        figures = work(train, test, settings, tuning=tune or settings.tuning, progress=bar)
    put_figures("intents", figures)


@evaluate.command("faq")
def evaluate_faq(
    faq: Annotated[Path, _file("Answers: columns question and answer.", "--faq")],
    queries: Annotated[Path, _file("Paraphrases: columns query and question.", "--queries")],
) -> None:
    """How often a paraphrase finds its question: recall, reciprocal rank, time."""
    from apps.customer_service.evaluate import evaluate_faq as work

    put_figures("faq", work(faq, queries, _settings()))


@evaluate.command("rag")
def evaluate_rag(
    docs: Annotated[Path, _file("Documents: JSONL with id, title and text.", "--docs")],
    questions: Annotated[Path, _file("JSONL with question, answer, answerable, doc_ids and spans.", "--questions")],
    off_topic: Annotated[
        Path | None, _file("Questions of another world, to be refused: column text.", "--off-topic")
    ] = None,
) -> None:
    """Retrieval, answers, refusals and times on a labelled collection."""
    from apps.customer_service.evaluate import evaluate_rag as work

    put_figures("rag", work(docs, questions, off_topic, _settings()))


@app.command()
def export(
    force: Annotated[bool, typer.Option("--force", help="Export again what is published already.")] = False,
    as_json: AsJson = False,
) -> None:
    """Export the models this app uses to ONNX, compare them with torch, publish them.

    Which ones: the settings encoder, multilingual_encoder and generator; a folder you fine-tuned counts.
    """
    from core.export.prepare import prepare
    from core.progress import Bar

    with Bar() as bar:
        prepared = prepare(_settings(), force=force, progress=bar)
    rows = [{"name": a.name, "version": a.version, "folder": str(a.folder)} for a in prepared]
    if as_json:
        put_json(rows)
    else:
        put_table(("model", "version", "folder"), [tuple(row.values()) for row in rows])


def _settings(*, quietly: bool = True) -> CustomerServiceSettings:
    from apps.customer_service.settings import CustomerServiceSettings
    from core.log import configure

    settings = CustomerServiceSettings()
    configure(settings, quietly=quietly)
    return settings


def _show_ingest(report: IngestReport) -> None:
    wrong = [(file.source, file.detail) for file in report.files if file.status == "error"]
    if wrong:
        put_table(("not taken in", "why"), wrong)
    states = ("added", "changed", "unchanged", "removed", "duplicate", "skipped", "error")
    said = ", ".join(f"{report.count(state)} {state}" for state in states if report.count(state))
    rate = f", {report.passages / report.seconds:,.0f} a second" if report.passages and report.seconds else ""
    say(f"{said or 'nothing found'}; {report.passages} passages in {report.seconds:.1f} s{rate}.")


def _show_answer(answer: Answer) -> None:
    say(answer.text)
    for citation in answer.citations:
        where = " > ".join(dict.fromkeys((citation.title, *citation.headings)))
        say(f"  [{citation.index}] {where} ({citation.source})", "dim")
    verdict = answer.verdict
    weight = f"{verdict.answerable:.2f} against {verdict.threshold:.2f}"
    hint(f"{answer.action}: {verdict.reason}, {weight}; by {answer.model}")
