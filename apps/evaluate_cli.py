"""The verbs `triptych evaluate ...`: texts against references, and people's ratings of answers.

Knows arguments and what to print; the work is `core.evaluate`'s and the page `core.web.rating`'s, imported when a verb
runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.console import hint, put_json, put_table, say
from core.errors import Unavailable

if TYPE_CHECKING:
    from core.evaluate.human import RatingTask
    from core.evaluate.ratings import RatingLog

app = typer.Typer(no_args_is_help=True)
human = typer.Typer(no_args_is_help=True)
app.add_typer(human, name="human", help="People rate answers, blind: the page, and what came of it.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
TaskFile = Annotated[
    Path,
    typer.Argument(
        help="CSV or JSONL: a column prompt, if wanted id and context, and a column of answers for each system.",
        exists=True,
        dir_okay=False,
        readable=True,
    ),
]
Mode = Annotated[
    Literal["pairwise", "scale"] | None,
    typer.Option(help="Compare two systems or rate answers 1 to 5; left out: two are compared, others rated."),
]
Ratings = Annotated[
    Path | None, typer.Option(help="File of the ratings; left out: FILE.ratings.jsonl beside FILE.", dir_okay=False)
]
Columns = Annotated[
    list[str] | None, typer.Option("--column", help="The file's own name of a column, as in prompt=question.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse the file if one row is wrong.")]


@app.command()
def text(
    predictions: Annotated[
        Path, typer.Option(help="Generated texts: a line each, or CSV or JSONL.", exists=True, dir_okay=False)
    ],
    references: Annotated[
        Path,
        typer.Option(help="What should stand there, row by row; JSONL may give lists.", exists=True, dir_okay=False),
    ],
    language: Annotated[str | None, typer.Option(help="As in en or zh; left out: found in the references.")] = None,
    prediction_column: Annotated[str | None, typer.Option(help="Column of the texts.")] = None,
    reference_column: Annotated[str | None, typer.Option(help="Column of the references.")] = None,
    as_json: AsJson = False,
) -> None:
    """BLEU, chrF, ROUGE, token F1 and exact match, with intervals: a table, then one line of JSON."""
    from core.evaluate.generation import text_figures
    from core.evaluate.report import put_report
    from core.evaluate.text_file import read_pairs

    ours, theirs = read_pairs(predictions, references, prediction_column, reference_column)
    try:
        figures = text_figures(ours, theirs, language)
    except ModuleNotFoundError as error:
        if error.name != "sacrebleu":
            raise
        raise Unavailable("BLEU and chrF need sacrebleu: `pip install 'triptych[train]'`.") from error
    put_report(f"{predictions.name} against {references.name}", figures, json_only=as_json)


@human.command()
def serve(
    file: TaskFile,
    raters: Annotated[
        str | None, typer.Option(help="Who rates, as in anna,ben; left out: anybody under a name of their own.")
    ] = None,
    mode: Mode = None,
    ratings: Ratings = None,
    column: Columns = None,
    strict: Strict = False,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; 0.0.0.0 is every one.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.", show_default="8000")
    ] = None,
) -> None:
    """Serve the page on which people rate; every rating is on the disk before the next answer is shown.

    Stop it whenever you like; the same command goes on where it was.
    """
    from apps.house import load_settings
    from core.web.rating import create_rating_app
    from core.web.run import run, web_settings

    settings = load_settings(quietly=False)
    log = open_log(file, ratings, raters, mode=mode, column=column, strict=strict)
    web = web_settings(host, port)
    hint(f"{len(log.task.units)} to rate ({log.task.mode}), {len(log.ratings())} ratings so far, in {log.path}.")
    hint("The page is at /rating/ of this address:")
    run(create_rating_app(log, web), web, settings)


@human.command()
def report(
    file: TaskFile,
    raters: Annotated[str | None, typer.Option(help="Count these raters only, as in anna,ben.")] = None,
    mode: Mode = None,
    ratings: Ratings = None,
    column: Columns = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write all ratings as CSV.", dir_okay=False)] = None,
    export: Annotated[
        Path | None, typer.Option("--export", help="Write results, ratings and answers as JSON.", dir_okay=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Win rates or mean scores with intervals, agreement between the raters: tables, then one line of JSON."""
    import json

    from core.evaluate.human_results import results_csv, results_json

    log = open_log(file, ratings, raters, mode=mode, column=column)
    said = log.ratings()
    found = results_json(log.task, said)
    if csv is not None:
        csv.write_text(results_csv(log.task, said), encoding="utf-8", newline="")
    if export is not None:
        export.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")
    figures = {**found["results"], "unreadable_lines": log.unreadable, "ratings_of_other_items": log.strangers}
    if not as_json:
        _put_results(figures)
    put_json(figures)


