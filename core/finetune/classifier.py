"""Fine-tuning a classifier: one label a text, several, or several heads on one backbone; texts or pairs of texts.

Knows labelled rows and heads; nothing of files. After training every head is calibrated on the held-out rows: one
temperature, and for "multi" the threshold of each label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn

from core.backends.headed import HeadedModel
from core.errors import InputError
from core.evaluate.calibration import expected_calibration_error, fit_temperature, softmax
from core.evaluate.labels import accuracy, macro_f1, multilabel_f1
from core.finetune.args import TrainArgs
from core.finetune.backbone import Backbone, adapt, check_length, freeze, merge, open_backbone
from core.finetune.data.examples import Labelled, label_list
from core.finetune.data.labelled import HeadColumn
from core.finetune.edits import editor_for
from core.finetune.fitted import Fitted, run_rows
from core.finetune.losses import IGNORED, balanced_weights, total_loss
from core.finetune.tokens import TokenRow, pad_rows, token_rows
from core.finetune.trainer import Batch, Job, train
from core.models.task import Head, TaskConfig
from core.progress import Report, quiet
from core.types import FloatArray, IntArray

FEWEST_TO_CALIBRATE = 50
"""Held-out rows below which a temperature is more noise than help."""


class ClassifierArgs(TrainArgs):
    """Options of `triptych finetune classifier`."""

    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Share of the target spread over all labels; .1 often helps and calibrates (Szegedy et al. 2016)."""

    class_weights: Literal["none", "balanced", "sqrt"] = "none"
    """Give rare labels more say: in inverse proportion to their number, or to its square root."""

    calibrate: bool = True
    """Fit each head's temperature on the held-out rows (Guo et al. 2017), if there are at least 50."""


def fit(
    rows: Sequence[Labelled],
    held: Sequence[Labelled],
    args: ClassifierArgs,
    *,
    cache: Path,
    heads: Sequence[HeadColumn] | None = None,
    folder: Path | None = None,
    progress: Report = quiet,
) -> Fitted:
    """Train a classifier.

    :param rows: training rows; every head has at least two labels among them.
    :param held: held-out rows for choosing the best weights and for calibration; may be empty.
    :param cache: where converted backbones are kept.
    :param heads: kinds of the heads; None reads them off the rows ("single" where every row has exactly one label).
    :param folder: run folder; see `core.finetune.trainer.train`.
    :raises InputError: if a head has fewer than two labels, or a held-out row one that training never saw.
    """
    torch.manual_seed(args.seed)  # heads, and weights that the backbone's file lacks, begin the same
    backbone = open_backbone(args.backbone, cache, pooling=args.pooling)
    config = TaskConfig(
        task="classifier",
        architecture=backbone.architecture,
        pooling=backbone.pooling,
        max_tokens=check_length(args, backbone),
        heads=_heads(rows, heads),
        pairs=any(row.pair is not None for row in rows),
        languages=backbone.languages,
    )
    freeze(backbone.model, args.freeze)
    model = HeadedModel(adapt(backbone.model, args.lora), config, dropout=args.dropout)
    data = _tokenised(rows, config, backbone)
    tests = _tokenised(held, config, backbone)
    targets = _targets(rows, config.heads)
    wanted = _targets(held, config.heads) if held else {}
    weights = _weights(targets, config.heads, args.class_weights)
    pad_id = int(backbone.tokenizer.pad_token_id)

    def collate(chosen: Sequence[int]) -> dict[str, torch.Tensor]:
        batch = pad_rows([data[i] for i in chosen], pad_id)
        return batch | {f"labels.{name}": torch.from_numpy(values[list(chosen)]) for name, values in targets.items()}

    def objective(module: nn.Module, batch: Batch) -> torch.Tensor:
        inputs = {name: value for name, value in batch.items() if not name.startswith("labels.")}
        wanted = {name.removeprefix("labels."): value for name, value in batch.items() if name.startswith("labels.")}
        moved = {name: value.to(batch["input_ids"].device) for name, value in weights.items()}
        return total_loss(config.heads, module(**inputs), wanted, smoothing=args.label_smoothing, weights=moved)

    def evaluator() -> Mapping[str, float]:
        return _scores(config.heads, run_rows(model, tests, pad_id), wanted)

    job = Job(
        model=model,
        rows=range(len(data)),
        lengths=[len(row["input_ids"]) for row in data],
        collate=collate,
        objective=objective,
        evaluator=evaluator if held else None,
        editor=None if config.pairs else editor_for(args.adversarial, backbone.tokenizer, config.max_tokens),
    )
    outcome = train(job, args, folder, progress=progress)
    model.backbone = merge(model.backbone)
    figures: dict[str, Any] = dict(outcome.figures)
    if held:
        logits = run_rows(model, tests, pad_id)
        if args.calibrate:
            model.task = replace(
                config, heads=tuple(_calibrated(h, np.stack(logits[h.name]), wanted) for h in config.heads)
            )
        figures |= _calibration(model.task.heads, logits, wanted)
    return Fitted(model.eval(), backbone, outcome, figures)


def predict(
    model: HeadedModel, tokenizer: Any, texts: Sequence[str], pairs: Sequence[str] | None = None
) -> dict[str, FloatArray]:
    """(n, k) float32 logits by head, temperature not applied."""
    rows = token_rows(tokenizer, texts, model.task.max_tokens, pairs)
    found = run_rows(model, rows, int(tokenizer.pad_token_id))
    return {name: np.stack(values) for name, values in found.items()}


