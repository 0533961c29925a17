"""What a message is about: an intent with a calibrated probability, or out of scope.

Composes encoders, one of them perhaps tuned on the intents' own examples, the pooled classifier of `core.heads` and its
scope gate. Knows texts; nothing of HTTP, files other than its own, or how it was fitted
(`apps.customer_service.train`). Needs neither scikit-learn nor torch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.backends.base import Encoder
from core.errors import ArtifactDamaged, InputError
from core.evaluate.text import evaluation_tokens
from core.heads.matches import Reading
from core.heads.mixture import Mixture
from core.heads.scope import ScopeGate
from core.types import FloatArray

OUT_OF_SCOPE = "oos"
"""The label of a message that belongs to no intent, in training files and in answers."""

ARTIFACT = "customer-service-intents"
"""Published name of the classifier."""

DESCRIPTION_FILE = "intents.json"

TUNED_FOLDER = "encoder"
"""Folder of the tuned encoder, inside the classifier's own: both are published, and rolled back, as one."""

_PLAIN = (1.0, 0.7)  # weights of frozen encoders side by side; the last one holds for all further ones
_TUNED = (1.0, 0.5, 0.35)  # the tuned encoder first: it knows the intents, the frozen ones what it has forgotten


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


def open_onnx(folder: Path) -> Encoder:
    """The exported encoder in a folder, on the CPU."""
    from core.backends.onnx import OnnxEncoder

    return OnnxEncoder(folder)


def embed(encoders: Sequence[Encoder], texts: Sequence[str], *, tuned: bool = False) -> FloatArray:
    """(n, d) float32, rows L2-normalised: the encoders' rows side by side, the first one weighing most.

    :param tuned: whether the first one was tuned on the intents.
    """
    return join([encoder.encode(texts) for encoder in encoders], tuned=tuned)


def join(parts: Sequence[FloatArray], *, tuned: bool = False) -> FloatArray:
    """What `embed` gives, from the rows of each encoder."""
    weights = _TUNED if tuned else _PLAIN
    rows = np.concatenate(
        [part * np.float32(weights[min(i, len(weights) - 1)]) for i, part in enumerate(parts)], axis=1
    )
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, 1e-12), dtype=np.float32)


def readings(encoders: Sequence[Encoder], texts: Sequence[str]) -> list[Reading] | None:
    """The texts as their tokens' vectors, by the first encoder that gives any; None where none does."""
    from core.index.late import TokenReader, read_tokens

    reader = next((e for e in encoders if isinstance(e, TokenReader) and e.reads_tokens), None)
    return None if reader is None else list(read_tokens(reader, texts))


def tokens(texts: Sequence[str]) -> list[list[str]]:
    """Words (English) and characters (Chinese) that the word odds are counted on."""
    return [evaluation_tokens(text, articles=True) for text in texts]


class IntentClassifier:
    """Messages to intents. Safe between threads: nothing changes after it is made."""

    def __init__(self, encoders: Sequence[Encoder], mixture: Mixture, gate: ScopeGate, *, tuned: bool = False) -> None:
        """Put the parts together.

        :param encoders: those it was fitted with, in that order.
        :param tuned: whether the first one was tuned on the intents.
        """
        self.encoders, self.mixture, self.gate, self.tuned = tuple(encoders), mixture, gate, tuned

    @property
    def labels(self) -> tuple[str, ...]:
        """The intents, without "oos"."""
        return tuple(label for i, label in enumerate(self.mixture.labels) if i != self.gate.stranger)

    def classify(self, texts: Sequence[str]) -> list[Intent]:
        """The intent of each text."""
        return self.classify_rows(embed(self.encoders, texts, tuned=self.tuned), texts) if texts else []

    def classify_rows(self, rows: FloatArray, texts: Sequence[str]) -> list[Intent]:
        """The same for texts that were embedded already.

        :param rows: (n, d) float32 from `embed`.
        """
        read = readings(self.encoders, texts) if self.mixture.matches is not None else None
        everything = self.mixture.probabilities(rows, tokens(texts), read)
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
        """Write the classifier's files; the encoders are named, not written: a tuned one's go into `encoder/`."""
        self.mixture.save(folder)
        self.gate.save(folder)
        described = {
            "encoders": [e.name for e in self.encoders],
            "dimensions": [e.dimension for e in self.encoders],
            "tuned": self.tuned,
        }
        (folder / DESCRIPTION_FILE).write_text(json.dumps(described, indent=1) + "\n", "utf-8")

    @classmethod
    def load(
        cls, folder: Path, encoders: Sequence[Encoder], *, open_tuned: Callable[[Path], Encoder] = open_onnx
    ) -> IntentClassifier:
        """Read what `save` wrote.

        :param encoders: as many of the frozen encoders it was trained with, in any order; the others are not needed.
        :param open_tuned: opens the folder of the tuned encoder, where there is one.
        :raises ArtifactDamaged: if a file is missing or unreadable.
        :raises InputError: if an encoder it was trained with is not among those given.
        """
        try:
            described = json.loads((folder / DESCRIPTION_FILE).read_text("utf-8"))
            wanted, tuned = list(map(str, described["encoders"])), bool(described.get("tuned", False))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactDamaged(f"{folder} holds no readable intent classifier ({error}); train it again.") from error
        by_name = {e.name: e for e in encoders}
        first = [open_tuned(folder / TUNED_FOLDER)] if tuned else []
        missing = [name for name in wanted[len(first) :] if name not in by_name]
        if missing:
            has = ", ".join(by_name) or "none"
            raise InputError(
                f"The intent classifier was trained with {missing[0]!r}; the encoders here are {has}. "
                "Train it again: `triptych customer-service train intents`."
            )
        chosen = [*first, *(by_name[name] for name in wanted[len(first) :])]
        return cls(chosen, Mixture.load(folder), ScopeGate.load(folder), tuned=tuned)
