"""Three or four opinions on a text, pooled: a linear head on its embedding, the nearest examples, its words, and how
well the examples cover it token by token.

The pool is log-linear: weighted log scores are added and go through one softmax, so the weights also calibrate.
Fitted by `core.heads.fit`. Knows rows, tokens and class names; nothing of encoders or apps. Numpy only.

Genest and Zidek 1986, "Combining Probability Distributions" (logarithmic opinion pool).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from core.errors import ArtifactDamaged, InputError
from core.evaluate.calibration import softmax
from core.heads.bayes import GramBayes
from core.heads.linear import LinearHead
from core.heads.matches import Matches, Reading
from core.heads.neighbours import Neighbours
from core.types import FloatArray, IntArray

TENSORS_FILE = "mixture.safetensors"
DESCRIPTION_FILE = "mixture.json"


@dataclass(frozen=True, slots=True)
class Mixture:
    """Rows and tokens to calibrated class probabilities."""

    linear: LinearHead
    neighbours: Neighbours
    bayes: GramBayes
    weights: FloatArray
    """(3,) float32 >= 0: of linear, neighbours, words; (4,) with matches."""
    matches: Matches | None = None
    """Examples by token; None where there are too many of them, or the encoder gives no token vectors."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The k class names."""
        return self.linear.labels

    def opinions(
        self, rows: FloatArray, tokens: Sequence[Sequence[str]], readings: Sequence[Reading] | None = None
    ) -> FloatArray:
        """(3, n, k) float32 log scores, (4, n, k) with matches; each row's mean 0.

        :param rows: (n, d) float32, L2-normalised.
        :param tokens: n token lists.
        :param readings: n texts as their tokens' vectors; needed where there are matches.
        :raises InputError: if the rows have another length than the ones it was fitted on, or readings are missing.
        """
        said = [self.linear.logits(rows), self.neighbours.scores(rows), self.bayes.scores(tokens)]
        if self.matches is not None:
            if readings is None:
                raise InputError("this classifier matches token by token: give the texts' token vectors as well")
            said.append(self.matches.scores(readings))
        stack = np.stack(said)
        return np.asarray(stack - stack.mean(axis=2, keepdims=True), dtype=np.float32)

    def probabilities(
        self, rows: FloatArray, tokens: Sequence[Sequence[str]], readings: Sequence[Reading] | None = None
    ) -> FloatArray:
        """(n, k) float32, rows sum to 1; parameters as in `opinions`."""
        return softmax(np.tensordot(self.weights, self.opinions(rows, tokens, readings), axes=1))

    def save(self, folder: Path) -> None:
        """Write `mixture.safetensors` (examples, token vectors and word odds as float16) and `mixture.json`."""
        tensors = {
            "linear.weights": self.linear.weights,
            "linear.bias": self.linear.bias,
            "neighbours.rows": self.neighbours.rows.astype(np.float16),
            "neighbours.classes": self.neighbours.classes,
            "bayes.rarity": self.bayes.rarity,
            "bayes.log_odds": self.bayes.log_odds.astype(np.float16),
            "weights": self.weights,
        }
        if self.matches is not None:
            tensors |= {
                "matches.ids": self.matches.ids,
                "matches.vectors": self.matches.vectors.astype(np.float16),
                "matches.lengths": self.matches.lengths,
                "matches.classes": self.matches.classes,
            }
        save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, str(folder / TENSORS_FILE))
        description = {"labels": list(self.labels), "vocabulary": list(self.bayes.vocabulary)}
        (folder / DESCRIPTION_FILE).write_text(json.dumps(description, ensure_ascii=False) + "\n", "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Mixture:
        """Read what `save` wrote.

        :raises ArtifactDamaged: if a file is missing, unreadable, or the two disagree.
        """
        try:
            description = json.loads((folder / DESCRIPTION_FILE).read_text("utf-8"))
            mixture = _assemble(description, load_file(str(folder / TENSORS_FILE)))
        except (OSError, ValueError, KeyError, TypeError, SafetensorError, InputError) as error:
            raise ArtifactDamaged(f"{folder} holds no readable classifier ({error}); train it again.") from error
        k, v, d = len(mixture.labels), len(mixture.bayes.vocabulary), mixture.neighbours.rows.shape[-1]
        shapes = {
            "linear.weights": (mixture.linear.weights.shape, (k, d)),
            "linear.bias": (mixture.linear.bias.shape, (k,)),
            "bayes.rarity": (mixture.bayes.rarity.shape, (v,)),
            "bayes.log_odds": (mixture.bayes.log_odds.shape, (v, k)),
            "neighbours.classes": (mixture.neighbours.classes.shape, (len(mixture.neighbours.rows),)),
            "weights": (mixture.weights.shape, (3 if mixture.matches is None else 4,)),
        }
        for name, (found, wanted) in shapes.items():
            if found != wanted:
                raise ArtifactDamaged(f"{folder}: {name} has shape {found}, expected {wanted}; train it again.")
        return mixture


def _assemble(description: Mapping[str, Any], tensors: Mapping[str, FloatArray]) -> Mixture:
    labels = tuple(map(str, description["labels"]))
    classes = _classes(tensors["neighbours.classes"], len(labels))
    matches = None
    if "matches.ids" in tensors:
        matches = Matches(
            np.asarray(tensors["matches.ids"], dtype=np.int64),
            tensors["matches.vectors"].astype(np.float32),
            np.asarray(tensors["matches.lengths"], dtype=np.int64),
            _classes(tensors["matches.classes"], len(labels)),
            len(labels),
        )
    return Mixture(
        linear=LinearHead(labels, tensors["linear.weights"], tensors["linear.bias"]),
        neighbours=Neighbours(tensors["neighbours.rows"].astype(np.float32), classes, len(labels)),
        bayes=GramBayes(
            tuple(map(str, description["vocabulary"])),
            tensors["bayes.rarity"],
            tensors["bayes.log_odds"].astype(np.float32),
        ),
        weights=np.asarray(tensors["weights"], dtype=np.float32),
        matches=matches,
    )


def _classes(stored: FloatArray, k: int) -> IntArray:
    classes = np.asarray(stored, dtype=np.int64)
    if len(classes) and not 0 <= int(classes.min()) <= int(classes.max()) < k:
        raise ValueError("an example's class is not among the labels")
    return classes
