from __future__ import annotations

import math

import pytest

from core.errors import InputError
from core.evaluate.ranking import hit_rate_at_k, mrr_at_k, ndcg_at_k, recall_at_k

RANKED = [["a", "b", "c"], ["x", "y", "z"]]


def test_recall_counts_the_share_found_and_hit_rate_any() -> None:
    relevant = [{"a", "c"}, {"q"}]
    assert recall_at_k(RANKED, relevant, 2) == pytest.approx(0.25)
    assert hit_rate_at_k(RANKED, relevant, 2) == pytest.approx(0.5)
    assert recall_at_k(RANKED, relevant, 3) == pytest.approx(0.5)


def test_reciprocal_rank_is_that_of_the_first_relevant_id_within_k() -> None:
    assert mrr_at_k(RANKED, [{"b", "c"}, {"z"}], 3) == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert mrr_at_k(RANKED, [{"b"}, {"z"}], 2) == pytest.approx(1 / 4)


def test_the_best_possible_order_has_an_ndcg_of_one() -> None:
    assert ndcg_at_k([["a", "b"]], [{"a": 3.0, "b": 1.0}], 2) == pytest.approx(1.0)


def test_ndcg_discounts_by_the_logarithm_of_the_rank() -> None:
    got = ndcg_at_k([["b", "q", "a"]], [{"a": 3.0, "b": 1.0}], 3)
    assert got == pytest.approx((1 + 3 / 2) / (3 + 1 / math.log2(3)))


def test_a_short_list_is_no_error() -> None:
    assert recall_at_k([[]], [{"a"}], 5) == 0.0
    assert ndcg_at_k([[]], [{"a": 1.0}], 5) == 0.0


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(InputError, match="query 1 has nothing relevant"):
        recall_at_k(RANKED, [{"a"}, set()], 1)
    with pytest.raises(InputError, match="2 ranked lists for 1"):
        mrr_at_k(RANKED, [{"a"}], 1)
    with pytest.raises(InputError, match="k must be at least 1"):
        hit_rate_at_k(RANKED, [{"a"}, {"x"}], 0)
    with pytest.raises(InputError, match="0 queries"):
        recall_at_k([], [], 1)