def open_log(
    file: Path,
    ratings: Path | None,
    raters: str | None,
    *,
    mode: Literal["pairwise", "scale"] | None,
    column: list[str] | None,
    strict: bool = False,
) -> RatingLog:
    """The task of a file with its ratings; rows left out are said on stderr.

    :param ratings: None is `FILE.ratings.jsonl` beside the file.
    :param raters: names between commas.
    :raises BadParameter: if a `column` is no NAME=COLUMN.
    """
    from core.evaluate.human_file import read_task
    from core.evaluate.ratings import RatingLog

    columns = dict(_pair(word) for word in column or ())
    task = read_task(file, mode=mode, columns=columns, strict=strict)
    _say_bad(task)
    names = [name for name in (raters or "").split(",") if name.strip()]
    log = RatingLog(ratings or file.with_name(f"{file.stem}.ratings.jsonl"), task, names)
    if log.unreadable:
        hint(f"{log.path.name}: {log.unreadable} lines are no ratings and were skipped.", "yellow")
    if log.strangers:
        hint(f"{log.path.name}: {log.strangers} ratings are of other items or raters and do not count.", "yellow")
    return log


def _pair(word: str) -> tuple[str, str]:
    name, equals, column = word.partition("=")
    if not equals or name not in {"prompt", "id", "context", "answers"} or not column:
        raise typer.BadParameter(f"{word!r}: write prompt=COLUMN, id=COLUMN, context=COLUMN or answers=COLUMN")
    return name, column


def _say_bad(task: RatingTask, most: int = 10) -> None:
    for row in task.bad[:most]:
        hint(f"{task.name}, line {row.line}: {row.reason}; left out.", "yellow")
    if len(task.bad) > most:
        hint(f"... and {len(task.bad) - most} more.", "yellow")


def _put_results(figures: dict[str, Any]) -> None:
    def share(row: dict[str, float] | None) -> str:
        return "-" if row is None else f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"

    systems = figures["systems"].items()
    if figures["mode"] == "pairwise":
        put_table(
            ("system", "wins", "losses", "ties", "win rate [95 %]", "of decided [95 %]"),
            [
                (name, row["wins"], row["losses"], row["ties"], share(row["win_rate"]), share(row["decided"]))
                for name, row in systems
            ],
        )
    else:
        put_table(
            ("system", "mean [95 %]", "ratings", "of 1 2 3 4 5"),
            [(name, share(row["mean"]), row["ratings"], " ".join(map(str, row["counts"]))) for name, row in systems],
        )
    agreement = figures["agreement"]
    if agreement["pairs"]:
        put_table(
            ("raters", "units", "equal", "kappa", "quadratic"),
            [
                (" and ".join(pair["raters"]), pair["units"], *(_or_dash(pair[n]) for n in _KAPPAS))
                for pair in agreement["pairs"]
            ],
        )
    if agreement["fleiss"]:
        fleiss = agreement["fleiss"]
        say(f"Fleiss' kappa of {fleiss['raters']} raters on {fleiss['units']} units: {_or_dash(fleiss['kappa'])}")


_KAPPAS = ("exact", "kappa", "quadratic_kappa")


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
