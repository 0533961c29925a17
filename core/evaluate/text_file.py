"""Texts to be judged and their references, out of files: line by line, or a column of CSV or JSONL.

Knows files and columns; nothing of figures. The two files must keep step, so that one wrong row refuses the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.errors import InputError, UnknownColumn
from core.text.table import Table, called_columns, read_csv, read_jsonl

PREDICTION_COLUMNS = ("prediction", "answer", "output", "text")
REFERENCE_COLUMNS = ("references", "reference", "answer", "target", "text")
_TABLES = frozenset({".csv", ".tsv"})
_LINES = frozenset({".jsonl", ".ndjson"})


def read_texts(path: Path, columns: tuple[str, ...]) -> list[list[str]]:
    """The texts of a file, in order; a JSONL cell may hold a list of them.

    :param path: .csv, .tsv or .jsonl, whose column is the first of `columns` that it has; any other file is read as a
        text a line.
    :returns: for each row its texts, at least one; a text may be empty.
    :raises InputError: if the file is missing, empty or binary, or a row is wrong.
    :raises UnknownColumn: if it has none of the columns.
    """
    from core.text.parse.base import Limits
    from core.text.parse.decode import decode
    from core.text.parse.registry import read_bytes

    text = decode(read_bytes(path, path.name, Limits()), path.name)
    suffix = path.suffix.lower()
    if suffix not in _TABLES | _LINES:
        lines = text.removesuffix("\n").split("\n")
        return [[line.removesuffix("\r")] for line in lines]
    table = read_csv(text, path.name) if suffix in _TABLES else read_jsonl(text)
    if table.bad:
        raise InputError(
            f"{path.name}, line {table.bad[0].line}: {table.bad[0].reason}. Mend it: texts are paired by row."
        )
    column = _column(table, columns, path.name)
    return [_texts(row.cells.get(column), f"{path.name}, line {row.line}, {column}") for row in table.rows]


def read_pairs(
    predictions: Path, references: Path, prediction_column: str | None = None, reference_column: str | None = None
) -> tuple[list[str], list[list[str]]]:
    """Texts and their references, row by row.

    :param prediction_column: None takes the first of `PREDICTION_COLUMNS` there is.
    :param reference_column: None takes the first of `REFERENCE_COLUMNS` there is.
    :returns: (n,) texts and for each its references.
    :raises InputError: as `read_texts`; also if the files differ in their number of rows, or a row has two predictions.
    """
    ours = read_texts(predictions, (prediction_column,) if prediction_column else PREDICTION_COLUMNS)
    theirs = read_texts(references, (reference_column,) if reference_column else REFERENCE_COLUMNS)
    if len(ours) != len(theirs):
        raise InputError(
            f"{predictions.name} has {len(ours)} texts, {references.name} has {len(theirs)}: they are paired by row."
        )
    if not ours:
        raise InputError(f"{predictions.name} has no rows.")
    several = next((i for i, texts in enumerate(ours) if len(texts) != 1), None)
    if several is not None:
        raise InputError(f"{predictions.name}, row {several + 1}: {len(ours[several])} texts where one should be.")
    return [texts[0] for texts in ours], theirs


def _column(table: Table, names: tuple[str, ...], file: str) -> str:
    for name in names:
        try:
            return called_columns(table, [name], {}, file)[name]
        except UnknownColumn:
            continue
    has = ", ".join(map(str, table.columns)) or "none"
    raise UnknownColumn(f"{file} has no column {' or '.join(map(repr, names))}; it has {has}. Name the one to use.")


def _texts(value: Any, where: str) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    if not listed or any(isinstance(one, bool) or not isinstance(one, str | int | float) for one in listed):
        raise InputError(f"{where}: no text but {value!r:.60}.")
    return [str(one).encode("utf-8", "replace").decode("utf-8") for one in listed]
