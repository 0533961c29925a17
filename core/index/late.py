"""Late interaction: how much of a question each text covers, token by token.

Every token of the question looks for its best match among the text's tokens, and rare tokens weigh more. A text is not
punished for saying more than was asked, which one vector a text cannot help doing. Knows token vectors and token ids;
nothing of texts. Meant for small collections and for ranking a shortlist again.

Khattab and Zaharia 2020, "ColBERT" (MaxSim); Zhang et al. 2020, "BERTScore" (idf weights).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from core.errors import InputError
from core.types import FloatArray, IntArray, TokenBatch

_SMALL = 2**24  # numbers, 64 MB: about 3,000 questions

TokenRows = tuple[IntArray, FloatArray]
"""Ids (t,) int64 and vectors (t, d) float32, L2-normalised, of a text's tokens, special ones included."""


@runtime_checkable
class TokenReader(Protocol):
    """An encoder that can also give a vector for every token."""

    @property
    def reads_tokens(self) -> bool:
        """Whether this model does; an export may lack the output."""
        ...

    def prepare(self, texts: Sequence[str]) -> TokenBatch:
        """Tokenise and pad."""
        ...

    def forward_tokens(self, batch: TokenBatch) -> FloatArray:
        """(n, t, d) float32, not normalised; padding rows hold anything."""
        ...


def read_tokens(encoder: TokenReader, texts: Sequence[str], *, batch_size: int = 32) -> list[TokenRows]:
    """Token ids and vectors of each text, in the order given; texts of like length share a batch."""
    found: dict[int, TokenRows] = {}
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    for start in range(0, len(order), batch_size):
        which = order[start : start + batch_size]
        batch = encoder.prepare([texts[i] for i in which])
        vectors = encoder.forward_tokens(batch)
        for i, ids, row, mask in zip(which, batch.input_ids, vectors, batch.attention_mask.astype(bool), strict=True):
            kept = row[mask]
            norms = np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-12)
            found[i] = ids[mask], np.asarray(kept / norms, dtype=np.float32)
    return [found[i] for i in range(len(texts))]


class LateIndex:
    """Texts as their tokens' vectors; many are kept as float16, few as they are. Made once, never changed.

    :param texts: one entry a text, each with at least one token.
    :raises InputError: if a text has no token.
    """

    def __init__(self, texts: Sequence[TokenRows]) -> None:
        if any(len(ids) == 0 for ids, _ in texts):
            raise InputError("a text without tokens cannot be matched")
        lengths = np.array([len(ids) for ids, _ in texts], dtype=np.int64)
        self._starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        vectors = np.concatenate([v for _, v in texts]) if texts else np.zeros((0, 1), np.float32)
        self._vectors = vectors if vectors.size <= _SMALL else vectors.astype(np.float16)
        self._frequency = Counter(token for ids, _ in texts for token in set(ids.tolist()))

    def __len__(self) -> int:
        return len(self._starts) - 1

    def rarity(self, token: int) -> float:
        """ln(1 + n / (texts with the token + 0.5)); a token that is in all texts hardly counts."""
        return float(np.log1p(len(self) / (self._frequency[token] + 0.5)))

    def scores(self, question: TokenRows, among: IntArray) -> FloatArray:
        """(m,) float32 in [-1, 1]: rarity-weighted mean, over the question's tokens, of the best cosine in each text.

        :param among: (m,) int64, positions of the texts to score.
        """
        ids, vectors = question
        if len(among) == 0 or len(ids) == 0:
            return np.zeros(len(among), dtype=np.float32)
        lengths = self._starts[among + 1] - self._starts[among]
        begins = np.cumsum(lengths) - lengths
        places = np.arange(lengths.sum()) + np.repeat(self._starts[among] - begins, lengths)
        cosines = vectors @ self._vectors[places].astype(np.float32, copy=False).T
        best = np.maximum.reduceat(cosines, begins, axis=1)
        weights = np.array([self.rarity(token) for token in ids.tolist()], dtype=np.float32)
        return np.asarray(weights @ best / weights.sum(), dtype=np.float32)
