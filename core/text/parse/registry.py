"""Which parser reads which file: by suffix, loaded when first needed.

A new format is one file with a `Parser` and one line here.
"""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Callable
from pathlib import Path

from core.errors import InputError, TooLarge, UnreadableDocument
from core.text.parse.base import Draft, Limits, Parsed, Parser, Source
from core.types import Document

PARSERS: dict[str, tuple[str, str]] = {
    ".pdf": ("pdf", "parse_pdf"),
    ".docx": ("docx", "parse_docx"),
    ".html": ("html", "parse_html"),
    ".htm": ("html", "parse_html"),
    ".xhtml": ("html", "parse_html"),
    ".md": ("markdown", "parse_markdown"),
    ".markdown": ("markdown", "parse_markdown"),
    ".txt": ("plain", "parse_plain"),
    ".text": ("plain", "parse_plain"),
    ".csv": ("rows", "parse_csv"),
    ".tsv": ("rows", "parse_csv"),
    ".jsonl": ("rows", "parse_jsonl"),
    ".ndjson": ("rows", "parse_jsonl"),
}
"""Suffix -> module in this package and its parser."""

FORMATS = {"text": ".txt", "markdown": ".md", "html": ".html"}
"""Names the API gives to formats of a text -> suffix."""

_FIXES = {
    ".doc": "save it as .docx",
    ".rtf": "save it as .docx",
    ".odt": "save it as .docx",
    ".xls": "export its sheets as .csv",
    ".xlsx": "export its sheets as .csv",
    ".ppt": "export it as .pdf",
    ".pptx": "export it as .pdf",
    ".json": "write one object a line and call it .jsonl",
    ".parquet": "export it as .csv or .jsonl",
    ".epub": "convert it to .html",
}
_ID_UNSAFE = re.compile(r"[^\w.\-]+")
_ID_LENGTH = 160


def suffix_of(name: str) -> str:
    """Lower-case suffix with its dot, or ""."""
    return Path(name.replace("\\", "/")).suffix.lower()


def is_supported(name: str) -> bool:
    """Whether a parser is known for a file of this name."""
    return suffix_of(name) in PARSERS


def unsupported(name: str) -> str:
    """Why a file of this name is not read, and what to do."""
    suffix = suffix_of(name)
    known = ", ".join(sorted(PARSERS))
    fix = f"; {_FIXES[suffix]}" if suffix in _FIXES else ""
    what = f"files called {suffix} are not read" if suffix else "a file without a suffix is not read"
    return f"{what}{fix} (known: {known})"


def document_id(name: str) -> str:
    """A stable id for a file: its relative path with ":" for "/"; a digest keeps changed or shortened names apart."""
    path = name.replace("\\", "/").strip("/")
    safe = ":".join(_ID_UNSAFE.sub("-", part) for part in path.split("/"))
    if safe.replace(":", "/") == path and len(safe) <= _ID_LENGTH:
        return safe
    digest = hashlib.sha256(path.encode("utf-8", "replace")).hexdigest()[:8]
    return f"{safe[:_ID_LENGTH]}-{digest}"


def parse_lenient(
    source: Path | str | bytes,
    *,
    name: str | None = None,
    id: str | None = None,
    limits: Limits | None = None,
) -> Parsed:
    """Read one file; bad rows of a CSV or JSONL file are reported beside the documents of the good ones.

    :param source: a path, or the bytes of a file (then `name` is needed, for its suffix).
    :param name: file as shown to people and as ids derive from; None takes the path's last part.
    :param id: id of a one-document file and prefix of rows without one; None derives it from the name.
    :param limits: what the file may cost; None takes the defaults.
    :raises UnreadableDocument: if the file is missing, empty, damaged, encrypted or not what its suffix says.
    :raises TooLarge: if it is over a limit; the size is checked before the file is read.
    :raises InputError: if bytes come without a name, or no parser knows the suffix.
    """
    limits = limits or Limits()
    if isinstance(source, bytes):
        if name is None:
            raise InputError("bytes need a name, for its suffix tells their format: name='guide.pdf'.")
        _check_size(len(source), name, limits)
    else:
        name = name or Path(source).name
    parser = _parser(name)
    data = source if isinstance(source, bytes) else read_bytes(Path(source), name, limits)
    if not data:
        raise UnreadableDocument(f"{name} is empty.")
    return parser(Source(name=name, data=data, document_id=id or document_id(name), limits=limits))


def parse(
    source: Path | str | bytes,
    *,
    name: str | None = None,
    id: str | None = None,
    limits: Limits | None = None,
) -> list[Document]:
    """Read one file, all of it or nothing: as `parse_lenient`, but one bad row refuses the file.

    :raises InputError: also if any row is bad; the message names the first ones.
    """
    parsed = parse_lenient(source, name=name, id=id, limits=limits)
    if parsed.problems:
        shown = "; ".join(map(str, parsed.problems[:3]))
        more = f" (and {len(parsed.problems) - 3} more)" if len(parsed.problems) > 3 else ""
        raise InputError(f"{shown}{more}. Mend the rows, or read the file without strict.")
    return list(parsed.documents)


def parse_text(text: str, *, id: str, title: str, format: str = "markdown", source: str | None = None) -> Document:
    """A document given as text.

    :param format: "text", "markdown" or "html".
    :param source: what is shown as its origin; None takes the id.
    :raises UnreadableDocument: if nothing to read remains.
    :raises InputError: if the format is unknown.
    """
    from core.text.clean import normalise
    from core.text.parse.html import html_draft
    from core.text.parse.markdown import markdown_draft
    from core.text.parse.plain import plain_draft

    drafts: dict[str, Callable[[str], Draft]] = {
        "text": plain_draft,
        "html": html_draft,
        "markdown": lambda value: markdown_draft(normalise(value)),
    }
    if format not in drafts:
        raise InputError(f"format {format!r} is unknown; use one of {', '.join(drafts)}.")
    return drafts[format](text).document(id=id, source=source or id, title=title)


def _parser(name: str) -> Parser:
    suffix = suffix_of(name)
    if suffix not in PARSERS:
        raise InputError(f"{name}: {unsupported(name)}.")
    module, function = PARSERS[suffix]
    parser: Parser = getattr(importlib.import_module(f"core.text.parse.{module}"), function)
    return parser


def read_bytes(path: Path, name: str, limits: Limits) -> bytes:
    """Content of a file within the limit on its size, which is checked before anything is read.

    :raises UnreadableDocument: if it is missing, a folder, or may not be read.
    :raises TooLarge: if it is over the limit.
    """
    try:
        _check_size(path.stat().st_size, name, limits)
        with path.open("rb") as file:
            data = file.read(limits.file_bytes + 1)
    except FileNotFoundError as error:
        raise UnreadableDocument(f"{path} does not exist.") from error
    except IsADirectoryError as error:
        raise UnreadableDocument(f"{path} is a folder, not a file.") from error
    except OSError as error:
        raise UnreadableDocument(f"{path} cannot be read: {error.strerror or error}. Check its permissions.") from error
    _check_size(len(data), name, limits)
    return data


def _check_size(size: int, name: str, limits: Limits) -> None:
    if size > limits.file_bytes:
        raise TooLarge(
            f"{name} has {size / 2**20:,.0f} MB; the limit is {limits.file_bytes / 2**20:,.0f} MB. "
            "Split it, or raise the limit on file size."
        )
