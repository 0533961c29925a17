"""ROUGE-1, ROUGE-2 and ROUGE-L for English, Chinese and mixtures.

Knows strings. The usual packages drop every Chinese character, so that a Chinese text scores 0 against itself; here a
CJK character, or a word that the segmenter finds, is a token. On ASCII text the figures are those of rouge-score
without stemming.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.errors import InputError
from core.evaluate.text import longest_common_subsequence
from core.text.segment import words

Units = Literal["characters", "words"]
References = str | Sequence[str]

KINDS = ("rouge1", "rouge2", "rougeL")
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")
_RUN = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much of two texts is the same; all in [0, 1]."""

    precision: float
    """Of the judged text's units, those in the reference."""
    recall: float
    """Of the reference's units, those in the judged text."""
    f1: float


def rouge_tokens(text: str, units: Units = "characters") -> list[str]:
    """Tokens that ROUGE counts: NFKC, lower case, runs of letters and digits, no punctuation.

    :param units: what Chinese is cut into: single characters, so that no segmenter's choices decide, or the
        segmenter's words, of which a long one comes with the shorter ones inside it.
    :raises InputError: if `units` is unknown.
    """
    if units not in {"characters", "words"}:
        raise InputError(f"there are no ROUGE units {units!r}; use characters or words")
    plain = unicodedata.normalize("NFKC", text).lower()
    if units == "characters":
        return _TOKEN.findall(plain)
    return [token for run in _RUN.findall(plain) for token in ([run] if run.isascii() else words(run) or [run])]


def rouge(predicted: str, references: References, units: Units = "characters") -> dict[str, Overlap]:
    """ROUGE-1, -2 and -L of one text; with several references the best of each, by F1.

    :param predicted: the text to judge.
    :param references: one reference or several.
    :returns: by "rouge1", "rouge2" and "rougeL"; a text without units (one word has no pair) shares nothing.
    :raises InputError: if there is no reference.

    Lin 2004, "ROUGE: A package for automatic evaluation of summaries", sections 2 and 3.1, beta = 1.
    """
    listed = [references] if isinstance(references, str) else references
    if not listed:
        raise InputError("a text needs at least one reference")
    tokens = rouge_tokens(predicted, units)
    found = [_all(tokens, rouge_tokens(reference, units)) for reference in listed]
    return {kind: max((each[kind] for each in found), key=lambda overlap: overlap.f1) for kind in KINDS}


def corpus_rouge(
    predictions: Sequence[str], references: Sequence[References], units: Units = "characters"
) -> dict[str, Overlap]:
    """Mean of `rouge` over the texts.

    :param predictions: (n,) texts to judge.
    :param references: (n,) one reference or several for each.
    :raises InputError: if lengths disagree or n is 0.
    """
    return {
        kind: Overlap(*(float(value) for value in table.mean(axis=0)))
        for kind, table in rouge_values(predictions, references, units).items()
    }


def rouge_values(
    predictions: Sequence[str], references: Sequence[References], units: Units = "characters"
) -> Mapping[str, np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    """`rouge` of every text, for intervals and paired tests.

    :returns: by kind (n, 3) float64: precision, recall, F1.
    :raises InputError: if lengths disagree or n is 0.
    """
    if len(predictions) != len(references):
        raise InputError(f"{len(predictions)} texts for {len(references)} references")
    if not predictions:
        raise InputError("nothing to evaluate: 0 texts")
    each = [rouge(ours, theirs, units) for ours, theirs in zip(predictions, references, strict=True)]
    return {
        kind: np.array([(o.precision, o.recall, o.f1) for o in (row[kind] for row in each)], dtype=np.float64)
        for kind in KINDS
    }


def _all(ours: list[str], theirs: list[str]) -> dict[str, Overlap]:
    both = bool(ours and theirs)
    common = longest_common_subsequence(ours, theirs) if both else 0
    return {
        "rouge1": _grams(ours, theirs, 1),
        "rouge2": _grams(ours, theirs, 2),
        "rougeL": _overlap(common, len(ours), len(theirs)),
    }


def _grams(ours: list[str], theirs: list[str], n: int) -> Overlap:
    first, second = (Counter(zip(*(tokens[i:] for i in range(n)), strict=False)) for tokens in (ours, theirs))
    return _overlap((first & second).total(), first.total(), second.total())


def _overlap(shared: int, ours: int, theirs: int) -> Overlap:
    if not ours or not theirs:
        return Overlap(0.0, 0.0, 0.0)
    return Overlap(shared / ours, shared / theirs, 2 * shared / (ours + theirs))
