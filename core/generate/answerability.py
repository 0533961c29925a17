"""Does this passage answer this question? A check of question against passages, not similarity alone.

A logistic regression and a forest over `features`, averaged and calibrated; the threshold under which the bot declines
is fitted on labelled questions and stored with its curve. Knows feature rows; knows nothing of text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from core.errors import ArtifactDamaged, InputError
from core.generate.features import FEATURES
from core.generate.reader import JUDGED
from core.heads.forest import Forest
from core.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What one threshold does to the questions it was fitted on (out of fold)."""

    threshold: float
    false_refusal: float
    """Share of answerable questions declined."""
    caught: float
    """Share of unanswerable questions declined."""


@dataclass(frozen=True, eq=False)
class Answerability:
    """A fitted check."""

    mean: FloatArray
    scale: FloatArray
    weights: FloatArray
    """(f,) float32 of the logistic regression, on standardised features."""
    bias: float
    forest: Forest
    calibration: tuple[float, float]
    """Slope and intercept from the averaged score's logit to the calibrated one. Platt 1999."""
    threshold: float
    """Calibrated probability under which a question is declined."""
    curve: tuple[CurvePoint, ...] = ()
    names: tuple[str, ...] = FEATURES
    """Of the features: those of the evidence alone, or `reader.JUDGED` where a reader stands beside the check."""

    def probability(self, rows: FloatArray) -> FloatArray:
        """(n,) float32 calibrated probability that the passages answer the question, for (n, f) feature rows."""
        slope, intercept = self.calibration
        return _sigmoid(slope * _logit(_averaged(self, rows)) + intercept)

    def threshold_for(self, false_refusal: float) -> float:
        """The threshold of the fitted curve that declines at most this share of answerable questions."""
        fitting = [point.threshold for point in self.curve if point.false_refusal <= false_refusal]
        return max(fitting, default=self.threshold)

    def save(self, folder: Path, name: str) -> None:
        """Write `name.safetensors` and `name.json` into an existing folder."""
        arrays = {"mean": self.mean, "scale": self.scale, "weights": self.weights}
        save_file(arrays | {f"forest.{k}": v for k, v in self.forest.tensors().items()}, folder / f"{name}.safetensors")
        facts = {
            "features": list(self.names),
            "bias": self.bias,
            "calibration": list(self.calibration),
            "threshold": self.threshold,
            "curve": [asdict(point) for point in self.curve],
        }
        (folder / f"{name}.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, name: str) -> Answerability:
        """Read what `save` wrote under that name.

        :raises ArtifactDamaged: if it was fitted on other features than this version computes.
        """
        tensors = load_file(folder / f"{name}.safetensors")
        facts = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        names = tuple(facts["features"])
        if names not in (FEATURES, JUDGED):
            raise ArtifactDamaged(f"{folder} was fitted on other features. Run `triptych models prepare`.")
        forest = Forest.from_tensors({k.removeprefix("forest."): v for k, v in tensors.items() if "." in k})
        return cls(
            tensors["mean"],
            tensors["scale"],
            tensors["weights"],
            facts["bias"],
            forest,
            (facts["calibration"][0], facts["calibration"][1]),
            facts["threshold"],
            tuple(CurvePoint(**point) for point in facts["curve"]),
            names,
        )


@dataclass(frozen=True, eq=False)
class Labelled:
    """Feature rows with what is true of them."""

    rows: FloatArray
    """(n, f) float32 of `features`."""
    labels: IntArray
    """(n,) int64, 1 where the passages answer the question."""
    groups: Sequence[str]
    """n names, of documents as a rule; rows of one group are never split."""

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, which: npt.NDArray[Any]) -> Labelled:
        """The rows at these places."""
        places = np.flatnonzero(which) if which.dtype == bool else which
        return Labelled(self.rows[places], self.labels[places], [self.groups[int(i)] for i in places])


def fit(
    data: Labelled,
    *,
    also: Labelled | None = None,
    false_refusal: float = 0.05,
    seed: int = 0,
    names: tuple[str, ...] = FEATURES,
) -> Answerability:
    """Fit the check, its calibration and its threshold.

    Calibration and threshold come from out-of-fold scores: whole groups are held out together.

    :param also: rows that help to fit, of other collections or made up; calibration and threshold do not see them.
    :param false_refusal: share of answerable questions the threshold may decline.
    :param names: of the features.
    :raises InputError: if one class is missing.
    """
    if len(np.unique(data.labels)) != 2:
        raise InputError("Fitting needs answerable and unanswerable questions.")
    held_out = out_of_fold(data, also=also, seed=seed)
    calibration = _platt(_logit(held_out), data.labels)
    calibrated = _sigmoid(calibration[0] * _logit(held_out) + calibration[1])
    curve = refusal_curve(calibrated, data.labels)
    threshold = threshold_at(calibrated, data.labels, false_refusal)
    return replace(_fit(data, also, seed, calibration, threshold, curve), names=names)


