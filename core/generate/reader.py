"""Reads candidates sentence by sentence: does this one answer the question?

Boosted trees over `reader_features`; the best sentence of a passage is the passage's score. What a reader found is
summed up for the answerability check beside `silence`. Knows rows of numbers; no index, no encoder.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from core.errors import ArtifactDamaged, ModelError
from core.generate.evidence import Evidence
from core.generate.features import FEATURES, features
from core.generate.reader_features import NUMBERS, Reading
from core.generate.silence import SILENCE
from core.heads.boosted import Boosted
from core.types import FloatArray, IntArray

SUMMARY = (
    *("least_part", "most_part", "best", "best_three", "second", "sum_parts", "elsewhere", "parts", "best_first"),
)
"""What a reader found, in numbers: the least over the parts of the question tells most."""

JUDGED = (*FEATURES, *(f"read_{name}" for name in SUMMARY), *(f"document_{name}" for name in SILENCE))
"""Names of the numbers that an answerability check beside a reader looks at, in their order."""

_NOTHING = -9.0
_UNREAD = -30.0


@dataclass(frozen=True, eq=False)
class Reader:
    """A fitted reader."""

    trees: Boosted

    def read(self, rows: FloatArray) -> FloatArray:
        """(n,) float32 log odds that each sentence answers, for (n, len(NUMBERS)) rows."""
        return self.trees.log_odds(rows) if len(rows) else np.zeros(0, np.float32)

    def save(self, folder: Path, name: str) -> None:
        """Write `name.safetensors` and `name.json` into an existing folder."""
        save_file(self.trees.tensors(), folder / f"{name}.safetensors")
        (folder / f"{name}.json").write_text(json.dumps({"numbers": list(NUMBERS)}, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, name: str) -> Reader:
        """Open what `save` wrote.

        :raises ArtifactDamaged: if it was fitted on other numbers than this version computes.
        """
        facts = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        if tuple(facts["numbers"]) != NUMBERS:
            raise ArtifactDamaged(
                f"{folder} was fitted on other numbers. Run `triptych customer-service train answerability` again."
            )
        return cls(Boosted.from_tensors(load_file(folder / f"{name}.safetensors")))


def row_for(names: tuple[str, ...], evidence: Evidence) -> FloatArray:
    """(len(names),) float32: what a check fitted on these features looks at.

    :raises ModelError: if it stands beside a reader, and no reader has read the evidence.
    """
    if names == FEATURES:
        return features(evidence) if evidence.judged is None else evidence.judged[: len(FEATURES)]
    if evidence.judged is None:
        raise ModelError("The answerability check was fitted beside a reader, and the evidence was read by none.")
    return evidence.judged


def passage_scores(scores: FloatArray, places: IntArray, count: int) -> FloatArray:
    """(count,) float32 score of the best sentence of each passage; very low where it has none.

    :param scores: (n,) of sentences. :param places: (n,) passage of each sentence, in [0, count).
    """
    best = np.full(count, _UNREAD, np.float32)
    np.maximum.at(best, places, scores)
    return best


def summary(reading: Reading, scores: FloatArray, places: IntArray) -> FloatArray:
    """(len(SUMMARY),) float32 of what was read for one question."""
    if not len(scores):
        return np.array([_NOTHING] * 7 + [len(reading.parts), _NOTHING], np.float32)
    titles = np.array([c.title for c in reading.candidates], dtype=object)[places]
    parts: Sequence[str] = reading.parts
    best = [float(scores[titles == part].max(initial=_NOTHING)) for part in parts] or [float(scores.max())]
    inside = scores[np.isin(titles, list(parts))] if parts else scores
    ordered = np.sort(inside)[::-1] if len(inside) else np.array([_NOTHING], np.float32)
    likely = 1 / (1 + np.exp(-inside))
    most = max(best)
    return np.array(
        [
            min(best),
            most,
            float(scores.max()),
            float(np.mean(ordered[:3])),
            float(ordered[min(1, len(ordered) - 1)]),
            float(np.log(likely.sum() + 1e-3)),
            float(scores.max()) - most,
            len(parts),
            float(scores[places == 0].max(initial=_NOTHING)),
        ],
        np.float32,
    )
