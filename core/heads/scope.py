"""Is a row of the kind a classifier was fitted on? A calibrated probability from several weak signs.

No one sign is enough: a far row can look sure to the classifier, a near one unsure between two neighbours. Four are
combined by a logistic regression: the greatest log probability of a known class; the log probability of the
out-of-scope class; the mean cosine of the nearest examples; the cosine of the nearest out-of-scope example. The second
and fourth are 0 where no out-of-scope examples were given. Knows rows and probabilities; nothing of texts. Numpy only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from core.errors import ArtifactDamaged
from core.heads.neighbours import Neighbours, mean_nearest
from core.types import FloatArray

TENSORS_FILE = "scope.safetensors"
DESCRIPTION_FILE = "scope.json"

NEAREST = 5
"""Examples whose cosines are averaged."""

_LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class ScopeGate:
    """Signs to the probability of being in scope, and the threshold below which a row is rejected."""

    strangers: FloatArray
    """(s, d) float32, L2-normalised rows of out-of-scope examples; s may be 0."""
    coefficients: FloatArray
    """(4,) float32, one a sign."""
    intercept: float
    threshold: float
    """In [0, 1]; a row whose probability is below it is rejected."""
    stranger: int | None = None
    """The classifier's out-of-scope class, if it has one."""

    def probability(self, rows: FloatArray, probabilities: FloatArray, examples: Neighbours) -> FloatArray:
        """(n,) float32, the probability of being in scope.

        :param rows: (n, d) float32, L2-normalised.
        :param probabilities: (n, k) float32 of the classifier.
        :param examples: the examples the classifier keeps.
        """
        known = examples.rows if self.stranger is None else examples.rows[examples.classes != self.stranger]
        nearness = np.column_stack([mean_nearest(rows, known, NEAREST), mean_nearest(rows, self.strangers, 1)])
        z = signs(probabilities, self.stranger, nearness) @ self.coefficients + self.intercept
        return np.asarray(1 / (1 + np.exp(-np.clip(z, -60, 60))), dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Write `scope.safetensors` (rows as float16: cosines keep three digits) and `scope.json`."""
        tensors = {"strangers": self.strangers.astype(np.float16), "coefficients": self.coefficients}
        save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, str(folder / TENSORS_FILE))
        description = {"intercept": self.intercept, "threshold": self.threshold, "stranger": self.stranger}
        (folder / DESCRIPTION_FILE).write_text(json.dumps(description, indent=1) + "\n", "utf-8")

    @classmethod
    def load(cls, folder: Path) -> ScopeGate:
        """Read what `save` wrote.

        :raises ArtifactDamaged: if a file is missing or unreadable.
        """
        try:
            values = json.loads((folder / DESCRIPTION_FILE).read_text("utf-8"))
            tensors = load_file(str(folder / TENSORS_FILE))
            gate = cls(
                strangers=tensors["strangers"].astype(np.float32),
                coefficients=np.asarray(tensors["coefficients"], dtype=np.float32),
                intercept=float(values["intercept"]),
                threshold=float(values["threshold"]),
                stranger=None if values["stranger"] is None else int(values["stranger"]),
            )
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise ArtifactDamaged(f"{folder} holds no readable scope gate ({error}); train it again.") from error
        if gate.coefficients.shape != (4,) or gate.strangers.ndim != 2:
            raise ArtifactDamaged(f"{folder}: the scope gate's shapes are wrong; train it again.")
        return gate


def signs(probabilities: FloatArray, stranger: int | None, nearness: FloatArray) -> FloatArray:
    """The four signs of each row; see the module's text.

    :param probabilities: (n, k) float32 of the classifier.
    :param stranger: its out-of-scope class, or None.
    :param nearness: (n, 2) float32: mean cosine of the nearest examples, cosine of the nearest out-of-scope one.
    :returns: (n, 4) float32.
    """
    known = probabilities if stranger is None else np.delete(probabilities, stranger, axis=1)
    strange = np.ones(len(probabilities)) if stranger is None else probabilities[:, stranger]
    logs = [np.log(np.maximum(values, _LEAST)) for values in (known.max(axis=1), strange)]
    return np.column_stack([logs[0], logs[1], nearness]).astype(np.float32)
