"""CSV and JSONL: a Document for every row with text; a table without text becomes one Document, a line for every row.

Knows what columns are usually called, in English and Chinese. A bad row is a Problem with its line; the others go in.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from core.errors import InputError, UnreadableDocument
from core.text.clean import collapse, normalise
from core.text.parse.base import Draft, Parsed, Problem, Source, shorten
from core.text.parse.decode import decode
from core.text.parse.html import html_draft
from core.text.parse.markdown import inline, markdown_draft
from core.text.table import BadRow, Row, Table, read_csv, read_jsonl
from core.types import Document

ID_COLUMNS = ("id", "doc_id", "document_id", "docid", "_id", "key", "编号")
TITLE_COLUMNS = ("title", "question", "name", "subject", "heading", "headline", "标题", "问题")
TEXT_COLUMNS = (
    "text",
    "answer",
    "content",
    "body",
    "contents",
    "passage",
    "article",
    "markdown",
    "html",
    "正文",
    "内容",
    "答案",
    "回答",
)
ID_LENGTH = 200

_HTML = re.compile(r"<(?:p|div|br|ul|ol|li|table|h[1-6]|html|body|span)\b[^<>]{0,300}>", re.I)
_FROM_TEXT = 80


def parse_csv(source: Source) -> Parsed:
    """A Document for each row with a text-like column (title from title or question), else one for the whole table.

    :raises UnreadableDocument: if the file is empty, binary or has no header.
    """
    text = decode(source.data, source.name)
    try:
        table = read_csv(text, source.name)
    except InputError as error:
        raise UnreadableDocument(str(error)) from error
    parsed = _documents(table, source)
    if not parsed.documents and not parsed.problems:
        raise UnreadableDocument(f"{source.name} has a header and no rows.")
    return parsed


def parse_jsonl(source: Source) -> Parsed:
    """A Document for each line, a JSON object with `text` and, as a rule, `id` (string or integer) and `title`.

    :raises UnreadableDocument: if the file is empty or binary.
    """
    parsed = _documents(read_jsonl(decode(source.data, source.name)), source)
    if not parsed.documents and not parsed.problems:
        raise UnreadableDocument(f"{source.name} holds no JSON objects.")
    return parsed


def _documents(table: Table, source: Source) -> Parsed:
    known = {column.strip().lower(): column for column in reversed(table.columns)}
    text_column = next((known[name] for name in TEXT_COLUMNS if name in known), None)
    bad = [*table.bad]
    if text_column is None:
        if any(not isinstance(value, str) for row in table.rows for value in row.cells.values()):
            expected = ", ".join(TEXT_COLUMNS[:4])
            found = ", ".join(map(str, table.columns[:20])) or "none"
            bad += [BadRow(row.line, f"no text: needs one of {expected}; columns found: {found}") for row in table.rows]
            return Parsed((), _problems(bad, source))
        return Parsed(_whole(table, source) if table.rows else (), _problems(bad, source))
    reader = _RowReader(source, known, text_column)
    documents = []
    for row in table.rows:
        try:
            documents.append(reader.read(row))
        except InputError as error:
            bad.append(BadRow(row.line, str(error)))
    return Parsed(tuple(documents), _problems(bad, source))


def _problems(bad: list[BadRow], source: Source) -> tuple[Problem, ...]:
    ordered = sorted(bad, key=lambda row: row.line)
    return tuple(Problem(source.name, row.line, row.reason) for row in ordered)


class _RowReader:
    """Makes documents of the rows of one file, and keeps their ids apart."""

    def __init__(self, source: Source, known: Mapping[str, str], text_column: str) -> None:
        self.source = source
        self.text_column = text_column
        self.id_column = next((known[name] for name in ID_COLUMNS if name in known), None)
        self.title_column = next((known[n] for n in TITLE_COLUMNS if n in known and known[n] != text_column), None)
        self.seen: dict[str, int] = {}

    def read(self, row: Row) -> Document:
        """:raises InputError: with the reason, if the row makes no document."""
        text = row.cells.get(self.text_column)
        if text is None or (isinstance(text, str) and not text.strip()):
            raise InputError(f"{self.text_column!r} is empty")
        if not isinstance(text, str):
            raise InputError(f"{self.text_column!r} is no text but {text!r:.60}")
        title = self.title(row, text)
        given = self.given_id(row)
        if given is not None and given in self.seen:
            raise InputError(f"id {given!r} was given to line {self.seen[given]} already")
        id = given or self.derived_id(title)
        draft = row_draft(text)
        if not draft.length:
            raise InputError(f"{self.text_column!r} holds nothing to read")
        document = draft.document(
            id=id, source=f"{self.source.name}#{row.line}", title=title, metadata=self.metadata(row)
        )
        self.seen[id] = row.line
        return document

    def title(self, row: Row, text: str) -> str:
        value = row.cells.get(self.title_column) if self.title_column is not None else None
        title = shorten(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
        if title:
            return title
        first = next((line.strip("# ") for line in normalise(text).split("\n") if line.strip("#-=* \t")), "")
        line = " ".join(inline(first).split())
        return line if len(line) <= _FROM_TEXT else line[:_FROM_TEXT].rsplit(" ", 1)[0] + "…"

    def given_id(self, row: Row) -> str | None:
        value = row.cells.get(self.id_column) if self.id_column is not None else None
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise InputError(f"{self.id_column!r} must be text or a whole number, not {value!r:.60}")
        id = collapse(normalise(str(value))).replace("\n", " ")
        if len(id) > ID_LENGTH:
            raise InputError(f"{self.id_column!r} has {len(id)} characters; the limit is {ID_LENGTH}")
        return id or None

    def derived_id(self, title: str) -> str:
        """From file and title, not from the line: rows keep their ids when others come or go."""
        digest = hashlib.sha256(title.encode("utf-8", "replace")).hexdigest()[:12]
        base = id = f"{self.source.document_id}:{digest}"
        copies = 1
        while id in self.seen:
            copies += 1
            id = f"{base}-{copies}"
        return id

    def metadata(self, row: Row) -> dict[str, str]:
        skipped = (self.text_column, self.title_column, self.id_column)
        return {
            str(column): _scalar(value)
            for column, value in row.cells.items()
            if column not in skipped and isinstance(value, str | int | float) and value != ""
        }


def _scalar(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)[:1_000]


def row_draft(text: str) -> Draft:
    """A cell of text as a draft: HTML where it has block tags, else Markdown, of which plain text is a part."""
    if "<" in text and _HTML.search(text) and (draft := html_draft(text, boilerplate=True)).length:
        return draft
    return markdown_draft(normalise(text))


def _whole(table: Table, source: Source) -> tuple[Document, ...]:
    """A table without a text column as one document: "column: value; column: value" on a line for every row."""
    lines = []
    for row in table.rows:
        cells = (
            (column.strip(), collapse(normalise(str(value))).replace("\n", " ")) for column, value in row.cells.items()
        )
        lines.append("; ".join(f"{column}: {value}" if column else value for column, value in cells if value))
    draft = Draft()
    draft.block("\n".join(line for line in lines if line))
    if not draft.length:
        raise UnreadableDocument(f"{source.name} holds no text.")
    return (draft.document(id=source.document_id, source=source.name, fallback_title=source.stem),)
