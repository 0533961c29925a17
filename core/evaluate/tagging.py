"""Figures for tagged tokens: entities found exactly, and tokens tagged right.

Knows tag strings ("B-PER", "O"); nothing of tokenizers or models. Tags may be IO, BIO, BIOES, BILOU or BMES.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from core.errors import InputError
from core.evaluate.classification import LabelReport, report_from_counts
from core.types import IntArray

Scheme = Literal["any", "bio", "bioes"]
Tags = Sequence[str]

OUTSIDE = "O"
_MARKS = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S"}


@dataclass(frozen=True, slots=True)
class Span:
    """An entity: tokens [start, end) of one sentence."""

    start: int
    end: int
    type: str


@dataclass(frozen=True, slots=True)
class TaggingReport:
    """How well entities and how well tokens were found."""

    entities: LabelReport
    """By entity type; right means: same type, same first and same last token."""
    tokens: LabelReport
    """By tag; "O" has a row, but the averages leave it out, for it would drown the others."""

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        return {"entities": self.entities.as_dict(), "tokens": self.tokens.as_dict()}


def split_tag(tag: str) -> tuple[str, str]:
    """Mark and type of a tag: "B-PER" is ("B", "PER"), "O" is ("O", ""), a bare "PER" is ("I", "PER") as in IO tagging.

    :raises InputError: if the tag is empty.
    """
    if tag == OUTSIDE:
        return OUTSIDE, ""
    if not tag:
        raise InputError('a tag is empty; a token outside every entity is tagged "O"')
    if tag in _MARKS:
        return _MARKS[tag], ""
    if len(tag) > 2 and tag[1] in "-_" and tag[0] in _MARKS:
        return _MARKS[tag[0]], tag[2:]
    return "I", tag


def entity_spans(tags: Tags, scheme: Scheme = "any") -> list[Span]:
    """The entities of one sentence, in order.

    :param tags: one for each token.
    :param scheme: "any": an entity begins wherever marks or types allow no other reading, so "I-PER" after "O" begins
        one; right for IO, BIO, BIOES and what a model makes of them. "bio": an entity is B I*, all else is none.
        "bioes": an entity is S or B I* E, all else is none.
    :raises InputError: if a tag is empty or the scheme is unknown.

    "any" is the reading of conlleval (Tjong Kim Sang and De Meulder 2003, "Introduction to the CoNLL-2003 task").
    """
    if scheme not in {"any", "bio", "bioes"}:
        raise InputError(f"there is no tag scheme {scheme!r}; use any, bio or bioes")
    marked = [split_tag(tag) for tag in tags]
    return list(_loose(marked) if scheme == "any" else _strict(marked, ends=scheme == "bioes"))


def tagging_report(predicted: Sequence[Tags], labels: Sequence[Tags], scheme: Scheme = "any") -> TaggingReport:
    """Entity-level and token-level precision, recall, F1 and support, by type and averaged.

    :param predicted: tags of every sentence.
    :param labels: true tags of the same sentences.
    :param scheme: as in `entity_spans`.
    :raises InputError: if there is no sentence or no token, or lengths disagree.
    """
    if len(predicted) != len(labels):
        raise InputError(f"{len(predicted)} tagged sentences for {len(labels)} true ones")
    for i, (ours, true) in enumerate(zip(predicted, labels, strict=True)):
        if len(ours) != len(true):
            raise InputError(f"sentence {i} has {len(ours)} predicted and {len(true)} true tags")
    if not sum(map(len, labels)):
        raise InputError("nothing to evaluate: 0 tokens")
    pairs = Counter(pair for ours, true in zip(predicted, labels, strict=True) for pair in zip(ours, true, strict=True))
    share = sum(n for (ours, true), n in pairs.items() if ours == true) / pairs.total()
    return TaggingReport(_entities(predicted, labels, scheme, share), _tokens(pairs, share))


def _entities(predicted: Sequence[Tags], labels: Sequence[Tags], scheme: Scheme, accuracy: float) -> LabelReport:
    right: Counter[str] = Counter()
    said: Counter[str] = Counter()
    support: Counter[str] = Counter()
    for ours, true in zip(predicted, labels, strict=True):
        found, wanted = entity_spans(ours, scheme), entity_spans(true, scheme)
        said.update(span.type for span in found)
        support.update(span.type for span in wanted)
        right.update(span.type for span in set(found) & set(wanted))
    return _counted(sorted(said.keys() | support.keys()), right, said, support, accuracy)


def _tokens(pairs: Counter[tuple[str, str]], accuracy: float) -> LabelReport:
    right: Counter[str] = Counter()
    said: Counter[str] = Counter()
    support: Counter[str] = Counter()
    for (ours, true), n in pairs.items():
        said[ours] += n
        support[true] += n
        right[true] += n if ours == true else 0
    names = sorted((said.keys() | support.keys()) - {OUTSIDE})
    report = _counted(names, right, said, support, accuracy)
    outside = _counted([OUTSIDE], right, said, support, accuracy).rows
    return LabelReport((*report.rows, *outside), report.micro, report.macro, report.weighted, accuracy)


def _counted(
    names: Sequence[str], right: Counter[str], said: Counter[str], support: Counter[str], accuracy: float
) -> LabelReport:
    def column(counts: Counter[str]) -> IntArray:
        return np.array([counts[name] for name in names], dtype=np.int64)

    return report_from_counts(names, column(right), column(said), column(support), accuracy)


def _loose(marked: Sequence[tuple[str, str]]) -> Iterator[Span]:
    begun = 0
    before, of = OUTSIDE, ""
    for i, (mark, kind) in enumerate([*marked, (OUTSIDE, "")]):
        fresh = mark in "BS" or before in "ESO" or kind != of
        if before != OUTSIDE and (fresh or mark == OUTSIDE):
            yield Span(begun, i, of)
        if mark != OUTSIDE and fresh:
            begun = i
        before, of = mark, kind


def _strict(marked: Sequence[tuple[str, str]], *, ends: bool) -> Iterator[Span]:
    begun: int | None = None
    of = ""
    for i, (mark, kind) in enumerate([*marked, (OUTSIDE, "")]):
        inside = begun is not None and kind == of and mark in ("IE" if ends else "I")
        if inside and mark == "E" and begun is not None:
            yield Span(begun, i + 1, of)
            begun = None
        if inside:
            continue
        if begun is not None and not ends:
            yield Span(begun, i, of)
        begun = None
        if mark == "B":
            begun, of = i, kind
        elif mark == "S" and ends:
            yield Span(i, i + 1, kind)
