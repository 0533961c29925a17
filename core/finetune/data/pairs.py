"""Queries with passages that answer them, and passages that do not: for embedders and rerankers.

Knows columns; knows no model. Negatives that are mined are the trainer's business; those in the file are read here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.errors import InputError
from core.finetune.data import cells
from core.finetune.data.examples import Pair, Rows
from core.finetune.data.labelled import group_of
from core.finetune.data.tables import DataLimits, column, gather, optional, read_table
from core.text.dedup import fingerprint
from core.text.table import Row, Table

_NUMBERED = re.compile(r"negatives?(?:[_\s-]?\d+)?")


def read_pairs(
    path: Path | str,
    *,
    columns: Mapping[str, str] | None = None,
    strict: bool = False,
    limits: DataLimits | None = None,
) -> Rows[Pair]:
    """Pairs from CSV, JSONL or Parquet.

    Columns: `query`; `positive` or `passage`; perhaps `negative`, `negatives` (a list) or `negative_1`,
    `negative_2`...; perhaps `label` (0 or 1) or `score` (0 to 1); perhaps `group`.

    :param columns: what they are called in this file, as in `{"query": "question", "positive": "answer"}`.
    :raises UnknownColumn: if query or passage is missing.
    :raises InputError: if strict and a row is wrong, or none is right.
    :raises UnreadableDocument: if the file is missing, empty or damaged.
    """
    path, columns, limits = Path(path), columns or {}, limits or DataLimits()
    table = read_table(path, limits)
    query = column(table, "query", columns, path.name)
    positive = _passage(table, columns, path.name)
    negatives = _negatives(table, columns, path.name)
    said = next((found for name in ("score", "label") if (found := optional(table, name, columns, path.name))), None)
    group = optional(table, "group", columns, path.name)
    most = limits.cell_characters

    def make(row: Row) -> Pair:
        asked, answer = cells.text(row.cells, query, "query", most), cells.text(row.cells, positive, "positive", most)
        others = _others(row, negatives, answer, most)
        score = None if said is None else cells.score(_given(row, said), said)
        return Pair(asked, answer, others, score, group_of(row, group, most), row.line)

    return gather(table, make, path.name, strict=strict)


def _passage(table: Table, columns: Mapping[str, str], file: str) -> str:
    if "positive" not in columns and "passage" not in columns:
        found = optional(table, "positive", {}, file) or optional(table, "passage", {}, file)
        return found if found is not None else column(table, "positive", columns, file)
    return column(table, "positive" if "positive" in columns else "passage", columns, file)


def _negatives(table: Table, columns: Mapping[str, str], file: str) -> tuple[str, ...]:
    mapped = [column(table, name, columns, file) for name in ("negative", "negatives") if name in columns]
    return tuple(mapped) or tuple(found for found in table.columns if _NUMBERED.fullmatch(found.strip().lower()))


def _given(row: Row, column: str) -> object:
    value = row.cells.get(column)
    if cells.is_empty(value):
        raise InputError(f"{column!r} is empty")
    return value.strip().lower() if isinstance(value, str) else value


def _others(row: Row, columns: Sequence[str], positive: str, most: int) -> tuple[str, ...]:
    """The negatives, each once.

    :raises InputError: if one of them is the passage itself.
    """
    found: dict[str, None] = {}
    for name in columns:
        cells.check_size(row.cells.get(name), name, most)
        for value in cells.texts(row.cells.get(name), name):
            text = "" if cells.is_empty(value) else cells.as_text(value, name)
            if text:
                found[text] = None
    if any(fingerprint(text) == fingerprint(positive) for text in found):
        raise InputError("one of the negatives is the positive passage itself")
    return tuple(found)
