from __future__ import annotations

import json
import random
import time

import pytest

from core.errors import InputError
from core.finetune.data import Dialogue, Example, Labelled, Pair, Plain, Tagged, content, examine, fingerprint, sequence
from core.types import Message

LONG = (
    "the customer asks us to send the parcel again because nobody was at home on {} "
    "when the driver rang the bell and the note was lost"
)


def row(text: str, label: str, line: int = 0) -> Labelled:
    return Labelled(text, {"label": (label,)}, line=line)


def test_counts_lengths_and_languages_are_reported() -> None:
    report = examine(
        [
            row("how do I get my money back", "refund", 2),
            row("where is the parcel", "track", 3),
            row("我的卡丢了", "card", 4),
            row("is it here yet", "track", 5),
        ]
    )
    part = report.train
    assert part.rows == 4 and part.labels == {"label=track": 2, "label=card": 1, "label=refund": 1}
    assert part.characters == {"p5": 5, "p50": 14, "p95": 26, "max": 26} or part.characters["max"] == 26
    assert part.languages == {"en": 3, "zh": 1}


def test_repeats_and_conflicts_are_found_with_their_lines() -> None:
    rows = [
        row("Where is it?", "track", 2),
        row("where  is it?", "track", 3),
        row("WHERE IS IT?", "other", 4),
        row(LONG.format("Monday"), "a", 5),
        row(LONG.format("Friday"), "b", 6),
    ]
    report = examine(rows)
    (repeat,) = report.train.duplicates
    assert (repeat.line, repeat.first_line) == (3, 2)
    (conflict,) = report.train.conflicts
    assert conflict.lines == (2, 3, 4) and conflict.answers[2] == ("label=other",)
    (near,) = report.train.near
    assert (near.line, near.first_line, near.near, near.same_answer) == (6, 5, True, False)
    assert any("1 texts have different labels, as on lines 2, 3, 4" in warning for warning in report.warnings)
    assert any("1 training rows are nearly the same as one with other labels" in w for w in report.warnings)


def test_leaks_and_labels_only_in_test_are_found() -> None:
    train = [row(LONG.format("Monday"), "a", 2), row("hello there", "b", 3), row("Hello there", "b", 4)]
    test = [row(LONG.format("Sunday"), "a", 12), row("hello  THERE", "b", 13), row("goodbye now", "c", 14)]
    report = examine(train, test)
    assert [(leak.line, leak.first_line, leak.near) for leak in report.leaks] == [(12, 2, True), (13, 3, False)]
    assert report.unseen == {"label=c": 1}
    assert any("2 test rows (66.7%) stand in training" in warning for warning in report.warnings)
    assert [leak.line for leak in examine(train, test, near=None).leaks] == [13]


def test_the_fingerprint_names_what_is_said_not_its_order_or_place() -> None:
    rows = [row(f"text {i}", "a", i) for i in range(20)]
    moved = [row(f"text {i}", "a", 99) for i in random.Random(3).sample(range(20), 20)]
    assert examine(rows).fingerprint == fingerprint(moved) and len(fingerprint(rows)) == 64
    assert sequence(rows) != sequence(moved) and sequence(rows) == sequence([*rows]) != fingerprint(rows)
    assert fingerprint(rows) != fingerprint(rows[1:]) != fingerprint([row("text 0", "b")])
    assert content(Pair("q", "p", ("n",))) != content(Pair("q", "p"))


def test_the_report_is_json_and_a_table() -> None:
    report = examine([row("a b c", "x", 1), row("d e f", "y", 2)], [row("a b c", "x", 1)])
    found = json.loads(json.dumps(report.as_dict()))
    assert found["train"]["rows"] == 2 and found["leaks"] == 1 and found["train"]["fingerprint"] == report.fingerprint
    names = [name for name, _ in report.table()]
    assert "train labels" in names and "leaks to test" in names
    assert all(isinstance(value, str) for _, value in report.table())


@pytest.mark.parametrize(
    "example",
    [
        Tagged(("Ann", "left"), ("B-PER", "O")),
        Pair("q", "p", score=0.0),
        Dialogue((Message("user", "Hi"), Message("assistant", "Hello"))),
        Plain("some text"),
        Labelled("none of them", {"labels": ()}),
    ],
)
def test_every_kind_of_row_can_be_examined(example: Example) -> None:
    report = examine([example, example], [example])
    assert len(report.train.duplicates) == 1 and len(report.leaks) == 1 and not report.unseen
    assert report.table() and json.dumps(report.as_dict())


def test_few_and_uneven_labels_are_said() -> None:
    rows = [*(row(f"many of them {i}", "many", i) for i in range(100)), row("alone", "few")]
    warnings = examine(rows, [row("你好吗", "few")]).warnings
    assert any("1 labels have fewer than 5 rows: label=few" in warning for warning in warnings)
    assert any("labels of label are uneven (100 to 1 rows)" in warning for warning in warnings)
    assert any("test rows are in zh" in warning for warning in warnings)


def test_no_rows_are_refused() -> None:
    with pytest.raises(InputError, match="no rows"):
        examine([])
    with pytest.raises(InputError, match="threshold"):
        examine([row("a", "b")], near=0.1)


def test_ten_thousand_rows_take_seconds() -> None:
    draw = random.Random(5)
    words = [f"word{i}" for i in range(500)]
    rows = [row("what is the " + " ".join(draw.choices(words, k=10)), str(i % 9), i) for i in range(10_000)]
    started = time.perf_counter()
    examine(rows[:9_000], rows[9_000:])
    assert time.perf_counter() - started < 15
