"""Figures for texts against reference texts: token F1, exact match, ROUGE-L.

Knows strings. English counts by word, Chinese, Japanese and Korean by character, so that no segmenter's choices
decide a score; a mixed text does both.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

_ARTICLES = frozenset({"a", "an", "the"})
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
# A number keeps its inner separators and its percent sign: "3.5%" is one token, and "3.5" is another.
_TOKEN = re.compile(rf"[{_CJK}]|\d+(?:[.,]\d+)*%?|[^\W\d_{_CJK}]+(?:['’][^\W\d_{_CJK}]+)*|[^\W_]")


def evaluation_tokens(text: str, *, articles: bool = False) -> list[str]:
    """Tokens that figures are counted on: NFKC, lower case, no punctuation.

    :param text: any text.
    :param articles: keep "a", "an" and "the".
    :returns: words, numbers ("1,200" becomes "1200") and single CJK characters, in order.
    """
    found = _TOKEN.findall(unicodedata.normalize("NFKC", text).lower())
    tokens = [t.replace(",", "") if t[0].isdigit() else t.replace("’", "'") for t in found]
    return tokens if articles else [t for t in tokens if t not in _ARTICLES]


def exact_match(predicted: str, references: str | Sequence[str]) -> float:
    """1.0 where the tokens are those of a reference, else 0.0 (SQuAD's normalisation)."""
    tokens = evaluation_tokens(predicted)
    return float(any(tokens == evaluation_tokens(r) for r in _listed(references)))


def token_f1(predicted: str, references: str | Sequence[str]) -> float:
    """F1 of the shared tokens, the best over the references.

    :param predicted: the text to judge.
    :param references: one reference or several.
    :returns: in [0, 1]; two empty texts give 1, one empty text gives 0.

    Rajpurkar et al. 2016, "SQuAD"; characters for Chinese as in Cui et al. 2019, "CMRC 2018".
    """
    tokens = evaluation_tokens(predicted)
    return max((_f1(tokens, evaluation_tokens(r)) for r in _listed(references)), default=0.0)


def rouge_l(predicted: str, references: str | Sequence[str]) -> float:
    """F1 of the longest common subsequence of tokens, the best over the references.

    :param predicted: the text to judge.
    :param references: one reference or several.
    :returns: in [0, 1]; two empty texts give 1, one empty text gives 0.

    Lin 2004, "ROUGE", eq. 2-4 with beta = 1. Plain ROUGE drops every Chinese character; here each one is a token.
    """
    tokens = evaluation_tokens(predicted, articles=True)
    best = 0.0
    for reference in _listed(references):
        other = evaluation_tokens(reference, articles=True)
        if not tokens or not other:
            best = max(best, float(tokens == other))
            continue
        best = max(best, 2 * longest_common_subsequence(tokens, other) / (len(tokens) + len(other)))
    return best


def _listed(references: str | Sequence[str]) -> Sequence[str]:
    return [references] if isinstance(references, str) else references


def _f1(a: list[str], b: list[str]) -> float:
    if not a or not b:
        return float(a == b)
    shared = sum((Counter(a) & Counter(b)).values())
    return 2 * shared / (len(a) + len(b))


def longest_common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence; O(len(a) * len(b) / 64) with one big integer as a bit row.

    Hyyro 2004, "Bit-parallel LCS-length computation revisited".
    """
    masks: dict[str, int] = {}
    for i, token in enumerate(a):
        masks[token] = masks.get(token, 0) | 1 << i
    full = (1 << len(a)) - 1
    row = full
    for token in b:
        match = row & masks.get(token, 0)
        row = ((row + match) | (row - match)) & full
    return len(a) - row.bit_count()
