"""How good a trained model is on rows it has not seen: the figures and tables of every task.

The same measurement for the torch model and for its export: both come as functions. Knows rows, logits and vectors;
loads no model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import InputError
from core.evaluate.calibration import (
    expected_calibration_error,
    multilabel_calibration_error,
    negative_log_likelihood,
    sigmoid,
    softmax,
)
from core.evaluate.classification import LabelReport, label_report, multilabel_report
from core.evaluate.intervals import wilson_interval
from core.evaluate.labels import auroc
from core.evaluate.reliability import ReliabilityBin, reliability_bins, reliability_plot
from core.evaluate.tagging import TaggingReport, tagging_report
from core.finetune.data import Labelled, Pair, Tagged
from core.models.task import Head, TaskConfig
from core.types import FloatArray, IntArray

Logits = Callable[[Sequence[str], Sequence[str] | None], Mapping[str, FloatArray]]
"""Texts, and the second texts of pairs, to (n, k) logits by head."""
Tags = Callable[[Sequence[Sequence[str]]], Sequence[Sequence[str]]]
"""Sentences of words to a tag for every word."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of one model on one set of rows."""

    figures: Mapping[str, Any]
    """By name; "score" is the one that two versions are compared by, greater is better."""
    reports: Mapping[str, LabelReport | TaggingReport] = field(default_factory=dict)
    """Tables by head."""
    reliability: Mapping[str, Sequence[ReliabilityBin]] = field(default_factory=dict)
    """Curves for the reliability diagram, by head."""

    @property
    def score(self) -> float:
        """What two versions are compared by."""
        return float(self.figures["score"])

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**self.figures, "reports": {name: report.as_dict() for name, report in self.reports.items()}}

    def tables(self) -> dict[str, LabelReport]:
        """Every table for people: a tagger has one of entities and one of tokens."""
        out: dict[str, LabelReport] = {}
        for name, report in self.reports.items():
            if isinstance(report, TaggingReport):
                out |= {f"{name}, entities": report.entities, f"{name}, tokens": report.tokens}
            else:
                out[name] = report
        return out

    def draw(self, path: Path) -> Path | None:
        """The reliability diagram as a PNG; None where nothing was calibrated."""
        return reliability_plot(path, self.reliability) if self.reliability else None


def measure_labelled(config: TaskConfig, predict: Logits, rows: Sequence[Labelled]) -> Measured:
    """Reports, calibration and averages of a classifier.

    "score" is the mean over heads of (accuracy + macro F1) / 2, micro F1 where a text may have several labels.

    :raises InputError: if a row has a label that the model does not know.
    """
    _check_labels(config, rows)
    pairs = [row.pair or "" for row in rows] if config.pairs else None
    logits = predict([row.text for row in rows], pairs)
    figures: dict[str, Any] = {"rows": len(rows)}
    reports: dict[str, LabelReport | TaggingReport] = {}
    curves: dict[str, Sequence[ReliabilityBin]] = {}
    scores = []
    for head in config.heads:
        found = logits[head.name].astype(np.float32)
        one = _several if head.kind == "multi" else _single
        values, report, bins = one(head, found, rows)
        prefix = f"{head.name}_" if len(config.heads) > 1 else ""
        scores.append(values.pop("score"))
        figures |= {f"{prefix}{name}": value for name, value in values.items()}
        reports[head.name], curves[head.name] = report, bins
    return Measured({**figures, "score": float(np.mean(scores))}, reports, curves)


def measure_tagged(predict: Tags, rows: Sequence[Tagged]) -> Measured:
    """Entity-level and token-level report of a tagger; "score" is micro F1 over entities, accuracy without entities."""
    report = tagging_report(predict([row.words for row in rows]), [row.tags for row in rows])
    entities = any(tag[:2] in ("B-", "I-") for row in rows for tag in row.tags)
    figures = {
        "rows": len(rows),
        "accuracy": report.tokens.accuracy,
        "micro_f1": report.entities.micro.f1,
        "macro_f1": report.entities.macro.f1,
        "weighted_f1": report.entities.weighted.f1,
        "score": report.entities.micro.f1 if entities else report.tokens.accuracy,
    }
    return Measured(figures, {"tags": report})


