"""Tuning an encoder towards classes: texts of one class come closer, others part.

Every class has a place on the sphere, at first where its texts lie on average; the loss is the cross-entropy of a
text's cosines to all places, and texts and places move together. What was learned of the places is dropped. Knows texts
and class indices; nothing of names or files.

Wang et al. 2018, "CosFace", eq. 2 with margin 0 (NormFace); Snell et al. 2017, "Prototypical Networks" (the start).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from core.backends.headed import pool
from core.finetune.args import TrainArgs
from core.finetune.backbone import Backbone, check_length, freeze, open_backbone
from core.finetune.tokens import pad_rows, token_rows
from core.finetune.trainer import Batch, Job, train
from core.progress import Report, quiet
from core.types import IntArray

SCALE = 20.0
"""Cosines are multiplied by it: cosines near .5 apart are then as good as certain."""

_MOST_ROWS = 60_000  # that go through the encoder in one training, however many texts there are
_CENTRE_BATCH = 64


class _Places(nn.Module):
    """One direction a class."""

    def __init__(self, start: torch.Tensor) -> None:
        super().__init__()
        self.directions = nn.Parameter(start)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(n, k) scaled cosines of (n, d) rows."""
        return SCALE * F.normalize(rows.float(), dim=1) @ F.normalize(self.directions, dim=1).T


class _Placed(nn.Module):
    """A transformer, its pooling, and the places of the classes."""

    def __init__(self, backbone: Backbone, k: int) -> None:
        super().__init__()
        self.backbone: nn.Module = backbone.model
        self.pooling = backbone.pooling
        self.heads = _Places(torch.zeros(k, int(backbone.model.config.hidden_size)))

    def embed(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """(n, d) pooled, not normalised, from (n, t) int64 ids and mask."""
        hidden = self.backbone(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return pool(hidden, attention_mask, self.pooling)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """(n, k) scaled cosines."""
        found: torch.Tensor = self.heads(self.embed(input_ids, attention_mask))
        return found


def tune(
    name: str, texts: Sequence[str], classes: IntArray, k: int, args: TrainArgs, cache: Path, progress: Report = quiet
) -> Backbone:
    """A transformer with its weights moved so that texts of one class lie together.

    :param name: catalog name or folder of the encoder.
    :param texts: n texts.
    :param classes: (n,) int64 in [0, k).
    :param cache: where converted backbones are kept.
    :raises InputError: if the name is no transformer's.
    """
    torch.manual_seed(args.seed)
    backbone = open_backbone(name, cache)
    rows = token_rows(backbone.tokenizer, texts, check_length(args, backbone))
    pad_id = int(backbone.tokenizer.pad_token_id)
    freeze(backbone.model, args.freeze)
    model = _Placed(backbone, k)
    _start(model, rows, classes, pad_id)
    targets = torch.from_numpy(classes)

    def collate(chosen: Sequence[int]) -> dict[str, torch.Tensor]:
        return {**pad_rows([rows[i] for i in chosen], pad_id), "classes": targets[list(chosen)]}

    def objective(module: nn.Module, batch: Batch) -> torch.Tensor:
        return F.cross_entropy(module(batch["input_ids"], batch["attention_mask"]), batch["classes"])

    job = Job(model, range(len(rows)), [len(row["input_ids"]) for row in rows], collate, objective)
    epochs = min(args.epochs, max(1.0, _MOST_ROWS / len(rows)))
    train(job, args.model_copy(update={"epochs": epochs}), progress=progress)
    backbone.model.eval()
    return backbone


def _start(model: _Placed, rows: Sequence[dict[str, list[int]]], classes: IntArray, pad_id: int) -> None:
    """Put every class where its texts lie on average."""
    order = np.argsort([len(row["input_ids"]) for row in rows], kind="stable")
    model.eval()
    with torch.no_grad():
        for start in range(0, len(order), _CENTRE_BATCH):
            chosen = order[start : start + _CENTRE_BATCH]
            batch = pad_rows([rows[i] for i in chosen], pad_id)
            vectors = F.normalize(model.embed(batch["input_ids"], batch["attention_mask"]), dim=1)
            model.heads.directions.index_add_(0, torch.from_numpy(classes[chosen]), vectors)
        model.heads.directions.copy_(F.normalize(model.heads.directions, dim=1))
