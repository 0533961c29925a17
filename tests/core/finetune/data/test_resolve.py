from __future__ import annotations

import pytest

from core.errors import InputError
from core.finetune.data import Labelled, Pair, Plain, Policy, Tagged, resolve


def row(text: str, label: str, line: int = 0) -> Labelled:
    return Labelled(text, {"label": (label,)}, line=line)


TRAIN = [
    row("one", "a", 2),
    row("One", "a", 3),
    row("two", "b", 4),
    row("two", "b", 5),
    row("two", "c", 6),
    row("six", "c", 7),
]
TEST = [row("ONE", "a", 2), row("new", "b", 3), row("odd", "z", 4)]


def test_what_is_taken_out_is_counted() -> None:
    policy = Policy(conflicts="majority", leaks="drop-test", unseen="drop")
    done = resolve(TRAIN, TEST, policy)
    assert [r.line for r in done.train] == [2, 4, 7]
    assert done.test is not None and [r.line for r in done.test] == [3]
    assert done.dropped == {
        "conflicting labels in training": 1,
        "duplicate in training": 2,
        "test row that stands in training": 1,
        "test label never seen in training": 1,
    }
    assert done.report.train.rows == 3 and not done.report.leaks


def test_conflicts_may_be_dropped_kept_or_refused() -> None:
    assert [r.line for r in resolve(TRAIN, policy=Policy(conflicts="drop")).train] == [2, 7]
    assert [r.line for r in resolve(TRAIN).train] == [2, 4, 6, 7]
    with pytest.raises(InputError, match=r"1 texts have different labels: lines 4, 5, 6 \('two': label=b / label=c\)"):
        resolve(TRAIN, policy=Policy(conflicts="refuse"))


def test_a_tie_between_labels_takes_them_all_out() -> None:
    rows = [row("x", "a"), row("x", "b"), row("y", "a"), row("z", "b")]
    assert [r.text for r in resolve(rows, policy=Policy(conflicts="majority")).train] == ["y", "z"]


def test_leaks_may_be_taken_out_of_training_instead_or_refused() -> None:
    done = resolve([*TRAIN, row("ten", "a")], TEST[:2], Policy(leaks="drop-train"))
    assert {r.text for r in done.train} == {"two", "six", "ten"} and done.test == tuple(TEST[:2])
    assert done.dropped["training row that stands in test"] == 1
    with pytest.raises(InputError, match="1 test rows stand in training: test line 2 is training line 2"):
        resolve(TRAIN, TEST[:2], Policy(leaks="refuse"))


def test_a_label_never_seen_in_training_is_refused_with_its_line() -> None:
    with pytest.raises(InputError, match=r"never seen in training: label=z \(lines 4\).*unseen=drop"):
        resolve(TRAIN, TEST)


def test_training_on_one_class_is_refused() -> None:
    with pytest.raises(InputError, match=r"one class only .head 'label': label=a"):
        resolve([row("a", "a"), row("b", "a")])
    with pytest.raises(InputError, match="score: all below"):
        resolve([Pair("q", "p", score=0.0)])
    with pytest.raises(InputError, match="tags: all O"):
        resolve([Tagged(("a",), ("O",))])
    two_heads = [Labelled(str(i), {"x": (str(i),), "y": ("same",)}) for i in range(3)]
    with pytest.raises(InputError, match="head 'y'"):
        resolve(two_heads)
    assert resolve([Labelled("a", {"labels": ("x",)}), Labelled("b", {"labels": ()})]).train
    assert resolve([Plain("a")]).train and resolve([Pair("q", "p")]).train


def test_nothing_left_is_refused_with_what_was_dropped() -> None:
    with pytest.raises(InputError, match=r"no training row is left .2 dropped: conflicting labels"):
        resolve([row("x", "a"), row("x", "b")], policy=Policy(conflicts="drop"))
    with pytest.raises(InputError, match=r"no test row is left .*; 1 dropped: test row that stands"):
        resolve(TRAIN, TEST[:1], Policy(leaks="drop-test"))
    with pytest.raises(InputError, match="no training rows"):
        resolve([])
