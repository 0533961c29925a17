"""A rating task out of a CSV or JSONL file; rows that cannot be rated are named and left out.

Knows columns; nothing of raters.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.evaluate.human import Item, Mode, RatingTask
from core.text.table import BadRow, Row, Table, called_columns, read_csv, read_jsonl

LONGEST_TEXT = 100_000
"""Characters of a prompt, a context or an answer; nobody reads more."""

TABLES = frozenset({".csv", ".tsv"})
LINES = frozenset({".jsonl", ".ndjson"})


def read_task(
    path: Path, *, mode: Mode | None = None, columns: Mapping[str, str] | None = None, strict: bool = False
) -> RatingTask:
    """The task in a file.

    Columns: `prompt`; if wanted `id` and `context`; every other column is a system with its answers. In JSONL the
    answers may stand in an object instead, `"answers": {"system": "text"}`; other fields are left alone then. An empty
    answer counts as none.

    :param mode: None compares two systems, and rates any other number from 1 to 5.
    :param columns: the file's own names, as in {"prompt": "question"}.
    :param strict: refuse the file if one row is wrong.
    :raises InputError: if the file is missing, empty, binary or too big, has no row that can be rated, has too few
        systems, or, with `strict`, has a wrong row.
    :raises UnknownColumn: if there is no column for the prompt.
    """
    from core.text.parse.base import Limits
    from core.text.parse.decode import decode
    from core.text.parse.registry import read_bytes

    suffix = path.suffix.lower()
    if suffix not in TABLES | LINES:
        raise InputError(f"{path.name}: a rating task is a .csv or .jsonl file with prompts and answers.")
    text = decode(read_bytes(path, path.name, Limits()), path.name)
    table = read_csv(text, path.name) if suffix in TABLES else read_jsonl(text)
    return task_of(table, path.name, mode=mode, columns=columns, strict=strict)


def task_of(
    table: Table,
    name: str,
    *,
    mode: Mode | None = None,
    columns: Mapping[str, str] | None = None,
    strict: bool = False,
) -> RatingTask:
    """The task in a table; parameters and errors as in `read_task`.

    :param name: of the file, for messages.
    """
    if mode not in {None, "pairwise", "scale"}:
        raise InputError(f"there is no mode {mode!r}; use pairwise or scale")
    bad = list(table.bad)
    items: dict[str, tuple[int, Item]] = {}
    ids: set[str] = set()
    called = _columns(table, columns or {}, name) if table.rows else {}
    for row in table.rows:
        try:
            item = _item(row, called)
            if item.key in items:
                raise InputError(f"the same prompt and answers as in line {items[item.key][0]}")
            if item.id in ids:
                raise InputError(f"the id {item.id[:50]!r} is used twice")
        except InputError as error:
            bad.append(BadRow(row.line, str(error)))
        else:
            items[item.key] = (row.line, item)
            ids.add(item.id)
    return _task(name, mode, list(items.values()), bad, strict=strict)


def _task(
    name: str, mode: Mode | None, found: list[tuple[int, Item]], bad: list[BadRow], *, strict: bool
) -> RatingTask:
    systems = tuple(dict.fromkeys(system for _, item in found for system in item.answers))
    chosen: Mode = mode or ("pairwise" if len(systems) == 2 else "scale")
    if chosen == "pairwise" and found:
        if len(systems) != 2:
            raise InputError(
                f"{name}: a comparison needs two systems, found {len(systems)} ({', '.join(systems)[:200]}). "
                "Use --mode scale."
            )
        half = [(line, item) for line, item in found if len(item.answers) < 2]
        bad += [
            BadRow(line, f"no answer of {next(system for system in systems if system not in item.answers)!r}")
            for line, item in half
        ]
        found = [pair for pair in found if pair not in half]
    bad = sorted(bad, key=lambda row: row.line)
    if bad and (strict or not found):
        more = f"; {len(bad) - 1} more rows are wrong" if len(bad) > 1 else ""
        raise InputError(f"{name}, line {bad[0].line}: {bad[0].reason}{more}.")
    if not found:
        raise InputError(f"{name} has no rows; each needs a prompt and one answer a system.")
    return RatingTask(name, chosen, systems, tuple(item for _, item in found), tuple(bad))


def _columns(table: Table, mapping: Mapping[str, str], name: str) -> dict[str, str]:
    """What the columns with a meaning of their own are called; the others are systems."""
    called = called_columns(table, ["prompt"], mapping, name)
    known = {column.strip().lower() for column in table.columns}
    for column in ("id", "context", "answers"):
        if column in mapping or column in known:
            called |= called_columns(table, [column], mapping, name)
    return called


def _item(row: Row, called: Mapping[str, str]) -> Item:
    cells = row.cells
    nested = cells.get(called.get("answers", ""))
    if isinstance(nested, Mapping):
        answers = nested
    else:
        answers = {str(name): value for name, value in cells.items() if name not in set(called.values()) - {"answers"}}
    if any(not str(name).strip() for name in answers):
        raise InputError("a system has no name; name every column")
    filled = {str(name).strip(): _text(value, f"the answer of {str(name)[:50]!r}") for name, value in answers.items()}
    filled = {name: text for name, text in filled.items() if text.strip()}
    prompt = _text(cells.get(called["prompt"]), "the prompt")
    if not prompt.strip():
        raise InputError("the prompt is empty")
    if not filled:
        raise InputError("there is no answer")
    return Item(
        id=_text(cells.get(called.get("id", "")), "the id").strip()[:200] or f"line {row.line}",
        prompt=prompt,
        answers=filled,
        context=_text(cells.get(called.get("context", "")), "the context"),
    )


def _text(value: Any, what: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f"{what} is no text")
    text = str(value)
    if len(text) > LONGEST_TEXT:
        raise InputError(f"{what} has {len(text):,} characters; the limit is {LONGEST_TEXT:,}")
    return text.encode("utf-8", "replace").decode("utf-8")
