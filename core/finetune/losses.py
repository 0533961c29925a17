"""Losses of the heads: cross-entropy with smoothing and class weights, binary cross-entropy, masked tags.

Knows logits and targets as tensors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch.nn import functional as F

from core.models.task import Head

IGNORED = -100
"""Target of a token that has no tag, and of a row without a label for a head."""


def head_loss(
    head: Head,
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    smoothing: float = 0.0,
    weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mean loss of one head.

    :param logits: (n, k), (n, t, k) for "token".
    :param targets: (n,) int64 classes, (n, k) float32 in [0, 1] for "multi", (n, t) int64 for "token", (n,) float32 in
        [0, 1] for "score". Rows of `IGNORED` do not count.
    :param smoothing: share of the target spread over all classes (Szegedy et al. 2016); for "multi" towards one half.
    :param weights: (k,) float32, of the classes; for "multi" of the positives.
    """
    logits = logits.float()
    if head.kind == "score":
        return F.binary_cross_entropy_with_logits(logits[:, 0], targets)
    if head.kind == "multi":
        soft = targets * (1 - smoothing) + 0.5 * smoothing
        return F.binary_cross_entropy_with_logits(logits, soft, pos_weight=weights)
    flat = logits.reshape(-1, logits.shape[-1])
    wanted = targets.reshape(-1)
    if bool((wanted == IGNORED).all()):
        return flat.sum() * 0.0
    return F.cross_entropy(flat, wanted, weight=weights, ignore_index=IGNORED, label_smoothing=smoothing)


def total_loss(
    heads: Sequence[Head],
    logits: Mapping[str, torch.Tensor],
    targets: Mapping[str, torch.Tensor],
    *,
    smoothing: float = 0.0,
    weights: Mapping[str, torch.Tensor] | None = None,
) -> torch.Tensor:
    """Mean over the heads of their losses."""
    each = [
        head_loss(h, logits[h.name], targets[h.name], smoothing=smoothing, weights=(weights or {}).get(h.name))
        for h in heads
    ]
    return torch.stack(each).mean()


def balanced_weights(counts: torch.Tensor, power: float = 1.0) -> torch.Tensor:
    """(k,) float32 weights that give every class the same say: n / (k count), raised to `power`, mean 1 over rows.

    King and Zeng 2001; scikit-learn's "balanced".
    """
    counts = counts.clamp(min=1).float()
    weights = (counts.sum() / (len(counts) * counts)) ** power
    return weights / ((weights * counts).sum() / counts.sum())
