"""What a message is about: an intent with a calibrated probability, or out of scope.

Composes frozen encoders, the pooled classifier of `core.heads` and its scope gate. Knows texts; nothing of HTTP, files
other than its own, or how it was fitted (`apps.customer_service.train`). Needs no scikit-learn.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.backends.base import Encoder
from core.errors import ArtifactDamaged, InputError
from core.evaluate.text import evaluation_tokens
from core.heads.mixture import Mixture
from core.heads.scope import ScopeGate
from core.types import FloatArray

OUT_OF_SCOPE = "oos"
"""The label of a message that belongs to no intent, in training files and in answers."""

ARTIFACT = "customer-service-intents"
"""Published name of the classifier."""

DESCRIPTION_FILE = "intents.json"

_SECOND = 0.7  # weight of every further encoder beside the first


@dataclass(frozen=True, slots=True)
class Intent:
    """What a message is about."""

    label: str
    """An intent, or "oos"."""
    probability: float
    """Calibrated probability that `label` is right."""
    in_scope: float
    """Calibrated probability that the message belongs to any intent."""
    nearest: str
    """The most probable intent, also where the message was rejected."""


def embed(encoders: Sequence[Encoder], texts: Sequence[str]) -> FloatArray:
    """(n, d) float32, rows L2-normalised: the encoders' rows side by side, the first one weighing most."""
    parts = [e.encode(texts) * np.float32(1.0 if i == 0 else _SECOND) for i, e in enumerate(encoders)]
    rows = np.concatenate(parts, axis=1)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, 1e-12), dtype=np.float32)


def tokens(texts: Sequence[str]) -> list[list[str]]:
    """Words (English) and characters (Chinese) that the word odds are counted on."""
    return [evaluation_tokens(text, articles=True) for text in texts]


class IntentClassifier:
    """Messages to intents. Safe between threads: nothing changes after it is made."""

    def __init__(self, encoders: Sequence[Encoder], mixture: Mixture, gate: ScopeGate) -> None:
        self.encoders, self.mixture, self.gate = tuple(encoders), mixture, gate

    @property
    def labels(self) -> tuple[str, ...]:
        """The intents, without "oos"."""
        return tuple(label for i, label in enumerate(self.mixture.labels) if i != self.gate.stranger)

    def classify(self, texts: Sequence[str]) -> list[Intent]:
        """The intent of each text."""
        return self.classify_rows(embed(self.encoders, texts), texts) if texts else []

    def classify_rows(self, rows: FloatArray, texts: Sequence[str]) -> list[Intent]:
        """The same for texts that were embedded already.

        :param rows: (n, d) float32 from `embed`.
        """
        everything = self.mixture.probabilities(rows, tokens(texts))
        in_scope = self.gate.probability(rows, everything, self.mixture.neighbours)
        stranger = self.gate.stranger
        known = everything if stranger is None else np.delete(everything, stranger, axis=1)
        known = known / np.maximum(known.sum(axis=1, keepdims=True), 1e-12)
        best, labels = known.argmax(axis=1), self.labels
        found = []
        for i, (b, p) in enumerate(zip(best.tolist(), in_scope.tolist(), strict=True)):
            if p < self.gate.threshold:
                found.append(Intent(OUT_OF_SCOPE, 1.0 - p, p, labels[b]))
            else:
                found.append(Intent(labels[b], p * float(known[i, b]), p, labels[b]))
        return found

    def save(self, folder: Path) -> None:
        """Write the classifier's files; the encoders are named, not written."""
        self.mixture.save(folder)
        self.gate.save(folder)
        described = {"encoders": [e.name for e in self.encoders], "dimensions": [e.dimension for e in self.encoders]}
        (folder / DESCRIPTION_FILE).write_text(json.dumps(described, indent=1) + "\n", "utf-8")

    @classmethod
    def load(cls, folder: Path, encoders: Sequence[Encoder]) -> IntentClassifier:
        """Read what `save` wrote.

        :param encoders: as many of the encoders it was trained with, in any order; the others are not needed.
        :raises ArtifactDamaged: if a file is missing or unreadable.
        :raises InputError: if an encoder it was trained with is not among those given.
        """
        try:
            wanted = list(map(str, json.loads((folder / DESCRIPTION_FILE).read_text("utf-8"))["encoders"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactDamaged(f"{folder} holds no readable intent classifier ({error}); train it again.") from error
        by_name = {e.name: e for e in encoders}
        missing = [name for name in wanted if name not in by_name]
        if missing:
            has = ", ".join(by_name) or "none"
            raise InputError(
                f"The intent classifier was trained with {missing[0]!r}; the encoders here are {has}. "
                "Train it again: `triptych customer-service train intents`."
            )
        return cls([by_name[name] for name in wanted], Mixture.load(folder), ScopeGate.load(folder))
