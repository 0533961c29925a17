"""Is an exported encoder the model it was exported from? Compared on every way a batch can look.

Knows token batches and vectors; nothing of ONNX or torch: both sides are functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import ParityFailed
from core.types import FloatArray, TokenBatch

Forward = Callable[[TokenBatch], FloatArray]
"""A token batch to (n, d) float32 rows, pooled, not normalised."""

TEXTS = (
    "I lost my card yesterday, what should I do?",
    "Fees",
    "The early closure fee is $50 if the account is closed within 90 days of opening.",
    "Can I change the PIN of my card at any cash machine, or only at yours?",
    "我的银行卡丢了，应该怎么办？",
    "Quarterly revenue rose 12.4 % to 3.1 billion while the operating margin fell to 18 %, it said on Tuesday.",
    "Why was I charged twice?? 😡",
    "transfer not received",
)
"""Short, long, English, Chinese, with numbers and signs: the cases are made of these."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far an export may be from its source."""

    mean_cosine: float
    min_cosine: float
    max_difference: float
    """Largest difference of one component, as a share of the largest component of the reference."""


TOLERANCES: Mapping[str, Tolerance] = {
    "fp32": Tolerance(mean_cosine=0.99999, min_cosine=0.9999, max_difference=1e-3),
    "fp16": Tolerance(mean_cosine=0.9995, min_cosine=0.999, max_difference=5e-2),
    "int8": Tolerance(mean_cosine=0.995, min_cosine=0.98, max_difference=0.5),
}


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One kind of batch, compared."""

    case: str
    rows: int
    tokens: int
    mean_cosine: float
    min_cosine: float
    max_difference: float


@dataclass(frozen=True, slots=True)
class ParityReport:
    """All cases of one export, and whether every one is within tolerance."""

    precision: str
    tolerance: Tolerance
    cases: tuple[CaseResult, ...]

    @property
    def failures(self) -> list[str]:
        """What is out of tolerance, in words."""
        bound, found = self.tolerance, []
        for case in self.cases:
            for label, value, limit, good in (
                ("mean cosine", case.mean_cosine, bound.mean_cosine, case.mean_cosine >= bound.mean_cosine),
                ("lowest cosine", case.min_cosine, bound.min_cosine, case.min_cosine >= bound.min_cosine),
                ("difference", case.max_difference, bound.max_difference, case.max_difference <= bound.max_difference),
            ):
                if not good:  # NaN is not good either
                    found.append(f"{case.case}: {label} {value:.5f}, allowed {limit}")
        return found

    @property
    def passed(self) -> bool:
        """Whether the export may be published."""
        return not self.failures

    def require(self) -> ParityReport:
        """Itself, if it passed.

        :raises ParityFailed: with every case that is out of tolerance.
        """
        if self.failures:
            raise ParityFailed(
                f"The {self.precision} export differs from its source and was not published: "
                + "; ".join(self.failures)
            )
        return self

    def to_dict(self) -> dict[str, Any]:
        """For the manifest and the model card."""
        return {
            "precision": self.precision,
            "passed": self.passed,
            "tolerance": {
                "mean_cosine": self.tolerance.mean_cosine,
                "min_cosine": self.tolerance.min_cosine,
                "max_difference": self.tolerance.max_difference,
            },
            "cases": [
                {
                    "case": case.case,
                    "rows": case.rows,
                    "tokens": case.tokens,
                    "mean_cosine": round(case.mean_cosine, 7),
                    "min_cosine": round(case.min_cosine, 7),
                    "max_difference": round(case.max_difference, 7),
                }
                for case in self.cases
            ],
        }


def cases(
    rows: Sequence[Sequence[int]], empty: Sequence[int], longest: Sequence[int], pad_id: int
) -> dict[str, TokenBatch]:
    """Every way a batch can look: sides of padding, sizes, lengths.

    :param rows: token ids of a few texts, special tokens included.
    :param empty: the special tokens alone.
    :param longest: a row of the maximum length.
    """
    many = [rows[i % len(rows)] for i in range(32)]
    mixed = [longest, *rows, empty]
    return {
        "batch 1": pad(rows[:1], pad_id),
        "batch 32, right-padded": pad(many, pad_id),
        "batch 32, left-padded": pad(many, pad_id, left=True),
        "empty text": pad([empty], pad_id),
        "empty text in a batch": pad([rows[0], empty], pad_id),
        "maximum length": pad([longest], pad_id),
        "mixed lengths, right-padded": pad(mixed, pad_id),
        "mixed lengths, left-padded": pad(mixed, pad_id, left=True),
    }


def pad(rows: Sequence[Sequence[int]], pad_id: int, *, left: bool = False) -> TokenBatch:
    """Token rows as one batch, padded on the side asked for."""
    width = max(len(row) for row in rows)
    ids = np.full((len(rows), width), pad_id, dtype=np.int64)
    mask = np.zeros((len(rows), width), dtype=np.int64)
    for i, row in enumerate(rows):
        place = slice(width - len(row), width) if left else slice(0, len(row))
        ids[i, place] = row
        mask[i, place] = 1
    return TokenBatch(ids, mask)


def compare(reference: Forward, exported: Forward, batches: Mapping[str, TokenBatch], precision: str) -> ParityReport:
    """Run both on every batch.

    :param precision: "fp32", "fp16" or "int8"; picks the tolerance.
    """
    results = []
    for case, batch in batches.items():
        wanted, got = reference(batch), exported(batch)
        cosines = _cosines(wanted, got)
        scale = float(np.abs(wanted).max()) or 1.0
        results.append(
            CaseResult(
                case,
                rows=len(wanted),
                tokens=int(batch.input_ids.shape[1]),
                mean_cosine=float(cosines.mean()),
                min_cosine=float(cosines.min()),
                max_difference=float(np.abs(wanted - got).max()) / scale,
            )
        )
    return ParityReport(precision, TOLERANCES[precision], tuple(results))


def _cosines(a: FloatArray, b: FloatArray) -> FloatArray:
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray(np.einsum("ij,ij->i", a, b) / norms, dtype=np.float32)
