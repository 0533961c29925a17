"""A forest of decision trees as plain arrays: fitted with scikit-learn, saved as tensors, walked with numpy.

Knows rows and probabilities. Serving needs neither scikit-learn nor pickle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import InputError
from core.types import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Forest:
    """Extremely randomised trees for two classes, one padded row of nodes a tree."""

    feature: npt.NDArray[np.int32]
    """(trees, nodes); the feature a node looks at, -1 in a leaf."""
    threshold: FloatArray
    """(trees, nodes) float32; a row goes left where its feature is at most this."""
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    value: FloatArray
    """(trees, nodes) float32; share of class 1 among the training rows of the node, weights counted."""

    @classmethod
    def fit(
        cls,
        rows: FloatArray,
        labels: IntArray,
        *,
        trees: int = 300,
        min_leaf: int = 4,
        share: float = 0.3,
        seed: int = 0,
    ) -> Forest:
        """Fit on (n, f) float32 rows and (n,) int64 labels 0 or 1; classes weigh the same.

        :param share: share of the features that each split may choose from.
        :raises InputError: if one class is missing.

        Geurts, Ernst, Wehenkel 2006, "Extremely randomized trees".
        """
        from sklearn.ensemble import ExtraTreesClassifier

        if len(np.unique(labels)) != 2:
            raise InputError("Fitting needs examples of both classes; label some questions the other way.")
        model = ExtraTreesClassifier(
            trees, min_samples_leaf=min_leaf, max_features=share, class_weight="balanced", random_state=seed
        ).fit(rows, labels)
        return cls._from_estimators([estimator.tree_ for estimator in model.estimators_])

    @classmethod
    def _from_estimators(cls, trees: list[Any]) -> Forest:
        nodes = max(tree.node_count for tree in trees)
        shape = (len(trees), nodes)
        feature = np.full(shape, -1, np.int32)
        threshold, value = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        left, right = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        for i, tree in enumerate(trees):
            n = tree.node_count
            feature[i, :n] = np.where(tree.children_left < 0, -1, tree.feature)
            threshold[i, :n] = rounded_down(tree.threshold)
            left[i, :n], right[i, :n] = tree.children_left, tree.children_right
            weights = tree.value[:, 0, :]
            value[i, :n] = weights[:, 1] / weights.sum(axis=1)
        return cls(feature, threshold, left, right, value)

    def probability(self, rows: FloatArray) -> FloatArray:
        """(n,) float32 mean over the trees of the share of class 1, for (n, f) rows."""
        rows = np.asarray(rows, dtype=np.float32)
        tree = np.arange(len(self.feature))
        found = np.empty(len(rows), np.float32)
        for i, row in enumerate(rows):
            node = np.zeros(len(tree), np.int32)
            while True:
                feature = self.feature[tree, node]
                inside = feature >= 0
                if not inside.any():
                    break
                goes_left = row[np.maximum(feature, 0)] <= self.threshold[tree, node]
                step = np.where(goes_left, self.left[tree, node], self.right[tree, node])
                node = np.where(inside, step, node)
            found[i] = self.value[tree, node].mean()
        return found

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Arrays by name, as `from_tensors` takes them."""
        return {name: getattr(self, name) for name in ("feature", "threshold", "left", "right", "value")}

    @classmethod
    def from_tensors(cls, tensors: dict[str, npt.NDArray[Any]]) -> Forest:
        """The forest that `tensors` came from."""
        return cls(*(tensors[name] for name in ("feature", "threshold", "left", "right", "value")))


def rounded_down(values: npt.NDArray[np.float64]) -> FloatArray:
    """The next float32 at or below each value: a float32 is at most the one just where it is at most the other."""
    near = values.astype(np.float32)
    below: FloatArray = np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float32)
    return below
