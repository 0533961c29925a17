"""What several models say, pooled: non-negative weights and one bias a label, with the least loss out of fold.

The common scale of the weights is the temperature, so what is pooled is calibrated. Knows logits and targets. Imports
scipy when called.

Genest and Zidek 1986, "Combining Probability Distributions" (logarithmic opinion pool).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.evaluate.calibration import sigmoid, softmax
from core.evaluate.labels import BoolArray
from core.heads.features import Kind
from core.types import FloatArray

_PULL = 0.002  # on the weights, so that few rows buy no noise
_PULL_BIAS = 0.02  # on the biases, likewise
_TRUST = 10  # positives at which a label's own threshold weighs as much as one half
_LOWEST, _HIGHEST = 0.05, 0.95


@dataclass(frozen=True, slots=True)
class Pool:
    """Weights of m models and biases of k labels."""

    weights: FloatArray
    """(m,) float32 >= 0."""
    bias: FloatArray
    """(k,) float32."""
    spread: FloatArray
    """(m,) float32 standard deviation of each model's logits."""

    def logits(self, said: FloatArray) -> FloatArray:
        """(n, k) float32 from (m, n, k)."""
        return np.asarray(np.tensordot(self.weights, said, axes=1) + self.bias, dtype=np.float32)

    def shares(self) -> list[float]:
        """The part of each model in the pool, adding up to 1."""
        part = self.weights * self.spread
        return [round(float(p), 3) for p in part / max(float(part.sum()), 1e-9)]


def fit_pool(said: FloatArray, targets: BoolArray, kind: Kind) -> Pool:
    """The pool with the least negative log-likelihood.

    :param said: (m, n, k) float32 logits of rows that the models had not seen.
    :param targets: (n, k) bool.
    """
    from scipy.optimize import minimize

    m, n, k = said.shape
    spread = said.std(axis=(1, 2)) + 1e-6
    z = (said / spread[:, None, None]).astype(np.float64)
    y = targets.astype(np.float64)

    def loss(values: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[Any]]:
        w, b = values[:m], values[m:]
        logits = np.tensordot(w, z, axes=1) + b
        if kind == "single":
            shifted = logits - logits.max(axis=1, keepdims=True)
            normal = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
            value = -((shifted - normal) * y).sum() / n
            gap = (softmax(logits).astype(np.float64) - y) / n
        else:
            value = np.logaddexp(0.0, np.where(targets, -logits, logits)).sum() / n
            gap = (sigmoid(logits).astype(np.float64) - y) / n
        pull = _PULL * w.sum() + _PULL_BIAS * (b @ b) / max(1.0, np.sqrt(n))
        slope_b = gap.sum(axis=0) + 2 * _PULL_BIAS * b / max(1.0, np.sqrt(n))
        slope_w = np.einsum("mnk,nk->m", z, gap) + _PULL
        return float(value + pull), np.concatenate([slope_w, slope_b])

    start = np.concatenate([np.full(m, 1.0 / m), np.zeros(k)])
    bounds = [(0.0, 50.0)] * m + [(-10.0, 10.0)] * k
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return Pool(
        np.asarray(found[:m] / spread, dtype=np.float32),
        np.asarray(found[m:], dtype=np.float32),
        np.asarray(spread, dtype=np.float32),
    )


def fit_thresholds(probabilities: FloatArray, targets: BoolArray) -> FloatArray:
    """(k,) float32: the probability with the greatest F1 of each label, drawn towards one half where it is rare.

    :param probabilities: (n, k) float32 of rows that were not fitted on.
    :param targets: (n, k) bool.
    """
    out = np.full(targets.shape[1], 0.5, dtype=np.float32)
    for j in range(targets.shape[1]):
        positives = int(targets[:, j].sum())
        if positives:
            order = np.argsort(-probabilities[:, j], kind="stable")
            hits = np.cumsum(targets[order, j])
            f1 = 2 * hits / (np.arange(1, len(hits) + 1) + positives)
            cut = int(f1.argmax())
            ordered = probabilities[order, j]
            edge = float(ordered[cut] + ordered[min(cut + 1, len(ordered) - 1)]) / 2
            trust = positives / (positives + _TRUST)
            out[j] = min(_HIGHEST, max(_LOWEST, trust * edge + (1 - trust) * 0.5))
    return out
