"""The verbs `triptych finance backtest ...`. Knows arguments and what to print; the work is done by `backtest*`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.console import put_figures, put_table, say
from core.errors import InputError
from core.models.files import replace_text

if TYPE_CHECKING:
    from apps.finance_sentiment.backtest_stream import StreamReport
    from apps.finance_sentiment.backtest_tune import Tuned

MOST_ALERTS = 200
"""Alerts that are printed."""

app = typer.Typer(no_args_is_help=True)


def _there(help: str, *names: str, folder: bool = False) -> Any:
    return typer.Option(*names, help=help, exists=True, dir_okay=folder, file_okay=not folder, readable=True)


@app.command()
def counts(
    series: Annotated[Path, _there("Folder of CSV files, one a series: timestamp,value.", "--series", folder=True)],
    windows: Annotated[Path, _there("JSON: name of a series -> list of [start, end].", "--windows")],
) -> None:
    """Surges in plain counts: settings fitted on all series but one and judged on that one, in turn."""
    from apps.finance_sentiment.backtest_counts import backtest_counts
    from core.console import put_json
    from core.progress import Bar

    with Bar() as bar:
        figures = backtest_counts(series, windows, progress=bar)
    put_json(figures)


@app.command()
def stream(
    texts: Annotated[Path, _there("CSV or JSONL with published_at, source, text.", "--texts")],
    events: Annotated[
        Path | None, _there("CSV with name, entity, start (and end): what really happened.", "--events")
    ] = None,
    tune: Annotated[
        bool, typer.Option("--tune", help="Fit how strict the rules are on the first half, and report the second.")
    ] = False,
    save: Annotated[
        Path | None, typer.Option("--save", help="With --tune: write the fitted rules here, as JSON.", dir_okay=False)
    ] = None,
) -> None:
    """Replay texts through the rules in force: which alerts, which were right, how late."""
    from apps.finance_sentiment.backtest import backtest_files, tune_files
    from apps.finance_sentiment.entities import Linker
    from apps.finance_sentiment.gazetteer import load_gazetteer
    from apps.finance_sentiment.model import FinanceModel
    from apps.finance_sentiment.reading import Reader
    from apps.finance_sentiment.rule_defaults import default_rules
    from apps.finance_sentiment.rules import Rule
    from apps.finance_sentiment.settings import FinanceSettings
    from apps.finance_sentiment.store import Store
    from core.log import configure
    from core.progress import Bar

    if tune and events is None:
        raise InputError("--tune needs --events: without knowing what happened there is nothing to fit.")
    if save is not None and not tune:
        raise InputError("--save writes fitted rules: give --tune, too.")
    settings = FinanceSettings()
    configure(settings, quietly=True)
    gazetteer = load_gazetteer([settings.companies] if settings.companies else []).gazetteer
    with Store.open(settings.url) as store:
        rules = [Rule.from_json(body) for body in store.list_rules()] or default_rules()
    reader = Reader(FinanceModel.load(settings), Linker(gazetteer), settings)
    if tune and events is not None:
        with Bar() as bar:
            tuned = tune_files(texts, events, rules, reader, gazetteer, settings, progress=bar)
        put_tuned(tuned)
        if save is not None:
            body = json.dumps([rule.to_json() for rule in tuned.rules], indent=2, ensure_ascii=False)
            replace_text(save, body + "\n")
        return
    with Bar() as bar:
        report, figures = backtest_files(texts, events, rules, reader, gazetteer, settings, progress=bar)
    put_stream(report)
    put_figures("backtest", figures)


def put_stream(report: StreamReport) -> None:
    """Print the first alerts, and what each rule cost and gave."""
    rows = [
        (
            f"{datetime.fromtimestamp(alert.at, UTC):%Y-%m-%d %H:%M}",
            alert.rule_id,
            alert.key.value or "all",
            alert.event or ("?" if not report.events else "false"),
            alert.verdict.reason,
        )
        for alert in report.alerts[:MOST_ALERTS]
    ]
    if rows:
        put_table(("at (UTC)", "rule", "series", "event", "why"), rows)
    if len(report.alerts) > MOST_ALERTS:
        say(f"and {len(report.alerts) - MOST_ALERTS} more")
    by_rule = report.by_rule()
    if by_rule:
        columns = ("alerts", "a week", "false", "repeats", "events", "median_delay_seconds")
        put_table(("rule", *columns), [(rule, *(_cell(row.get(c)) for c in columns)) for rule, row in by_rule.items()])


def put_tuned(tuned: Tuned) -> None:
    """Print the first half by strictness, and the second with the rules as they were and as they were fitted."""
    columns = ("recall", "precision", "alerts", "median_delay_seconds")
    rows = [(f"first half, strictness {at:g}", report) for at, report in tuned.tried.items()]
    rows += [("second half, as it was (1)", tuned.before), (f"second half, fitted ({tuned.strictness:g})", tuned.after)]
    put_table(("what", *columns), [(name, *(_cell(r.figures()[c]) for c in columns)) for name, r in rows])
    put_figures("backtest", {"strictness": tuned.strictness, **_timeless(tuned.after)})


def _timeless(report: StreamReport) -> dict[str, object]:
    return {name: value for name, value in report.figures().items() if name != "texts_per_second"}


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else "" if value is None else str(value)
