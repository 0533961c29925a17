"""Plain texts for pre-training, one after the other: a corpus need not fit in memory.

Knows .txt, JSONL and Parquet as streams, CSV as a whole; knows no tokenizer.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from core.errors import InputError, UnknownColumn, UnreadableDocument
from core.finetune.data import cells
from core.finetune.data.examples import Plain, Rows
from core.finetune.data.tables import JSONL, PARQUET, DataLimits, column, read_table, read_text, refuse, suffix
from core.text.clean import collapse, normalise
from core.text.parse import Problem
from core.text.parse.decode import kind_of
from core.text.table import parquet_records

_TEXT = (".txt", ".text", ".md")
_SAMPLE = 1 << 20

Item = Plain | Problem


def read_plain(
    path: Path | str,
    *,
    columns: Mapping[str, str] | None = None,
    strict: bool = False,
    limits: DataLimits | None = None,
) -> Rows[Plain]:
    """All of `stream_plain` at once. Raises as it does, and InputError if no text is there."""
    problems: list[Problem] = []
    rows = tuple(stream_plain(path, columns=columns, problems=problems, strict=strict, limits=limits))
    return Rows(rows, tuple(problems))


def stream_plain(
    path: Path | str,
    *,
    columns: Mapping[str, str] | None = None,
    problems: list[Problem] | None = None,
    strict: bool = False,
    limits: DataLimits | None = None,
) -> Iterator[Plain]:
    """Texts in order: documents of a .txt parted by blank lines; the column `text` of JSONL, Parquet or CSV.

    A .txt or JSONL file in UTF-8 is streamed, whatever its size; in another encoding it is read whole, up to the limit.
    A document of a .txt that is longer than a cell may be is cut at line ends.

    :param columns: what `text` is called in this file.
    :param problems: takes the wrong rows with line and reason as they are met.
    :raises UnknownColumn: if there is no such column.
    :raises InputError: if strict, at the first wrong row; or at the end, if no text was good.
    :raises UnreadableDocument: if the file is missing, empty, binary or damaged.
    """
    path, limits = Path(path), limits or DataLimits()
    found = 0
    first: Problem | None = None
    for item in _items(path, columns or {}, limits):
        if isinstance(item, Plain):
            found += 1
            yield item
            continue
        first = first or item
        if strict:
            refuse([item])
        if problems is not None:
            problems.append(item)
    if not found:
        raise InputError(f"{path.name} holds no text.{f' First problem: {first}.' if first else ''}")


def _items(path: Path, columns: Mapping[str, str], limits: DataLimits) -> Iterator[Item]:
    kind = suffix(path)
    if kind in _TEXT:
        return _documents(_lines(path, limits), path.name, limits.cell_characters)
    if kind in JSONL:
        return _objects(_lines(path, limits), path.name, columns.get("text", "text"), limits.cell_characters)
    if kind in PARQUET:
        records = enumerate(parquet_records(path, path.name), start=1)
        return _cells(records, path.name, columns.get("text", "text"), limits.cell_characters)
    return _rows(path, columns, limits)


def _rows(path: Path, columns: Mapping[str, str], limits: DataLimits) -> Iterator[Item]:
    table = read_table(path, limits)
    called = column(table, "text", columns, path.name)
    yield from (Problem(path.name, bad.line, bad.reason) for bad in table.bad)
    yield from _cells(((row.line, row.cells) for row in table.rows), path.name, called, limits.cell_characters)


def _cells(rows: Iterator[tuple[int, Mapping[str, object]]], file: str, called: str, most: int) -> Iterator[Item]:
    for line, found in rows:
        if called not in found:
            missing = f"no {called!r}; it has {', '.join(map(str, list(found)[:20])) or 'nothing'}"
            if line == 1:
                raise UnknownColumn(f"{file} has {missing}. Map it with --column text=...")
            yield Problem(file, line, f"has {missing}")
            continue
        try:
            yield Plain(cells.text(found, called, "text", most), line)
        except InputError as error:
            yield Problem(file, line, str(error))


def _objects(lines: Iterator[tuple[int, str | Problem]], file: str, called: str, most: int) -> Iterator[Item]:
    def rows() -> Iterator[tuple[int, Mapping[str, object]] | Problem]:
        for number, line in lines:
            if isinstance(line, Problem):
                yield line
                continue
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)[:100]
                yield Problem(file, number, f"no complete JSON object: {reason}")
                continue
            if isinstance(value, dict):
                yield number, value
            else:
                yield Problem(file, number, "no JSON object {...} stands here")

    for row in rows():
        if isinstance(row, Problem):
            yield row
        else:
            yield from _cells(iter([row]), file, called, most)


def _documents(lines: Iterator[tuple[int, str | Problem]], file: str, most: int) -> Iterator[Item]:
    block: list[str] = []
    began, size = 1, 0
    for number, line in lines:
        if isinstance(line, Problem):
            yield line
            continue
        if len(line) > most:
            yield Problem(file, number, f"the line holds {len(line):,} characters; a text may hold {most:,}")
            continue
        blank = not line.strip()
        if block and (blank or size + len(line) > most):
            yield from _plain(block, began)
            block, size = [], 0
        if not blank:
            began = began if block else number
            block.append(line)
            size += len(line) + 1
    yield from _plain(block, began)


def _plain(block: list[str], began: int) -> Iterator[Item]:
    text = collapse(normalise("\n".join(block)))
    if text:
        yield Plain(text, began)


def _lines(path: Path, limits: DataLimits) -> Iterator[tuple[int, str | Problem]]:
    """Lines with their numbers, without line ends; one that is no UTF-8 in a file that otherwise is, is a problem."""
    try:
        with path.open("rb") as file:
            sample = file.read(_SAMPLE)
            utf8 = _is_utf8(sample, path.name)
            if utf8:
                file.seek(0)
                yield from _decoded(file, path.name, limits.cell_characters)
    except FileNotFoundError as error:
        raise UnreadableDocument(f"{path} does not exist.") from error
    except IsADirectoryError as error:
        raise UnreadableDocument(f"{path} is a folder, not a file.") from error
    except OSError as error:
        raise UnreadableDocument(f"{path} cannot be read: {error.strerror or error}. Check its permissions.") from error
    if not utf8:
        yield from enumerate(read_text(path, limits).splitlines(), start=1)


def _is_utf8(sample: bytes, name: str) -> bool:
    """:raises UnreadableDocument: if the file is empty or binary by its first bytes."""
    if not sample.strip(b"\x00 \t\r\n"):
        raise UnreadableDocument(f"{name} is empty.")
    binary = kind_of(sample)
    if binary is not None and not sample.startswith(codecs.BOM_UTF16_LE):
        raise UnreadableDocument(f"{name} is {binary[0]}, not text: {binary[1]}.")
    if b"\x00" in sample:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def _decoded(file: BinaryIO, name: str, most: int) -> Iterator[tuple[int, str | Problem]]:
    number = 0
    longest = 8 * most  # bytes of one line that are held in memory
    while raw := file.readline(longest):
        number += 1
        size = len(raw)
        if size == longest and not raw.endswith(b"\n"):
            while (more := file.readline(longest)) and not more.endswith(b"\n"):
                size += len(more)
            yield number, Problem(name, number, f"the line holds {size + len(more):,} bytes; a text may hold {most:,}")
            continue
        try:
            yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n").replace("\x00", "")
        except UnicodeDecodeError as error:
            yield number, Problem(name, number, f"no UTF-8 at byte {error.start + 1} of the line")
