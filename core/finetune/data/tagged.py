"""Sentences with a tag for every word: JSONL and Parquet with words or with spans, CoNLL files with a token a line.

Knows tagging schemes (IOB1, BIO, BIOES, BILOU all become BIO); knows no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.finetune.data import cells
from core.finetune.data.examples import Rows, Tagged
from core.finetune.data.labelled import group_of
from core.finetune.data.tables import (
    CSV,
    JSONL,
    PARQUET,
    DataLimits,
    column,
    finish,
    gather,
    optional,
    read_table,
    read_text,
    suffix,
)
from core.text.clean import normalise
from core.text.table import BadRow, Row, Table
from core.text.tokens import word_spans

OUTSIDE = "O"

_BEGINS = ("B-", "S-", "U-")
_GOES_ON = ("I-", "E-", "L-", "M-")


def read_tagged(
    path: Path | str,
    *,
    columns: Mapping[str, str] | None = None,
    strict: bool = False,
    limits: DataLimits | None = None,
) -> Rows[Tagged]:
    """Sentences with tags.

    JSONL and Parquet have `words` and `tags` (lists of one length), or `text` and `spans` (a list of objects with
    `start`, `end`, `label`; characters from 0, the end not included). Every other suffix (.conll, .bio, .iob, .txt,
    .tsv) is read as CoNLL: a token first and its tag last on every line, a blank line between sentences.

    :param columns: what `words`, `tags`, `text`, `spans`, `group` are called in this file.
    :raises UnknownColumn: if a column is missing.
    :raises InputError: if strict and a sentence is wrong, or none is right.
    :raises UnreadableDocument: if the file is missing, empty or damaged.
    """
    path, columns, limits = Path(path), columns or {}, limits or DataLimits()
    if suffix(path) in (*JSONL, *PARQUET) or suffix(path) == CSV[0]:
        read = _from_table(read_table(path, limits), columns, path.name, strict, limits.cell_characters)
    else:
        read = _from_lines(read_text(path, limits), path.name, strict, limits.cell_characters)
    marked = any(tag[:2] in ("B-", "I-") for row in read.rows for tag in row.tags)
    if not marked:
        return read
    mixed = {row.line: next((t for t in row.tags if t != OUTSIDE and t[:2] not in ("B-", "I-")), None) for row in read}
    bad = [
        BadRow(line, f"tag {tag!r} has no B- or I- before it, though others in this file have")
        for line, tag in mixed.items()
        if tag is not None
    ]
    if not bad:
        return read
    old = [BadRow(problem.line or 0, problem.reason) for problem in read.problems]
    return finish([row for row in read if mixed[row.line] is None], [*old, *bad], path.name, strict=strict)


def to_bio(tags: Sequence[str]) -> tuple[str, ...]:
    """Tags of any of the four schemes in BIO; an I- that continues nothing becomes a B-. Others stay as they are."""
    found: list[str] = []
    open_kind: str | None = None  # of the entity that may go on
    for tag in tags:
        kind = tag[2:]
        if tag[:2] in _BEGINS and kind:
            found.append(f"B-{kind}")
            open_kind = kind if tag[0] == "B" else None
        elif tag[:2] in _GOES_ON and kind:
            found.append(f"I-{kind}" if open_kind == kind else f"B-{kind}")
            open_kind = kind if tag[0] in "IM" else None
        else:
            found.append(tag)
            open_kind = None
    return tuple(found)


def spans_to_tags(text: str, spans: Sequence[tuple[int, int, str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Words of a text (Chinese: characters) and their BIO tags. A word is cut where a span begins or ends inside it.

    :param spans: (start, end, label), characters from 0, the end not included.
    :raises InputError: if a span is out of the text, empty, holds only white space, or overlaps another.
    """
    ordered = sorted(spans)
    for i, (start, end, label) in enumerate(ordered):
        if not 0 <= start < end <= len(text):
            raise InputError(f"span {start}-{end} ({label}) is outside the text, which has {len(text)} characters")
        if not text[start:end].strip():
            raise InputError(f"span {start}-{end} ({label}) holds only white space")
        if i and start < ordered[i - 1][1]:
            raise InputError(f"spans {ordered[i - 1][0]}-{ordered[i - 1][1]} and {start}-{end} overlap; keep one")
    borders = sorted({place for start, end, _ in ordered for place in (start, end)})
    words: list[str] = []
    tags: list[str] = []
    at, begun = 0, -1
    for start, end in _cut(word_spans(text), borders):
        word = normalise(text[start:end]).strip()
        while at < len(ordered) and ordered[at][1] <= start:
            at += 1
        if not word:
            continue
        inside = at < len(ordered) and ordered[at][0] <= start
        words.append(word)
        tags.append(f"{'I' if begun == at else 'B'}-{ordered[at][2]}" if inside else OUTSIDE)
        begun = at if inside else begun
    return tuple(words), tuple(tags)


