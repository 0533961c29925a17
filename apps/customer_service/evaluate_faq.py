"""How often a customer's wording finds its question in the FAQ, beside what each part would find alone."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from apps.customer_service.data import FaqEntry, FaqQuery, read_faq, read_queries
from apps.customer_service.faq import FaqIndex
from core.backends import load_encoder
from core.backends.base import Encoder
from core.errors import InputError, ModelNotPrepared
from core.evaluate.ranking import mrr_at_k, recall_at_k
from core.evaluate.report import put_comparison
from core.index.lexical import LexicalIndex
from core.settings import CoreSettings
from core.text import words
from core.types import FloatArray

_DEPTH = 10


def evaluate_faq(
    faq: Path,
    queries: Path,
    settings: CoreSettings,
    *,
    encoder: Encoder | None = None,
    multilingual: Encoder | None = None,
    quietly: bool = False,
) -> dict[str, object]:
    """Search an FAQ with labelled queries; prints a table of the parts and their sum.

    :param faq: columns question and answer.
    :param queries: columns query and question; the latter stands in the FAQ, white space aside.
    :param encoder: already loaded; None loads that of the settings.
    :param multilingual: for the table only; None loads that of the settings where it is prepared.
    :param quietly: print nothing.
    :returns: recall@1, recall@5, mrr@10, p50_ms (one query, encoding included), and `parts` with the same of each part.
    :raises InputError: if a file is not usable, or no query's question is in the FAQ.
    """
    answers, asked = read_faq(faq), read_queries(queries)
    english = encoder if encoder is not None else load_encoder(settings, settings.encoder)
    there = {entry.question for entry in answers.rows}
    known = [row for row in asked.rows if row.question in there]
    if not known:
        raise InputError(f"No question of {queries.name} stands in {faq.name}; repeat it there word for word.")
    index = FaqIndex(answers.rows, english)
    index.search(known[0].query)  # the first call of a session pays for its warm-up
    ranked, times = [], []
    for row in known:
        start = time.perf_counter()
        hits = index.search(row.query, _DEPTH)
        times.append(time.perf_counter() - start)
        ranked.append([hit.entry.question for hit in hits])
    parts = {name: _figures(lists, known) for name, lists in _parts(index, known, settings, multilingual).items()}
    fused = _figures(ranked, known)
    if not quietly:
        sum_of = "fused: " + " + ".join(f"{weight:g} {name}" for name, weight in index.weights.items())
        put_comparison("retriever", {**parts, sum_of: fused})
    return {
        **fused,
        "p50_ms": float(np.median(times) * 1000),
        "queries": len(known),
        "left_out": len(asked.rows) - len(known),
        "bad_rows": len(answers.problems) + len(asked.problems),
        "parts": parts,
    }


def _figures(ranked: Sequence[Sequence[str]], queries: Sequence[FaqQuery]) -> dict[str, float]:
    right = [{row.question} for row in queries]
    return {
        "recall@1": recall_at_k(ranked, right, 1),
        "recall@5": recall_at_k(ranked, right, 5),
        "mrr@10": mrr_at_k(ranked, right, _DEPTH),
    }


def _parts(
    index: FaqIndex, queries: Sequence[FaqQuery], settings: CoreSettings, multilingual: Encoder | None
) -> Mapping[str, list[list[str]]]:
    """Ranked questions of every query by single retriever."""
    entries = index.entries
    lexical = LexicalIndex()
    lexical.add(range(len(entries)), [words(entry.question) for entry in entries])
    found: dict[str, list[list[str]]] = {"bm25 on the question": []}
    for row in queries:
        ids, _ = lexical.search(words(row.query), len(entries))
        found["bm25 on the question"].append(_questions(entries, ids.tolist()))
        for name, view in index.views(row.query).items():
            found.setdefault(f"{index.encoder.name}, {name}", []).append(_sorted(entries, view))
    other = multilingual or _prepared(settings)
    if other is not None:
        cosines = other.encode([row.query for row in queries]) @ other.encode([e.question for e in entries]).T
        found[f"{other.name}, question"] = [_sorted(entries, row) for row in cosines]
    return found


def _prepared(settings: CoreSettings) -> Encoder | None:
    try:
        return load_encoder(settings, settings.multilingual_encoder)
    except ModelNotPrepared:
        return None


def _sorted(entries: Sequence[FaqEntry], scores: FloatArray) -> list[str]:
    return _questions(entries, np.argsort(-scores, kind="stable").tolist())


def _questions(entries: Sequence[FaqEntry], order: Sequence[int]) -> list[str]:
    return list(dict.fromkeys(entries[i].question for i in order))
