from __future__ import annotations

import numpy as np
import pytest

from core.errors import InputError
from core.evaluate.calibration import (
    calibration_error,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    softmax,
)


def overconfident(factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are `factor` times too large for the labels drawn from them."""
    random = np.random.default_rng(3)
    logits = random.normal(size=(4000, 4))
    noise = random.gumbel(size=logits.shape)  # the greatest of logit and noise is a draw from the softmax
    labels = (logits + noise).argmax(axis=1).astype(np.int64)
    return (logits * factor).astype(np.float32), labels


def test_softmax_rows_sum_to_one_and_large_logits_do_not_overflow() -> None:
    rows = softmax(np.array([[1000.0, 0.0], [1.0, 1.0]]))
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, [[1.0, 0.0], [0.5, 0.5]], atol=1e-6)


def test_a_confidence_that_comes_true_has_no_error() -> None:
    correct = np.array([True] * 8 + [False] * 2)
    assert calibration_error(np.full(10, 0.8), correct) == pytest.approx(0.0, abs=1e-9)


def test_the_error_is_the_weighted_gap_of_the_bins() -> None:
    confidence = np.array([0.95, 0.95, 0.55, 0.55])
    correct = np.array([True, False, True, True])
    assert calibration_error(confidence, correct) == pytest.approx(0.5 * 0.45 + 0.5 * 0.45)


def test_a_confidence_outside_zero_to_one_is_refused() -> None:
    with pytest.raises(InputError, match=r"\[0, 1\]"):
        calibration_error(np.array([1.2]), np.array([True]))


def test_the_fitted_temperature_undoes_overconfidence() -> None:
    logits, labels = overconfident(3.0)
    temperature = fit_temperature(logits, labels)
    assert temperature == pytest.approx(3.0, rel=0.1)
    before = expected_calibration_error(softmax(logits), labels)
    after = expected_calibration_error(softmax(logits, temperature), labels)
    assert after < 0.02 < before


def test_the_fitted_temperature_has_the_least_loss() -> None:
    logits, labels = overconfident(0.5)
    temperature = fit_temperature(logits, labels)
    best = negative_log_likelihood(logits, labels, temperature)
    assert all(best <= negative_log_likelihood(logits, labels, temperature * f) for f in (0.8, 0.95, 1.05, 1.25))
