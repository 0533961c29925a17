"""Documents to passages bounded in tokens of the encoder: along sentences, inside sections, with exact offsets.

Knows documents, sentences and a function that counts tokens; knows no encoder. Tokens are counted in one call for the
different words of all documents (another one where a sentence is too long), because calls cost more than tokens.

How a passage is made:
1. Sections under the same headings are one stretch (a page break ends nothing). Small neighbours under one parent
   heading become one stretch too, as does a heading without text of its own with what follows it.
2. A stretch that is too long is parted into passages of about equal length between sentences, between lines where
   that is near.
3. A sentence longer than the bound is parted at clauses, else words, else anywhere.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from core.errors import InputError
from core.text.segment import sentences
from core.types import Chunk, Document, Section

CountTokens = Callable[[Sequence[str]], list[int]]
"""Tokens of each text, special tokens not counted; `Encoder.count_tokens` is one."""

_CLAUSE = re.compile(r"(?<=[,;:，；：、—–)）])\s*|(?<=\s)(?=[(（—–])|\n+")
_WORD = re.compile(r"\s+|(?<=[\u3040-\u30ff\u3400-\u9fff])|(?<=[/_\-=&.,])")


_SMALL = 4
"""A section of at most the bound over this many tokens may share a passage with its neighbour."""


@dataclass(slots=True)
class _Unit:
    """A sentence, or a part of one: the smallest thing a passage is made of."""

    start: int
    end: int
    tokens: int = 0


@dataclass(slots=True)
class _Stretch:
    """Neighbouring units that may share a passage."""

    headings: tuple[str, ...]
    units: list[_Unit]
    bare: bool = False
    """Whether it holds nothing but headings."""
    parent: tuple[str, ...] | None = None
    """Headings under which neighbours may join it; None where nothing may."""

    @property
    def tokens(self) -> int:
        return sum(unit.tokens for unit in self.units)


def chunk(
    document: Document, *, count_tokens: CountTokens, max_tokens: int = 128, overlap_sentences: int = 0
) -> list[Chunk]:
    """Passages of one document, in order; see `chunk_many`."""
    return chunk_many(
        [document], count_tokens=count_tokens, max_tokens=max_tokens, overlap_sentences=overlap_sentences
    )[0]


def chunk_many(
    documents: Iterable[Document], *, count_tokens: CountTokens, max_tokens: int = 128, overlap_sentences: int = 0
) -> list[list[Chunk]]:
    """Passages of every document, in order.

    Without overlap the passages of a document do not overlap and leave out nothing but white space. For each,
    `chunk.text == document.text[chunk.start:chunk.end]`.

    :param count_tokens: tokens of each of many texts; called with words, once, and again for parts of long sentences.
    :param max_tokens: bound of a passage, at least 8. `Chunk.tokens` is the sum over its words, which for a tokenizer
        that splits at white space (WordPiece, SentencePiece) is the count of the whole.
    :param overlap_sentences: sentences repeated from the passage before, inside a stretch, as far as they fit in half
        the bound.
    :raises InputError: if a bound is out of range.
    """
    if max_tokens < 8:
        raise InputError(f"max_tokens is {max_tokens}; it must be at least 8.")
    if overlap_sentences < 0:
        raise InputError(f"overlap_sentences is {overlap_sentences}; it must not be negative.")
    kept = list(documents)
    stretches = [_stretches(document) for document in kept]
    counter = _WordCounter(count_tokens)
    counter.count(
        [
            (unit, document.text)
            for document, found in zip(kept, stretches, strict=True)
            for stretch in found
            for unit in stretch.units
        ]
    )
    _part_long_units(kept, stretches, counter, max_tokens)
    return [
        _chunks(document, _merged(found, max_tokens), max_tokens, overlap_sentences)
        for document, found in zip(kept, stretches, strict=True)
    ]


def _stretches(document: Document) -> list[_Stretch]:
    text, sections = document.text, document.sections or (Section((), 0, len(document.text)),)
    found: list[_Stretch] = []
    i = 0
    while i < len(sections):
        first = last = sections[i]
        i += 1
        while i < len(sections) and sections[i].headings == first.headings and not _opens_again(text, sections[i]):
            last = sections[i]
            i += 1
        spans = sentences(text[first.start : last.end], document.language)
        units = [_Unit(first.start + start, first.start + end) for start, end in spans]
        if units:
            heading = first.headings[-1] if first.headings else None
            bare = heading is not None and text[units[0].start : units[-1].end] == heading
            found.append(_Stretch(first.headings, units, bare, first.headings[:-1] if first.headings else None))
    return found


def _opens_again(text: str, section: Section) -> bool:
    """Whether a section with the same headings as the one before begins with its own heading (written twice)."""
    return bool(section.headings) and text.startswith(section.headings[-1] + "\n", section.start)


class _WordCounter:
    """Tokens of texts as the sum over their words, each word counted once.

    A tokenizer starts a new token after white space, so the sum is the count of the whole (exactly so for WordPiece
    and SentencePiece), and a collection has few different words: this is ten times as fast as counting sentences.
    """

    def __init__(self, count_tokens: CountTokens) -> None:
        self._count_tokens = count_tokens
        self._known: dict[str, int] = {}

    def count(self, pairs: Sequence[tuple[_Unit, str]]) -> None:
        """Set `tokens` of every unit; the text beside it is its document's."""
        split = [text[unit.start : unit.end].split() for unit, text in pairs]
        new = list(dict.fromkeys(word for words in split for word in words if word not in self._known))
        if new:
            self._known.update(zip(new, self._count_tokens(new), strict=True))
        known = self._known
        for (unit, _), words in zip(pairs, split, strict=True):
            unit.tokens = sum([known[word] for word in words])