def _heads(rows: Sequence[Labelled], asked: Sequence[HeadColumn] | None) -> tuple[Head, ...]:
    names = [h.name for h in asked] if asked else sorted({name for row in rows for name in row.labels})
    kinds = {h.name: h.kind for h in asked or ()}
    heads = []
    for name in names:
        labels = label_list(rows, name)
        if len(labels) < 2 and kinds.get(name, "single") == "single":
            raise InputError(
                f"Head {name!r} has only the label {labels[0] if labels else 'none'!r}; a classifier needs two or more."
            )
        single = all(len(row.labels.get(name, ())) == 1 for row in rows)
        kind = kinds.get(name, "single" if single else "multi")
        heads.append(Head(name, kind, labels))
    return tuple(heads)


def _tokenised(rows: Sequence[Labelled], config: TaskConfig, backbone: Backbone) -> list[TokenRow]:
    pairs = [row.pair or "" for row in rows] if config.pairs else None
    return token_rows(backbone.tokenizer, [row.text for row in rows], config.max_tokens, pairs)


def _targets(rows: Sequence[Labelled], heads: Sequence[Head]) -> dict[str, Any]:
    """Targets by head: (n,) int64, or (n, k) float32 for "multi"."""
    out: dict[str, Any] = {}
    for head in heads:
        index = {label: i for i, label in enumerate(head.labels)}
        unknown = sorted({label for row in rows for label in row.labels.get(head.name, ())} - set(index))
        if unknown:
            raise InputError(f"Head {head.name!r}: the label {unknown[0]!r} is in held-out rows and never in training.")
        if head.kind == "multi":
            table = np.zeros((len(rows), len(index)), dtype=np.float32)
            for i, row in enumerate(rows):
                table[i, [index[label] for label in row.labels.get(head.name, ())]] = 1.0
            out[head.name] = table
        else:
            said = [row.labels.get(head.name, ()) for row in rows]
            out[head.name] = np.array([index[each[0]] if each else IGNORED for each in said], dtype=np.int64)
    return out


def _weights(targets: Mapping[str, Any], heads: Sequence[Head], how: str) -> dict[str, torch.Tensor]:
    if how == "none":
        return {}
    power, out = (1.0 if how == "balanced" else 0.5), {}
    for head in heads:
        values = targets[head.name]
        if head.kind == "multi":
            positive = torch.from_numpy(values.sum(axis=0)).clamp(min=1)
            out[head.name] = ((len(values) - positive).clamp(min=1) / positive) ** power
        else:
            known = torch.from_numpy(values[values != IGNORED])
            out[head.name] = balanced_weights(torch.bincount(known, minlength=len(head.labels)), power)
    return out


def _scores(
    heads: Sequence[Head], logits: Mapping[str, list[FloatArray]], wanted: Mapping[str, Any]
) -> dict[str, float]:
    """Figures of an evaluation; "score" is the mean over the heads of macro F1 (micro F1 for "multi")."""
    figures: dict[str, float] = {}
    scores = []
    for head in heads:
        rows, truth = np.stack(logits[head.name]), wanted[head.name]
        prefix = f"{head.name}_" if len(heads) > 1 else ""
        if head.kind == "multi":
            micro, macro = multilabel_f1(rows > 0, truth > 0.5)
            figures |= {f"{prefix}micro_f1": micro, f"{prefix}macro_f1": macro}
            scores.append(micro)
        else:
            known = truth != IGNORED
            said: IntArray = rows.argmax(axis=1)[known]
            figures |= {
                f"{prefix}accuracy": accuracy(said, truth[known]),
                f"{prefix}macro_f1": macro_f1(said, truth[known]),
            }
            scores.append((figures[f"{prefix}accuracy"] + figures[f"{prefix}macro_f1"]) / 2)
    return figures | {"score": float(np.mean(scores))}


def _calibrated(head: Head, logits: FloatArray, wanted: Mapping[str, Any]) -> Head:
    truth = wanted[head.name]
    if head.kind == "multi":
        return replace(head, thresholds=tuple(_threshold(logits[:, i], truth[:, i]) for i in range(len(head.labels))))
    known = truth != IGNORED
    if int(known.sum()) < FEWEST_TO_CALIBRATE:
        return head
    return replace(head, temperature=fit_temperature(logits[known], truth[known], low=0.2, high=20.0))


def _threshold(logits: FloatArray, truth: FloatArray) -> float:
    """The probability with the greatest F1, shrunk half-way to .5 where positives are few."""
    positives = int(truth.sum())
    if positives == 0:
        return 0.5
    order = np.argsort(-logits)
    hits = np.cumsum(truth[order])
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + positives)
    cut = int(f1.argmax())
    ordered = logits[order]
    edge = (ordered[cut] + ordered[min(cut + 1, len(ordered) - 1)]) / 2
    found = float(1 / (1 + np.exp(-edge)))
    trust = positives / (positives + 10)
    return min(0.95, max(0.05, trust * found + (1 - trust) * 0.5))


def _calibration(
    heads: Sequence[Head], logits: Mapping[str, list[FloatArray]], wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """Expected calibration error of each "single" head with and without its temperature."""
    out: dict[str, Any] = {}
    for head in heads:
        if head.kind == "single":
            truth = wanted[head.name]
            rows = np.stack(logits[head.name])[truth != IGNORED]
            truth = truth[truth != IGNORED]
            prefix = f"{head.name}_" if len(heads) > 1 else ""
            out[f"{prefix}ece_before"] = expected_calibration_error(softmax(rows), truth)
            out[f"{prefix}ece"] = expected_calibration_error(softmax(rows, head.temperature), truth)
            out[f"{prefix}temperature"] = head.temperature
    return out
