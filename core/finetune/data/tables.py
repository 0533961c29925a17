"""CSV, TSV, JSONL and Parquet files to rows of cells, by suffix; wrong rows are gathered with line and reason.

Knows files and columns; what a cell means is the caller's. Every error is one of `core.errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from core.errors import InputError
from core.finetune.data.examples import Rows
from core.text.parse import Limits, Problem, read_bytes
from core.text.parse.decode import decode
from core.text.table import BadRow, Row, Table, called_columns, read_csv, read_jsonl, read_parquet

T = TypeVar("T")

JSONL = (".jsonl", ".ndjson")
PARQUET = (".parquet", ".pq")
CSV = (".csv", ".tsv")


@dataclass(frozen=True, slots=True)
class DataLimits:
    """What a file of training data may cost."""

    file_bytes: int = 2**30
    """Size of a file that is read whole; it takes about ten times as much memory."""
    cell_characters: int = 1_000_000
    """Characters of one cell. A longer one is a wrong row, for no model here reads further than some thousand."""

    @property
    def parsing(self) -> Limits:
        """The same for `core.text.parse`."""
        return Limits(file_bytes=self.file_bytes)


def suffix(path: Path) -> str:
    """Lower-case suffix with its dot."""
    return path.suffix.lower()


def read_text(path: Path, limits: DataLimits) -> str:
    """Characters of a whole file, whatever its encoding.

    :raises UnreadableDocument: if it is missing, empty or binary.
    :raises TooLarge: if it is over the limit.
    """
    return decode(read_bytes(path, path.name, limits.parsing), path.name)


def read_table(path: Path, limits: DataLimits) -> Table:
    """The records of a file.

    :raises InputError: if the suffix is unknown, or there is no header or nothing below it.
    :raises UnreadableDocument: if the file is missing, empty, binary or damaged.
    :raises Unavailable: if it is Parquet and pyarrow is not installed.
    """
    kind = suffix(path)
    if kind in PARQUET:
        table = read_parquet(path, path.name, file_bytes=limits.file_bytes)
    elif kind in JSONL:
        table = read_jsonl(read_text(path, limits))
    elif kind in CSV:
        table = read_csv(read_text(path, limits), path.name, delimiter="\t" if kind == ".tsv" else None)
    else:
        known = ", ".join((*CSV, *JSONL, *PARQUET))
        raise InputError(f"{path.name}: files called {kind or 'without a suffix'} hold no rows (known: {known})")
    if not table.rows and not table.bad:
        raise InputError(f"{path.name} has a header ({', '.join(table.columns[:20])}) and no rows.")
    return table


def column(table: Table, name: str, columns: Mapping[str, str], file: str) -> str:
    """What the column is called in the table.

    :raises UnknownColumn: if it is not there.
    :raises InputError: if no record could be read at all: then the first reason says more than a missing column.
    """
    if not table.columns and table.bad:
        raise InputError(
            f"{file} holds no good row. First problem: {Problem(file, table.bad[0].line, table.bad[0].reason)}."
        )
    return called_columns(table, (name,), columns, file)[name]


def optional(table: Table, name: str, columns: Mapping[str, str], file: str) -> str | None:
    """As `column`, or None where it is not there and nobody asked for it by another name."""
    if name in columns:
        return column(table, name, columns, file)
    known = {found.strip().lower(): found for found in reversed(table.columns)}
    return known.get(name)


def gather(table: Table, make: Callable[[Row], T], file: str, *, strict: bool) -> Rows[T]:
    """Make something of every row; those that raise InputError are problems with their line.

    :raises InputError: if no row is good, or one is bad and `strict` is set.
    """
    rows: list[T] = []
    bad = list(table.bad)
    for row in table.rows:
        try:
            rows.append(make(row))
        except InputError as error:
            bad.append(BadRow(row.line, str(error)))
    return finish(rows, bad, file, strict=strict)


def finish(rows: Sequence[T], bad: Sequence[BadRow], file: str, *, strict: bool) -> Rows[T]:
    """The rows with the bad ones in order of their lines. Raises as `gather`."""
    problems = tuple(Problem(file, row.line, row.reason) for row in sorted(bad, key=lambda row: row.line))
    if strict:
        refuse(problems)
    if not rows:
        first = f" First problem: {problems[0]}." if problems else ""
        raise InputError(f"{file} holds no good row.{first}")
    return Rows(tuple(rows), problems)


def refuse(problems: Sequence[Problem]) -> None:
    """:raises InputError: naming the first three, if there are any."""
    if problems:
        shown = "; ".join(map(str, problems[:3]))
        more = f" (and {len(problems) - 3:,} more)" if len(problems) > 3 else ""
        raise InputError(f"{shown}{more}. Nothing was taken in; mend the rows, or leave out --strict.")
