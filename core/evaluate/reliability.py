"""The reliability diagram: how often each confidence came true, as numbers and as a picture.

Knows confidences and whether they came true; nothing of models. `core.evaluate.calibration` has the one figure for it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.errors import InputError
from core.evaluate.calibration import calibration_error
from core.evaluate.labels import BoolArray, Scores


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The rows whose confidence lies in (low, high]; the first bin holds 0 too."""

    low: float
    high: float
    count: int
    confidence: float | None
    """Mean confidence in [0, 1]; None where the bin is empty."""
    accuracy: float | None
    """Share that came true; None where the bin is empty."""


def reliability_bins(confidence: Scores, correct: BoolArray, bins: int = 10) -> list[ReliabilityBin]:
    """How often the confidences of each bin came true.

    :param confidence: (n,) float in [0, 1]: of the predicted class, or of every cell of a multi-label table.
    :param correct: (n,) bool, whether it came true.
    :param bins: equal-width bins over [0, 1].
    :raises InputError: if shapes disagree, n is 0 or a confidence is outside [0, 1].

    DeGroot and Fienberg 1983, "The comparison and evaluation of forecasters"; bins as in `calibration_error`.
    """
    calibration_error(confidence, correct, bins)  # its checks hold here
    values = confidence.astype(np.float64)
    which = np.clip(np.ceil(values * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(which, minlength=bins)
    sums = np.bincount(which, weights=values, minlength=bins)
    right = np.bincount(which, weights=correct.astype(np.float64), minlength=bins)
    return [
        ReliabilityBin(
            low=i / bins,
            high=(i + 1) / bins,
            count=int(counts[i]),
            confidence=float(sums[i] / counts[i]) if counts[i] else None,
            accuracy=float(right[i] / counts[i]) if counts[i] else None,
        )
        for i in range(bins)
    ]


def reliability_error(bins: Sequence[ReliabilityBin]) -> float:
    """The expected calibration error that the bins show.

    :raises InputError: if all bins are empty.
    """
    n = sum(row.count for row in bins)
    if not n:
        raise InputError("nothing to evaluate: all bins are empty")
    return sum(row.count * abs((row.accuracy or 0.0) - (row.confidence or 0.0)) for row in bins) / n


def reliability_plot(path: Path, curves: Mapping[str, Sequence[ReliabilityBin]], title: str = "Reliability") -> Path:
    """Draw reliability diagrams into a PNG, with the rows of each bin below.

    :param path: the PNG to write; readers see the old picture or the new one, never half of it.
    :param curves: bins by name, as in {"before": ..., "after": ...}.
    :returns: `path`.
    :raises InputError: if there is no curve, or all bins of one are empty.

    Needs matplotlib, from the extra `train`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not curves:
        raise InputError("nothing to draw: 0 curves")
    figure = Figure(figsize=(5.2, 6.2), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    above.plot((0, 1), (0, 1), color="#888888", linestyle=(0, (4, 4)), linewidth=1)
    for name, bins in curves.items():
        error = reliability_error(bins)
        filled = [row for row in bins if row.count]
        (line,) = above.plot(
            [row.confidence for row in filled],
            [row.accuracy for row in filled],
            marker="o",
            markersize=4,
            linewidth=1.6,
            label=f"{name} (ECE {error:.3f})",
        )
        edges = [row.low for row in bins] + [bins[-1].high]
        below.stairs([row.count for row in bins], edges, color=line.get_color(), linewidth=1.4)
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="came true", title=title)
    above.legend(loc="upper left", frameon=False)
    above.grid(alpha=0.25)
    below.set(xlabel="confidence", ylabel="rows")
    below.grid(alpha=0.25)
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        with fresh.open("wb") as file:
            figure.savefig(file, format="png")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return path
