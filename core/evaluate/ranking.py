"""Figures for ranked lists: recall, precision, hit rate, reciprocal rank, average precision, NDCG.

Knows lists of ids and what is relevant; nothing of scores, indexes or texts. A query with nothing relevant is an
error of the caller: leave it out, or measure refusals. `query_figures` gives them query by query, for intervals and
paired tests (`core.evaluate.intervals`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

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
    return _mean(_recall, ranked, relevant, k)


def precision_at_k(ranked: Ranked, relevant: Relevant, k: int) -> float:
    """Mean share of the first k that is relevant; a list shorter than k misses the rest; as in `recall_at_k`."""
    return _mean(_precision, ranked, relevant, k)


def hit_rate_at_k(ranked: Ranked, relevant: Relevant, k: int) -> float:
    """Share of queries with at least one relevant id among the first k; parameters as in `recall_at_k`."""
    return _mean(_hit, ranked, relevant, k)


def mrr_at_k(ranked: Ranked, relevant: Relevant, k: int) -> float:
    """Mean of 1 / rank of the first relevant id, 0 where none is among the first k; as in `recall_at_k`.

    Voorhees 1999, "The TREC-8 Question Answering Track Report".
    """
    return _mean(_reciprocal_rank, ranked, relevant, k)


def map_at_k(ranked: Ranked, relevant: Relevant, k: int) -> float:
    """Mean average precision: the precision at every relevant rank up to k, over all relevant ids.

    Parameters as in `recall_at_k`. Divided by the number of relevant ids as trec_eval does, not by min(k, that number):
    with more than k relevant ids even the best list is below 1.

    Buckley and Voorhees 2000, "Evaluating evaluation measure stability".
    """
    return _mean(_average_precision, ranked, relevant, k)


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
    return float(np.mean(_ndcg_values(ranked, gains, k)))


def query_figures(
    ranked: Ranked, gains: Sequence[Mapping[Hashable, float]], k: int
) -> dict[str, npt.NDArray[np.float64]]:
    """Every figure of every query, as in `bootstrap_mean(query_figures(ranked, gains, 10)["ndcg"])`.

    :param gains: as in `ndcg_at_k`; an id with a positive gain is relevant.
    :returns: (n,) float64 by "recall", "precision", "hit_rate", "mrr", "map" and "ndcg".
    :raises InputError: as `ndcg_at_k`.
    """
    relevant = [{i for i, gain in table.items() if gain > 0} for table in gains]
    _check(ranked, relevant, k)
    figures = {
        name: np.array([figure(ids, wanted, k) for ids, wanted in zip(ranked, relevant, strict=True)], dtype=np.float64)
        for name, figure in _FIGURES.items()
    }
    return {**figures, "ndcg": _ndcg_values(ranked, gains, k)}


Figure = Callable[[Sequence[Hashable], Collection[Hashable], int], float]


def _mean(figure: Figure, ranked: Ranked, relevant: Relevant, k: int) -> float:
    _check(ranked, relevant, k)
    return float(np.mean([figure(ids, wanted, k) for ids, wanted in zip(ranked, relevant, strict=True)]))


def _recall(ids: Sequence[Hashable], wanted: Collection[Hashable], k: int) -> float:
    return len(set(ids[:k]) & set(wanted)) / len(set(wanted))


def _precision(ids: Sequence[Hashable], wanted: Collection[Hashable], k: int) -> float:
    return len(set(ids[:k]) & set(wanted)) / k


def _hit(ids: Sequence[Hashable], wanted: Collection[Hashable], k: int) -> float:
    return float(bool(set(ids[:k]) & set(wanted)))


def _reciprocal_rank(ids: Sequence[Hashable], wanted: Collection[Hashable], k: int) -> float:
    return next((1 / rank for rank, i in enumerate(ids[:k], 1) if i in wanted), 0.0)


def _average_precision(ids: Sequence[Hashable], wanted: Collection[Hashable], k: int) -> float:
    open_ = set(wanted)
    found, total, of = 0, 0.0, len(open_)
    for rank, i in enumerate(ids[:k], 1):
        if i in open_:
            open_.discard(i)
            found += 1
            total += found / rank
    return total / of


_FIGURES: dict[str, Figure] = {
    "recall": _recall,
    "precision": _precision,
    "hit_rate": _hit,
    "mrr": _reciprocal_rank,
    "map": _average_precision,
}


def _ndcg_values(ranked: Ranked, gains: Sequence[Mapping[Hashable, float]], k: int) -> npt.NDArray[np.float64]:
    _check(ranked, [[i for i, g in t.items() if g > 0] for t in gains], k)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    values = []
    for ids, table in zip(ranked, gains, strict=True):
        found = np.array([table.get(i, 0.0) for i in ids[:k]])
        best = np.sort(np.array(list(table.values())))[::-1][:k]
        values.append(float(found @ discounts[: len(found)]) / float(best @ discounts[: len(best)]))
    return np.array(values, dtype=np.float64)