def measure_scores(
    config: TaskConfig, predict: Callable[[Sequence[str], Sequence[str]], FloatArray], rows: Sequence[Pair]
) -> Measured:
    """AUROC over all pairs, MRR over queries that have passages of both kinds, calibration of "does it answer".

    :param predict: query i and passage i to (n,) logits, not calibrated.
    """
    said: dict[tuple[str, str], float] = {}
    for row in rows:
        said[row.query, row.positive] = 1.0 if row.score is None else row.score
        said |= {(row.query, passage): 0.0 for passage in row.negatives if (row.query, passage) not in said}
    pairs = list(said)
    logits = predict([query for query, _ in pairs], [passage for _, passage in pairs])
    truth = np.array([said[pair] >= 0.5 for pair in pairs])
    head = config.head()
    figures: dict[str, Any] = {"rows": len(rows), "pairs": len(pairs)}
    parts = []
    if 0 < truth.sum() < len(truth):
        chance = sigmoid(logits + head.shift * head.temperature, head.temperature)
        right = (chance >= 0.5) == truth
        figures |= {"auroc": auroc(logits, truth), "accuracy": float(right.mean())}
        figures["ece"] = multilabel_calibration_error(chance[:, None], truth[:, None])
        parts.append(figures["auroc"])
    ranks = _ranks(pairs, logits, truth)
    if ranks:
        figures |= {"mrr": float(np.mean(ranks)), "recall@1": float(np.mean([rank == 1 for rank in ranks]))}
        parts.append(figures["mrr"])
    if not parts:
        raise InputError("The rows to measure on need passages that answer and passages that do not.")
    return Measured({**figures, "score": float(np.mean(parts))})


def _ranks(pairs: Sequence[tuple[str, str]], logits: FloatArray, truth: Any) -> list[float]:
    groups: dict[str, list[int]] = {}
    for i, (query, _) in enumerate(pairs):
        groups.setdefault(query, []).append(i)
    ranks = []
    for members in groups.values():
        right = [i for i in members if truth[i]]
        if right and len(right) < len(members):
            best = max(float(logits[i]) for i in right)
            ranks.append(1 / (1 + sum(float(logits[i]) > best for i in members if not truth[i])))
    return ranks


def _single(
    head: Head, logits: FloatArray, rows: Sequence[Labelled]
) -> tuple[dict[str, Any], LabelReport, list[ReliabilityBin]]:
    known = [i for i, row in enumerate(rows) if row.labels.get(head.name)]
    truth: IntArray = np.array([head.labels.index(rows[i].labels[head.name][0]) for i in known], dtype=np.int64)
    logits = logits[known]
    chance = softmax(logits, head.temperature)
    said: IntArray = logits.argmax(axis=1).astype(np.int64)
    report = label_report(said, truth, head.labels)
    right = said == truth
    interval = wilson_interval(int(right.sum()), len(right))
    figures = {
        "accuracy": report.accuracy,
        "accuracy_ci95": [interval.low, interval.high],
        "macro_f1": report.macro.f1,
        "weighted_f1": report.weighted.f1,
        "ece": expected_calibration_error(chance, truth),
        "ece_uncalibrated": expected_calibration_error(softmax(logits), truth),
        "nll": negative_log_likelihood(logits, truth, head.temperature),
        "temperature": head.temperature,
        "score": (report.accuracy + report.macro.f1) / 2,
    }
    return figures, report, reliability_bins(chance.max(axis=1), right)


def _several(
    head: Head, logits: FloatArray, rows: Sequence[Labelled]
) -> tuple[dict[str, Any], LabelReport, list[ReliabilityBin]]:
    truth = np.array([[label in row.labels.get(head.name, ()) for label in head.labels] for row in rows])
    chance = sigmoid(logits, head.temperature)
    edges = np.array(head.thresholds if head.thresholds is not None else [0.5] * len(head.labels))
    said = chance >= edges
    report = multilabel_report(said, truth, head.labels)
    figures = {
        "micro_f1": report.micro.f1,
        "macro_f1": report.macro.f1,
        "weighted_f1": report.weighted.f1,
        "accuracy": report.accuracy,
        "ece": multilabel_calibration_error(chance, truth),
        "score": report.micro.f1,
    }
    return figures, report, reliability_bins(chance.ravel(), truth.ravel())


def _check_labels(config: TaskConfig, rows: Sequence[Labelled]) -> None:
    if not rows:
        raise InputError("There are no rows to measure on.")
    for head in config.heads:
        known = set(head.labels)
        strange = sorted({label for row in rows for label in row.labels.get(head.name, ())} - known)
        if strange:
            raise InputError(
                f"Head {head.name!r} never learned {', '.join(map(repr, strange[:5]))}; it knows "
                f"{', '.join(head.labels[:8])}{'...' if len(head.labels) > 8 else ''}."
            )
