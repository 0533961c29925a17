"""Boosted decision trees as plain arrays: fitted with scikit-learn, saved as tensors, walked with numpy.

Knows rows and log odds. Serving needs neither scikit-learn nor pickle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import InputError
from core.heads.forest import rounded_down
from core.types import FloatArray, IntArray

_NAMES = ("feature", "threshold", "left", "right", "value")


@dataclass(frozen=True, eq=False)
class Boosted:
    """Gradient-boosted trees for two classes, one padded row of nodes a tree. A leaf leads to itself."""

    feature: npt.NDArray[np.int32]
    """(trees, nodes); the feature a node looks at, 0 in a leaf."""
    threshold: FloatArray
    """(trees, nodes) float32; a row goes left where its feature is at most this."""
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    value: FloatArray
    """(trees, nodes) float32; what a leaf adds to the log odds."""
    start: float
    """Log odds before the first tree."""

    @classmethod
    def fit(
        cls,
        rows: FloatArray,
        labels: IntArray,
        weights: FloatArray | None = None,
        *,
        trees: int = 100,
        leaves: int = 15,
        seed: int = 0,
    ) -> Boosted:
        """Fit on (n, f) float32 rows without gaps and (n,) labels 0 or 1.

        :param weights: (n,) of the rows.
        :param leaves: of a tree at most.
        :raises InputError: if one class is missing.

        Ke et al. 2017, "LightGBM", as scikit-learn's histogram gradient boosting.
        """
        from sklearn.ensemble import HistGradientBoostingClassifier

        if len(np.unique(labels)) != 2:
            raise InputError("Fitting needs examples of both classes; label some questions the other way.")
        model = HistGradientBoostingClassifier(
            max_iter=trees,
            learning_rate=0.1,
            max_leaf_nodes=leaves,
            min_samples_leaf=40,
            l2_regularization=5.0,
            max_features=0.4,
            random_state=seed,
            early_stopping=False,
        ).fit(rows, labels, sample_weight=weights)
        return cls.from_model(model)

    @classmethod
    def from_model(cls, model: Any) -> Boosted:
        """The trees of a fitted `HistGradientBoostingClassifier` of two classes."""
        trees = [stage[0].nodes for stage in model._predictors]
        shape = (len(trees), max(len(nodes) for nodes in trees))
        feature, threshold, value = np.zeros(shape, np.int32), np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        left = np.tile(np.arange(shape[1], dtype=np.int32), (shape[0], 1))
        right = left.copy()
        for i, nodes in enumerate(trees):
            n, inside = len(nodes), nodes["is_leaf"] == 0
            feature[i, :n] = np.where(inside, nodes["feature_idx"], 0)
            threshold[i, :n] = np.where(inside, rounded_down(nodes["num_threshold"]), 0)
            left[i, :n] = np.where(inside, nodes["left"], left[i, :n])
            right[i, :n] = np.where(inside, nodes["right"], right[i, :n])
            value[i, :n] = nodes["value"]
        return cls(feature, threshold, left, right, value, float(np.ravel(model._baseline_prediction)[0]))

    def log_odds(self, rows: FloatArray) -> FloatArray:
        """(n,) float32 of class 1, for (n, f) rows."""
        rows = np.asarray(rows, dtype=np.float32)
        tree, at = np.arange(len(self.feature))[None, :], np.arange(len(rows))[:, None]
        node = np.zeros((len(rows), len(self.feature)), np.int32)
        while True:
            goes_left = rows[at, self.feature[tree, node]] <= self.threshold[tree, node]
            step = np.where(goes_left, self.left[tree, node], self.right[tree, node])
            if (step == node).all():
                break
            node = step
        return np.asarray(self.value[tree, node].sum(axis=1) + self.start, dtype=np.float32)

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Arrays by name, as `from_tensors` takes them."""
        return {name: getattr(self, name) for name in _NAMES} | {"start": np.array([self.start], np.float64)}

    @classmethod
    def from_tensors(cls, tensors: dict[str, npt.NDArray[Any]]) -> Boosted:
        """The trees that `tensors` came from."""
        feature, threshold, left, right, value = (tensors[name] for name in _NAMES)
        return cls(feature, threshold, left, right, value, float(tensors["start"][0]))
