"""What a command says: tables and lines for people, one JSON object for scripts, errors on stderr.

Results go to stdout; progress, hints and errors go to stderr, so that a pipe gets results only. Knows nothing of what
is said.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDE = 200
"""Columns of a table that goes into a file or a pipe."""


def output() -> Console:
    """Console on stdout, as it is now (tests and pipes replace it)."""
    width = None if sys.stdout.isatty() else WIDE
    return Console(file=sys.stdout, highlight=False, soft_wrap=True, width=width)


def errors() -> Console:
    """Console on stderr."""
    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


def say(text: str, style: str = "") -> None:
    """A line for people on stdout; brackets in it are plain text."""
    output().print(Text(text, style=style))


def hint(text: str, style: str = "dim") -> None:
    """A line for people on stderr."""
    errors().print(Text(text, style=style))


def fail(message: str) -> None:
    """An error on stderr, red where there are colours."""
    errors().print(Text.assemble(("error: ", "bold red"), (message, "red")))


def put_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    """One JSON object or array on one line of stdout; never wrapped, never coloured."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def put_table(headers: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """A table for people; numbers stand on the right, floats get three decimals."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    kept = [list(row) for row in rows]
    for column, header in enumerate(headers):
        numeric = bool(kept) and all(isinstance(row[column], int | float) for row in kept)
        table.add_column(header, justify="right" if numeric else "left", overflow="fold")
    for row in kept:
        table.add_row(*(Text(shown(value)) for value in row))
    output().print(table)


def put_figures(title: str, figures: Mapping[str, Any]) -> None:
    """A table of measured figures for people, then, as the last line, all of them as one JSON object."""
    flat = [(name, value) for name, value in figures.items() if not isinstance(value, Mapping)]
    put_table(("figure", title), [(name, shown(value)) for name, value in flat])
    put_json(figures)


def shown(value: object) -> str:
    """A value for a person's eye: floats with at most four significant decimals, sizes of lists left alone."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}"
    return str(value)


def size(count: int) -> str:
    """Bytes for people, in powers of 1000, as disks are sold: `133.5 MB`."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
