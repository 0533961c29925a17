"""Reciprocal-rank and weighted fusion of ranked lists, and the one way ties are broken: the smaller id first.

Knows ids, ranks and scores; nothing of text, encoders or FAISS. Weights belong to the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from core.errors import InputError
from core.types import FloatArray, IntArray

Normalisation = Literal["z", "minmax", "theoretical"]

Ranked = tuple[IntArray, FloatArray]
"""ids (n,) int64 and scores (n,) float32, best first; equal scores by ascending id."""


def best(ids: IntArray, scores: FloatArray, k: int) -> Ranked:
    """The k highest scores, best first; equal scores by ascending id, whatever the input's order.

    :param ids: (n,) int64. :param scores: (n,) float.
    """
    if k < len(ids):
        if k <= 0:
            return ids[:0], np.empty(0, np.float32)
        floor = np.partition(scores, len(scores) - k)[len(scores) - k]
        keep = scores >= floor
        ids, scores = ids[keep], scores[keep]
    order = np.lexsort((ids, -scores))[:k]
    return ids[order], scores[order].astype(np.float32)


def reciprocal_rank_fusion(
    ranked: Sequence[IntArray], weights: Sequence[float] | None = None, k: float = 60.0
) -> Ranked:
    """Fuse ranked lists: score(d) = sum over lists of weight / (k + rank of d), rank from 1.

    :param ranked: one (n_i,) int64 array a list, best first; -1 is padding; a repeated id counts where it is first.
    :param weights: one a list, >= 0; None weighs all 1.
    :param k: > -1; how little the first ranks stand out.
    :returns: ids and scores of all that is in a list of positive weight, best first.
    :raises InputError: if the numbers of lists and weights differ or a weight is negative.

    Cormack, Clarke, Buettcher 2009, "Reciprocal Rank Fusion Outperforms Condorcet and Individual Rank Learning".
    """
    chosen = _weights(len(ranked), weights)
    parts = []
    for ids in ranked:
        kept = ids[ids >= 0]
        _, first = np.unique(kept, return_index=True)
        parts.append(kept[np.sort(first)])
    scores = [weight / (k + np.arange(1, len(ids) + 1)) for ids, weight in zip(parts, chosen, strict=True)]
    return _summed(parts, scores, chosen)


def weighted_fusion(
    lists: Sequence[tuple[IntArray, FloatArray]],
    weights: Sequence[float] | None = None,
    *,
    normalise: Normalisation = "theoretical",
    lowest: Sequence[float] | None = None,
) -> Ranked:
    """Fuse lists of scores: score(d) = sum over lists of weight * normalised score of d; a missing d has that list's
    lowest normalised score.

    - "z": (s - mean) / standard deviation over the list; 0 where all are equal.
    - "minmax": (s - min) / (max - min) over the list; 1 where all are equal.
    - "theoretical": (s - lowest) / (max - lowest), with the lowest score the retriever could give (0 for BM25, -1 for
      a cosine); what is missing counts as 0. Bruch, Gai, Ingber 2023, "An Analysis of Fusion Functions for Hybrid
      Retrieval", section 4.

    :param lists: (ids (n_i,) int64 without repeats, scores (n_i,) float32), in any order; id -1 is padding.
    :param weights: one a list, >= 0; None weighs all 1.
    :param lowest: one a list, for "theoretical"; None means 0 for all.
    :returns: ids and scores of all that is in a list of positive weight, best first.
    :raises InputError: if the numbers of lists, weights and lowest scores differ or a weight is negative.
    """
    chosen = _weights(len(lists), weights)
    floors = list(lowest) if lowest is not None else [0.0] * len(lists)
    if len(floors) != len(lists):
        raise InputError(f"{len(lists)} lists need {len(lists)} lowest scores, not {len(floors)}.")
    parts = [ids[ids >= 0] for ids, _ in lists]
    known = np.unique(
        np.concatenate([p for p, w in zip(parts, chosen, strict=True) if w > 0] or [np.empty(0, np.int64)])
    )
    every, scores = [], []
    for (ids, raw), weight, floor in zip(lists, chosen, floors, strict=True):
        normal, missing = _normalised(raw[ids >= 0].astype(np.float64), normalise, floor)
        full = np.full(len(known), missing)
        if weight > 0:
            full[np.searchsorted(known, ids[ids >= 0])] = normal
        every.append(known)
        scores.append(weight * full)
    return _summed(every, scores, chosen)


def _weights(count: int, weights: Sequence[float] | None) -> list[float]:
    chosen = [1.0] * count if weights is None else [float(w) for w in weights]
    if len(chosen) != count:
        raise InputError(f"{count} lists need {count} weights, not {len(chosen)}.")
    if any(not 0 <= w < float("inf") for w in chosen):
        raise InputError(f"Weights must be finite and at least 0, not {chosen}.")
    return chosen


def _normalised(scores: np.ndarray, how: Normalisation, floor: float) -> tuple[np.ndarray, float]:
    """Normalised scores, and what a missing one counts."""
    if not len(scores):
        return scores, 0.0
    low, high = float(scores.min()), float(scores.max())
    if how == "z":
        spread = float(scores.std())
        normal = (scores - scores.mean()) / spread if spread > 1e-12 else np.zeros(len(scores))
        return normal, float(normal.min())
    if how == "minmax":
        return ((scores - low) / (high - low) if high > low else np.ones(len(scores))), 0.0
    return ((scores - floor) / (high - floor) if high > floor else np.zeros(len(scores))), 0.0


def _summed(parts: Sequence[IntArray], scores: Sequence[np.ndarray], weights: Sequence[float]) -> Ranked:
    """Add up by id. Sums are rounded, so that the order of the lists cannot break a tie."""
    used = [i for i, weight in enumerate(weights) if weight > 0]
    if not used:
        return np.empty(0, np.int64), np.empty(0, np.float32)
    ids, inverse = np.unique(np.concatenate([parts[i] for i in used]), return_inverse=True)
    total = np.zeros(len(ids))
    np.add.at(total, inverse, np.concatenate([scores[i] for i in used]))
    return best(ids, np.round(total, 12), len(ids))
