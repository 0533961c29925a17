"""From files to the three sets of rows that a run needs: to train on, to choose by, to measure on.

Reads, takes out what the policy wants out, splits. Knows rows; nothing of models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.finetune.data import DataReport, Policy, fingerprint, resolve, sequence, split
from core.finetune.flow.tasks import Reading, find_task
from core.text.parse import Problem

_NEAR = 0.85
_SKIPS_NEAR = ("chat", "pretrain")


@dataclass(frozen=True, slots=True)
class DataRequest:
    """Which files, and what to do with them."""

    train: Path
    test: Path | None = None
    reading: Reading = field(default_factory=Reading)
    held_out: float = 0.1
    """Share of the training rows kept back: the best weights are chosen and probabilities calibrated on them."""
    seed: int = 0
    """Of the split, not of the training."""
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class Data:
    """What a run works with."""

    rows: tuple[Any, ...]
    """To train on."""
    held: tuple[Any, ...]
    """To choose the best weights and to calibrate by; may be empty."""
    test: tuple[Any, ...]
    """To measure on: the test file, or, without one, the held-out rows."""
    own_test: bool
    """Whether `test` came from a file of its own. Figures on held-out rows flatter: they chose the weights."""
    report: DataReport
    dropped: Mapping[str, int]
    problems: tuple[tuple[str, Problem], ...]
    """Wrong rows, with the name of their file."""
    notes: tuple[str, ...]

    @property
    def test_fingerprint(self) -> str:
        """SHA-256 of what the rows to measure on say; empty without any."""
        return fingerprint(self.test) if self.test else ""

    def identity(self) -> dict[str, Any]:
        """What of the data makes a run another run: what the rows say, and their order."""
        return {"rows": sequence(self.rows), "held": sequence(self.held) if self.held else ""}

    def as_dict(self) -> dict[str, Any]:
        """For data.json."""
        return {
            **self.report.as_dict(),
            "rows": {"train": len(self.rows), "held": len(self.held), "test": len(self.test)},
            "test_file": self.own_test,
            "test_fingerprint": self.test_fingerprint,
            "dropped": dict(self.dropped),
            "wrong_rows": len(self.problems),
            "first_wrong_rows": [
                {"file": file, "line": problem.line, "reason": problem.reason} for file, problem in self.problems[:20]
            ],
            "notes": list(self.notes),
        }


def load_data(task: str, request: DataRequest) -> Data:
    """Read, resolve and split.

    :raises UnknownColumn: if a column is missing.
    :raises InputError: if nothing is left, one class only, a test label never seen in training, or the share of the
        split is no share.
    """
    if not 0 <= request.held_out <= 0.9:
        raise InputError(f"--held-out {request.held_out:g} is no share of the rows; take 0 to 0.9, as in 0.1.")
    kind = find_task(task)
    read = kind.read(request.train, request.reading)
    problems = [(request.train.name, problem) for problem in read.problems]
    test: tuple[Any, ...] | None = None
    if request.test is not None:
        measured = kind.read(request.test, request.reading)
        test = measured.rows
        problems += [(request.test.name, problem) for problem in measured.problems]
    near = None if task in _SKIPS_NEAR else _NEAR
    found = resolve(read.rows, test, request.policy, near=near)
    rows: tuple[Any, ...] = found.train
    held: tuple[Any, ...] = ()
    notes: tuple[str, ...] = ()
    if request.held_out:
        halves = split(found.train, request.held_out, seed=request.seed)
        rows, held, notes = halves.train, halves.held, halves.notes
    return Data(
        rows=rows,
        held=held,
        test=held if found.test is None else found.test,
        own_test=found.test is not None,
        report=found.report,
        dropped=found.dropped,
        problems=tuple(problems),
        notes=notes,
    )
