"""Rows of CSV, TSV, JSONL and Parquet files with their line numbers; a bad row is reported and the others go on.

Knows quoting, delimiters and JSON; knows nothing of what the columns mean. The csv module reads each record, but
records are found here: one stray quote must not swallow the thousand rows behind it. Parquet is read by pyarrow, which
is loaded when the first such file comes and need not be installed for the others.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import InputError, TooLarge, Unavailable, UnknownColumn, UnreadableDocument

FIELD_CHARACTERS = 10_000_000
"""Characters one cell may hold."""

_DELIMITERS = ",;\t|"
_LONGEST_RECORD = 2_000  # lines a quoted cell may span


@dataclass(frozen=True, slots=True)
class Row:
    """One record."""

    line: int
    """Line of the file on which it begins, from 1."""
    cells: Mapping[str, Any]
    """Value by column: text in CSV, any JSON value in JSONL."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A record that could not be read."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Table:
    """A file's records in order."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    bad: tuple[BadRow, ...] = ()


def read_csv(text: str, name: str, *, delimiter: str | None = None) -> Table:
    """Records of a CSV text whose first line names the columns.

    :param name: file as shown to people, for messages.
    :param delimiter: None finds it among comma, semicolon, tab and bar.
    :raises InputError: if there is no header, or it names a column twice.
    """
    csv.field_size_limit(FIELD_CHARACTERS)
    lines = text.replace("\x00", "").removeprefix("\ufeff").splitlines(keepends=True)
    lines = _without_odd_ends(lines)
    start = next((i for i, line in enumerate(lines) if line.strip()), None)
    if start is None:
        raise InputError(f"{name} is empty. Its first line must name the columns.")
    if delimiter is None and lines[start].lower().startswith("sep=") and len(lines[start].strip()) == 5:
        delimiter, start = lines[start].strip()[4], start + 1  # Excel's own hint
    delimiter = delimiter or _delimiter(lines[start : start + 20])
    records = _records(lines, start, delimiter)
    first = next(records, None)
    columns = tuple(cell.strip() for cell in first[1]) if first is not None and first[2] is None else ()
    _check_header(columns, name)
    rows, bad = [], []
    for line, found, error in records:
        cells = [delimiter.join(found)] if len(columns) == 1 and len(found) > 1 else found
        reason = error or _misfit(cells, columns)
        if reason is not None:
            bad.append(BadRow(line, reason))
        elif any(cell.strip() for cell in cells):
            rows.append(Row(line, dict(zip(columns, cells, strict=False))))
    return Table(columns, tuple(rows), tuple(bad))


def read_jsonl(text: str) -> Table:
    """Records of a JSON-lines text: one JSON object on every line that is not blank."""
    rows, bad = [], []
    columns: dict[str, None] = {}
    lines = text.removeprefix("\ufeff").split("\n")
    last = max((i for i, line in enumerate(lines) if line.strip()), default=0)
    for i, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            half = " The file may be half written." if i == last else ""
            bad.append(BadRow(i + 1, f"no complete JSON object: {_brief(error)}.{half}"))
            continue
        if not isinstance(value, dict):
            bad.append(BadRow(i + 1, f"a JSON {_kind(value)} stands where an object {{...}} should"))
            continue
        columns.update(dict.fromkeys(value))
        rows.append(Row(i + 1, value))
    return Table(tuple(columns), tuple(rows), tuple(bad))


def read_parquet(path: Path, name: str, *, file_bytes: int = 2**30) -> Table:
    """Records of a Parquet file; a row's line is its number, from 1.

    :param name: file as shown to people, for messages.
    :param file_bytes: what the columns may take, packed or unpacked, by the file's own account.
    :raises Unavailable: if pyarrow is not installed.
    :raises UnreadableDocument: if the file is missing or damaged.
    :raises TooLarge: if it is over the limit.
    """
    rows: list[Row] = []
    columns: tuple[str, ...] = ()
    for cells in parquet_records(path, name, file_bytes=file_bytes):
        columns = columns or tuple(cells)
        rows.append(Row(len(rows) + 1, cells))
    return Table(columns, tuple(rows))


def parquet_records(path: Path, name: str, *, file_bytes: int | None = None) -> Iterator[dict[str, Any]]:
    """The same, record by record, a thousand in memory at a time. A file without rows gives nothing.

    :param file_bytes: None sets no limit.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise Unavailable(f"{name} is Parquet, which needs pyarrow: pip install 'triptych[parquet]'.") from error
    try:
        with pq.ParquetFile(path) as file:
            meta = file.metadata
            size = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
            if file_bytes is not None and max(size, path.stat().st_size) > file_bytes:
                raise TooLarge(f"{name} unpacks to {size:,} bytes; the limit is {file_bytes:,}. Split the file.")
            twice = _twice(file.schema_arrow.names)
            if twice is not None:
                raise InputError(f"{name} names the column {twice!r} twice. Rename one.")
            for batch in file.iter_batches(batch_size=1_000):
                yield from batch.to_pylist()
    except FileNotFoundError as error:
        raise UnreadableDocument(f"{name} does not exist.") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UnreadableDocument(f"{name} is no whole Parquet file ({reason}). Write it again.") from error


