"""The end of every `evaluate` command: a table for people, then one JSON object on the last line of stdout.

Knows figures as names and numbers; nothing of how they came about.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TextIO

from rich.console import Console
from rich.table import Table

Figure = float | int | str | None


def figure_text(value: object) -> str:
    """A figure for people: four significant digits, "-" where it does not apply."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def json_line(figures: Mapping[str, object]) -> str:
    """Figures as one line of strict JSON: numpy numbers become plain ones, NaN and infinities become null."""
    return json.dumps(_plain(figures), ensure_ascii=False, allow_nan=False)


def table(title: str, rows: Sequence[Mapping[str, object]]) -> Table:
    """Rows of equal keys as a table; the first column is text, the others are right-aligned figures."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    built = Table(title=title, title_justify="left")
    for i, name in enumerate(columns):
        built.add_column(name, justify="left" if i == 0 else "right")
    for row in rows:
        built.add_row(*(figure_text(row.get(name)) for name in columns))
    return built


def print_report(
    title: str,
    figures: Mapping[str, object],
    *,
    tables: Mapping[str, Sequence[Mapping[str, object]]] | None = None,
    json_only: bool = False,
    file: TextIO | None = None,
) -> None:
    """Print the tables, then the figures as JSON on the last line.

    :param title: heading of the table of figures.
    :param figures: what the JSON line holds; nested mappings stay nested and are not shown in the table.
    :param tables: further tables by title, shown above, not part of the JSON line.
    :param json_only: leave the tables out.
    :param file: where to; standard output by default.
    """
    console = Console(file=file, soft_wrap=True)
    if not json_only:
        for name, rows in (tables or {}).items():
            console.print(table(name, rows))
        flat = {k: v for k, v in figures.items() if not isinstance(v, Mapping | list | tuple)}
        console.print(table(title, [{"figure": k, "value": v} for k, v in flat.items()]))
    console.out(json_line(figures), highlight=False)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