def out_of_fold(data: Labelled, *, also: Labelled | None = None, folds: int = 5, seed: int = 0) -> FloatArray:
    """(n,) float32 uncalibrated scores of each row by a model that saw no row of its group, nor of `also`."""
    scores = np.zeros(len(data), np.float32)
    for train, test in split(data, folds=folds, seed=seed):
        hidden = {data.groups[int(i)] for i in test}
        other = also.take(np.array([group not in hidden for group in also.groups], bool)) if also is not None else None
        scores[test] = _averaged(_fit(data.take(train), other, seed, (1.0, 0.0), 0.5, ()), data.rows[test])
    return scores


def split(data: Labelled, *, folds: int = 5, seed: int = 0) -> list[tuple[IntArray, IntArray]]:
    """Places of training and test rows for each fold; groups stay whole, classes are spread evenly.

    :raises InputError: if there are fewer than two groups with both classes to spread.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    folds = max(2, min(folds, len(set(data.groups)), int(np.bincount(data.labels, minlength=2).min())))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    pairs = [(train, test) for train, test in splitter.split(data.rows, data.labels, data.groups)]
    if any(len(np.unique(data.labels[train])) < 2 for train, _ in pairs):
        raise InputError("The labelled questions are about too few documents to be split; label some on others.")
    return pairs


def refusal_curve(probabilities: FloatArray, labels: IntArray) -> tuple[CurvePoint, ...]:
    """What thresholds at each percent of false refusals from 0 to 20 do."""
    points = []
    for percent in range(21):
        threshold = threshold_at(probabilities, labels, percent / 100)
        declined = probabilities < threshold
        points.append(CurvePoint(threshold, float(declined[labels == 1].mean()), float(declined[labels == 0].mean())))
    return tuple(points)


def threshold_at(probabilities: FloatArray, labels: IntArray, false_refusal: float) -> float:
    """The highest threshold that declines at most this share of the answerable questions."""
    answerable = np.sort(probabilities[labels == 1])
    return float(answerable[min(int(np.floor(false_refusal * len(answerable))), len(answerable) - 1)])


def _fit(
    data: Labelled,
    also: Labelled | None,
    seed: int,
    calibration: tuple[float, float],
    threshold: float,
    curve: tuple[CurvePoint, ...],
) -> Answerability:
    from sklearn.linear_model import LogisticRegression

    rows, labels = data.rows, data.labels
    if also is not None and len(also):
        rows, labels = np.concatenate([rows, also.rows]), np.concatenate([labels, also.labels])
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(scale > 1e-6, scale, 1.0).astype(np.float32)
    model = LogisticRegression(C=0.02, class_weight="balanced", max_iter=2000).fit((rows - mean) / scale, labels)
    forest = Forest.fit(rows, labels, seed=seed)
    weights = model.coef_[0].astype(np.float32)
    return Answerability(mean, scale, weights, float(model.intercept_[0]), forest, calibration, threshold, curve)


def _averaged(model: Answerability, rows: FloatArray) -> FloatArray:
    linear = _sigmoid(np.clip((rows - model.mean) / model.scale, -6, 6) @ model.weights + model.bias)
    average: FloatArray = ((linear + model.forest.probability(rows)) / 2).astype(np.float32)
    return average


def _platt(scores: FloatArray, labels: IntArray) -> tuple[float, float]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1e3).fit(scores[:, None], labels)
    slope = max(float(model.coef_[0, 0]), 1e-3)  # the order of the scores is never turned round
    return slope, float(model.intercept_[0])


def _sigmoid(values: npt.NDArray[Any]) -> FloatArray:
    result: FloatArray = (1.0 / (1.0 + np.exp(-values))).astype(np.float32)
    return result


def _logit(values: npt.NDArray[Any]) -> FloatArray:
    clipped = np.clip(values, 1e-4, 1 - 1e-4)
    result: FloatArray = np.log(clipped / (1 - clipped)).astype(np.float32)
    return result
