"""What goes into the bot: the company's files as Documents, and labelled tables for training and evaluation.

Knows files and columns; knows nothing of stores, indexes and models. One bad file or row never stops the others, unless
the caller is strict: then nothing goes in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from core.errors import InputError, SuiteError
from core.text.clean import collapse, normalise
from core.text.parse import Limits, Problem, document_id, is_supported, parse_lenient, read_bytes, unsupported
from core.text.parse.decode import decode
from core.text.table import BadRow, Row, Table, called_columns, read_csv, read_jsonl
from core.types import Document

OUT_OF_SCOPE = "oos"
"""Label of questions that belong to no intent."""

T = TypeVar("T")


class SourceRead(NamedTuple):
    """What was read from one file."""

    source: str
    """File as shown to people: folder name and relative path."""
    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]
    """Errors, skipped files and duplicate ids, each with its reason."""


@dataclass(frozen=True, slots=True)
class Rows(Generic[T]):
    """The good rows of a table, and the bad ones with line and reason."""

    rows: tuple[T, ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and its intent."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class FaqEntry:
    """A question that people ask often, and its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class FaqQuery:
    """A question in a user's words, and the FAQ's question it means."""

    query: str
    question: str


@dataclass(frozen=True, slots=True)
class RagQuestion:
    """A question on documents, with what a right answer is."""

    question: str
    answer: str
    answerable: bool
    doc_ids: tuple[str, ...] = ()
    """Documents that hold the answer; empty where none does."""
    spans: tuple[str, ...] = ()
    """Sentences of those documents that give the answer."""


def read_sources(
    paths: Sequence[Path | str], *, strict: bool = False, limits: Limits | None = None
) -> Iterator[SourceRead]:
    """Read files, and folders with all that is in them, one file at a time in the order of their names.

    A document's id is the one given in its row, else made from folder name and relative path, so the same file keeps
    its id from run to run. Hidden files and unknown formats are skipped with a reason; a file that is given twice is
    read once; of two documents with one id the first is kept.

    :param strict: read everything first, and raise if there is any error or duplicate.
    :param limits: what one file may cost; None takes the defaults.
    :raises InputError: if strict and anything is wrong; the message names the first problems.
    """
    reading = _read_all([Path(path) for path in paths], limits or Limits())
    if not strict:
        yield from reading
        return
    everything = list(reading)
    wrong = [problem for read in everything for problem in read.problems if problem.kind != "skipped"]
    _refuse(wrong)
    yield from everything


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        shown = "; ".join(map(str, problems[:3]))
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        raise InputError(f"{shown}{more}. Nothing was taken in; mend the input, or leave out --strict.")


def _read_all(paths: Sequence[Path], limits: Limits) -> Iterator[SourceRead]:
    ids: dict[str, str] = {}
    done: set[Path] = set()
    for path, name, skipped in _files(paths):
        if skipped is not None:
            yield SourceRead(name, (), (skipped,))
            continue
        resolved = path.resolve()
        if resolved not in done:
            done.add(resolved)
            yield _read_one(path, name, limits, ids)


def _read_one(path: Path, name: str, limits: Limits, ids: dict[str, str]) -> SourceRead:
    try:
        parsed = parse_lenient(path, name=name, id=document_id(name), limits=limits)
    except SuiteError as error:
        return SourceRead(name, (), (Problem(name, None, str(error)),))
    except Exception as error:  # a parser's own failure must not stop the other files
        reason = f"{name} cannot be read ({type(error).__name__}: {str(error)[:200]}). Save it again, or leave it out."
        return SourceRead(name, (), (Problem(name, None, reason),))
    kept, problems = [], list(parsed.problems)
    for document in parsed.documents:
        first = ids.setdefault(document.id, document.source)
        if first == document.source:
            kept.append(document)
        else:
            reason = f"the id {document.id!r} was given by {first} already; this document is left out"
            problems.append(Problem(document.source, None, reason, "duplicate"))
    return SourceRead(name, tuple(kept), tuple(problems))


def _files(paths: Sequence[Path]) -> Iterator[tuple[Path, str, Problem | None]]:
    """(path, name shown, why it is skipped or None) for every file below the paths."""
    for path in paths:
        if path.is_dir():
            found = False
            for file in _below(path):
                name = "/".join((path.resolve().name, *file.relative_to(path).parts)).lstrip("/")
                found = True
                yield file, name, _skip(file.relative_to(path), name)
            if not found:
                yield path, str(path), Problem(str(path), None, f"{path} is a folder without files.", "skipped")
        elif not path.exists():
            yield path, str(path), Problem(str(path), None, f"{path} does not exist.")
        elif not is_supported(path.name):
            yield path, path.name, Problem(path.name, None, f"{unsupported(path.name)}.")
        else:
            yield path, "/".join((path.resolve().parent.name, path.name)).lstrip("/"), None


def _below(folder: Path) -> Iterator[Path]:
    """Files below a folder, by name. Links to folders are not followed: they can form rings."""
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir():
            if not entry.is_symlink() and not entry.name.startswith("."):
                yield from _below(entry)
        elif entry.is_file() or entry.is_symlink():
            yield entry


