"""Rows in two halves or k folds: labels in proportion, and what belongs together in one half.

Knows what rows say of themselves (`strata`, `bundle`); knows no file. Which half a row falls in follows from the seed
and the rows themselves, never from their order, so a sorted or shuffled file gives the same split.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from core.errors import InputError
from core.finetune.data.examples import Example, Labelled

E = TypeVar("E", bound=Example)

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Halves(Generic[E]):
    """Two parts of the rows, each in the order given."""

    train: tuple[E, ...]
    held: tuple[E, ...]
    """Held out, to measure on."""
    notes: tuple[str, ...] = ()
    """What a reader of the figures should know: labels too small to be held out."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """Rows that stay together."""

    rows: tuple[int, ...]
    stratum: str
    """The rarest label in it; rarest by rows, then by name."""
    strata: frozenset[str]
    order: str
    """Digest of seed and bundle: the order in which units of a stratum are drawn."""


def split(rows: Sequence[E], share: float = 0.1, *, seed: int = 0, stratify: bool = True) -> Halves[E]:
    """Hold out a share of the rows.

    Rows of one group stay together; without a group, rows with the same text do (pairs: the same query; dialogues: the
    same question). Every bundle belongs to the stratum of its rarest label; bundles are sorted by stratum and drawn at
    even steps, which keeps every stratum within one bundle of its share and the whole within half a bundle (systematic
    sampling, Madow and Madow 1944). The last rows of a label are never held out: it could not be learned.

    :param share: of the rows that goes to `held`, in (0, 1).
    :raises InputError: if the share is out of range, or so few rows are there that a half would be empty.
    """
    if not 0.0 < share < 1.0:
        raise InputError(f"share is {share}; it must lie between 0 and 1, as in 0.1 for a tenth")
    units = _units(rows, seed, stratify=stratify)
    left = Counter(label for unit in units for label in unit.strata)
    held: set[int] = set()
    passed = 0
    for i, unit in enumerate(units):
        passed += len(unit.rows)
        wanted = share * passed - len(held)
        last = i == len(units) - 1 and not held and passed * share >= 0.5
        if (wanted >= len(unit.rows) / 2 or last) and all(left[label] > 1 for label in unit.strata):
            held.update(unit.rows)
            left.subtract(unit.strata)
    if not held or len(held) == len(rows):
        raise InputError(
            f"{len(rows)} rows in {len(units)} bundles cannot be split at {share:g}: a half would be empty. "
            "Give more rows, another share, or a file of its own to measure on."
        )
    train = tuple(row for i, row in enumerate(rows) if i not in held)
    taken = tuple(row for i, row in enumerate(rows) if i in held)
    return Halves(train, taken, _too_small(rows, taken))


def folds(rows: Sequence[E], k: int = 5, *, seed: int = 0, stratify: bool = True) -> list[Halves[E]]:
    """k splits; every row is held out in exactly one of them. Bundles and strata as in `split`.

    :raises InputError: if k is below 2 or there are fewer than k bundles.
    """
    units = _units(rows, seed, stratify=stratify)
    if k < 2 or len(units) < k:
        raise InputError(
            f"{len(rows)} rows in {len(units)} bundles cannot be cut into {k} folds; k goes from 2 to bundles"
        )
    of_stratum: dict[str, list[int]] = defaultdict(lambda: [0] * k)
    total = [0] * k
    fold = [0] * len(rows)
    for unit in units:
        held = of_stratum[unit.stratum]
        best = min(range(k), key=lambda f: (held[f], total[f], f))
        held[best] += len(unit.rows)
        total[best] += len(unit.rows)
        for row in unit.rows:
            fold[row] = best
    notes = _too_few(units, k)
    return [
        Halves(
            tuple(row for row, at in zip(rows, fold, strict=True) if at != f),
            tuple(row for row, at in zip(rows, fold, strict=True) if at == f),
            notes,
        )
        for f in range(k)
    ]


def few(rows: Sequence[Labelled], per_label: int, *, seed: int = 0, head: str = "label") -> Halves[Labelled]:
    """A few-shot draw: `per_label` rows of every label under a single-label head; the rest is held out.

    Rows that repeat a drawn text or group are in neither half; a note counts them.

    :raises InputError: if `per_label` is below 1, a row lacks the head, or nothing would be left to hold out.
    """
    if per_label < 1:
        raise InputError(f"per_label is {per_label}; it must be 1 or more")
    drawn: set[int] = set()
    bundles: set[str] = set()
    counts: Counter[str] = Counter()
    for i in sorted(range(len(rows)), key=lambda i: (_digest(seed, rows[i].bundle), rows[i].answers)):
        label, bundle = rows[i].label(head), rows[i].bundle
        if counts[label] < per_label and (rows[i].group is not None or bundle not in bundles):
            counts[label] += 1
            drawn.add(i)
            bundles.add(bundle)
    short = sorted(label for label, count in counts.items() if count < per_label)
    notes = [f"{_listed(short)}: fewer than {per_label} rows"] if short else []
    held = tuple(row for i, row in enumerate(rows) if i not in drawn and row.bundle not in bundles)
    if not held:
        raise InputError(f"{per_label} rows a label are all there are; nothing is left to measure on")
    lost = len(rows) - len(drawn) - len(held)
    notes += [f"{lost} rows repeat a drawn text or group and are left out"] if lost else []
    return Halves(tuple(row for i, row in enumerate(rows) if i in drawn), held, tuple(notes))


def _digest(seed: int, bundle: str) -> str:
    return hashlib.sha256(f"{seed}\n{bundle}".encode("utf-8", "replace")).hexdigest()


def _units(rows: Sequence[E], seed: int, *, stratify: bool) -> list[_Unit]:
    """Bundles sorted by stratum and, within it, by digest."""
    if not rows:
        raise InputError("there are no rows to split")
    together: dict[str, list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        together[row.bundle].append(i)
    counts = Counter(label for row in rows for label in row.strata)
    units = []
    for bundle, members in together.items():
        strata = frozenset(label for i in members for label in rows[i].strata)
        rarest = min(strata, key=lambda label: (counts[label], label), default="") if stratify else ""
        units.append(_Unit(tuple(members), rarest, strata, _digest(seed, bundle)))
    return sorted(units, key=lambda unit: (unit.stratum, unit.order))


def _too_small(rows: Sequence[E], held: Sequence[E]) -> tuple[str, ...]:
    there = {label for row in held for label in row.strata}
    missing = sorted({label for row in rows for label in row.strata} - there)
    return (f"{_listed(missing)}: too few rows, none is held out",) if missing else ()


def _too_few(units: Iterable[_Unit], k: int) -> tuple[str, ...]:
    counts = Counter(label for unit in units for label in unit.strata)
    alone = sorted(label for label, count in counts.items() if count == 1)
    small = sorted(label for label, count in counts.items() if 1 < count < k)
    notes = [f"{_listed(alone)}: one row or group only, so it is never learned where it is held out"] if alone else []
    return (
        *notes,
        *([f"{_listed(small)}: fewer than {k} rows or groups, so missing from some folds"] if small else []),
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
