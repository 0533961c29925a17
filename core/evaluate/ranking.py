"""Figures for ranked lists: recall, hit rate, reciprocal rank, NDCG.

Knows lists of ids and what is relevant; nothing of scores, indexes or texts. A query with nothing relevant is an
error of the caller: leave it out, or measure refusals.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence

import numpy as np

from core.errors import InputError

Ranked = Sequence[Sequence[Hashable]]
Relevant = Sequence[Collection[Hashable]]


def _check(ranked: Sequence[object], relevant: Sequence[Collection[Hashable]], k: int) -> None:
    if len(ranked) != len(relevant):
        raise InputError(f"{len(ranked)} ranked lists for {len(relevant)} queries")
    if not ranked:
        raise InputError("nothing to evaluate: 0 queries")
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")
    empty = [i for i, r in enumerate(relevant) if not r]
    if empty:
        raise InputError(f"query {empty[0]} has nothing relevant; leave it out")


def recall_at_k(ranked: Ranked, relevant: Relevant, k: int) -> float:
    """Mean share of a query's relevant ids among its first k.

    :param ranked: a list of ids for each query, best first, without repeats.
    :param relevant: the relevant ids of each query, at least one.
    :param k: cut-off, at least 1.
    :returns: in [0, 1].
    :raises InputError: if lengths disagree, there is no query, k < 1 or a query has nothing relevant.
    """
    _check(ranked, relevant, k)
    return float(np.mean([len(set(r[:k]) & set(t)) / len(set(t)) for r, t in zip(ranked, relevant, strict=True)]))


def hit_rate_at_k(ranked: Ranked, relevant: Relevant, k: int) -> float:
    """Share of queries with at least one relevant id among the first k; parameters as in `recall_at_k`."""
    _check(ranked, relevant, k)
    return float(np.mean([bool(set(r[:k]) & set(t)) for r, t in zip(ranked, relevant, strict=True)]))


def mrr_at_k(ranked: Ranked, relevant: Relevant, k: int) -> float:
    """Mean of 1 / rank of the first relevant id, 0 where none is among the first k; as in `recall_at_k`.

    Voorhees 1999, "The TREC-8 Question Answering Track Report".
    """
    _check(ranked, relevant, k)
    return float(
        np.mean(
            [
                next((1 / rank for rank, i in enumerate(r[:k], 1) if i in t), 0.0)
                for r, t in zip(ranked, relevant, strict=True)
            ]
        )
    )


def ndcg_at_k(ranked: Ranked, gains: Sequence[Mapping[Hashable, float]], k: int) -> float:
    """Mean normalised discounted cumulative gain, linear gains, log2 discount.

    :param ranked: a list of ids for each query, best first, without repeats.
    :param gains: gain by id for each query; ids not in it gain 0; binary relevance is a gain of 1.
    :param k: cut-off, at least 1.
    :returns: in [0, 1]; 1 is the best possible order.
    :raises InputError: if lengths disagree, there is no query, k < 1 or a query has no positive gain.

    Jarvelin and Kekalainen 2002, "Cumulated gain-based evaluation of IR techniques", with the gain 2^rel - 1 left to
    the caller.
    """
    _check(ranked, [[i for i, g in t.items() if g > 0] for t in gains], k)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    values = []
    for ids, table in zip(ranked, gains, strict=True):
        found = np.array([table.get(i, 0.0) for i in ids[:k]])
        best = np.sort(np.array(list(table.values())))[::-1][:k]
        values.append(float(found @ discounts[: len(found)]) / float(best @ discounts[: len(best)]))
    return float(np.mean(values))
