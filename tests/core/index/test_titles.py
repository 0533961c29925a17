from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.index.titles import TitleIndex

TITLES = TitleIndex(
    [
        ("maren", ["maren", "health", "systems"]),
        ("orrin", ["orrin", "health", "report"]),
        ("empty", []),
        ("twice", ["gold", "gold", "terms"]),
    ]
)


def test_a_title_named_in_full_is_covered_whole() -> None:
    found = TITLES.coverage(["what", "did", "maren", "health", "systems", "earn"])
    assert found[TITLES.rows["maren"]] == pytest.approx(1.0)


def test_a_rare_word_of_a_title_covers_more_than_a_common_one() -> None:
    rare, common = TITLES.coverage(["maren"]), TITLES.coverage(["health"])
    row = TITLES.rows["maren"]
    assert 0 < common[row] < rare[row] < 1


def test_an_empty_title_is_never_named() -> None:
    assert TITLES.coverage(["maren", "gold", ""])[TITLES.rows["empty"]] == 0


def test_repeated_words_count_once() -> None:
    np.testing.assert_array_equal(TITLES.coverage(["gold"] * 3), TITLES.coverage(["gold"]))
    assert TITLES.coverage(["gold", "terms"])[TITLES.rows["twice"]] == pytest.approx(1.0)


def test_an_index_of_no_titles_answers_with_nothing() -> None:
    assert TitleIndex([]).coverage(["gold"]).shape == (0,)


WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "金", "卡"]), max_size=5)


@given(st.lists(WORDS, max_size=6), WORDS, WORDS)
def test_coverage_is_a_share_that_grows_with_the_words_named(
    titles: list[list[str]], asked: list[str], more: list[str]
) -> None:
    index = TitleIndex([(str(i), title) for i, title in enumerate(titles)])
    some, all_ = index.coverage(asked), index.coverage([*asked, *more])
    assert some.dtype == np.float32 and some.shape == (len(titles),)
    assert ((some >= 0) & (some <= 1 + 1e-5)).all() and (all_ >= some - 1e-6).all()
