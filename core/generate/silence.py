"""What the documents that a question is about nowhere say.

A question on two companies is unanswerable when one of them is silent, so each is looked at by itself and the least
counts. Knows sentences and words; no model, no index.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from core.generate.evidence import squeeze
from core.generate.lexicon import FUNCTION_WORDS, content_words, numbers
from core.generate.told import YEAR, Told, joined, months
from core.text import words
from core.types import FloatArray

SILENCE = (
    *("told_words", "rarest_untold", "told_pairs", "best_cover", "best_two_cover", "best_pairs", "month_cover"),
    *("value", "told_words_most", "told_pairs_most", "best_cover_most", "asked_words", "asked_months", "parts_named"),
)
"""Names of the numbers, in their order: the least over the parts, then the most, then facts of the question."""

_MOST = (0, 2, 3)


def silence(
    question: str, language: str, idf: dict[str, float], parts: Sequence[str], documents: Sequence[Sequence[Told]]
) -> FloatArray:
    """(len(SILENCE),) float32.

    :param idf: by stemmed word of the question.
    :param parts: titles that the question names.
    :param documents: the sentences of each part's documents; of the best passage's document where none is named.
    """
    row = np.zeros(len(SILENCE), np.float32)
    if not documents:
        return row
    bare = question
    for title in parts:
        bare = re.sub(re.escape(title), " ", bare, flags=re.IGNORECASE)
    naming = {word for title in parts for word in words(title, language, stem=True)}
    own = dict.fromkeys(t for t in content_words(bare, language) if t not in naming and not YEAR.fullmatch(t))
    asked = {t: idf[t] for t in own if idf.get(t, 0.0) > 0} or dict(idf)
    wanted, dates, given = _pairs(bare, language), months(bare), frozenset(numbers(question))
    each = np.array([_part(asked, wanted, dates, given, told) for told in documents])
    row[:8] = each.min(axis=0)
    row[8:11] = each.max(axis=0)[list(_MOST)]
    row[11:] = len(asked), len(dates), len(parts)
    return row


def _part(
    asked: dict[str, float],
    wanted: frozenset[str],
    dates: frozenset[str],
    given: frozenset[str],
    told: Sequence[Told],
) -> list[float]:
    total = sum(asked.values()) or 1.0
    every = frozenset[str]().union(*(t.terms for t in told))
    grams = frozenset[str]().union(*(wanted & t.pairs for t in told))
    cover = [sum(w for term, w in asked.items() if term in t.terms) / total for t in told] or [0.0]
    share = [len(wanted & t.pairs) / max(len(wanted), 1) for t in told] or [0.0]
    dated = [c for c, t in zip(cover, told, strict=False) if dates & t.months] if dates else [max(cover)]
    best = max(range(len(told)), key=lambda i: cover[i] + share[i], default=None)
    return [
        sum(w for term, w in asked.items() if term in every) / total,
        -max((w for term, w in asked.items() if term not in every), default=0.0),
        len(grams) / len(wanted) if wanted else 0.5,
        max(cover),
        float(np.mean(sorted(cover)[-2:])),
        max(share),
        max(dated, default=0.0),
        float(best is not None and bool(told[best].numbers - given)),
    ]


def _pairs(text: str, language: str) -> frozenset[str]:
    """Neighbouring words, in Chinese characters, of the runs between function words and numbers."""
    found: set[str] = set()
    run: list[str] = []
    zh = language == "zh"
    for word in [*(_cut(squeeze(text, language)) if zh else words(text, language)), ""]:
        if not word.strip() or word in FUNCTION_WORDS or not word[0].isalnum() or word[0].isdigit() or word in "年月":
            found |= joined("".join(run), "") if zh else joined(run)
            run = []
        else:
            run.append(word)
    return frozenset(found)


def _cut(text: str) -> list[str]:
    import rjieba

    return list(rjieba.cut(text))
