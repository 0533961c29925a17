"""Agreement between raters, beyond chance: Cohen's kappa for two, Fleiss' kappa for several.

Knows categories as numbers; nothing of who rated what.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from core.errors import InputError
from core.evaluate.classification import confusion_matrix
from core.types import IntArray

Weights = Literal["none", "linear", "quadratic"]


def cohen_kappa(a: IntArray, b: IntArray, categories: int, weights: Weights = "none") -> float:
    """Agreement of two raters on the same items, less what chance would give.

    :param a: (n,) int, the first rater's categories in [0, categories).
    :param b: (n,) int, the second rater's.
    :param categories: number of categories there are.
    :param weights: "none" for names; for steps of a scale "linear" or "quadratic": a disagreement costs its distance or
        the square of it.
    :returns: at most 1; 0 is chance; NaN where both raters gave one and the same category throughout, so that chance
        alone explains all.
    :raises InputError: if shapes disagree, n is 0, a category is out of range or the weights are unknown.

    Cohen 1960, "A coefficient of agreement for nominal scales"; weighted: Cohen 1968, "Weighted kappa".
    """
    table = confusion_matrix(b, a, categories).astype(np.float64)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    steps = np.abs(np.subtract.outer(np.arange(categories), np.arange(categories))).astype(np.float64)
    costs = {"none": (steps > 0).astype(np.float64), "linear": steps, "quadratic": steps**2}.get(weights)
    if costs is None:
        raise InputError(f"there are no weights {weights!r}; use none, linear or quadratic")
    by_chance = float((costs * expected).sum())
    return 1 - float((costs * table).sum()) / by_chance if by_chance else float("nan")


def fleiss_kappa(counts: IntArray) -> float:
    """Agreement of several raters, less what chance would give; the raters need not be the same for every item.

    :param counts: (items, categories) int, how many raters gave the item the category; every row has the same sum, at
        least 2.
    :returns: at most 1; 0 is chance; NaN where only one category was ever given.
    :raises InputError: if there is no item, or the rows' sums differ or are below 2.

    Fleiss 1971, "Measuring nominal scale agreement among many raters", eq. 1-7.
    """
    if counts.ndim != 2 or not counts.size:
        raise InputError(f"an (items, categories) table expected, got shape {counts.shape}")
    raters = counts.sum(axis=1)
    if int(raters.min()) != int(raters.max()) or int(raters[0]) < 2 or int(counts.min()) < 0:
        low, high = int(raters.min()), int(raters.max())
        raise InputError(f"every item needs the same number of raters, at least 2; found {low} to {high}")
    n = int(raters[0])
    table = counts.astype(np.float64)
    agreed = float(((table * (table - 1)).sum(axis=1) / (n * (n - 1))).mean())
    by_chance = float(((table.sum(axis=0) / table.sum()) ** 2).sum())
    return (agreed - by_chance) / (1 - by_chance) if by_chance < 1 else float("nan")
