"""Rows that repeat one another, and rows that contradict one another.

Knows rows in memory; changes none. Near repeats are found by MinHash (`core.text.dedup`) without regard to numbers and
names: "transfer $5" and "transfer $50" are one example to a classifier.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.finetune.data.examples import Example, Labelled, Pair
from core.text.dedup import NearDuplicateIndex
from core.text.dedup import fingerprint as text_fingerprint

NEAR = 0.7
"""Jaccard similarity of three-word shingles (three characters in Chinese) from which two texts are nearly the same: one
word of twenty is another, or the last of eight. One such pair in a hundred is missed."""


_LISTED = 20
_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Repeat:
    """A row that says what an earlier one, or one of the training rows, says already."""

    index: int
    line: int
    first_index: int
    first_line: int
    near: bool
    """Nearly the same text; False: the same but for case and white space."""
    same_answer: bool

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"line": self.line, "repeats": self.first_line, "near": self.near, "same_label": self.same_answer}


@dataclass(frozen=True, slots=True)
class Conflict:
    """One text with different labels."""

    text: str
    indices: tuple[int, ...]
    lines: tuple[int, ...]
    answers: tuple[tuple[str, ...], ...]
    """What each of the rows says, in order of `indices`."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        said = [{"line": line, "labels": list(a)} for line, a in zip(self.lines, self.answers, strict=True)]
        return {"text": self.text[:_SHOWN], "rows": said[:_LISTED]}


def conflicts(rows: Sequence[Example]) -> list[Conflict]:
    """Texts that stand in several rows with different answers, in order of their first row."""
    together: dict[str, list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        if row.answers:
            together[text_fingerprint(row.body)].append(i)
    found = []
    for members in together.values():
        answers = tuple(rows[i].answers for i in members)
        if len(set(answers)) > 1:
            lines = tuple(rows[i].line for i in members)
            found.append(Conflict(rows[members[0]].body, tuple(members), lines, answers))
    return found


def duplicates(rows: Sequence[Example]) -> list[Repeat]:
    """Rows that say in text and answer what an earlier row says, case and white space aside."""
    first: dict[tuple[object, ...], int] = {}
    found = []
    for i, row in enumerate(rows):
        negatives = row.negatives if isinstance(row, Pair) else ()
        at = first.setdefault((text_fingerprint(row.body), row.answers, negatives), i)
        if at != i:
            found.append(Repeat(i, row.line, at, rows[at].line, near=False, same_answer=True))
    return found


def leaks(train: Sequence[Example], test: Sequence[Example], *, near: float | None = NEAR) -> list[Repeat]:
    """Test rows whose text is, exactly or nearly, that of a training row."""
    index = near_index(near)
    first: dict[str, int] = {}
    for _ in near_repeats(train, index, first):
        pass
    return list(find_leaks(train, test, index, first))


def near_index(near: float | None) -> NearDuplicateIndex | None:
    """An empty index of texts, or None where near repeats are not looked for.

    :raises InputError: if `near` is out of [0.5, 1].
    """
    return NearDuplicateIndex(threshold=near, same_facts=False) if near is not None else None


def near_repeats(rows: Sequence[Example], index: NearDuplicateIndex | None, first: dict[str, int]) -> Iterator[Repeat]:
    """Near repeats that are no exact ones; the index and `first` (fingerprint -> row) are filled on the way."""
    places: list[int] = []  # number in the index -> row
    for i, row in enumerate(rows):
        at = first.setdefault(text_fingerprint(row.body), i)
        if at != i or index is None:
            continue
        places.append(i)
        other = index.add(row.body)
        if other is not None:
            here = places[other]
            yield Repeat(i, row.line, here, rows[here].line, near=True, same_answer=row.answers == rows[here].answers)


def find_leaks(
    train: Sequence[Example], test: Sequence[Example], index: NearDuplicateIndex | None, first: Mapping[str, int]
) -> Iterator[Repeat]:
    """Test rows that repeat what `near_repeats` put into the index and `first`; the index grows by the test rows."""
    places = list(first.values())  # as they were added to the index
    for i, row in enumerate(test):
        at = first.get(text_fingerprint(row.body))
        near = False
        if at is None and index is not None:
            number = index.add(row.body)
            at = places[number] if number is not None and number < len(places) else None
            near = True
        if at is not None:
            same = row.answers == train[at].answers
            yield Repeat(i, row.line, at, train[at].line, near=near, same_answer=same)


def one_class(rows: Sequence[Example]) -> str | None:
    """The head, or what it is about, under which every row says the same; None where there is something to learn."""
    if not any(row.answers for row in rows):
        return None
    if all(isinstance(row, Labelled) for row in rows):
        heads: dict[str, set[str]] = defaultdict(set)
        for row in rows:
            for label in row.strata:
                heads[label.partition("=")[0]].add(label)
        return next((f"head {head!r}: {next(iter(found))}" for head, found in heads.items() if len(found) < 2), None)
    if all(isinstance(row, Pair) for row in rows):
        return None if any("high" in row.strata or not row.strata for row in rows) else "score: all below .5"
    return None if any(row.strata for row in rows) else "tags: all O"
