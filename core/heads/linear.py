"""A multinomial linear head: one matrix product and a softmax.

Knows rows and weights; knows nothing of how they were fitted (`core.heads.fit`) nor what the rows mean. Numpy only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from core.errors import ArtifactDamaged, InputError
from core.evaluate.calibration import softmax
from core.types import FloatArray

WEIGHTS_FILE = "head.safetensors"
DESCRIPTION_FILE = "head.json"


@dataclass(frozen=True, slots=True)
class LinearHead:
    """Rows to calibrated class probabilities."""

    labels: tuple[str, ...]
    """k class names, in the order of the weights."""
    weights: FloatArray
    """(k, d) float32."""
    bias: FloatArray
    """(k,) float32."""
    temperature: float = 1.0
    """Logits are divided by it; fitted on rows the weights did not see."""

    def logits(self, rows: FloatArray) -> FloatArray:
        """(n, k) float32 from (n, d) float32 rows.

        :raises InputError: if the rows have another length than the head was fitted on.
        """
        if rows.ndim != 2 or rows.shape[1] != self.weights.shape[1]:
            raise InputError(f"the head takes rows of length {self.weights.shape[1]}, got shape {rows.shape}")
        return np.asarray(rows @ self.weights.T + self.bias, dtype=np.float32)

    def probabilities(self, rows: FloatArray) -> FloatArray:
        """(n, k) float32, rows sum to 1; calibrated where `temperature` was fitted."""
        return softmax(self.logits(rows), self.temperature)

    def save(self, folder: Path) -> None:
        """Write `head.safetensors` and `head.json`."""
        save_file({"weights": self.weights, "bias": self.bias}, str(folder / WEIGHTS_FILE))
        description = {"labels": list(self.labels), "temperature": self.temperature}
        (folder / DESCRIPTION_FILE).write_text(json.dumps(description, ensure_ascii=False, indent=1) + "\n", "utf-8")

    @classmethod
    def load(cls, folder: Path) -> LinearHead:
        """Read what `save` wrote.

        :raises ArtifactDamaged: if a file is missing, unreadable, or the two disagree.
        """
        try:
            description = json.loads((folder / DESCRIPTION_FILE).read_text("utf-8"))
            tensors = load_file(str(folder / WEIGHTS_FILE))
            head = cls(
                labels=tuple(map(str, description["labels"])),
                weights=tensors["weights"],
                bias=tensors["bias"],
                temperature=float(description["temperature"]),
            )
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise ArtifactDamaged(f"{folder} holds no readable head ({error}); train it again.") from error
        k = len(head.labels)
        if head.weights.ndim != 2 or len(head.weights) != k or head.bias.shape != (k,) or head.temperature <= 0:
            raise ArtifactDamaged(f"{folder}: weights of shape {head.weights.shape} for {k} labels; train it again.")
        return head
