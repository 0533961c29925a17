"""Whether a paraphrase may stand beside its original with the same label.

Knows texts, labels and an encoder's vectors. The checks run from cheap to dear; the first that fails gives the reason.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.backends.base import Encoder
from core.finetune.data.examples import Labelled
from core.generate.facts import facts
from core.text.dedup import fingerprint
from core.text.language import detect_language
from core.types import IntArray

_ASKS = ("?", "？")


class Filter:
    """Judges texts one after the other; what it has let through once is a copy the second time."""

    def __init__(
        self, rows: Sequence[Labelled], encoder: Encoder, low: float, high: float, shortest: float, longest: float
    ) -> None:
        self._rows = rows
        self._encoder = encoder
        self._low, self._high = low, high
        self._shortest, self._longest = shortest, longest
        self._seen = {fingerprint(_bare(row.text)) for row in rows}
        self._vectors = encoder.encode([row.text for row in rows])  # (n, d), rows L2-normalised
        kinds: dict[tuple[str, ...], int] = {}
        self._kinds: IntArray = np.array([kinds.setdefault(row.answers, len(kinds)) for row in rows], dtype=np.int64)
        numbers: dict[str, int] = {}
        self._texts: IntArray = np.array(
            [numbers.setdefault(fingerprint(row.text), len(numbers)) for row in rows], dtype=np.int64
        )

    def judge(self, i: int, text: str) -> str | None:
        """Why the text may not stand for row i; None lets it through."""
        original = self._rows[i].text
        if not text:
            return "empty"
        key = fingerprint(_bare(text))
        if key in self._seen:
            return "copy"
        reason = self._differs(original, text) or self._compare(i, text)
        if reason is None:
            self._seen.add(key)
        return reason

    def _differs(self, original: str, text: str) -> str | None:
        """What the texts alone tell."""
        if not self._shortest <= len(text) / len(original) <= self._longest:
            return "length"
        if detect_language(text) != detect_language(original):
            return "language"
        if original.endswith(_ASKS) and not text.endswith(_ASKS):
            return "no question any more"
        return "new numbers or identifiers" if facts(text).missing_from(facts(original)) else None

    def _compare(self, i: int, text: str) -> str | None:
        vector = self._encoder.encode([text])[0]
        cosines = self._vectors @ vector
        if cosines[i] < self._low:
            return "other meaning"
        if cosines[i] > self._high:
            return "copy"
        others = np.flatnonzero(self._texts != self._texts[i])
        if not len(others):
            return None
        same = self._kinds[others] == self._kinds[i]
        # The nearest row that is not the original must have its labels; an only child is its own kind.
        nearest_same = cosines[others[same]].max() if same.any() else cosines[i]
        nearest_other = cosines[others[~same]].max() if (~same).any() else -1.0
        return "nearer to another label" if nearest_other >= nearest_same else None


def _bare(text: str) -> str:
    """Letters and digits only, so that a new full stop makes no new text."""
    return "".join(c if c.isalnum() else " " for c in text)