def _part_long_units(
    documents: Sequence[Document], stretches: Sequence[Sequence[_Stretch]], counter: _WordCounter, bound: int
) -> None:
    """Replace units over the bound by parts of at most the bound: clauses, then words, then halves."""
    affected = [
        (stretch, document.text)
        for document, found in zip(documents, stretches, strict=True)
        for stretch in found
        if any(unit.tokens > bound for unit in stretch.units)
    ]
    level = 0
    while affected:
        made: list[tuple[_Unit, str]] = []
        for stretch, text in affected:
            units: list[_Unit] = []
            for unit in stretch.units:
                if unit.tokens <= bound or unit.end - unit.start < 2:
                    units.append(unit)
                    continue
                parts = _parts(text, unit, level)
                units += parts
                made += [(part, text) for part in parts]
            stretch.units = units
        counter.count(made)
        affected = [
            pair for pair in affected if made and any(u.tokens > bound and u.end - u.start > 1 for u in pair[0].units)
        ]
        level += 1


def _parts(text: str, unit: _Unit, level: int) -> list[_Unit]:
    pattern = _CLAUSE if level == 0 else _WORD if level == 1 else None
    if pattern is None:
        middle = (unit.start + unit.end) // 2
        return [_Unit(unit.start, middle), _Unit(middle, unit.end)]
    parts, start = [], unit.start
    for match in pattern.finditer(text, unit.start, unit.end):
        if match.start() > start:
            parts.append(_Unit(start, match.start()))
        start = max(start, match.end())
    if start < unit.end:
        parts.append(_Unit(start, unit.end))
    return parts


def _merged(stretches: Sequence[_Stretch], bound: int) -> list[_Stretch]:
    """Small neighbours under one parent as one stretch; a bare heading joins what follows under it."""
    merged: list[_Stretch] = []
    for i, stretch in enumerate(stretches):
        before = merged[-1] if merged else None
        if before is not None and (not stretch.bare or before.bare or i == len(stretches) - 1):
            sizes = before.tokens, stretch.tokens
            joined = _joined(before, stretch) if sum(sizes) <= bound else None
            if joined is not None and (before.bare or min(sizes) <= bound // _SMALL):
                merged[-1] = joined
                continue
        merged.append(stretch)
    return merged


def _joined(before: _Stretch, after: _Stretch) -> _Stretch | None:
    """Both as one: a bare heading and what it heads, a section and its first child, or siblings; None for strangers."""
    units, path = before.units + after.units, after.headings
    if before.bare and path[: len(before.headings)] == before.headings:
        return _Stretch(path, units, after.bare, after.parent)
    if path and path[:-1] == before.headings:
        return _Stretch(before.headings, units, False, before.headings)
    if path and path[:-1] == before.parent:
        return _Stretch(before.parent, units, False, before.parent)
    return None


def _chunks(document: Document, stretches: Sequence[_Stretch], bound: int, overlap: int) -> list[Chunk]:
    chunks: list[Chunk] = []
    paged = [section for section in document.sections if section.page is not None]
    starts = [section.start for section in paged]
    for stretch in stretches:
        for units in _packed(document.text, stretch.units, bound, overlap):
            start, end = units[0].start, units[-1].end
            at = bisect_right(starts, start) - 1
            chunks.append(
                Chunk(
                    document_id=document.id,
                    ordinal=len(chunks),
                    text=document.text[start:end],
                    start=start,
                    end=end,
                    tokens=sum(unit.tokens for unit in units),
                    language=document.language,
                    title=document.title,
                    headings=stretch.headings,
                    page=paged[at].page if at >= 0 else None,
                )
            )
    return chunks


def _packed(text: str, units: Sequence[_Unit], bound: int, overlap: int) -> list[list[_Unit]]:
    """Units in passages of at most `bound` tokens, about equally long, parted at line ends where one is near."""
    total = sum(unit.tokens for unit in units)
    if total <= bound:
        return [list(units)]
    target = total / -(-total // bound)
    packs: list[list[_Unit]] = [[]]
    size = 0
    for unit in units:
        pack = packs[-1]
        if pack and (size + unit.tokens > bound or _full(text, pack[-1], unit, size, target)):
            carried = _carried(pack, overlap, min(bound // 2, bound - unit.tokens))
            packs.append(carried)
            size = sum(u.tokens for u in carried)
        packs[-1].append(unit)
        size += unit.tokens
    if len(packs) > 1 and not overlap and sum(unit.tokens for unit in packs[-2] + packs[-1]) <= bound:
        packs[-2:] = [packs[-2] + packs[-1]]
    return packs


def _full(text: str, last: _Unit, unit: _Unit, size: int, target: float) -> bool:
    """Whether to close a passage that could still take the next unit."""
    if text[last.end - 1] in ":：":
        return False  # what a colon announces stays with it
    at_line = "\n" in text[last.end : unit.start]
    return size >= (0.8 if at_line else 1.0) * target


def _carried(pack: Sequence[_Unit], overlap: int, room: int) -> list[_Unit]:
    carried: list[_Unit] = []
    for unit in reversed(pack[len(pack) - overlap :] if overlap else []):
        if sum(u.tokens for u in carried) + unit.tokens > room or len(carried) + 1 >= len(pack):
            break
        carried.insert(0, unit)
    return carried
