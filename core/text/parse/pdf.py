"""PDF as text: lines in reading order, headings by size, running headers and footers dropped, a page for each section.

Knows pypdf. Encrypted files are opened with the empty password; scanned ones are refused with the advice to run OCR.
"""

from __future__ import annotations

import io
import logging
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from core.errors import TooLarge, UnreadableDocument
from core.text.clean import collapse, join_lines, normalise, running_lines
from core.text.parse.base import Draft, Limits, Parsed, Source
from core.text.parse.decode import kind_of

_TERMINAL = re.compile(r"[.!?:;。！？：；…][\"'”’)\]]*$")
_ITEM = re.compile(r"(?:[-*+•‣·▪◦]|\d{1,3}[.)]|[(（]?[a-zA-Z]{1}[)）])\s")
_BARE_TITLE = re.compile(r"(?i)^(?:untitled.*|microsoft word.*|document\d*|.*\.(?:docx?|pdf|indd|pptx?|xlsx?)|\W*)$")
_HEADING_SCALE = 1.15
_HEADING_LENGTH = 120


@dataclass(slots=True)
class _Line:
    text: str
    size: float
    y: float
    """Height on the page in points; falls from line to line."""


def parse_pdf(source: Source) -> Parsed:
    """One document with a section for every heading and page; its title is the file's own, else the largest first line.

    :raises UnreadableDocument: if the file is no PDF, damaged, encrypted with a password, or holds only images.
    :raises TooLarge: if it has too many pages, too much text, or takes too long.
    """
    reader = _open(source)
    try:
        pages = _read_pages(reader, source)
        title = _own_title(reader)
    except (TooLarge, UnreadableDocument):
        raise
    except (
        PyPdfError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        RecursionError,
        OverflowError,
    ) as error:
        raise _damaged(source, error) from error
    if not any(pages):
        raise UnreadableDocument(
            f"{source.name} has {len(pages)} pages and no text: it looks scanned. "
            "Run OCR first, as in `ocrmypdf in.pdf out.pdf`."
        )
    levels = _levels(pages)
    dropped = running_lines([["" if line.size in levels else line.text for line in page] for page in pages])
    kept = [[line for i, line in enumerate(page) if i not in drop] for page, drop in zip(pages, dropped, strict=True)]
    document = _draft(kept if any(kept) else pages, levels).document(
        id=source.document_id, source=source.name, title=title, fallback_title=source.stem
    )
    return Parsed((document,))


