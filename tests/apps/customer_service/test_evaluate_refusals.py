from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from apps.customer_service.evaluate_refusals import judge_apart
from core.errors import InputError
from core.generate.answerability import Answerability, Labelled
from core.generate.features import FEATURES
from tests.apps.customer_service._bot import tiny_check

TITLES = [f"document {i}" for i in range(8)]
TOUCHES = [*((title,) for title in TITLES for _ in range(4)), *pairwise(TITLES), tuple(TITLES)]


def made() -> Labelled:
    """Rows that carry their place in the first feature."""
    rows = np.full((len(TOUCHES), len(FEATURES)), 0.5, np.float32)
    rows[:, 0] = np.arange(len(TOUCHES))
    return Labelled(rows, np.array([i % 2 for i in range(len(TOUCHES))], np.int64), [names[0] for names in TOUCHES])


def places(data: Labelled) -> list[int]:
    return [int(row[0]) for row in data.rows]


class Watched:
    """Remembers what each check was fitted on; check n always says the probability 1 / (1 + n)."""

    def __init__(self, *, least: int = 0) -> None:
        self.seen: list[list[int]] = []
        self.least = least

    def __call__(self, data: Labelled) -> Answerability:
        self.seen.append(places(data))
        if len(data) < self.least:
            raise InputError("too little")
        return replace(tiny_check(), calibration=(0.0, -float(np.log(len(self.seen)))))


def test_a_question_is_judged_by_a_check_that_saw_none_of_its_documents() -> None:
    """Neither the first one nor a second one, whatever fold that is in."""
    watched = Watched()
    found = judge_apart(made(), TOUCHES, watched)
    assert sorted(found) == list(range(len(TOUCHES) - 1)), "the one about all documents is judged by no check"
    for place, (chance, _) in found.items():
        seen = watched.seen[round(1 / chance - 1) - 1]
        assert seen
        assert set(TOUCHES[place]).isdisjoint(name for i in seen for name in TOUCHES[i])
    assert len({len(seen) for seen in watched.seen}) > 1


def test_questions_for_which_too_little_is_left_are_judged_by_no_check() -> None:
    watched = Watched(least=18)
    found = judge_apart(made(), TOUCHES, watched)
    assert 0 < len(found) < len(TOUCHES) - 1
    assert min(map(len, watched.seen)) < 18


def test_questions_about_one_document_only_cannot_be_parted() -> None:
    data = made()
    with pytest.raises(InputError, match="too few documents"):
        judge_apart(data, [("one",) if label else ("other",) for label in data.labels], Watched())
