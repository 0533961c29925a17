"""Calibration: does a confidence of 0.8 come true eight times in ten, and the one number that mends it.

For one class of several (softmax) and for labels decided one by one (sigmoid). Knows logits, probabilities and class
indices; nothing of models. Safe to import while serving (numpy only).
"""

from __future__ import annotations

from collections.abc import Callable

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
    return _least(lambda temperature: negative_log_likelihood(logits, labels, temperature), low, high)


def sigmoid(logits: Scores, temperature: float = 1.0) -> FloatArray:
    """Logits to probabilities, each by itself.

    :param logits: float, any shape.
    :param temperature: above 0; above 1 is less sure.
    :returns: float32 of the same shape, in [0, 1].
    """
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    return np.asarray(0.5 * (1 + np.tanh(scaled / 2)), dtype=np.float32)


def multilabel_calibration_error(probabilities: Scores, labels: BoolArray, bins: int = 10) -> float:
    """`calibration_error` where a row may have several labels: every cell is a forecast of its own.

    The forecast of a cell is the probability of its label, not the confidence in the likelier side: a row of k labels
    has few true ones, and the sure "no" of all the others would hide what the "yes" is worth.

    :param probabilities: (n, k) float in [0, 1].
    :param labels: (n, k) bool.
    :param bins: equal-width bins of the probability.
    :returns: in [0, 1]; 0 is perfectly calibrated.
    :raises InputError: if shapes disagree, n is 0 or a probability is outside [0, 1].

    The reliability of binary forecasts: Murphy and Winkler 1977, "Reliability of subjective probability forecasts of
    precipitation and temperature".
    """
    _check_tables(probabilities, labels)
    return calibration_error(probabilities.ravel(), labels.ravel(), bins)


def sigmoid_negative_log_likelihood(logits: Scores, labels: BoolArray, temperature: float = 1.0) -> float:
    """Mean binary cross-entropy of all cells at `sigmoid(logits / temperature)`, in nats.

    :param logits: (n, k) float.
    :param labels: (n, k) bool.
    :raises InputError: if shapes disagree or n is 0.
    """
    _check_tables(logits, labels)
    scaled = logits.astype(np.float64) / temperature
    return float(np.mean(np.logaddexp(0.0, np.where(labels, -scaled, scaled))))


def fit_sigmoid_temperature(logits: Scores, labels: BoolArray, low: float = 0.02, high: float = 50.0) -> float:
    """The temperature with the least binary cross-entropy, one for all labels, for `sigmoid`.

    Use rows the model was not fitted on.

    :param logits: (n, k) float.
    :param labels: (n, k) bool.
    :param low: least temperature tried.
    :param high: greatest temperature tried.
    :raises InputError: if shapes disagree or n is 0.
    """
    _check_tables(logits, labels)
    return _least(lambda temperature: sigmoid_negative_log_likelihood(logits, labels, temperature), low, high)


def _check_tables(values: Scores, labels: BoolArray) -> None:
    check_lengths(values, labels)
    if values.shape != labels.shape or values.ndim != 2:
        raise InputError(f"two (n, k) tables expected, got shapes {values.shape} and {labels.shape}")


def _least(loss: Callable[[float], float], low: float, high: float) -> float:
    """The argument between `low` and `high` with the least loss, by golden sections of its logarithm."""
    a, b = float(np.log(low)), float(np.log(high))
    while b - a > 1e-4:
        left, right = b - _GOLDEN * (b - a), a + _GOLDEN * (b - a)
        if loss(float(np.exp(left))) < loss(float(np.exp(right))):
            b = right
        else:
            a = left
    return float(np.exp((a + b) / 2))
