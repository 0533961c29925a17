from __future__ import annotations

import math

import pytest

from core.errors import InputError
from core.evaluate.ranking import map_at_k, precision_at_k
from core.evaluate.variety import coverage_at_k, novelty_at_k, novelty_values

LISTS = [["a", "b", "c"], ["a", "d"], []]


def test_coverage_is_the_share_of_the_catalogue_that_is_shown() -> None:
    assert coverage_at_k(LISTS, ["a", "b", "c", "d", "e"], 2) == pytest.approx(3 / 5)
    assert coverage_at_k(LISTS, {"a", "z"}, 3) == pytest.approx(1 / 2)


def test_novelty_is_self_information_in_bits() -> None:
    popularity = {"a": 8, "b": 4, "d": 1}
    values = novelty_values(LISTS, popularity, 8, 2)
    assert values.tolist() == [pytest.approx((0 + 1) / 2), pytest.approx((0 + 3) / 2)]
    assert novelty_at_k(LISTS, popularity, 8, 2) == pytest.approx(1.0)


def test_what_nobody_chose_counts_as_chosen_once() -> None:
    assert novelty_at_k([["new"]], {}, 100, 1) == pytest.approx(math.log2(100))
    assert novelty_at_k([["new"]], {"new": 0}, 100, 1) == pytest.approx(math.log2(100))


@pytest.mark.parametrize(
    ("lists", "users", "k", "said"),
    [([], 1, 1, "0 lists"), (LISTS, 8, 0, "at least 1, got 0"), ([[]], 8, 1, "every list is empty"),
     (LISTS, 0, 1, "users must be"), (LISTS, 7, 1, "'a' was chosen by 8 users, but there are 7")],
)  # fmt: skip
def test_wrong_calls_are_refused(lists: list[list[str]], users: int, k: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        novelty_at_k(lists, {"a": 8}, users, k)


def test_an_empty_catalogue_is_refused() -> None:
    with pytest.raises(InputError, match="catalogue is empty"):
        coverage_at_k(LISTS, [], 1)


def test_average_precision_and_precision_by_hand() -> None:
    ranked, relevant = [["a", "x", "b"]], [{"a", "b", "c"}]
    assert map_at_k(ranked, relevant, 3) == pytest.approx((1 + 2 / 3) / 3)
    assert precision_at_k(ranked, relevant, 10) == pytest.approx(0.2)
