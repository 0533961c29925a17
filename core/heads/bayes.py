"""Naive Bayes on words and word pairs: what the exact words say, beside what an embedding hears.

Fitted by counting, in well under a second. Knows token lists and classes; nothing of texts or encoders. Numpy only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from core.types import FloatArray, IntArray

_SMOOTHING = 0.1
_MANY = 2_000  # from this many examples on, a gram seen once is dropped: half the vocabulary, none of the accuracy
_LARGEST = 60_000


def grams(tokens: Sequence[str]) -> list[str]:
    """Words and pairs of neighbouring words, each once, with marks at both ends so that first and last words tell."""
    marked = ["<", *tokens, ">"]
    pairs = [f"{a} {b}" for a, b in pairwise(marked)]
    return list(dict.fromkeys((*tokens, *pairs)))


@dataclass(frozen=True, slots=True)
class GramBayes:
    """Log-odds of classes from grams weighted by rarity, each text's weights of length 1."""

    vocabulary: tuple[str, ...]
    """v grams."""
    rarity: FloatArray
    """(v,) float32, ln((1 + texts) / (1 + texts with the gram)) + 1."""
    log_odds: FloatArray
    """(v, k) float32, log probability of the gram in the class, less its mean over the classes."""
    _places: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._places.update((gram, i) for i, gram in enumerate(self.vocabulary))

    def scores(self, tokens: Sequence[Sequence[str]]) -> FloatArray:
        """(n, k) float32; a text without a known gram gives zeros."""
        out = np.zeros((len(tokens), self.log_odds.shape[1]), dtype=np.float32)
        for i, each in enumerate(tokens):
            found = [self._places[g] for g in grams(each) if g in self._places]
            if found:
                weights = self.rarity[found]
                out[i] = (weights / np.linalg.norm(weights)) @ self.log_odds[found]
        return out


def fit_bayes(tokens: Sequence[Sequence[str]], classes: IntArray, k: int) -> GramBayes:
    """Count rarity-weighted grams by class.

    :param tokens: n token lists.
    :param classes: (n,) int64 in [0, k).
    :param k: number of classes; every class is held equally likely.

    Rennie et al. 2003, "Tackling the Poor Assumptions of Naive Bayes Text Classifiers" (rarity and length weighting).
    """
    texts = [grams(each) for each in tokens]
    counts = Counter(g for each in texts for g in each)
    least = 2 if len(texts) >= _MANY else 1
    vocabulary = tuple(g for g, c in counts.most_common(_LARGEST) if c >= least)
    places = {g: i for i, g in enumerate(vocabulary)}
    rarity = np.array([np.log((1 + len(texts)) / (1 + counts[g])) + 1 for g in vocabulary], dtype=np.float32)
    mass = np.full((len(vocabulary), k), _SMOOTHING, dtype=np.float64)
    for each, c in zip(texts, classes.tolist(), strict=True):
        found = [places[g] for g in each if g in places]
        if found:
            weights = rarity[found]
            mass[found, c] += weights / np.linalg.norm(weights)
    odds = np.log(mass / np.maximum(mass.sum(axis=0), _SMOOTHING))
    return GramBayes(vocabulary, rarity, (odds - odds.mean(axis=1, keepdims=True)).astype(np.float32))
