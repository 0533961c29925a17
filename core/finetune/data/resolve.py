"""Takes out what the caller wants taken out (repeats, conflicts, leaks, unknown labels), and counts the rows.

Knows rows and what `report` finds in them. Refuses data that nothing can be learned from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from core.errors import InputError
from core.finetune.data.examples import Example, Pair
from core.finetune.data.repeats import NEAR, Conflict, conflicts, duplicates, leaks, one_class
from core.finetune.data.report import DataReport, examine

E = TypeVar("E", bound=Example)


@dataclass(frozen=True, slots=True)
class Policy:
    """What to do with rows that are wrong together, though each is right alone."""

    duplicates: Literal["drop", "keep"] = "drop"
    """Training rows that repeat an earlier one in text and label."""
    conflicts: Literal["keep", "drop", "majority", "refuse"] = "keep"
    """Training rows with one text and different labels. "majority" keeps the commonest label, none where two are."""
    leaks: Literal["keep", "drop-test", "drop-train", "refuse"] = "keep"
    """Test rows that stand in training. "keep" leaves figures comparable with published ones, and too good."""
    unseen: Literal["refuse", "drop"] = "refuse"
    """Test rows with a label that no training row has."""


@dataclass(frozen=True, slots=True)
class Resolved(Generic[E]):
    """The rows to use."""

    train: tuple[E, ...]
    test: tuple[E, ...] | None
    dropped: Mapping[str, int]
    """Rows taken out, by reason; reasons without rows are left out."""
    report: DataReport
    """Of what is left."""


def resolve(
    train: Sequence[E], test: Sequence[E] | None = None, policy: Policy | None = None, *, near: float | None = NEAR
) -> Resolved[E]:
    """Apply the policy: conflicts, duplicates, leaks, unseen labels, in this order.

    :param near: as in `examine`; leaks that are taken out include near ones.
    :raises InputError: if the policy refuses what is there, nothing is left, or training knows one class only.
    """
    policy = policy or Policy()
    dropped: Counter[str] = Counter()
    if not train:
        raise InputError("there are no training rows")
    kept = _without_conflicts(train, policy, dropped)
    if policy.duplicates == "drop":
        kept = _take_out(kept, {repeat.index for repeat in duplicates(kept)}, dropped, "duplicate in training")
    held = list(test) if test is not None else None
    if held is not None:
        kept, held = _without_leaks(kept, held, policy, near, dropped)
        held = _without_unseen(kept, held, policy, dropped)
    for name, rows in (("training", kept), ("test", held)):
        if rows is not None and not rows:
            raise InputError(f"no {name} row is left ({_counted(dropped)}). Loosen the policy, or look at the data.")
    only = one_class(kept)
    if only is not None:
        raise InputError(
            f"training rows know one class only ({only}); there is nothing to tell apart. Add rows of another class."
        )
    report = examine(kept, held, near=near)
    return Resolved(tuple(kept), tuple(held) if held is not None else None, dict(dropped), report)


def _without_conflicts(rows: Sequence[E], policy: Policy, dropped: Counter[str]) -> list[E]:
    if policy.conflicts == "keep":
        return list(rows)
    found = conflicts(rows)
    if found and policy.conflicts == "refuse":
        shown = "; ".join(map(_shown, found[:3]))
        raise InputError(f"{len(found)} texts have different labels: {shown}. Mend them, or choose drop or majority.")
    majority = policy.conflicts == "majority"
    wrong = {i for conflict in found for i in (_minority(conflict) if majority else conflict.indices)}
    return _take_out(rows, wrong, dropped, "conflicting labels in training")


def _shown(conflict: Conflict) -> str:
    said = sorted({", ".join(answer) for answer in conflict.answers})
    return f"lines {', '.join(map(str, conflict.lines[:4]))} ({conflict.text[:40]!r}: {' / '.join(said[:3])})"


def _minority(conflict: Conflict) -> list[int]:
    """Rows that say something else than most do; all of them where no answer leads."""
    ranked = Counter(conflict.answers).most_common(2)
    if ranked[0][1] == ranked[1][1]:
        return list(conflict.indices)
    return [i for i, said in zip(conflict.indices, conflict.answers, strict=True) if said != ranked[0][0]]


def _without_leaks(
    train: list[E], test: list[E], policy: Policy, near: float | None, dropped: Counter[str]
) -> tuple[list[E], list[E]]:
    if policy.leaks == "keep" or not train:
        return train, test
    if policy.leaks == "drop-train":
        # The other way round: training rows that repeat a test row.
        repeated = {repeat.index for repeat in leaks(test, train, near=near)}
        return _take_out(train, repeated, dropped, "training row that stands in test"), test
    found = leaks(train, test, near=near)
    if found and policy.leaks == "refuse":
        shown = "; ".join(f"test line {leak.line} is training line {leak.first_line}" for leak in found[:3])
        raise InputError(f"{len(found)} test rows stand in training: {shown}. Choose drop-test or drop-train.")
    return train, _take_out(test, {leak.index for leak in found}, dropped, "test row that stands in training")


def _without_unseen(train: list[E], test: list[E], policy: Policy, dropped: Counter[str]) -> list[E]:
    known = {label for row in train for label in row.strata}
    strange = {
        i: label
        for i, row in enumerate(test)
        if not isinstance(row, Pair)
        for label in row.strata
        if label not in known and not label.endswith("=")
    }
    if strange and policy.unseen == "refuse":
        names = sorted(set(strange.values()))
        where = ", ".join(str(test[i].line) for i in list(strange)[:3])
        raise InputError(
            f"{len(names)} labels of the test rows were never seen in training: {', '.join(names[:5])} (lines {where})."
            " Add training rows for them, correct their spelling, or drop these test rows (unseen=drop)."
        )
    return _take_out(test, set(strange), dropped, "test label never seen in training")


def _take_out(rows: Sequence[E], wrong: set[int], dropped: Counter[str], reason: str) -> list[E]:
    if wrong:
        dropped[reason] += len(wrong)
    return [row for i, row in enumerate(rows) if i not in wrong]


def _counted(dropped: Mapping[str, int]) -> str:
    return "; ".join(f"{count:,} dropped: {reason}" for reason, count in dropped.items()) or "none was given"
