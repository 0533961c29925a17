"""Fine-tuning a cross-encoder: query and passage read together, one number that says how well the passage answers.

Encoder or decoder backbone. The same number ranks passages and, calibrated, is the probability that the passage answers
the question at all. Knows groups of a query with its passages; nothing of files or of where candidates come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import nn

from core.backends.headed import HeadedModel
from core.errors import InputError
from core.evaluate.labels import auroc
from core.finetune.args import TrainArgs
from core.finetune.backbone import Backbone, adapt, check_length, freeze, merge, open_backbone
from core.finetune.data import Pair
from core.finetune.fitted import Fitted, run_rows
from core.finetune.losses import listwise
from core.finetune.tokens import TokenRow, pad_rows, token_rows
from core.finetune.trainer import Batch, Job, train
from core.models.task import Head, TaskConfig
from core.progress import Report, quiet
from core.types import FloatArray

SCORE = "score"


class RerankerArgs(TrainArgs):
    """Options of `triptych finetune reranker`."""

    max_tokens: int = Field(192, ge=8, le=32_768)
    """Longer pairs are cut to this many tokens, the longer text first."""

    batch_size: int = Field(8, ge=1, le=65_536)
    """Queries of one forward pass; each brings its passages."""

    negatives: int = Field(4, ge=0, le=64)
    """Passages that do not answer used beside each one that does, the first ones given."""

    ranking: float = Field(0.5, ge=0, le=1)
    """Share of the loss that ranks a query's passages against each other (softmax over them, Cao et al. 2007); the rest
    judges each passage alone (binary cross-entropy), which is what the answer check needs."""


def fit(
    rows: Sequence[Pair],
    held: Sequence[Pair],
    args: RerankerArgs,
    *,
    cache: Path,
    folder: Path | None = None,
    progress: Report = quiet,
) -> Fitted:
    """Train a cross-encoder.

    :param rows: a query with a passage that answers (`score` None or 1) or does not (0), and passages that do not.
    :param held: for choosing the best weights and for calibration; may be empty.
    :raises InputError: if there is no passage of one of the two kinds.
    """
    groups = _groups(rows, args.negatives)
    tests = _groups(held, 10_000)
    torch.manual_seed(args.seed)  # heads, and weights that the backbone's file lacks, begin the same
    backbone = open_backbone(args.backbone, cache, pooling=args.pooling)
    limit = check_length(args, backbone)
    head = Head(SCORE, "score", (SCORE,))
    config = TaskConfig(
        "reranker", backbone.architecture, backbone.pooling, limit, (head,), pairs=True, languages=backbone.languages
    )
    freeze(backbone.model, args.freeze)
    model = HeadedModel(adapt(backbone.model, args.lora), config, dropout=args.dropout)
    data = [_tokens(backbone, query, passages, limit) for query, passages, _ in groups]
    trials = [_tokens(backbone, query, passages, limit) for query, passages, _ in tests]
    pad_id = int(backbone.tokenizer.pad_token_id)

    def collate(chosen: Sequence[int]) -> dict[str, torch.Tensor]:
        batch = pad_rows([row for i in chosen for row in data[i]], pad_id)
        batch["targets"] = torch.tensor([t for i in chosen for t in groups[i][2]], dtype=torch.float32)
        batch["group"] = torch.tensor([place for place, i in enumerate(chosen) for _ in data[i]])
        return batch

    def objective(module: nn.Module, batch: Batch) -> torch.Tensor:
        inputs = {name: value for name, value in batch.items() if name not in {"targets", "group"}}
        logits = module(**inputs)[SCORE][:, 0].float()
        alone = nn.functional.binary_cross_entropy_with_logits(logits, batch["targets"])
        together = listwise(logits, batch["targets"], batch["group"]) if args.ranking else alone * 0.0
        return args.ranking * together + (1 - args.ranking) * alone

    def evaluator() -> Mapping[str, float]:
        return _figures(tests, _scores(model, trials, pad_id))

    job = Job(
        model=model,
        rows=range(len(groups)),
        lengths=[sum(len(row["input_ids"]) for row in each) for each in data],
        collate=collate,
        objective=objective,
        evaluator=evaluator if tests else None,
    )
    outcome = train(job, args, folder, progress=progress)
    model.backbone = merge(model.backbone)
    model.eval()
    figures: dict[str, Any] = dict(outcome.figures)
    if tests:
        logits = np.concatenate(_scores(model, trials, pad_id))
        truth = np.concatenate([np.asarray(t) for _, _, t in tests]) >= 0.5
        if 0 < truth.sum() < len(truth):
            slope, shift = platt(logits, truth)
            model.task = replace(config, heads=(replace(head, temperature=1 / slope, shift=shift),))
            figures |= {"platt_slope": slope, "platt_shift": shift}
    return Fitted(model, backbone, outcome, figures)


def score(model: HeadedModel, tokenizer: Any, queries: Sequence[str], passages: Sequence[str]) -> FloatArray:
    """(n,) float32 logits of query i with passage i, not calibrated."""
    rows = token_rows(tokenizer, queries, model.task.max_tokens, passages)
    found = run_rows(model, rows, int(tokenizer.pad_token_id))[SCORE]
    return np.array([float(value[0]) for value in found], dtype=np.float32)


def platt(logits: FloatArray, positive: Any) -> tuple[float, float]:
    """Slope (at least .01) and shift of the logistic curve that fits best: p = sigmoid(slope * logit + shift).

    Platt 1999, "Probabilistic outputs for support vector machines", with his smoothed targets; Newton's method.
    """
    n_pos, n_neg = int(positive.sum()), int((~positive).sum())
    target = np.where(positive, (n_pos + 1) / (n_pos + 2), 1 / (n_neg + 2))
    table = np.column_stack([logits.astype(np.float64), np.ones(len(logits))])
    weights = np.array([1.0, 0.0])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(table @ weights, -30, 30)))
        gradient = table.T @ (p - target) + 1e-3 * (weights - [1.0, 0.0])
        curvature = (table * (p * (1 - p))[:, None]).T @ table + 1e-3 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step
        if float(np.abs(step).max()) < 1e-8:
            break
    return max(0.01, float(weights[0])), float(weights[1])


Group = tuple[str, list[str], list[float]]


def _groups(rows: Sequence[Pair], negatives: int) -> list[Group]:
    """A query, its passages, and how well each answers (0 to 1); rows of one query and passage set stay apart."""
    groups: list[Group] = []
    for row in rows:
        passages = [row.positive, *row.negatives[:negatives]]
        groups.append((row.query, passages, [1.0 if row.score is None else row.score, *[0.0] * (len(passages) - 1)]))
    truths = {value >= 0.5 for _, _, values in groups for value in values}
    if rows and len(truths) < 2:
        kind = "answers" if True in truths else "does not answer"
        raise InputError(
            f"Every passage {kind} its query; a reranker needs both kinds. Add a column `negative` or rows of label 0."
        )
    return groups


def _tokens(backbone: Backbone, query: str, passages: Sequence[str], limit: int) -> list[TokenRow]:
    return token_rows(backbone.tokenizer, [query] * len(passages), limit, passages)


def _scores(model: HeadedModel, data: Sequence[Sequence[TokenRow]], pad_id: int) -> list[FloatArray]:
    """(k,) logits of each group."""
    flat = run_rows(model, [row for rows in data for row in rows], pad_id)[SCORE]
    values = np.array([float(value[0]) for value in flat], dtype=np.float32)
    return list(np.split(values, np.cumsum([len(rows) for rows in data])[:-1]))


def _figures(groups: Sequence[Group], scores: Sequence[FloatArray]) -> dict[str, float]:
    """AUROC over all pairs; MRR over the groups with both kinds; "score" is their mean (the one there is)."""
    values = np.concatenate(scores)
    truth = np.concatenate([np.asarray(t) for _, _, t in groups]) >= 0.5
    out = {"auroc": auroc(values, truth)}
    ranks = []
    for (_, _, targets), row in zip(groups, scores, strict=True):
        right = np.asarray(targets) >= 0.5
        if right.any() and not right.all():
            ranks.append(1 / (1 + int((row > row[right].max()).sum())))
    if ranks:
        out["mrr"] = float(np.mean(ranks))
    return out | {"score": float(np.mean(list(out.values())))}
