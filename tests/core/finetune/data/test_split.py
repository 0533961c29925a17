from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.finetune.data import Labelled, Pair, Plain, few, folds, split


def labelled(*counts: int) -> list[Labelled]:
    return [
        Labelled(f"text {label} {i}", {"label": (str(label),)}, line=i)
        for label, n in enumerate(counts)
        for i in range(n)
    ]


rows_strategy = st.lists(
    st.builds(
        lambda text, labels, group: Labelled(text, {"labels": tuple(sorted(labels))}, None, group),
        st.text("abc ", min_size=1, max_size=4),
        st.sets(st.sampled_from("xyz"), max_size=3),
        st.none() | st.sampled_from(["g", "h", "i", "j"]),
    ),
    min_size=2,
    max_size=40,
)


def test_every_label_is_held_out_in_proportion() -> None:
    halves = split(labelled(100, 40, 20), 0.1)
    assert Counter(row.label() for row in halves.held) == {"0": 10, "1": 4, "2": 2}
    assert len(halves.train) == 144 and halves.notes == ()


def test_small_labels_share_what_is_held_out_and_the_last_row_stays_in_training() -> None:
    halves = split(labelled(*[3] * 30, 1), 0.1)
    assert len(halves.held) == 9
    assert max(Counter(row.label() for row in halves.held).values()) == 1
    assert "30" in {row.label() for row in halves.train}
    assert "and 17 more: too few rows, none is held out" in halves.notes[0]


def test_the_order_of_the_file_does_not_matter_and_the_seed_does() -> None:
    rows = labelled(30, 30)
    shuffled = random.Random(1).sample(rows, len(rows))
    assert {row.text for row in split(rows, 0.2).held} == {row.text for row in split(shuffled, 0.2).held}
    assert {row.text for row in split(rows, 0.2).held} != {row.text for row in split(rows, 0.2, seed=1).held}
    assert [row.line for row in split(rows, 0.2).train if row.label() == "0"] == sorted(
        row.line for row in split(rows, 0.2).train if row.label() == "0"
    )


def test_rows_of_one_group_and_repeated_texts_stay_together() -> None:
    rows = [Labelled(f"t{i}", {"label": (str(i % 2),)}, group=f"customer {i // 5}") for i in range(100)]
    halves = split(rows, 0.2)
    assert not {row.group for row in halves.train} & {row.group for row in halves.held}
    assert len(halves.held) == 20
    twice = [Plain(f"text {i % 50}") for i in range(100)]
    halves_twice = split(twice, 0.1)
    assert not {row.text for row in halves_twice.train} & {row.text for row in halves_twice.held}


def test_one_query_never_stands_in_both_halves() -> None:
    rows = [Pair(f"q{i % 10}", f"p{i}", score=float(i % 2)) for i in range(60)]
    halves = split(rows, 0.3)
    assert not {row.query for row in halves.train} & {row.query for row in halves.held}


def test_folds_hold_every_row_out_once() -> None:
    rows = labelled(50, 7, 2, 1)
    parts = folds(rows, 5)
    assert sorted(row.text for part in parts for row in part.held) == sorted(row.text for row in rows)
    assert [Counter(row.label() for row in part.held)["0"] for part in parts] == [10] * 5
    assert {Counter(row.label() for row in part.held)["1"] for part in parts} == {1, 2}
    assert max(len(part.held) for part in parts) - min(len(part.held) for part in parts) <= 1
    assert (
        parts[0].notes[0].startswith("label=3: one row or group only") and "label=2: fewer than 5" in parts[0].notes[1]
    )


def test_what_cannot_be_split_is_refused_with_the_reason() -> None:
    with pytest.raises(InputError, match=r"share is 1\.5"):
        split(labelled(9), 1.5)
    with pytest.raises(InputError, match="a half would be empty"):
        split([Plain("a"), Plain("A ")], 0.5)
    with pytest.raises(InputError, match="no rows"):
        split([], 0.5)
    with pytest.raises(InputError, match="cannot be cut into 5 folds"):
        folds(labelled(3), 5)


def test_a_few_shot_draw_takes_as_many_of_every_label() -> None:
    rows = [*labelled(20, 20, 3), Labelled("text 0 1", {"label": ("0",)})]
    drawn = few(rows, 5)
    assert Counter(row.label() for row in drawn.train) == {"0": 5, "1": 5, "2": 3}
    assert drawn.notes[0] == "2: fewer than 5 rows"
    assert not {row.text for row in drawn.train} & {row.text for row in drawn.held}
    assert {row.text for row in few(rows[::-1], 5).train} == {row.text for row in drawn.train}
    with pytest.raises(InputError, match="nothing is left"):
        few(labelled(2, 2), 5)


@given(rows_strategy, st.sampled_from([0.1, 0.3, 0.5]), st.integers(0, 3))
def test_a_split_parts_the_rows_and_no_bundle(rows: list[Labelled], share: float, seed: int) -> None:
    try:
        halves = split(rows, share, seed=seed)
    except InputError:
        return
    assert sorted(map(repr, halves.train + halves.held)) == sorted(map(repr, rows))
    assert not {row.bundle for row in halves.train} & {row.bundle for row in halves.held}
    assert {label for row in halves.held for label in row.strata} <= {
        label for row in halves.train for label in row.strata
    }
    again = split(rows[::-1], share, seed=seed)
    assert {row.bundle for row in again.held} == {row.bundle for row in halves.held}


@given(rows_strategy, st.integers(2, 5))
def test_folds_part_the_rows_and_no_bundle(rows: list[Labelled], k: int) -> None:
    if len({row.bundle for row in rows}) < k:
        return
    parts = folds(rows, k)
    assert all(part.held and part.train for part in parts)
    assert sorted(repr(row) for part in parts for row in part.held) == sorted(map(repr, rows))
    for part in parts:
        assert not {row.bundle for row in part.train} & {row.bundle for row in part.held}
