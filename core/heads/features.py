"""Labels from several views of a text at once: its embedding, its words, its characters, and what tuned encoders say.

Whatever linear models were fitted on the views and however they were pooled, what is left to serve is one weight for
every number and label. Fitted by `core.heads.features_fit`. Knows rows and grams; nothing of encoders or apps. Numpy
only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from core.errors import ArtifactDamaged, InputError
from core.evaluate.calibration import sigmoid, softmax
from core.heads.grams import GramSpace, Tokens
from core.types import FloatArray

TENSORS_FILE = "features.safetensors"
DESCRIPTION_FILE = "features.json"
_FORMAT = 1

Kind = Literal["single", "multi"]


@dataclass(frozen=True, slots=True)
class View:
    """One way of reading texts by grams, and what its grams are worth."""

    space: GramSpace
    weighted: FloatArray
    """(v, k) float32 for the rarity-weighted rows of length 1."""
    present: FloatArray
    """(v, k) float32 for the mere presence of a gram."""


@dataclass(frozen=True, slots=True)
class FeatureHead:
    """Calibrated probabilities of labels from every view of a text."""

    labels: tuple[str, ...]
    kind: Kind
    """ "single": one of the labels; "multi": any number of them."""
    dense: FloatArray
    """(d, k) float32 for the embedding; d may be 0."""
    views: tuple[View, ...]
    outside: FloatArray
    """(o, k, k) float32 for the logits of o tuned encoders; o may be 0."""
    bias: FloatArray
    """(k,) float32."""
    thresholds: FloatArray
    """(k,) float32; for "multi" the probability from which on a label counts."""
    always: bool = False
    """For "multi": the label nearest to its threshold counts where none reaches its own."""

    def logits(self, rows: FloatArray, views: Sequence[Sequence[Tokens]], outside: Sequence[FloatArray]) -> FloatArray:
        """(n, k) float32, calibrated.

        :param rows: (n, d) float32.
        :param views: n token lists, or texts, for every view.
        :param outside: (n, k) float32 logits of every tuned encoder.
        :raises InputError: if there are not as many as it was fitted with, or the rows have another length.
        """
        if (len(views), len(outside)) != (len(self.views), len(self.outside)) or rows.shape[1] != len(self.dense):
            raise InputError(
                f"the head reads rows of {len(self.dense)}, {len(self.views)} views and {len(self.outside)} tuned "
                f"encoders; got rows of {rows.shape[1]}, {len(views)} and {len(outside)}"
            )
        out = rows @ self.dense + self.bias
        for view, tokens in zip(self.views, views, strict=True):
            found = view.space.rows(tokens)
            out += found.product(view.weighted) + found.presence().product(view.present)
        for said, mixed in zip(outside, self.outside, strict=True):
            out += said @ mixed
        return np.asarray(out, dtype=np.float32)

    def probabilities(
        self, rows: FloatArray, views: Sequence[Sequence[Tokens]], outside: Sequence[FloatArray] = ()
    ) -> FloatArray:
        """(n, k) float32; rows of "single" sum to 1, those of "multi" are probabilities each. Parameters: `logits`."""
        found = self.logits(rows, views, outside)
        return softmax(found) if self.kind == "single" else sigmoid(found)

    def chosen(self, probabilities: FloatArray) -> FloatArray:
        """(n, k) bool: which labels count, from (n, k) probabilities."""
        if self.kind == "single":
            return np.asarray(probabilities.argmax(axis=1)[:, None] == np.arange(len(self.labels)))
        above = probabilities >= self.thresholds
        if self.always and len(probabilities):
            none = ~above.any(axis=1)
            near = probabilities / self.thresholds
            above[np.flatnonzero(none), near[none].argmax(axis=1)] = True
        return np.asarray(above)

    def save(self, folder: Path) -> None:
        """Write `features.safetensors` (weights as float16) and `features.json`."""
        tensors: dict[str, Any] = {
            "dense": self.dense,
            "outside": self.outside,
            "bias": self.bias,
            "thresholds": self.thresholds,
        }
        for i, view in enumerate(self.views):
            tensors |= {
                f"views.{i}.rarity": view.space.rarity,
                f"views.{i}.weighted": view.weighted.astype(np.float16),
                f"views.{i}.present": view.present.astype(np.float16),
            }
        save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, str(folder / TENSORS_FILE))
        described = {
            "format": _FORMAT,
            "labels": list(self.labels),
            "kind": self.kind,
            "always": self.always,
            "views": [{"low": v.space.low, "high": v.space.high, "grams": v.space.vocabulary} for v in self.views],
        }
        (folder / DESCRIPTION_FILE).write_text(json.dumps(described, ensure_ascii=False) + "\n", "utf-8")

    @classmethod
    def load(cls, folder: Path) -> FeatureHead:
        """Read what `save` wrote.

        :raises ArtifactDamaged: if a file is missing, unreadable, or the two disagree.
        """
        try:
            described = json.loads((folder / DESCRIPTION_FILE).read_text("utf-8"))
            if described["format"] != _FORMAT:
                raise ValueError("another version wrote it")
            head = _assemble(described, load_file(str(folder / TENSORS_FILE)))
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise ArtifactDamaged(f"{folder} holds no readable head ({error}); train it again.") from error
        k = len(head.labels)
        shapes = {
            "dense": (head.dense.shape, (len(head.dense), k)),
            "outside": (head.outside.shape, (len(head.outside), k, k)),
            "bias": (head.bias.shape, (k,)),
            "thresholds": (head.thresholds.shape, (k,)),
        }
        for i, view in enumerate(head.views):
            size = len(view.space.vocabulary)
            shapes[f"views.{i}.rarity"] = view.space.rarity.shape, (size,)
            shapes[f"views.{i}.weighted"] = view.weighted.shape, (size, k)
            shapes[f"views.{i}.present"] = view.present.shape, (size, k)
        for name, (found, wanted) in shapes.items():
            if found != wanted:
                raise ArtifactDamaged(f"{folder}: {name} has shape {found}, expected {wanted}; train it again.")
        return head


def _assemble(described: Mapping[str, Any], tensors: Mapping[str, Any]) -> FeatureHead:
    kind: Kind = "multi" if described["kind"] == "multi" else "single"
    return FeatureHead(
        labels=tuple(map(str, described["labels"])),
        kind=kind,
        dense=tensors["dense"],
        views=tuple(
            View(
                GramSpace(
                    int(view["low"]), int(view["high"]), tuple(map(str, view["grams"])), tensors[f"views.{i}.rarity"]
                ),
                tensors[f"views.{i}.weighted"].astype(np.float32),
                tensors[f"views.{i}.present"].astype(np.float32),
            )
            for i, view in enumerate(described["views"])
        ),
        outside=tensors["outside"],
        bias=tensors["bias"],
        thresholds=tensors["thresholds"],
        always=bool(described["always"]),
    )