def _cut(spans: Sequence[tuple[int, int]], borders: Sequence[int]) -> Iterator[tuple[int, int]]:
    at = 0
    for start, end in spans:
        while at < len(borders) and borders[at] <= start:
            at += 1
        begin, i = start, at
        while i < len(borders) and borders[i] < end:
            yield begin, borders[i]
            begin, i = borders[i], i + 1
        yield begin, end


def _from_table(table: Table, columns: Mapping[str, str], file: str, strict: bool, most: int) -> Rows[Tagged]:
    group = optional(table, "group", columns, file)
    words, spans = optional(table, "words", columns, file), optional(table, "spans", columns, file)
    if words is None and spans is not None:
        text = column(table, "text", columns, file)
        return gather(table, lambda row: _spanned(row, text, spans, group, most), file, strict=strict)
    words, tags = column(table, "words", columns, file), column(table, "tags", columns, file)
    return gather(table, lambda row: _listed(row, words, tags, group, most), file, strict=strict)


def _listed(row: Row, words: str, tags: str, group: str | None, most: int) -> Tagged:
    cells.check_size(row.cells.get(words), "words", most)
    cells.check_size(row.cells.get(tags), "tags", most)
    found = [cells.as_text(word, "words") for word in cells.texts(row.cells.get(words), "words")]
    given = [cells.label(tag, "tags") for tag in cells.texts(row.cells.get(tags), "tags")]
    return _tagged(found, given, group_of(row, group, most), row.line)


def _tagged(words: Sequence[str], tags: Sequence[str], group: str | None, line: int) -> Tagged:
    if not words:
        raise InputError("'words' is empty")
    if len(words) != len(tags):
        raise InputError(f"{len(words)} words, but {len(tags)} tags; every word needs one")
    empty = next((i for i, word in enumerate(words) if not word), None)
    if empty is not None:
        raise InputError(f"word {empty + 1} of {len(words)} is empty")
    return Tagged(tuple(words), to_bio(tags), group, line)


def _spanned(row: Row, column: str, spans: str, group: str | None, most: int) -> Tagged:
    text = row.cells.get(column)
    cells.check_size(text, "text", most)
    if not isinstance(text, str) or cells.is_empty(text):
        raise InputError("'text' is empty" if cells.is_empty(text) else f"'text' is no text but {text!r:.60}")
    found = [_span(value) for value in cells.texts(row.cells.get(spans), "spans")]
    words, tags = spans_to_tags(text, found)
    return _tagged(words, tags, group_of(row, group, most), row.line)


def _span(value: Any) -> tuple[int, int, str]:
    fields = ("start", "end", "label")
    if isinstance(value, list | tuple) and len(value) == 3:
        value = dict(zip(fields, value, strict=True))
    if not isinstance(value, Mapping) or any(name not in value for name in fields):
        raise InputError(f"a span needs start, end and label, not {value!r:.60}")
    start, end = value["start"], value["end"]
    if any(isinstance(place, bool) or not isinstance(place, int) for place in (start, end)):
        raise InputError(f"start and end of a span must be whole numbers, not {start!r:.20} and {end!r:.20}")
    return start, end, cells.label(value["label"], "label")


def _from_lines(text: str, file: str, strict: bool, most: int) -> Rows[Tagged]:
    rows: list[Tagged] = []
    bad: list[BadRow] = []
    for block in _blocks(text):
        line = block[0][0]
        try:
            rows.append(_sentence(block, most))
        except InputError as error:
            bad.append(BadRow(line, str(error)))
    return finish(rows, bad, file, strict=strict)


def _blocks(text: str) -> Iterator[list[tuple[int, str]]]:
    """Lines with their numbers, parted at blank lines; -DOCSTART- lines and comments are left out."""
    block: list[tuple[int, str]] = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        plain = line.strip("\r\n\x00 ")
        if plain and not plain.startswith(("-DOCSTART-", "# ")):
            block.append((number, plain))
        elif not plain and block:
            yield block
            block = []
    if block:
        yield block


def _sentence(block: Sequence[tuple[int, str]], most: int) -> Tagged:
    words, tags = [], []
    cells.check_size([line for _, line in block], "sentence", most)
    for number, line in block:
        parts = [part for part in (line.split("\t") if "\t" in line else line.split()) if part.strip()]
        if len(parts) < 2:
            raise InputError(f"line {number} has a token and no tag: {line[:40]!r}")
        word = cells.as_text(parts[0], "token")
        if not word:
            raise InputError(f"line {number} has no token once it is cleaned")
        words.append(word)
        tags.append(cells.label(parts[-1], "tag"))
    return _tagged(words, tags, None, block[0][0])
