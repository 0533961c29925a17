from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError
from core.evaluate.calibration import (
    calibration_error,
    fit_sigmoid_temperature,
    multilabel_calibration_error,
    sigmoid,
    sigmoid_negative_log_likelihood,
)
from core.evaluate.reliability import reliability_bins, reliability_error, reliability_plot


def forecasts(n: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(2)
    confidence = random.random(n)
    return confidence, random.random(n) < confidence**1.5


def test_the_bins_add_up_to_the_calibration_error() -> None:
    confidence, correct = forecasts()
    bins = reliability_bins(confidence, correct, 15)
    assert sum(row.count for row in bins) == len(confidence)
    assert reliability_error(bins) == pytest.approx(calibration_error(confidence, correct, 15))


def test_the_bins_are_scikit_learns_calibration_curve() -> None:
    from sklearn.calibration import calibration_curve

    confidence, correct = forecasts()
    bins = reliability_bins(confidence, correct, 10)
    true, said = calibration_curve(correct, confidence, n_bins=10)
    np.testing.assert_allclose([row.accuracy for row in bins], true)
    np.testing.assert_allclose([row.confidence for row in bins], said)


def test_an_edge_belongs_to_the_bin_below_and_an_empty_bin_has_no_figures() -> None:
    bins = reliability_bins(np.array([0.0, 0.5, 1.0]), np.array([True, True, True]), 4)
    assert [row.count for row in bins] == [1, 1, 0, 1]
    assert (bins[2].confidence, bins[2].accuracy) == (None, None)
    assert (bins[1].low, bins[1].high) == (0.25, 0.5)


def test_the_diagram_is_a_png_with_every_curve(tmp_path: Path) -> None:
    confidence, correct = forecasts(500)
    curves = {"before": reliability_bins(confidence, correct), "after": reliability_bins(confidence**1.5, correct)}
    path = reliability_plot(tmp_path / "reliability.png", curves)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 10_000
    assert [file.name for file in tmp_path.iterdir()] == ["reliability.png"]


def test_nothing_cannot_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 curves"):
        reliability_plot(tmp_path / "x.png", {})
    with pytest.raises(InputError, match="all bins are empty"):
        reliability_plot(tmp_path / "x.png", {"none": []})
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"\[0, 1\]"):
        reliability_bins(np.array([1.5]), np.array([True]))


def test_sigmoid_does_not_overflow() -> None:
    found = sigmoid(np.array([[-1e4, 0.0, 1e4]], dtype=np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0.0, 0.5, 1.0]])
    assert sigmoid(np.array([2.0]), 2.0)[0] == pytest.approx(1 / (1 + np.exp(-1)))


def test_the_fitted_temperature_undoes_overconfidence_of_many_labels() -> None:
    random = np.random.default_rng(7)
    logits = random.normal(-1, 1.5, (3000, 5))
    labels = random.random(logits.shape) < 1 / (1 + np.exp(-logits))
    temperature = fit_sigmoid_temperature(logits * 3, labels)
    assert temperature == pytest.approx(3.0, rel=0.1)
    before = multilabel_calibration_error(sigmoid(logits * 3), labels)
    after = multilabel_calibration_error(sigmoid(logits * 3, temperature), labels)
    assert after < 0.02 < 0.05 < before
    best = sigmoid_negative_log_likelihood(logits * 3, labels, temperature)
    assert all(best <= sigmoid_negative_log_likelihood(logits * 3, labels, temperature * f) for f in (0.9, 1.1))


def test_a_sure_no_does_not_hide_a_wrong_yes() -> None:
    probabilities = np.full((10, 10), 0.0)
    probabilities[:, 0] = 0.95
    labels = np.zeros((10, 10), dtype=bool)
    assert multilabel_calibration_error(probabilities, labels) == pytest.approx(0.095)


def test_tables_must_have_one_shape() -> None:
    with pytest.raises(InputError, match=r"\(2, 3\) and \(2, 2\)"):
        fit_sigmoid_temperature(np.zeros((2, 3)), np.zeros((2, 2), dtype=bool))
