"""Do the heads of an export say what torch says? Logits compared on every way a batch can look, answers on real texts.

Knows logits by head; nothing of ONNX or torch: both sides are functions. The batches are `core.export.parity`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.backends.headed_onnx import head_probabilities
from core.errors import ParityFailed
from core.models.task import Head
from core.types import FloatArray, IntArray

Feed = Mapping[str, IntArray]
"""(n, t) int64 `input_ids`, `attention_mask`, and `token_type_ids` where the graph reads them."""

Forward = Callable[[Feed], Mapping[str, FloatArray]]
"""A feed to logits by head: (n, k), or (n, t, k) for a "token" head."""


@dataclass(frozen=True, slots=True)
class HeadTolerance:
    """How far the heads of an export may be from their source."""

    max_difference: float
    """Largest difference of one logit, as a share of the largest logit of the case where that is above 1."""
    mean_difference: float
    """The same, averaged."""
    accuracy_lost: float
    """Expected accuracy lost on the samples, from `ENOUGH` answers on; see `HeadsReport.accuracy_lost`."""


TOLERANCES: Mapping[str, HeadTolerance] = {
    "fp32": HeadTolerance(max_difference=1e-4, mean_difference=1e-5, accuracy_lost=1e-4),
    "fp16": HeadTolerance(max_difference=1e-2, mean_difference=1e-2, accuracy_lost=1e-3),
    "int8": HeadTolerance(max_difference=0.5, mean_difference=0.1, accuracy_lost=0.01),
    "int8-static": HeadTolerance(max_difference=0.5, mean_difference=0.1, accuracy_lost=0.01),
}

ENOUGH = 50


@dataclass(frozen=True, slots=True)
class HeadCase:
    """One head on one kind of batch."""

    case: str
    head: str
    rows: int
    tokens: int
    max_difference: float
    mean_difference: float
    largest_logit: float


@dataclass(frozen=True, slots=True)
class HeadsReport:
    """All heads and cases of one export, and whether every one is within tolerance."""

    precision: str
    tolerance: HeadTolerance
    cases: tuple[HeadCase, ...]
    agreement: float
    """Share of answers on the samples that are the same as torch's; 1 without samples."""
    accuracy_lost: float
    """Mean over the samples of p(torch's answer) - p(the export's answer), both by torch's calibrated probabilities:
    what a changed answer costs if those are right. A close call that tips over costs next to nothing."""
    answers: int
    """How many were compared: one a text and head, one a word's piece for "token" heads."""

    @property
    def max_difference(self) -> float:
        """The largest of all cases, as `HeadTolerance` counts it."""
        return max((case.max_difference for case in self.cases), default=0.0)

    @property
    def failures(self) -> list[str]:
        """What is out of tolerance, in words."""
        found, bound = [], self.tolerance
        for case in self.cases:
            for label, value, limit in (
                ("difference", case.max_difference, bound.max_difference),
                ("mean difference", case.mean_difference, bound.mean_difference),
            ):
                if not value <= limit:  # NaN is not good either
                    found.append(f"{case.case}, head {case.head}: {label} {value:.2g}, allowed {limit}")
        if self.answers >= ENOUGH and self.accuracy_lost > bound.accuracy_lost:
            found.append(
                f"expected accuracy lost on {self.answers} answers {self.accuracy_lost:.4f}, "
                f"allowed {bound.accuracy_lost} ({self.agreement:.1%} of them are the same)"
            )
        return found

    @property
    def passed(self) -> bool:
        """Whether the export may be published."""
        return not self.failures

    def require(self) -> HeadsReport:
        """Itself, if it passed.

        :raises ParityFailed: with every case that is out of tolerance.
        """
        if self.failures:
            raise ParityFailed(
                f"The {self.precision} export differs from its source and was not published: "
                + "; ".join(self.failures)
                + ("" if self.precision == "fp32" else ". Try a higher precision.")
            )
        return self

    def to_dict(self) -> dict[str, Any]:
        """For the manifest and the model card."""
        return {
            "precision": self.precision,
            "passed": self.passed,
            "max_difference": float(f"{self.max_difference:.4g}"),
            "agreement": round(self.agreement, 5),
            "accuracy_lost": float(f"{self.accuracy_lost:.4g}"),
            "answers": self.answers,
            "tolerance": asdict(self.tolerance),
            "cases": [
                {key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in asdict(c).items()}
                for c in self.cases
            ],
        }


def compare_heads(
    heads: Sequence[Head],
    reference: Forward,
    exported: Forward,
    batches: Mapping[str, Feed],
    samples: Sequence[Feed],
    precision: str,
) -> HeadsReport:
    """Run both on every batch.

    :param batches: by the name of their case.
    :param samples: batches of the task's own texts; only the answers are compared.
    :param precision: picks the tolerance.
    """
    found: list[HeadCase] = []
    for case, feed in batches.items():
        wanted, got = reference(feed), exported(feed)
        for head in heads:
            a, b = (_real(head, rows[head.name], feed) for rows in (wanted, got))
            largest = float(np.abs(a).max())
            apart = np.abs(a - b) / max(1.0, largest)
            n, t = feed["input_ids"].shape
            found.append(HeadCase(case, head.name, n, t, float(apart.max()), float(apart.mean()), largest))
    same: list[float] = []
    lost: list[float] = []
    for feed in samples:
        wanted, got = reference(feed), exported(feed)
        for head in heads:
            a, b = (_real(head, rows[head.name], feed) for rows in (wanted, got))
            equal, cost = _answers(head, a, b)
            same += equal.tolist()
            lost += cost.tolist()
    total = len(same)
    shares = (float(np.mean(same)), float(np.mean(lost))) if total else (1.0, 0.0)
    return HeadsReport(precision, TOLERANCES[precision], tuple(found), *shares, total)


def _real(head: Head, logits: FloatArray, feed: Feed) -> FloatArray:
    """(rows, k): of a "token" head the tokens that are no padding."""
    return logits[feed["attention_mask"].astype(bool)] if head.kind == "token" else logits


def _answers(head: Head, wanted: FloatArray, got: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(rows,) whether the answers are the same, and (rows,) what a changed one costs."""
    sure = head_probabilities(head, wanted)
    if head.kind in ("single", "token"):
        rows = np.arange(len(sure))
        a, b = wanted.argmax(axis=1), got.argmax(axis=1)
        return np.asarray(a == b, np.float32), np.asarray(sure[rows, a] - sure[rows, b], np.float32)
    limits = np.asarray(head.thresholds or (0.5,) * len(head.labels))
    turned = (sure >= limits) != (head_probabilities(head, got) >= limits)
    cost = np.where(turned, np.abs(2 * sure - 1), 0)
    return np.asarray(~turned.any(axis=1), np.float32), np.asarray(cost.mean(axis=1), np.float32)
