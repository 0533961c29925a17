"""What is in the data and what is wrong with it: counts, repeats, conflicting labels, leaks from training to test.

Knows rows; changes none (`resolve` does).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import InputError
from core.finetune.data.examples import Example, Pair, fingerprint
from core.finetune.data.repeats import (
    NEAR,
    Conflict,
    Repeat,
    conflicts,
    duplicates,
    find_leaks,
    near_index,
    near_repeats,
)
from core.text.language import detect_language

_LISTED = 20
_LANGUAGE_SAMPLE = 2_000
_FEW = 5
_UNEVEN = 20


@dataclass(frozen=True, slots=True)
class Part:
    """One set of rows."""

    rows: int
    labels: Mapping[str, int]
    """Rows with each label ("head=label"; kinds of entity of tagged sentences), most frequent first."""
    characters: Mapping[str, int]
    """Percentiles 5, 50, 95 and 100 of the length of a text."""
    languages: Mapping[str, int]
    """Rows in each language, among 2,000 at even steps."""
    duplicates: tuple[Repeat, ...]
    near: tuple[Repeat, ...]
    conflicts: tuple[Conflict, ...]
    fingerprint: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON; lists are cut at 20, their true lengths stand beside them."""
        return {
            "rows": self.rows,
            "labels": dict(self.labels),
            "characters": dict(self.characters),
            "languages": dict(self.languages),
            "duplicates": len(self.duplicates),
            "near_duplicates": len(self.near),
            "near_duplicates_with_other_labels": sum(not repeat.same_answer for repeat in self.near),
            "conflicts": len(self.conflicts),
            "fingerprint": self.fingerprint,
            "first_duplicates": [repeat.as_dict() for repeat in self.duplicates[:_LISTED]],
            "first_near_duplicates": [repeat.as_dict() for repeat in self.near[:_LISTED]],
            "first_conflicts": [conflict.as_dict() for conflict in self.conflicts[:_LISTED]],
        }


@dataclass(frozen=True, slots=True)
class DataReport:
    """What `examine` found."""

    train: Part
    test: Part | None = None
    leaks: tuple[Repeat, ...] = ()
    """Test rows (`index`, `line`) that repeat a training row (`first_index`, `first_line`), exactly or nearly."""
    unseen: Mapping[str, int] | None = None
    """Labels of the test rows that no training row has, with the rows that have them."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what the training rows say, whatever their order: the data's name on a model card."""
        return self.train.fingerprint

    @property
    def warnings(self) -> tuple[str, ...]:
        """What should be looked at before training, in sentences."""
        return tuple(_warnings(self))

    def as_dict(self) -> dict[str, Any]:
        """For data.json."""
        return {
            "train": self.train.as_dict(),
            "test": self.test.as_dict() if self.test else None,
            "leaks": len(self.leaks),
            "exact_leaks": sum(not leak.near for leak in self.leaks),
            "first_leaks": [leak.as_dict() for leak in self.leaks[:_LISTED]],
            "unseen_labels": dict(self.unseen or {}),
            "warnings": list(self.warnings),
        }

    def table(self) -> list[tuple[str, str]]:
        """Name and value of every figure, for people."""
        parts = [("train", self.train), *([("test", self.test)] if self.test else [])]
        lines: list[tuple[str, str]] = []
        for name, part in parts:
            lines += [(f"{name} rows", f"{part.rows:,}")]
            lines += [(f"{name} labels", _counts(part.labels))] if part.labels else []
            spread = part.characters
            lines += [
                (
                    f"{name} characters",
                    f"{spread['p50']:,} ({spread['p5']:,} to {spread['p95']:,}, at most {spread['max']:,})",
                ),
                (f"{name} languages", _counts(part.languages)),
                (f"{name} duplicates", f"{len(part.duplicates):,} exact, {len(part.near):,} near"),
                (f"{name} conflicts", f"{len(part.conflicts):,} texts"),
            ]
        if self.test:
            exact = sum(not leak.near for leak in self.leaks)
            lines += [("leaks to test", f"{exact:,} exact, {len(self.leaks) - exact:,} near")]
            lines += [("labels only in test", _counts(self.unseen or {}) or "none")]
        return [*lines, ("fingerprint", self.fingerprint[:16])]


