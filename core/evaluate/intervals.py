"""How sure a mean or a share is: bootstrap intervals, paired differences, Wilson's interval.

Knows numbers; nothing of what was measured. Everything random hangs on a seed: the same values give the same interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from core.errors import InputError

Values = npt.NDArray[np.floating] | Sequence[float]
_CELLS = 4_000_000
"""Drawn row numbers held at once: 32 MB."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its interval."""

    value: float
    low: float
    high: float
    n: int
    """Rows, queries or items it stands on."""


@dataclass(frozen=True, slots=True)
class Difference(Interval):
    """Mean of `a - b` over the same rows."""

    p_value: float
    """Two-sided: how often a difference this far from zero comes of the choice of rows alone."""


def bootstrap_mean(values: Values, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0) -> Interval:
    """The mean with its percentile bootstrap interval.

    :param values: (n,) float, one for each query, row or item; independent of each other.
    :param confidence: share of resampled means inside the interval, in (0, 1).
    :param resamples: drawings of n rows with replacement, at least 100.
    :param seed: of the drawings.
    :raises InputError: if n is 0, a value is not finite, or a parameter is out of range.

    Efron and Tibshirani 1993, "An Introduction to the Bootstrap", section 13.3.
    """
    rows = _rows(values)
    means = _resampled_means(rows, confidence, resamples, seed)
    low, high = _percentiles(means, confidence)
    return Interval(float(rows.mean()), low, high, len(rows))


def paired_difference(
    a: Values, b: Values, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Difference:
    """How much `a` is above `b` on the same rows, with interval and p-value.

    :param a: (n,) float, one figure a row.
    :param b: (n,) float, the other system's figure for the same row.
    :returns: mean of a - b; the p-value is that of the paired bootstrap, at least 1 / (resamples + 1).
    :raises InputError: if lengths disagree, n is 0 or a value is not finite.

    Paired bootstrap on the differences: Sakai 2006, "Evaluating evaluation metrics based on the bootstrap"; the
    resampled differences are moved to a mean of zero, the null hypothesis (Efron and Tibshirani 1993, section 16.4).
    """
    first, second = _rows(a), _rows(b)
    if len(first) != len(second):
        raise InputError(f"paired figures need the same rows, got {len(first)} and {len(second)}")
    rows = first - second
    mean = float(rows.mean())
    means = _resampled_means(rows, confidence, resamples, seed)
    low, high = _percentiles(means, confidence)
    as_far = int((np.abs(means - mean) >= abs(mean) - 1e-12).sum())
    return Difference(mean, low, high, len(rows), (as_far + 1) / (resamples + 1))


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """A share of yes-or-no rows with its interval; sound near 0 and 1 and for few rows.

    :param successes: 0 to n.
    :param n: rows, at least 1.
    :raises InputError: if the counts do not fit.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    if n < 1 or not 0 <= successes <= n:
        raise InputError(f"{successes} of {n} is no share; n must be at least 1 and successes 0 to n")
    _check_confidence(confidence)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    low = 0.0 if successes == 0 else middle - half
    high = 1.0 if successes == n else middle + half
    return Interval(share, low, high, n)


def _rows(values: Values) -> npt.NDArray[np.float64]:
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 1:
        raise InputError(f"one figure a row expected, got shape {rows.shape}")
    if len(rows) == 0:
        raise InputError("nothing to evaluate: 0 rows")
    if not np.isfinite(rows).all():
        raise InputError(f"row {int(np.flatnonzero(~np.isfinite(rows))[0])} is not a finite number")
    return rows


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise InputError(f"confidence must be between 0 and 1, as in 0.95; got {confidence}")


def _resampled_means(
    rows: npt.NDArray[np.float64], confidence: float, resamples: int, seed: int
) -> npt.NDArray[np.float64]:
    _check_confidence(confidence)
    if resamples < 100:
        raise InputError(f"resamples must be at least 100, got {resamples}")
    random = np.random.default_rng(seed)
    n = len(rows)
    block = max(1, _CELLS // n)
    means = [
        rows[random.integers(0, n, size=(min(block, resamples - start), n))].mean(axis=1)
        for start in range(0, resamples, block)
    ]
    return np.concatenate(means)


def _percentiles(means: npt.NDArray[np.float64], confidence: float) -> tuple[float, float]:
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
