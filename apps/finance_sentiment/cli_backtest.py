"""The verbs `triptych finance backtest ...`. Knows arguments and what to print; the work is done by `backtest*`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from core.console import put_figures, put_table

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
) -> None:
    """Replay texts through the rules in force: which alerts, which were right, how late."""
    from datetime import UTC, datetime

    from apps.finance_sentiment.backtest import backtest_files
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

    settings = FinanceSettings()
    configure(settings, quietly=True)
    gazetteer = load_gazetteer([settings.companies] if settings.companies else []).gazetteer
    with Store.open(settings.url) as store:
        rules = [Rule.from_json(body) for body in store.list_rules()] or default_rules()
    reader = Reader(FinanceModel.load(settings), Linker(gazetteer), settings)
    with Bar() as bar:
        report, figures = backtest_files(texts, events, rules, reader, gazetteer, settings, progress=bar)
    rows = [
        (
            f"{datetime.fromtimestamp(alert.at, UTC):%Y-%m-%d %H:%M}",
            alert.rule_id,
            alert.key.value or "all",
            alert.event or ("?" if not report.events else "false"),
            alert.verdict.reason,
        )
        for alert in report.alerts[:200]
    ]
    if rows:
        put_table(("at (UTC)", "rule", "series", "event", "why"), rows)
    put_figures("backtest", figures)
