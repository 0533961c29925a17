"""Causal language models for training: token rows packed without seeing each other, and their loss.

Knows ids, targets and positions; nothing of dialogues, templates or files. Several short rows share one row of a batch:
positions begin at 0 again with each, and transformers keeps attention inside a run of positions, so that a packed row
gives the same loss as its parts alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from core.finetune.losses import IGNORED


@dataclass(frozen=True, slots=True)
class CausalRow:
    """One row of a batch; all three of one length."""

    ids: tuple[int, ...]
    targets: tuple[int, ...]
    """The id itself where it is learned, else `IGNORED`; not shifted. The first of a part is never learned."""
    positions: tuple[int, ...]

    @property
    def learned(self) -> int:
        """Tokens that the loss counts."""
        return sum(target != IGNORED for target in self.targets)


def causal_row(ids: Sequence[int], targets: Sequence[int] | None = None) -> CausalRow:
    """A row of its own; without targets every token but the first is learned."""
    wanted = list(ids if targets is None else targets)
    if wanted:
        wanted[0] = IGNORED
    return CausalRow(tuple(ids), tuple(wanted), tuple(range(len(ids))))


def pack(rows: Sequence[CausalRow], limit: int) -> list[CausalRow]:
    """Rows put together, first fit by falling length, so that none is longer than `limit`.

    :param rows: none longer than `limit`.
    """
    order = sorted(range(len(rows)), key=lambda i: (-len(rows[i].ids), i))
    bins: list[list[int]] = []
    room: list[int] = []
    first = 0  # bins before it are full
    for i in order:
        size = len(rows[i].ids)
        place = next((b for b in range(first, len(bins)) if room[b] >= size), len(bins))
        if place == len(bins):
            bins.append([])
            room.append(limit)
        bins[place].append(i)
        room[place] -= size
        while first < len(bins) and room[first] == 0:
            first += 1
    return [_joined([rows[i] for i in chosen]) for chosen in bins]


def collate_causal(rows: Sequence[CausalRow], pad_id: int) -> dict[str, torch.Tensor]:
    """(n, t) int64: input_ids, targets, position_ids; padded on the right."""
    width = max(len(row.ids) for row in rows)

    def padded(values: Sequence[Sequence[int]], fill: int) -> torch.Tensor:
        return torch.tensor([[*each, *([fill] * (width - len(each)))] for each in values], dtype=torch.int64)

    return {
        "input_ids": padded([row.ids for row in rows], pad_id),
        "targets": padded([row.targets for row in rows], IGNORED),
        "position_ids": padded([row.positions for row in rows], 0),
    }


class CausalModel(nn.Module):
    """A causal language model, adapters on or not, that gives the loss of a batch.

    The output head runs only over tokens whose successor is learned: with a large vocabulary it costs as much as the
    layers.
    """

    def __init__(self, backbone: Any) -> None:
        super().__init__()
        self.backbone = backbone

    @property
    def config(self) -> Any:
        """The backbone's configuration; `transformers.Trainer` looks for it."""
        return self.backbone.config

    def get_input_embeddings(self) -> nn.Module:
        """The backbone's word embeddings."""
        found: nn.Module = self.backbone.get_input_embeddings()
        return found

    def forward(self, input_ids: torch.Tensor, targets: torch.Tensor, position_ids: torch.Tensor) -> torch.Tensor:
        """(m,) float32 negative log-likelihoods of the learned tokens, in nats, in reading order."""
        wanted = targets[:, 1:]
        learned = wanted != IGNORED
        inputs = {"input_ids": input_ids, "position_ids": position_ids, "use_cache": False}
        plain = self.backbone.get_base_model() if hasattr(self.backbone, "peft_config") else self.backbone
        if _plain_head(plain.config):
            hidden = plain.get_decoder()(**inputs).last_hidden_state
            logits = plain.get_output_embeddings()(hidden[:, :-1][learned])
        else:
            logits = plain(**inputs).logits[:, :-1][learned]
        return F.cross_entropy(logits.float(), wanted[learned], reduction="none")


def mean_loss(model: CausalModel, rows: Sequence[CausalRow], pad_id: int, *, batch_tokens: int = 4096) -> float:
    """Mean negative log-likelihood over all learned tokens of all rows, in nats."""
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i].ids))
    device = next(model.parameters()).device
    total, count, start = 0.0, 0, 0
    while start < len(order):
        width = max(1, len(rows[order[start]].ids))
        chosen = order[start : start + max(1, batch_tokens // width)]
        batch = collate_causal([rows[i] for i in chosen], pad_id)
        with torch.inference_mode():
            losses = model(**{name: values.to(device) for name, values in batch.items()})
        total += float(losses.double().sum())
        count += len(losses)
        start += len(chosen)
    return total / max(1, count)


def perplexity(loss: float) -> float:
    """exp(loss), no more than 1e9: what is beyond says nothing."""
    return min(math.exp(min(loss, 50.0)), 1e9)


def _plain_head(config: Any) -> bool:
    """Whether logits are the output matrix times the last hidden state and no more."""
    scaled = ("logits_scaling", "final_logit_softcapping", "logit_scale", "output_multiplier_scale")
    return not any(getattr(config, name, None) for name in scaled)


def _joined(parts: Sequence[CausalRow]) -> CausalRow:
    return CausalRow(
        tuple(i for part in parts for i in part.ids),
        tuple(t for part in parts for t in part.targets),
        tuple(p for part in parts for p in part.positions),
    )
