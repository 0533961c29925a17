from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from apps.customer_service.data import RagQuestion
from apps.customer_service.reading import Gatherer
from apps.customer_service.train_reader import Folds, Item, enough, items_of, near_items
from core.errors import InputError
from core.generate.reader import JUDGED
from core.types import FloatArray
from tests.apps.customer_service.test_reading import CITIES, made_knowledge


def about_two() -> tuple[list[Item], Gatherer, list[RagQuestion]]:
    """Questions about one shop, and in a ring about two neighbours."""
    known, questions = made_knowledge()
    for i, city in enumerate(CITIES):
        other = (i + 1) % len(CITIES)
        spans = tuple(f"The {name} shop opened in {1990 + k}." for name, k in ((city, i), (CITIES[other], other)))
        asked = f"Which opened first, the {city} shop or the {CITIES[other]} shop?"
        questions.append(RagQuestion(asked, "", True, (city.lower(), CITIES[other].lower()), spans))
    gatherer = Gatherer(known)
    return items_of(questions, [gatherer.gather(q.question, "en") for q in questions], known), gatherer, questions


def judged(folds: Folds) -> dict[int, frozenset[int]]:
    return {int(i): out for out, test in folds.documents.tests.items() for i in test}


def mislabelled(items: Sequence[Item], titles: frozenset[str], but: Item) -> list[Item]:
    """Other sentences prove what is asked about these documents, except for one question."""
    return [
        item if item is but or item.touches.isdisjoint(titles) else replace(item, holds=np.roll(item.holds, 1))
        for item in items
    ]


def test_folds_learn_which_sentence_answers() -> None:
    items, gatherer, questions = about_two()
    assert not enough(items)
    assert enough(items * 2)
    folds = Folds([*items, *near_items(questions, gatherer)], [gatherer.gather("How do I bake bread?", "en")], trees=6)
    assert sorted(judged(folds)) == list(range(len(items)))
    read, retrieved = folds.gain()
    assert 0 <= read <= 1
    assert retrieved > 0
    check = folds.check(frozenset((0,)), false_refusal=0.1)
    assert check.names == JUDGED
    assert folds.reader() is folds.reader()


def test_labels_of_a_questions_documents_do_not_reach_what_judges_it() -> None:
    """Not of the first document, nor of the second one in another fold; neither the reader nor the check beside it."""
    items, gatherer, questions = about_two()
    near, strangers = near_items(questions, gatherer), [gatherer.gather("How do I bake bread?", "en")]
    folds = Folds([*items, *near], strangers, trees=6)
    place, out = next((i, out) for i, out in judged(folds).items() if len(out) == 2)
    item = items[place]
    assert out == folds.documents.of(item.touches)
    other = Folds([*mislabelled(items, item.touches, item), *near], strangers, trees=6)
    assert judged(other) == judged(folds)
    row = np.linspace(0, 1, len(JUDGED), dtype=np.float32)[None]

    def says(by: Folds, out: frozenset[int]) -> tuple[FloatArray, FloatArray]:
        return by.scores(item, out), by.check(out, false_refusal=0.1).probability(row)

    for before, after in zip(says(folds, out), says(other, out), strict=True):
        assert np.array_equal(before, after)
    first = frozenset((folds.documents.fold[item.group],))
    assert not np.array_equal(folds.scores(item, first), other.scores(item, first)), "the second document tells nothing"


def test_whatever_is_read_is_read_by_a_reader_that_saw_none_of_its_documents() -> None:
    """Also what a check is fitted on: of a document that it knows, a reader is surer than it can be of a new one."""

    class Watched(Folds):
        asked: list[tuple[Item, frozenset[int]]]

        def scores(self, item: Item, out: frozenset[int]) -> FloatArray:
            self.asked.append((item, out))
            return super().scores(item, out)

    items, gatherer, questions = about_two()
    folds = Watched([*items, *near_items(questions, gatherer)], trees=2)
    folds.asked = []
    folds.gain()
    folds.check(frozenset((0,)), false_refusal=0.1)
    assert {len(out) for _, out in folds.asked} == {1, 2, 3}
    assert any(item.near for item, _ in folds.asked)
    for item, out in folds.asked:
        assert folds.documents.of(item.touches) <= out


def test_a_question_about_every_document_is_judged_by_nobody_and_stops_nothing() -> None:
    items, _, _ = about_two()
    wide = replace(items[0], touches=frozenset().union(*(item.touches for item in items)))
    folds = Folds([*items, wide], trees=2)
    assert folds.documents.aside == [len(items)]
    everything = frozenset(range(folds.documents.count))
    with pytest.raises(InputError, match="other documents"):
        folds.reader(everything)
    with pytest.raises(InputError, match="too few documents"):
        folds.check(everything, false_refusal=0.1)
    assert folds.check(false_refusal=0.1).names == JUDGED