def examine(
    train: Sequence[Example], test: Sequence[Example] | None = None, *, near: float | None = NEAR
) -> DataReport:
    """Look at the rows. About .1 ms a row, most of it for near repeats.

    :param near: similarity from which texts count as nearly the same, in [0.5, 1]; None does not look for them.
    :raises InputError: if there is no row, or `near` is out of range.
    """
    if not train or (test is not None and not test):
        raise InputError("there are no rows to examine")
    index = near_index(near)
    first: dict[str, int] = {}
    near_train = list(near_repeats(train, index, first))
    part = _part(train, near_train)
    if test is None:
        return DataReport(part)
    leaks = tuple(find_leaks(train, test, index, first))
    own = list(near_repeats(test, near_index(near), {}))
    unseen = Counter(label for row in test for label in row.strata if not isinstance(row, Pair))
    known = {label for row in train for label in row.strata}
    missing = {label: count for label, count in unseen.most_common() if label not in known and not label.endswith("=")}
    return DataReport(part, _part(test, own), leaks, missing)


def _part(rows: Sequence[Example], near: Sequence[Repeat]) -> Part:
    lengths = np.array([len(row.body) for row in rows])
    p5, p50, p95 = (int(value) for value in np.percentile(lengths, (5, 50, 95), method="nearest"))
    sample = rows[:: max(1, -(-len(rows) // _LANGUAGE_SAMPLE))]
    return Part(
        rows=len(rows),
        labels=_sorted(Counter(label for row in rows for label in row.strata)),
        characters={"p5": p5, "p50": p50, "p95": p95, "max": int(lengths.max())},
        languages=_sorted(Counter(detect_language(row.body) for row in sample)),
        duplicates=tuple(duplicates(rows)),
        near=tuple(near),
        conflicts=tuple(conflicts(rows)),
        fingerprint=fingerprint(rows),
    )


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _counts(counts: Mapping[str, int]) -> str:
    shown = ", ".join(f"{name} {count:,}" for name, count in list(counts.items())[:8])
    return f"{len(counts)}: {shown}, ..." if len(counts) > 8 else shown


def _warnings(report: DataReport) -> Iterator[str]:
    train = report.train
    if train.conflicts:
        one = train.conflicts[0]
        lines = ", ".join(map(str, one.lines[:4]))
        yield f"{len(train.conflicts):,} texts have different labels, as on lines {lines}; see conflicts"
    if train.duplicates:
        yield f"{len(train.duplicates):,} of {train.rows:,} training rows repeat an earlier one"
    other = sum(not repeat.same_answer for repeat in train.near)
    if other:
        yield f"{other:,} training rows are nearly the same as one with other labels"
    if report.leaks:
        share = len(report.leaks) / (report.test.rows if report.test else 1)
        yield f"{len(report.leaks):,} test rows ({share:.1%}) stand in training, exactly or nearly: figures flatter"
    if report.unseen:
        yield f"{len(report.unseen)} labels of the test rows are in no training row: {_counts(report.unseen)}"
    small = [label for label, count in train.labels.items() if count < _FEW and not label.endswith("=")]
    if small:
        more = ", ..." if len(small) > 5 else ""
        yield f"{len(small)} labels have fewer than {_FEW} rows: {', '.join(small[:5])}{more}"
    yield from _uneven(train)
    strange = set(report.test.languages) - set(train.languages) - {"und"} if report.test else set()
    if strange:
        yield f"test rows are in {', '.join(sorted(strange))}, training rows are not"


def _uneven(train: Part) -> Iterator[str]:
    heads: dict[str, list[int]] = defaultdict(list)
    for label, count in train.labels.items():
        heads[label.partition("=")[0]].append(count)
    for head, counts in heads.items():
        if "=" in next(iter(train.labels)) and max(counts) > _UNEVEN * min(counts):
            yield f"labels of {head} are uneven ({max(counts):,} to {min(counts):,} rows); class weights may help"