def _skip(relative: Path, name: str) -> Problem | None:
    if any(part.startswith((".", "~$")) for part in relative.parts):
        return Problem(name, None, "hidden and temporary files are not read", "skipped")
    return None if is_supported(name) else Problem(name, None, unsupported(name), "skipped")


def read_labelled(
    path: Path | str, *, columns: Mapping[str, str] | None = None, strict: bool = False
) -> Rows[Labelled]:
    """Texts with labels: columns `text,label`; the label "oos" means out of scope.

    :param columns: what a column is called in this file, as in `{"text": "utterance"}`.
    :raises UnknownColumn: if a column is missing.
    :raises InputError: if strict and a row is bad, or the file is empty.
    """
    return _read(path, ("text", "label"), Labelled, columns, strict)


def read_faq(path: Path | str, *, columns: Mapping[str, str] | None = None, strict: bool = False) -> Rows[FaqEntry]:
    """Questions with answers: columns `question,answer`. Raises as `read_labelled`."""
    return _read(path, ("question", "answer"), FaqEntry, columns, strict)


def read_queries(path: Path | str, *, columns: Mapping[str, str] | None = None, strict: bool = False) -> Rows[FaqQuery]:
    """Users' questions with the FAQ's question they mean: columns `query,question`. Raises as `read_labelled`."""
    return _read(path, ("query", "question"), FaqQuery, columns, strict)


def read_texts(path: Path | str, *, columns: Mapping[str, str] | None = None, strict: bool = False) -> Rows[str]:
    """Texts alone, as in off-topic questions: column `text`. Raises as `read_labelled`."""
    return _read(path, ("text",), lambda text: text, columns, strict)


def read_documents(path: Path | str, *, strict: bool = False, limits: Limits | None = None) -> Rows[Document]:
    """Documents of one file, as a rule JSONL with `id,title,text`.

    :raises UnreadableDocument: if the file cannot be read at all.
    :raises InputError: if strict and a row is bad.
    """
    parsed = parse_lenient(Path(path), limits=limits)
    if strict:
        _refuse(parsed.problems)
    return Rows(parsed.documents, parsed.problems)


def read_questions(path: Path | str, *, strict: bool = False) -> Rows[RagQuestion]:
    """Questions on documents: `question,answer,answerable,doc_ids` and, if known, `spans`, in JSONL.

    `answerable` may be left out: then a question with `doc_ids` counts as answerable. Raises as `read_labelled`.
    """
    path = Path(path)
    table = _table(path)
    called_columns(table, ("question",), {}, path.name)
    rows, bad = [], list(table.bad)
    for row in table.rows:
        try:
            rows.append(_question(row))
        except InputError as error:
            bad.append(BadRow(row.line, str(error)))
    return _finish(rows, bad, path.name, strict)


def _question(row: Row) -> RagQuestion:
    doc_ids = _texts(row, "doc_ids")
    answerable = row.cells.get("answerable", bool(doc_ids))
    if isinstance(answerable, str) and answerable.strip().lower() in ("true", "false", "1", "0", "yes", "no"):
        answerable = answerable.strip().lower() in ("true", "1", "yes")
    if not isinstance(answerable, bool):
        raise InputError(f"'answerable' must be true or false, not {answerable!r:.60}")
    answer = _text(row.cells.get("answer") or "", "answer", required=False)
    return RagQuestion(_text(row.cells.get("question"), "question"), answer, answerable, doc_ids, _texts(row, "spans"))


def _texts(row: Row, column: str) -> tuple[str, ...]:
    value = row.cells.get(column) or []
    if isinstance(value, str | int):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(v, str | int) and not isinstance(v, bool) for v in value):
        raise InputError(f"{column!r} must be a list of texts or whole numbers, not {value!r:.60}")
    return tuple(str(v) for v in value)


def _text(value: Any, column: str, *, required: bool = True) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        if value is None and required:
            raise InputError(f"{column!r} is empty")
        raise InputError(f"{column!r} is no text but {value!r:.60}")
    text = collapse(normalise(str(value)))
    if required and not text:
        raise InputError(f"{column!r} is empty")
    return text


def _read(
    path: Path | str, names: Sequence[str], make: Callable[..., T], columns: Mapping[str, str] | None, strict: bool
) -> Rows[T]:
    path = Path(path)
    table = _table(path)
    called = called_columns(table, names, columns or {}, path.name)
    rows, bad = [], list(table.bad)
    for row in table.rows:
        try:
            rows.append(make(*(_text(row.cells.get(called[name]), name) for name in names)))
        except InputError as error:
            bad.append(BadRow(row.line, str(error)))
    return _finish(rows, bad, path.name, strict)


def _table(path: Path) -> Table:
    text = decode(read_bytes(path, path.name, Limits()), path.name)
    return read_jsonl(text) if path.suffix.lower() in (".jsonl", ".ndjson") else read_csv(text, path.name)


def _finish(rows: list[T], bad: list[BadRow], file: str, strict: bool) -> Rows[T]:
    problems = tuple(Problem(file, row.line, row.reason) for row in sorted(bad, key=lambda row: row.line))
    if strict:
        _refuse(problems)
    if not rows:
        first = f" First problem: {problems[0]}." if problems else ""
        raise InputError(f"{file} holds no good row.{first}")
    return Rows(tuple(rows), problems)