def _open(source: Source) -> PdfReader:
    if b"%PDF-" not in source.data[:1024]:
        kind = kind_of(source.data)
        what = f"is {kind[0]}" if kind else "does not begin like a PDF"
        raise UnreadableDocument(f"{source.name} {what}. Give it its own suffix, or export it as PDF again.")
    logging.getLogger("pypdf").setLevel(logging.ERROR)
    try:
        reader = PdfReader(io.BytesIO(source.data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableDocument(
                f"{source.name} is encrypted with a password. "
                "Save it without one, as in `qpdf --decrypt in.pdf out.pdf`."
            )
        pages = len(reader.pages)
    except UnreadableDocument:
        raise
    except Exception as error:  # a damaged file can raise anything in here
        raise _damaged(source, error) from error
    if pages > source.limits.pages:
        raise TooLarge(f"{source.name} has {pages} pages; the limit is {source.limits.pages}. Split it.")
    return reader


def _damaged(source: Source, error: Exception) -> UnreadableDocument:
    return UnreadableDocument(
        f"{source.name} is damaged ({type(error).__name__}: {str(error)[:200]}). "
        "Open it in a PDF reader and save it again."
    )


def _read_pages(reader: PdfReader, source: Source) -> list[list[_Line]]:
    limits: Limits = source.limits
    deadline = time.monotonic() + limits.seconds
    pages, characters = [], 0
    for page in reader.pages:
        collector = _Collector()
        page.extract_text(visitor_text=collector)
        lines = collector.lines()
        characters += sum(len(line.text) for line in lines)
        if characters > limits.characters:
            raise TooLarge(f"{source.name} holds more than {limits.characters:,} characters of text. Split it.")
        if time.monotonic() > deadline:
            raise TooLarge(f"{source.name} took longer than {limits.seconds:g} s to read. Split it, or save it again.")
        pages.append(lines)
    return pages


class _Collector:
    """Receives pypdf's pieces of text with their font size and place, and gives lines."""

    def __init__(self) -> None:
        self._texts: list[list[str]] = [[]]
        self._sizes: list[Counter[float]] = [Counter()]
        self._heights: list[float | None] = [None]

    def __call__(self, text: str, cm: Sequence[float], tm: Sequence[float], font: Any, size: float) -> None:
        scale = abs(tm[3] * cm[3]) or abs(tm[1] * cm[2]) or 1.0
        for i, piece in enumerate(text.split("\n")):
            if i:
                self._texts.append([])
                self._sizes.append(Counter())
                self._heights.append(None)
            if piece:
                self._texts[-1].append(piece)
                self._sizes[-1][round(size * scale, 1)] += len(piece.strip())
                if self._heights[-1] is None and piece.strip():
                    self._heights[-1] = tm[5] * cm[3] + cm[5]

    def lines(self) -> list[_Line]:
        found = []
        for texts, sizes, height in zip(self._texts, self._sizes, self._heights, strict=True):
            text = collapse(normalise("".join(texts))).replace("\n", " ")
            if text:
                size = max(sizes, key=lambda s: sizes[s]) if sizes else 0.0
                found.append(_Line(text, size, height if height is not None else 0.0))
        return found


def _own_title(reader: PdfReader) -> str:
    try:
        title = (reader.metadata.title if reader.metadata is not None else None) or ""
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError):
        return ""
    return "" if _BARE_TITLE.match(title.strip()) else title


def _levels(pages: Sequence[Sequence[_Line]]) -> dict[float, int]:
    """Heading level by font size: sizes clearly above the one most of the text has, the largest first."""
    sizes: Counter[float] = Counter()
    for page in pages:
        for line in page:
            sizes[line.size] += len(line.text)
    body = max(sizes, key=lambda size: sizes[size])
    larger = sorted((size for size in sizes if size >= body * _HEADING_SCALE), reverse=True)
    return {size: min(i + 1, 3) for i, size in enumerate(larger)}


def _draft(pages: Sequence[Sequence[_Line]], levels: dict[float, int]) -> Draft:
    draft = Draft()
    for number, page in enumerate(pages, 1):
        first = True
        for lines in _blocks(page, levels):
            level = levels.get(lines[0].size)
            text = _joined([line.text for line in lines])
            if level is not None and len(text) <= _HEADING_LENGTH and not text.endswith((".", "。", "，", ",", ";")):
                draft.heading(level, text, page=number)
            else:
                draft.block(text, separator=_between(draft, text) if first else "\n\n", page=number)
            first = False
    return draft


def _blocks(page: Sequence[_Line], levels: dict[float, int]) -> list[list[_Line]]:
    """Lines of one heading, or of one paragraph: parted by a change to or from a heading's size, or by a wide gap."""
    gaps = sorted(a.y - b.y for a, b in pairwise(page) if 0 < a.y - b.y < 200 and a.size == b.size)
    usual = gaps[len(gaps) // 3] if gaps else 0.0
    blocks: list[list[_Line]] = []
    for line in page:
        last = blocks[-1][-1] if blocks else None
        if (
            last is None
            or levels.get(last.size) != levels.get(line.size)
            or (usual and abs(last.y - line.y) > 1.45 * usual)
        ):
            blocks.append([line])
        else:
            blocks[-1].append(line)
    return blocks


def _joined(lines: Sequence[str]) -> str:
    """Lines of a paragraph with their wraps undone; list items and short lines keep their own line."""
    full = max(map(len, lines))
    joined = [lines[0]]
    for before, line in pairwise(lines):
        wrapped = len(before) >= 0.72 * full or line[0].islower() or before.endswith((",", "，", "、"))
        ended = _TERMINAL.search(before) and len(before) < 0.85 * full
        if wrapped and not ended and not _ITEM.match(line):
            joined[-1] = join_lines(joined[-1], line)
        else:
            joined.append(line)
    return "\n".join(joined)


def _between(draft: Draft, text: str) -> str:
    """What parts a page's first block from the page before: a space where a sentence runs on."""
    return " " if draft.runs_on and text[:1].islower() else "\n\n"
