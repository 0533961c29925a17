"""Labelled texts from CSV, JSONL and Parquet: one label, several, or several heads on one text.

Knows columns and heads; knows no model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from core.errors import InputError
from core.finetune.data import cells
from core.finetune.data.examples import Labelled, Rows
from core.finetune.data.tables import DataLimits, column, gather, optional, read_table
from core.text.table import Row, Table

HeadKind = Literal["single", "multi"]


@dataclass(frozen=True, slots=True)
class HeadColumn:
    """A head, and the column its labels stand in."""

    name: str
    column: str
    kind: HeadKind = "single"


RESERVED = frozenset(
    {"input_ids", "attention_mask", "token_type_ids", "training"}
    | {"add_module", "apply", "bfloat16", "buffers", "children", "clear", "compile", "cpu", "cuda", "double", "eval"}
    | {"float", "forward", "half", "items", "keys", "modules", "parameters", "pop", "train", "to", "type", "update"}
    | {"values", "zero_grad", "share_memory", "state_dict", "register_buffer", "register_module"}
)
"""Names that torch's modules or the exported graph have taken."""


def parse_heads(specs: Sequence[str]) -> tuple[HeadColumn, ...]:
    """Heads from "name=column:kind", as in `--head topic=topics:multi`; without a kind it is "single".

    :raises InputError: if one is malformed or a name comes twice.
    """
    heads: list[HeadColumn] = []
    for spec in specs:
        name, found, rest = spec.partition("=")
        called, _, kind = (
            rest.rpartition(":") if rest.endswith(tuple(f":{k}" for k in get_args(HeadKind))) else (rest, "", "single")
        )
        name, called = name.strip(), called.strip()
        if not found or not called or not name.isidentifier():
            raise InputError(
                f"--head {spec!r} is not name=column:single or name=column:multi, as in topic=topics:multi"
            )
        if name in RESERVED:
            raise InputError(f"--head {spec!r}: a head cannot be called {name!r}; choose another name")
        if any(head.name == name for head in heads):
            raise InputError(f"--head names {name!r} twice; give each head a name of its own")
        heads.append(HeadColumn(name, called, "multi" if kind == "multi" else "single"))
    return tuple(heads)


def read_labelled(
    path: Path | str,
    *,
    heads: Sequence[HeadColumn] | None = None,
    columns: Mapping[str, str] | None = None,
    pairs: bool = False,
    strict: bool = False,
    limits: DataLimits | None = None,
) -> Rows[Labelled]:
    """Texts with labels.

    :param heads: where each head's labels stand. None takes the column `label` (one label, head "label"), or else
        `labels` (several, head "labels": a JSON list, or texts parted by ";" or "|"; an empty cell is "none of them").
    :param columns: what `text`, `label`, `labels`, `pair` and `group` are called in this file, as in
        `{"text": "utterance"}`.
    :param pairs: whether a second text stands in the column `pair`.
    :param strict: refuse the whole file if a row is wrong.
    :raises UnknownColumn: if a column is missing.
    :raises InputError: if strict and a row is wrong, or no row is right.
    :raises UnreadableDocument: if the file is missing, empty or damaged.
    """
    path, columns, limits = Path(path), columns or {}, limits or DataLimits()
    table = read_table(path, limits)
    text = column(table, "text", columns, path.name)
    pair = column(table, "pair", columns, path.name) if pairs else None
    group = optional(table, "group", columns, path.name)
    placed = [(head, called) for head, called in _placed(table, heads, columns, path.name)]
    most = limits.cell_characters

    def make(row: Row) -> Labelled:
        said = cells.text(row.cells, text, "text", most)
        found = {head.name: _labels(row, head, called, most) for head, called in placed}
        second = cells.text(row.cells, pair, "pair", most) if pair is not None else None
        return Labelled(said, found, second, group_of(row, group, most), row.line)

    return gather(table, make, path.name, strict=strict)


def group_of(row: Row, called: str | None, most: int) -> str | None:
    """The row's group; None where the column is missing or the cell empty."""
    if called is None or cells.is_empty(row.cells.get(called)):
        return None
    return cells.text(row.cells, called, "group", most)


def _placed(
    table: Table, heads: Sequence[HeadColumn] | None, columns: Mapping[str, str], file: str
) -> list[tuple[HeadColumn, str]]:
    if heads is not None:
        if not heads:
            raise InputError("no head is given; name one as in --head sentiment=label")
        return [(head, column(table, head.name, {**columns, head.name: head.column}, file)) for head in heads]
    if "label" not in columns and optional(table, "label", columns, file) is None:
        several = optional(table, "labels", columns, file)
        if several is not None:
            return [(HeadColumn("labels", several, "multi"), several)]
    called = column(table, "label", columns, file)
    return [(HeadColumn("label", called), called)]


def _labels(row: Row, head: HeadColumn, called: str, most: int) -> tuple[str, ...]:
    value = row.cells.get(called)
    cells.check_size(value, head.name, most)
    if head.kind == "multi":
        return cells.labels(value, head.name)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, list):
        raise InputError(f"{head.name!r} has {len(value)} labels; give it as --head {head.name}={called}:multi")
    return (cells.label(value, head.name),)
