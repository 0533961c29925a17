"""Which question of the FAQ does a customer mean? Three views of every entry, added up.

- the question's tokens, matched one by one and weighted by rarity (late interaction): it does not mind that the FAQ's
  question is longer than the customer's;
- question and answer together as one vector: what the entry is about;
- where the encoder gives no token vectors, the question as one vector takes the first one's place.

Cosines are added as they are: they share a scale. Knows entries and encoders; nothing of files, HTTP or SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from apps.customer_service.data import FaqEntry
from core.backends.base import Encoder
from core.errors import InputError
from core.index.fusion import best
from core.index.late import LateIndex, TokenReader, TokenRows, read_tokens
from core.types import FloatArray

TOKENS, QUESTION, WHOLE = "tokens", "question", "question and answer"
"""Names of the views."""

WITH_TOKENS: Mapping[str, float] = {TOKENS: 1.0, WHOLE: 0.5}
"""Weights where the encoder reads tokens. Between 0.3 and 0.6 for the second one nothing changes above noise; on
questions without answers, where `WHOLE` is the question's vector, the sum is as good as either part or better."""

WITHOUT_TOKENS: Mapping[str, float] = {QUESTION: 1.0, WHOLE: 0.3}
"""Weights where it does not."""

_SHORTLIST = 200


@dataclass(frozen=True, slots=True)
class FaqHit:
    """An entry that may answer."""

    entry: FaqEntry
    score: float
    """Higher is better; comparable within one query only."""
    parts: Mapping[str, float]
    """Cosine by view."""


class FaqIndex:
    """Entries in memory, ready to be asked. Made once, never changed; safe between threads.

    :raises InputError: if there are no entries.
    """

    def __init__(self, entries: Sequence[FaqEntry], encoder: Encoder) -> None:
        if not entries:
            raise InputError("An FAQ needs at least one entry.")
        self.entries, self.encoder = tuple(entries), encoder
        questions = [e.question for e in entries]
        # One text a batch: int8 scales are chosen per batch, and an entry's vector must not hang on its neighbours.
        self._question = encoder.encode(questions, batch_size=1)
        self._whole = encoder.encode([f"{e.question} {e.answer}".strip() for e in entries], batch_size=1)
        reader = self._reader
        self._late = LateIndex(read_tokens(reader, questions, batch_size=1)) if reader is not None else None
        self.weights = WITH_TOKENS if self._late is not None else WITHOUT_TOKENS

    @property
    def _reader(self) -> TokenReader | None:
        encoder = self.encoder
        return encoder if isinstance(encoder, TokenReader) and encoder.reads_tokens else None

    def views(self, query: str) -> dict[str, FloatArray]:
        """(n,) float32 cosines of every entry by view; views that are -1 all over were not asked for a shortlist."""
        row, tokens = self._read(query)
        found = {QUESTION: self._question @ row, WHOLE: self._whole @ row}
        if self._late is not None and tokens is not None:
            dense = found[QUESTION] + found[WHOLE]
            among = np.sort(np.argsort(-dense, kind="stable")[:_SHORTLIST]).astype(np.int64)
            scores = np.full(len(self.entries), -1.0, dtype=np.float32)
            scores[among] = self._late.scores(tokens, among)
            found[TOKENS] = scores
        return found

    def search(self, query: str, k: int = 5) -> list[FaqHit]:
        """The k best entries, best first; of entries with the same question the better one is kept."""
        views = self.views(query)
        total = sum((w * views[name] for name, w in self.weights.items()), np.zeros(len(self.entries), np.float32))
        ids, scores = best(np.arange(len(self.entries)), np.asarray(total, np.float32), len(self.entries))
        hits: dict[str, FaqHit] = {}
        for i, score in zip(ids.tolist(), scores.tolist(), strict=True):
            entry = self.entries[i]
            if entry.question not in hits:
                parts = {name: float(view[i]) for name, view in views.items()}
                hits[entry.question] = FaqHit(entry, score, parts)
            if len(hits) == k:
                break
        return list(hits.values())

    def _read(self, query: str) -> tuple[FloatArray, TokenRows | None]:
        reader = self._reader
        if reader is None:
            return self.encoder.encode([query])[0], None
        return self.encoder.encode([query])[0], read_tokens(reader, [query])[0]