def called_columns(table: Table, names: Sequence[str], mapping: Mapping[str, str], file: str) -> dict[str, str]:
    """What each of the named columns is called in the table, upper and lower case alike.

    :param mapping: the caller's own names, as in `{"text": "utterance"}`.
    :param file: file as shown to people, for the message.
    :raises UnknownColumn: if one is missing; the message lists what there is.
    """
    found = {column.strip().lower(): column for column in reversed(table.columns)}
    called = {}
    for name in names:
        wanted = mapping.get(name, name)
        if wanted.strip().lower() not in found:
            has = ", ".join(table.columns) or "none"
            raise UnknownColumn(f"{file} has no column {wanted!r}; it has {has}. Map it with --column {name}=...")
        called[name] = found[wanted.strip().lower()]
    return called


def _brief(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    return str(error)[:100] or "nested too deeply"


def _kind(value: object) -> str:
    names = {list: "list", str: "string", bool: "true or false", int: "number", float: "number"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), "null")


def _without_odd_ends(lines: list[str]) -> list[str]:
    """splitlines also splits at form feeds and Unicode separators; a record ends at \\n or \\r only."""
    if all(line.endswith(("\n", "\r")) for line in lines[:-1]):
        return lines
    whole = io.StringIO("".join(lines), newline=None)
    return list(whole)


def _delimiter(lines: Sequence[str]) -> str:
    """The delimiter that parts the first lines into the most, and equally many, cells."""

    def fitness(candidate: str) -> tuple[bool, int]:
        counts = _widths(lines, candidate)
        steady = sum(count == counts[0] for count in counts) >= 0.6 * len(counts)
        return steady and counts[0] > 1, counts[0]

    return max(_DELIMITERS, key=fitness)


def _widths(lines: Sequence[str], delimiter: str) -> list[int]:
    """Cells of each record that is not empty, up to the first that cannot be read; at least one figure."""
    counts: list[int] = []
    with suppress(csv.Error):  # a cell over the limit; its row is reported when it is read
        counts.extend(len(cells) for cells in csv.reader(lines, delimiter=delimiter) if cells)
    return counts or [0]


def _check_header(columns: Sequence[str], name: str) -> None:
    if not columns or not any(columns):
        raise InputError(f"{name} has no header. Its first line must name the columns.")
    twice = _twice(columns)
    if twice is not None:
        raise InputError(f"{name} names the column {twice!r} twice. Rename one.")


def _twice(columns: Sequence[str]) -> str | None:
    return next((column for column in columns if column and columns.count(column) > 1), None)


def _misfit(cells: Sequence[str], columns: Sequence[str]) -> str | None:
    if len(cells) == len(columns):
        return None
    if not any(cell.strip() for cell in cells):
        return None
    hint = " (is a cell with a delimiter unquoted?)" if len(cells) > len(columns) else ""
    return f"{len(cells)} cells, but the header has {len(columns)}{hint}"


Record = tuple[int, list[str], str | None]


def _records(lines: Sequence[str], start: int, delimiter: str) -> Iterator[Record]:
    """(line from 1, cells, what is wrong or None) for every record.

    Where a record of several lines does not come out right and the lines inside it
    are good records by themselves, the first line is to blame (a stray quote) and the rest is read again without it.
    """
    width = 0
    i = start
    while i < len(lines):
        if not lines[i].strip():
            i += 1
            continue
        end = i + 1
        cells, error = _strictly(lines[i:end], delimiter)
        if error is not None and _opens(lines[i], delimiter):
            end = _closing_line(lines, i)
            cells, error = _strictly(lines[i:end], delimiter)
            broken = error is not None or (width and len(cells) != width)
            if broken and width and _mostly_good(lines[i + 1 : end], delimiter, width):
                end, cells, error = i + 1, [], "a quote is opened and never closed"
        width = width or len(cells)
        yield i + 1, cells, error
        i = end


def _strictly(lines: Sequence[str], delimiter: str) -> tuple[list[str], str | None]:
    """The one record that the lines make, or what is wrong with it."""
    try:
        records = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error as error:
        if "unexpected end" in str(error):
            return [], "a quote is opened and never closed"
        if "field larger" in str(error):
            size = sum(map(len, lines))
            return [], f"a cell holds more than {FIELD_CHARACTERS:,} characters (the row has {size:,})"
        return [], "text follows a closing quote (a quote inside a cell must be doubled)"
    return (records[0], None) if len(records) == 1 else ([], "a quote is opened and never closed")


def _opens(line: str, delimiter: str) -> bool:
    return _strictly([line], delimiter)[1] == "a quote is opened and never closed"


def _closing_line(lines: Sequence[str], i: int) -> int:
    """One past the line that closes the quote which line i leaves open."""
    for j in range(i + 1, min(len(lines), i + _LONGEST_RECORD)):
        if lines[j].count('"') % 2:
            return j + 1
    return min(len(lines), i + _LONGEST_RECORD)


def _mostly_good(lines: Sequence[str], delimiter: str, width: int) -> bool:
    """Whether lines are good records by themselves, so that they were swallowed by a stray quote."""
    filled = [line for line in lines if line.strip()]
    if not filled or width < 2:
        return not filled
    good = sum(_widths([line], delimiter)[0] == width for line in filled)
    return good >= 0.8 * len(filled)
