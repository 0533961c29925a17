"""Calibration: does a confidence of 0.8 come true eight times in ten, and the one number that mends it.

Knows logits, probabilities and class indices; nothing of models. Safe to import while serving (numpy only).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core.errors import InputError
from core.evaluate.labels import BoolArray, Scores, check_lengths
from core.types import FloatArray, IntArray

_GOLDEN = (5**0.5 - 1) / 2


def softmax(logits: Scores, temperature: float = 1.0) -> FloatArray:
    """Rows of logits to rows of probabilities.

    :param logits: (n, k) float.
    :param temperature: above 0; above 1 is less sure.
    :returns: (n, k) float32, rows sum to 1.
    """
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    weights = np.exp(scaled)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def calibration_error(confidence: Scores, correct: BoolArray, bins: int = 10) -> float:
    """Mean gap between confidence and accuracy of the predicted label, weighted by bin size.

    :param confidence: (n,) float in [0, 1], of the label that was predicted.
    :param correct: (n,) bool, whether that label was right.
    :param bins: equal-width confidence bins over [0, 1].
    :returns: ECE in [0, 1]; 0 is perfectly calibrated.
    :raises InputError: if shapes disagree, n is 0 or a confidence is outside [0, 1].

    Guo et al. 2017, "On Calibration of Modern Neural Networks", eq. 3.
    """
    n = check_lengths(confidence, correct)
    if not ((confidence >= 0) & (confidence <= 1 + 1e-6)).all():
        raise InputError("a confidence must be in [0, 1]")
    if bins < 1:
        raise InputError(f"bins must be at least 1, got {bins}")
    which = np.clip(np.ceil(confidence.astype(np.float64) * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(which, weights=confidence - correct.astype(np.float64), minlength=bins)
    return float(np.abs(gaps).sum() / n)


def expected_calibration_error(probabilities: Scores, labels: IntArray, bins: int = 10) -> float:
    """`calibration_error` of the most probable class.

    :param probabilities: (n, k) float, rows sum to 1.
    :param labels: (n,) int, class indices in [0, k).
    :param bins: equal-width confidence bins over [0, 1].
    :returns: ECE in [0, 1].
    :raises InputError: if shapes disagree or n is 0.

    Guo et al. 2017, eq. 3.
    """
    check_lengths(probabilities, labels)
    return calibration_error(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels, bins)


def negative_log_likelihood(logits: Scores, labels: IntArray, temperature: float = 1.0) -> float:
    """Mean of -log softmax(logits / temperature) at the true class, in nats.

    :param logits: (n, k) float.
    :param labels: (n,) int, class indices in [0, k).
    :raises InputError: if shapes disagree or n is 0.
    """
    n = check_lengths(logits, labels)
    scaled: npt.NDArray[np.float64] = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(n), labels]))


def fit_temperature(logits: Scores, labels: IntArray, low: float = 0.02, high: float = 50.0) -> float:
    """The temperature with the least negative log-likelihood, for `softmax`.

    Use rows the model was not fitted on: held-out or cross-validated logits.

    :param logits: (n, k) float.
    :param labels: (n,) int, class indices in [0, k).
    :param low: least temperature tried.
    :param high: greatest temperature tried.
    :raises InputError: if shapes disagree or n is 0.

    Temperature scaling: Guo et al. 2017, section 4.2. The loss is unimodal in 1/T, so a golden-section search on
    log T finds it.
    """
    check_lengths(logits, labels)
    a, b = np.log(low), np.log(high)
    while b - a > 1e-4:
        left, right = b - _GOLDEN * (b - a), a + _GOLDEN * (b - a)
        if negative_log_likelihood(logits, labels, float(np.exp(left))) < negative_log_likelihood(
            logits, labels, float(np.exp(right))
        ):
            b = right
        else:
            a = left
    return float(np.exp((a + b) / 2))
