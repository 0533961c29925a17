from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.index import reciprocal_rank_fusion, weighted_fusion
from core.index.fusion import best
from core.types import FloatArray, IntArray

ranked_lists = st.lists(
    st.lists(st.integers(0, 30), unique=True, max_size=12).map(lambda ids: np.array(ids, np.int64)), max_size=5
)
scored_lists = st.lists(
    st.dictionaries(st.integers(0, 30), st.integers(-4, 9), max_size=12).map(
        lambda d: (np.array(list(d), np.int64), np.array(list(d.values()), np.float32))
    ),
    max_size=4,
)


def ids(*values: int) -> IntArray:
    return np.array(values, dtype=np.int64)


def scores(*values: float) -> FloatArray:
    return np.array(values, dtype=np.float32)


def test_the_formula_of_the_paper() -> None:
    found, total = reciprocal_rank_fusion([ids(5, 7), ids(7)], [1.0, 2.0])
    assert found.tolist() == [7, 5]
    assert total == pytest.approx([1 / 62 + 2 / 61, 1 / 61])


def test_padding_and_repeats_do_not_count() -> None:
    assert reciprocal_rank_fusion([ids(5, 5, 7, -1, -1)])[1] == pytest.approx([1 / 61, 1 / 62])


def test_a_list_of_weight_zero_adds_nothing() -> None:
    assert reciprocal_rank_fusion([ids(1), ids(2)], [1, 0])[0].tolist() == [1]
    assert weighted_fusion([(ids(1), scores(1)), (ids(2), scores(5))], [1, 0])[0].tolist() == [1]


def test_nothing_in_is_nothing_out() -> None:
    assert len(reciprocal_rank_fusion([])[0]) == len(weighted_fusion([])[0]) == 0
    assert len(reciprocal_rank_fusion([ids()])[0]) == len(weighted_fusion([(ids(), scores())])[0]) == 0


@given(ranked_lists, st.randoms())
def test_the_order_of_the_lists_changes_neither_scores_nor_ties(lists: list[IntArray], random: object) -> None:
    turned = list(lists)
    random.shuffle(turned)  # type: ignore[attr-defined]
    a, b = reciprocal_rank_fusion(lists), reciprocal_rank_fusion(turned)
    assert a[0].tolist() == b[0].tolist() and a[1].tolist() == b[1].tolist()


@given(ranked_lists)
def test_fused_ids_are_the_union_best_first_and_ties_by_id(lists: list[IntArray]) -> None:
    found, total = reciprocal_rank_fusion(lists)
    assert set(found.tolist()) == {int(i) for part in lists for i in part}
    keys = [(-s, i) for s, i in zip(total.tolist(), found.tolist(), strict=True)]
    assert keys == sorted(keys)


@given(ranked_lists, st.integers(0, 30))
def test_to_stand_first_in_one_more_list_never_costs_a_place(lists: list[IntArray], lucky: int) -> None:
    def place(found: IntArray) -> float:
        return found.tolist().index(lucky) if lucky in found.tolist() else math.inf

    before = place(reciprocal_rank_fusion(lists)[0])
    assert place(reciprocal_rank_fusion([*lists, ids(lucky)])[0]) <= before


@given(scored_lists, st.sampled_from(["z", "minmax", "theoretical"]), st.randoms())
@settings(max_examples=60)
def test_weighted_fusion_depends_on_neither_order(
    lists: list[tuple[IntArray, FloatArray]], how: str, random: object
) -> None:
    turned = []
    for part, values in lists:
        order = np.random.default_rng(len(part)).permutation(len(part))
        turned.append((part[order], values[order]))
    random.shuffle(turned)  # type: ignore[attr-defined]
    a = weighted_fusion(lists, normalise=how, lowest=[-4.0] * len(lists))  # type: ignore[arg-type]
    b = weighted_fusion(turned, normalise=how, lowest=[-4.0] * len(lists))  # type: ignore[arg-type]
    assert a[0].tolist() == b[0].tolist() and a[1] == pytest.approx(b[1], abs=1e-6)


def test_each_normalisation_gives_its_formula() -> None:
    lists = [(ids(1, 2, 3), scores(4, 2, 0))]
    assert weighted_fusion(lists, normalise="minmax")[1] == pytest.approx([1, 0.5, 0])
    assert weighted_fusion(lists, normalise="theoretical", lowest=[-4])[1] == pytest.approx([1, 0.75, 0.5])
    assert weighted_fusion(lists, normalise="z")[1] == pytest.approx([math.sqrt(1.5), 0, -math.sqrt(1.5)])


def test_what_a_list_lacks_counts_as_its_lowest() -> None:
    found, total = weighted_fusion([(ids(1, 2), scores(3, 1)), (ids(2), scores(5))], normalise="z")
    assert found.tolist() == [1, 2] and total == pytest.approx([1, -1])


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [1.0, math.nan], [1.0, math.inf]])
def test_weights_that_make_no_sense_are_refused(weights: list[float]) -> None:
    with pytest.raises(InputError, match=r"[Ww]eights"):
        reciprocal_rank_fusion([ids(1), ids(2)], weights)


@given(st.dictionaries(st.integers(0, 99), st.integers(0, 5), max_size=30), st.integers(0, 40))
def test_the_best_k_are_those_of_a_full_sort(values: dict[int, int], k: int) -> None:
    found, total = best(np.array(list(values), np.int64), np.array(list(values.values()), np.float32), k)
    expected = sorted(values.items(), key=lambda item: (-item[1], item[0]))[:k]
    assert list(zip(found.tolist(), total.tolist(), strict=True)) == expected
