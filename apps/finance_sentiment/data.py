"""What comes in as rows: texts in CSV, JSONL, JSON and Parquet files, or JSON objects sent by a client.

Knows columns and dates; knows nothing of stores and models. One bad row never stops the others, unless the caller is
strict: then nothing goes in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from apps.finance_sentiment.schemas import Incoming
from core.errors import InputError
from core.text.parse import Limits, Problem, read_bytes
from core.text.parse.decode import decode
from core.text.table import BadRow, Row, Table, read_csv, read_jsonl, read_parquet

COLUMNS: Mapping[str, Sequence[str]] = {
    "published_at": ("published_at", "published", "date", "datetime", "time", "timestamp", "created_at", "pubdate"),
    "title": ("title", "headline", "subject"),
    "body": ("body", "text", "content", "summary", "description", "message"),
    "source": ("source", "publisher", "feed"),
    "url": ("url", "link"),
    "id": ("id", "guid", "external_id"),
    "language": ("language", "lang"),
}
"""Names under which a column is found, upper and lower case alike; the first one there is wins."""

FILE_BYTES = 512 * 2**20
SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
_MILLISECONDS = 10**11
"""Numbers from here on are milliseconds since 1970: as seconds they would be after the year 5138."""


@dataclass(frozen=True, slots=True)
class Texts:
    """The good rows of a file, and the bad ones with line and reason."""

    texts: tuple[Incoming, ...]
    problems: tuple[Problem, ...] = ()


def read_texts(path: Path, *, source: str | None = None, strict: bool = False, now: datetime | None = None) -> Texts:
    """The texts of a file.

    :param source: name of the source of rows that name none; the file's name where left out.
    :param strict: a wrong row refuses the file.
    :param now: arrival of the texts; None means this moment.
    :raises InputError: if the file cannot be read as a table, has no column of text, or has a wrong row and `strict`.
    """
    table = read_table(path)
    names = _names(table.columns)
    if "body" not in names and "title" not in names and table.rows:
        has = ", ".join(table.columns) or "none"
        raise InputError(f"{path.name} has no column of text (title, text, body, headline...); it has {has}.")
    texts = parse_rows(table.rows, names, source=source or path.stem, now=now or datetime.now(UTC), bad=table.bad)
    problems = tuple(Problem(path.name, p.line, p.reason) for p in texts[1])
    if problems and strict:
        raise InputError(f"{problems[0]}. {len(problems)} rows are wrong and nothing was taken in.")
    return Texts(tuple(texts[0]), problems)


def read_table(path: Path) -> Table:
    """The rows of a CSV, TSV, JSONL, JSON (a list of objects) or Parquet file.

    :raises InputError: if it is none of them, or too large.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return read_parquet(path, path.name)
    if suffix not in SUFFIXES:
        raise InputError(f"{path.name} is none of {', '.join(SUFFIXES)}.")
    text = decode(read_bytes(path, path.name, Limits(file_bytes=FILE_BYTES)), path.name)
    if suffix in (".csv", ".tsv"):
        return read_csv(text, path.name, delimiter="\t" if suffix == ".tsv" else None)
    if suffix == ".json" and text.lstrip("\ufeff \n\r\t").startswith("["):
        return _json_list(text, path.name)
    return read_jsonl(text)


def parse_rows(
    rows: Iterable[Row], names: Mapping[str, str], *, source: str, now: datetime, bad: Iterable[BadRow] = ()
) -> tuple[list[Incoming], list[BadRow]]:
    """Rows as texts.

    :param names: what each part of a text is called in the rows (see `COLUMNS`).
    """
    texts: list[Incoming] = []
    wrong = list(bad)
    for row in rows:
        cells = {part: row.cells.get(name) for part, name in names.items()}
        try:
            texts.append(to_incoming(cells, source=source, now=now))
        except InputError as error:
            wrong.append(BadRow(row.line, str(error).rstrip(".")))
    return texts, sorted(wrong, key=lambda row: row.line)


def to_incoming(cells: Mapping[str, Any], *, source: str, now: datetime) -> Incoming:
    """One text from its parts (the keys of `COLUMNS`).

    Without an id it gets a digest of source, time and words, so that the same row is the same text when it comes again.

    :raises InputError: if it has no words, or a time that cannot be read.
    """
    title, body = _words(cells.get("title")), _words(cells.get("body"))
    if not title.strip() and not body.strip():
        raise InputError("The text is empty.")
    if not title.strip() and "\n" not in body.strip() and len(body) <= 500:
        title, body = body, ""
    published = parse_time(cells.get("published_at"))
    name = _words(cells.get("source")).strip() or source
    language = _words(cells.get("language")).strip().lower()[:2] or None
    id = _words(cells.get("id")).strip()
    if not id:
        told = "\x1f".join((name, published.isoformat() if published else "", title, body))
        id = hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:32]
    return Incoming(id, name, now, title, body, _words(cells.get("url")).strip(), published, language)


def parse_time(value: object) -> datetime | None:
    """An instant from ISO 8601, an e-mail date, or seconds or milliseconds since 1970; without a zone it is UTC.

    :returns: None for nothing.
    :raises InputError: if it is something else.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        if isinstance(value, datetime):
            moment = value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            moment = _since_1970(float(value))
        elif _is_number(str(value)):
            moment = _since_1970(float(str(value)))
        else:
            moment = _written(str(value).strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError, TypeError):
        raise InputError(f"{str(value)[:60]!r} is no time; write it as 2026-03-02T09:30:00Z.") from None


def _written(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return parsedate_to_datetime(text)


def _since_1970(number: float) -> datetime:
    return datetime.fromtimestamp(number / 1000 if abs(number) >= _MILLISECONDS else number, UTC)


def _is_number(text: str) -> bool:
    return len(text.strip()) >= 9 and text.strip().lstrip("-").replace(".", "", 1).isdecimal()


def _words(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _names(columns: Sequence[str]) -> dict[str, str]:
    called = {column.strip().lower(): column for column in reversed(columns)}
    found = {}
    for part, names in COLUMNS.items():
        name = next((n for n in names if n in called), None)
        if name is not None:
            found[part] = called[name]
    return found


def _json_list(text: str, name: str) -> Table:
    try:
        values = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is no whole JSON: {str(error)[:100]}.") from error
    rows, bad, columns = [], [], dict[str, None]()
    for i, value in enumerate(values, 1):
        if isinstance(value, dict):
            columns.update(dict.fromkeys(value))
            rows.append(Row(i, value))
        else:
            bad.append(BadRow(i, "no JSON object"))
    return Table(tuple(columns), tuple(rows), tuple(bad))


def names_of(cells: Mapping[str, Any]) -> dict[str, str]:
    """What the parts of a text are called in one JSON object."""
    return _names(tuple(cells))
