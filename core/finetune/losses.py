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


def supervised_contrastive(rows: torch.Tensor, classes: torch.Tensor, temperature: float = 0.07) -> torch.Tensor:
    """Pull rows of one class together, push the others away; rows whose class stands alone do not count.

    :param rows: (n, d) embeddings; normalised here.
    :param classes: (n,) int64.

    Khosla et al. 2020, "Supervised Contrastive Learning", eq. 2 (L_out).
    """
    unit = F.normalize(rows.float(), dim=1)
    scores = unit @ unit.T / temperature
    itself = torch.eye(len(rows), dtype=torch.bool, device=rows.device)
    log_share = scores.masked_fill(itself, -torch.inf).log_softmax(dim=1)
    same = (classes[:, None] == classes[None, :]) & ~itself
    partners = same.sum(dim=1)
    if not bool(partners.any()):
        return rows.sum() * 0.0
    each = -log_share.masked_fill(~same, 0.0).sum(dim=1) / partners.clamp(min=1)
    return each[partners > 0].mean()


def listwise(logits: torch.Tensor, targets: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the softmax over a group's passages against their targets; groups without a right one or
    without a wrong one do not count.

    :param logits: (n,) float32.
    :param targets: (n,) float32 in [0, 1].
    :param group: (n,) int64, ascending: which query a passage belongs to.

    Cao et al. 2007, "Learning to Rank: From Pairwise Approach to Listwise Approach" (ListNet, top one).
    """
    each = []
    for index in range(int(group.max()) + 1):
        here = group == index
        wanted = targets[here]
        total = wanted.sum()
        if bool(total > 0) and bool((wanted < 0.5).any()):
            each.append(-(wanted / total * logits[here].log_softmax(dim=0)).sum())
    return torch.stack(each).mean() if each else logits.sum() * 0.0
