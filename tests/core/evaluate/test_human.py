from __future__ import annotations

import pytest

from core.errors import NotFound
from core.evaluate.human import Item, RatingTask
from tests.core.evaluate.human_parts import task


def test_two_systems_are_one_unit_an_item_and_more_are_one_an_answer() -> None:
    assert [len(unit.systems) for unit in task(3).units.values()] == [2, 2, 2]
    scale = task(3, ("a", "b", "c"))
    assert len(scale.units) == 9
    assert {unit.systems for unit in scale.units.values()} == {("a",), ("b",), ("c",)}


def test_each_system_stands_on_the_left_about_half_the_time_for_every_rater_and_item() -> None:
    rated = task(400)
    raters = [f"rater {n}" for n in range(60)]
    left = [[rated.shown(rater, key)[0] == "base" for key in rated.units] for rater in raters]
    assert all(140 < sum(row) < 260 for row in left)
    assert 0.48 < sum(map(sum, left)) / (400 * 60) < 0.52
    by_item = [sum(column) for column in zip(*left, strict=True)]
    assert min(by_item) > 8 and max(by_item) < 52


def test_every_rater_meets_all_units_in_an_order_of_their_own_that_never_changes() -> None:
    rated = task(30)
    assert rated.order("anna") == task(30).order("anna")
    assert rated.order("anna") != rated.order("ben")
    assert sorted(rated.order("anna")) == sorted(rated.units)


def test_adding_items_changes_neither_sides_nor_keys_of_the_others() -> None:
    few, many = task(5), task(50)
    assert set(few.units) <= set(many.units)
    assert all(few.shown("anna", key) == many.shown("anna", key) for key in few.units)


def test_an_item_that_changes_is_another_item_and_its_name_is_no_part_of_it() -> None:
    one = Item("q", "Why?", {"a": "Because."})
    assert one.key == Item("other name", "Why?", {"a": "Because."}).key
    others = [
        Item("q", "Why?", {"a": "So."}),
        Item("q", "Why?", {"b": "Because."}),
        Item("q", "Why?", one.answers, "c"),
    ]
    assert len({one.key, *(item.key for item in others)}) == 4


def test_a_key_tells_nothing_of_the_systems() -> None:
    for rated in (task(3), task(3, ("gpt", "own", "old"))):
        assert not any(system in key for key in rated.units for system in rated.systems)
        assert all(len(key) == 16 for key in rated.units)


def test_a_unit_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound, match="'nope'"):
        task().shown("anna", "nope")
    assert RatingTask("x", "scale", (), ()).order("anna") == []
