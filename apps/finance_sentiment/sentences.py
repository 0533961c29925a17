"""Long texts in parts that a model can read, and what is said of the parts as what is said of the whole.

A text of up to `WHOLE` characters is read as it is. A longer one is cut at its sentences into parts of at most `PART`
characters, `MOST` of them: the beginning of a long report and its last words, the outlook. The first part, with the
title in it, weighs twice. Sentiment is the mean of the parts, each weighing what it has to say: one that is all neutral
a quarter of one that is all for or against, since most sentences of any report are neutral. A topic has the probability
of the part that is surest of it, less a little for every other part that is not: the mean of best and average. Knows
texts and probabilities; no model.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.text.segment import sentences
from core.types import FloatArray

WHOLE = {"en": 600, "zh": 300}
"""Characters of a text that is read in one, by family of language: about what an encoder reads."""

PART = {"en": 400, "zh": 150}
MOST = 16
_LAST = 3
_QUIET = 0.25
_FIRST = 2.0


def parts(text: str, family: str) -> list[str]:
    """The text itself, or its parts in order."""
    if len(text) <= WHOLE[family]:
        return [text]
    longest, found = PART[family], [""]
    for start, end in sentences(text):
        for at in range(start, end, longest):
            piece = text[at : min(end, at + longest)]
            if found[-1] and len(found[-1]) + 1 + len(piece) > longest:
                found.append("")
            found[-1] = f"{found[-1]} {piece}" if found[-1] else piece
    return found if len(found) <= MOST else [*found[: MOST - _LAST], *found[-_LAST:]]


def whole_sentiment(found: FloatArray, neutral: int = 1) -> FloatArray:
    """(k,) probabilities of a text from the (parts, k) of its parts.

    :param neutral: the class that has little to say.
    """
    if len(found) == 1:
        return np.asarray(found[0])
    weights = _QUIET + (1 - _QUIET) * (1 - found[:, neutral])
    weights[0] *= _FIRST
    return np.asarray(weights @ found / weights.sum(), dtype=np.float32)


def whole_topics(found: FloatArray) -> FloatArray:
    """(k,) probabilities of a text from the (parts, k) of its parts."""
    if len(found) == 1:
        return np.asarray(found[0])
    weights = np.ones(len(found), dtype=np.float32)
    weights[0] = _FIRST
    return np.asarray((found.max(axis=0) + weights @ found / weights.sum()) / 2, dtype=np.float32)


def spread(counts: Sequence[int]) -> list[slice]:
    """Where the parts of each text stand among all parts."""
    ends = np.cumsum(counts)
    return [slice(int(end - n), int(end)) for n, end in zip(counts, ends, strict=True)]
