"""What a parser gives back, what it may consume, and how blocks of text become a Document with sections.

Knows documents and headings; knows no file format.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from core.errors import UnreadableDocument
from core.text.clean import clean
from core.text.language import detect_language
from core.types import Document, Section

TITLE_LENGTH = 300
"""Characters of a title that are kept."""

ProblemKind = Literal["error", "skipped", "duplicate"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost. Over a limit it is refused with a message that names the limit."""

    file_bytes: int = 50 * 2**20
    """Size of the file, checked before it is read."""
    inflated_bytes: int = 200 * 2**20
    """Declared size of everything inside a zip (DOCX)."""
    markup_bytes: int = 16 * 2**20
    """Size of one XML part of a DOCX; its tree takes about fifty times as much memory."""
    inflation: float = 200.0
    """Inflated over packed size of a zip above 10 MB."""
    entries: int = 5_000
    """Files inside a zip."""
    pages: int = 5_000
    """Pages of a PDF."""
    characters: int = 20_000_000
    """Characters of text taken from one file."""
    seconds: float = 120.0
    """Time for one PDF, checked between pages."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was not read, and why."""

    source: str
    """File as shown to people."""
    line: int | None
    """Line of the file, from 1; None where the whole file is meant."""
    reason: str
    kind: ProblemKind = "error"

    def __str__(self) -> str:
        where = self.source if self.line is None else f"{self.source} line {self.line}"
        return f"{where}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Parsed:
    """The documents of one file, and the rows of it that could not be read."""

    documents: tuple[Document, ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of one file and what it is called."""

    name: str
    """File as shown to people; its suffix chose the parser."""
    data: bytes
    document_id: str
    """Id of a one-document file; prefix of the ids of rows without one."""
    limits: Limits = field(default_factory=Limits)

    @property
    def stem(self) -> str:
        """File name without folder and suffix, made readable: a title of last resort."""
        name = self.name.replace("\\", "/").rsplit("/", 1)[-1]
        stem = name.rsplit(".", 1)[0] if "." in name.strip(".") else name
        return re.sub(r"[_\-\s]+", " ", stem).strip() or name


Parser = Callable[[Source], Parsed]


def document_sha256(title: str, text: str) -> str:
    """Hex digest of title and cleaned text: equal when nothing that is indexed has changed."""
    return hashlib.sha256(f"{title}\n{text}".encode("utf-8", "replace")).hexdigest()


class Draft:
    """Collects headings and blocks in reading order; `document` makes a Document of them.

    Blocks must be clean already. Headings stay in the text, each on its own line, and open a section that begins with
    them. Sections cover the text up to the blank lines between them.
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._stack: list[tuple[int, str]] = []
        self._sections: list[Section] = []
        self._start = 0
        self._page: int | None = None
        self._fresh = True
        self.first_heading = ""
        """The first heading of level 1, or "" """

    @property
    def length(self) -> int:
        """Characters so far."""
        return self._length

    @property
    def runs_on(self) -> bool:
        """Whether the text so far stops in mid-sentence."""
        last = self._parts[-1][-1:] if self._parts else ""
        return last.isalnum() or last in (",", "，", "、", "-")

    def heading(self, level: int, text: str, page: int | None = None) -> None:
        """Open a section under a heading of level 1 (outermost) to 6."""
        if not text:
            return
        self._close()
        while self._stack and self._stack[-1][0] >= level:
            self._stack.pop()
        self._stack.append((level, text))
        if level == 1 and not self.first_heading:
            self.first_heading = text
        self.block(text, page=page)

    def block(self, text: str, *, separator: str = "\n\n", page: int | None = None) -> None:
        """Append a paragraph, a list, a table; `separator` stands between it and what came before."""
        if not text:
            return
        if page != self._page and not self._fresh:
            self._close()
        if self._length:
            self._parts.append(separator)
            self._length += len(separator)
        if self._fresh:
            self._start, self._page, self._fresh = self._length, page, False
        self._parts.append(text)
        self._length += len(text)

    def _close(self) -> None:
        if not self._fresh:
            headings = tuple(text for _, text in self._stack)
            self._sections.append(Section(headings, self._start, self._length, self._page))
            self._fresh = True

    def document(
        self,
        *,
        id: str,
        source: str,
        title: str = "",
        fallback_title: str = "",
        language: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Document:
        """The document; its title is the one given, else the first top heading, else the fallback.

        :raises UnreadableDocument: if nothing was collected.
        """
        self._close()
        text = "".join(self._parts)
        if not text.strip():
            raise UnreadableDocument(f"{source} holds no text.")
        chosen = shorten(title or self.first_heading or fallback_title or id)
        return Document(
            id=id,
            title=chosen,
            text=text,
            source=source,
            language=language or detect_language(f"{chosen}\n{text[:1000]}"),
            sha256=document_sha256(chosen, text),
            sections=tuple(self._sections),
            metadata=metadata or {},
        )


def shorten(title: str) -> str:
    """A title on one clean line of at most `TITLE_LENGTH` characters."""
    line = " ".join(clean(title).split())
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"


def table_lines(rows: Sequence[Sequence[str]], *, header: bool) -> list[str]:
    """A table as lines that can each stand alone in a quote.

    With two columns a line is "first: second"; with more, and a header, every cell is named by its column
    ("Plan: Gold; Fee: $5"). A header of two columns stays as a line; other tables have cells parted by " | ".
    """
    filled = [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)]
    if not filled:
        return []
    width = max(map(len, filled))
    if width == 2:
        return [": ".join(cell.rstrip(":：") if i == 0 and len(row) > 1 else cell for i, cell in enumerate(row) if cell)
                for row in filled]  # fmt: skip
    if header and len(filled) > 1 and width > 2:
        names = filled[0]
        return [_named(names, row) for row in filled[1:]]
    return [" | ".join(cell for cell in row if cell) for row in filled]


def _named(names: Sequence[str], row: Sequence[str]) -> str:
    cells = []
    for i, cell in enumerate(row):
        name = names[i].rstrip(":：") if i < len(names) else ""
        if cell:
            cells.append(f"{name}: {cell}" if name else cell)
    return "; ".join(cells)
