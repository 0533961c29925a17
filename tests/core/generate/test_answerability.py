from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ArtifactDamaged, InputError
from core.generate.answerability import (
    Answerability,
    Labelled,
    fit,
    out_of_fold,
    refusal_curve,
    split,
    threshold_at,
)
from core.generate.features import FEATURES
from tests.core.generate.evidence_parts import rows


def labelled(n: int = 120, groups: int = 12, seed: int = 0) -> Labelled:
    found, labels = rows(n, len(FEATURES), seed)
    return Labelled(found, labels, [f"g{i % groups}" for i in range(n)])


@pytest.fixture(scope="module")
def check() -> Answerability:
    return fit(labelled(), false_refusal=0.1)


def test_the_check_gives_answerable_questions_the_higher_probability(check: Answerability) -> None:
    fresh, labels = rows(200, len(FEATURES), seed=9)
    found = check.probability(fresh)
    assert found.shape == (200,) and found.dtype == np.float32 and ((found > 0) & (found < 1)).all()
    assert found[labels == 1].mean() > found[labels == 0].mean() + 0.1


def test_a_saved_check_says_the_same(check: Answerability, tmp_path: Path) -> None:
    check.save(tmp_path, "en")
    again = Answerability.load(tmp_path, "en")
    fresh, _ = rows(30, len(FEATURES), seed=3)
    np.testing.assert_array_equal(again.probability(fresh), check.probability(fresh))
    assert again.threshold == check.threshold and again.curve == check.curve


def test_a_check_of_other_features_is_refused(check: Answerability, tmp_path: Path) -> None:
    check.save(tmp_path, "en")
    facts = json.loads((tmp_path / "en.json").read_text(encoding="utf-8"))
    facts["features"].reverse()
    (tmp_path / "en.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(ArtifactDamaged, match="other features"):
        Answerability.load(tmp_path, "en")


def test_questions_of_one_class_cannot_be_fitted() -> None:
    found, _ = rows(20, len(FEATURES))
    with pytest.raises(InputError, match="answerable and unanswerable"):
        fit(Labelled(found, np.ones(20, np.int64), [str(i) for i in range(20)]))


SCORES = st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=2, max_size=60).filter(
    lambda pairs: len({label for _, label in pairs}) == 2
)


@given(SCORES, st.floats(0, 0.99))
def test_the_threshold_declines_no_larger_share_of_answerable_questions_than_allowed(
    pairs: list[tuple[float, bool]], allowed: float
) -> None:
    probabilities = np.array([p for p, _ in pairs], np.float32)
    labels = np.array([label for _, label in pairs], np.int64)
    threshold = threshold_at(probabilities, labels, allowed)
    declined = probabilities[labels == 1] < threshold
    assert declined.mean() <= allowed + 1e-9
    above = probabilities[(labels == 1) & (probabilities > threshold)]
    if len(above):  # the next higher threshold would decline too many
        assert (probabilities[labels == 1] < above.min()).mean() > allowed - 1e-9


@given(SCORES)
def test_the_curve_tells_what_each_threshold_does_and_never_turns_back(pairs: list[tuple[float, bool]]) -> None:
    probabilities = np.array([p for p, _ in pairs], np.float32)
    labels = np.array([label for _, label in pairs], np.int64)
    curve = refusal_curve(probabilities, labels)
    for percent, point in enumerate(curve):
        declined = probabilities < point.threshold
        assert point.false_refusal == pytest.approx(declined[labels == 1].mean())
        assert point.caught == pytest.approx(declined[labels == 0].mean())
        assert point.false_refusal <= percent / 100 + 1e-9
    for one, next_ in pairwise(curve):
        assert next_.threshold >= one.threshold and next_.caught >= one.caught


def test_allowing_more_false_refusals_never_lowers_the_threshold(check: Answerability) -> None:
    found = [check.threshold_for(rate / 100) for rate in range(0, 30)]
    assert found == sorted(found)
    assert {p.threshold for p in check.curve} >= set(found)


def test_a_check_without_a_curve_keeps_its_own_threshold(check: Answerability) -> None:
    bare = Answerability(
        check.mean, check.scale, check.weights, check.bias, check.forest, check.calibration, check.threshold
    )
    assert bare.threshold_for(0.2) == check.threshold


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.integers(4, 15))
def test_no_group_is_on_both_sides_of_a_split(seed: int, groups: int) -> None:
    data = labelled(90, groups, seed)
    tested = np.zeros(len(data), int)
    for train, test in split(data, seed=seed):
        assert not {data.groups[i] for i in train} & {data.groups[i] for i in test}
        tested[test] += 1
    assert (tested == 1).all()


def test_questions_about_one_document_each_way_cannot_be_split() -> None:
    found, _ = rows(20, len(FEATURES))
    labels = np.array([0] * 10 + [1] * 10, np.int64)
    with pytest.raises(InputError, match="too few documents"):
        split(Labelled(found, labels, ["a"] * 10 + ["b"] * 10))


def test_out_of_fold_scores_come_from_models_that_never_saw_the_group() -> None:
    draw = np.random.default_rng(0)
    found = draw.normal(size=(80, len(FEATURES))).astype(np.float32)
    labels = (np.arange(80) % 2).astype(np.int64)  # nothing to learn
    held_out = out_of_fold(Labelled(found, labels, [f"g{i // 4}" for i in range(80)]))
    assert abs(held_out[labels == 1].mean() - held_out[labels == 0].mean()) < 0.1


def test_rows_of_other_collections_help_to_fit_but_do_not_set_the_threshold() -> None:
    data, also = labelled(), labelled(60, 6, seed=5)
    alone, helped = fit(data), fit(data, also=also)
    assert not np.array_equal(alone.weights, helped.weights)
    assert helped.threshold in {p.threshold for p in helped.curve}


def test_rows_are_taken_by_place_or_by_mask() -> None:
    data = labelled(10, 5)
    mask = np.arange(10) % 2 == 0
    by_mask, by_place = data.take(mask), data.take(np.flatnonzero(mask))
    assert by_mask.groups == by_place.groups and len(by_mask) == 5
    np.testing.assert_array_equal(by_mask.rows, by_place.rows)


def test_made_up_rows_of_a_held_out_group_do_not_help_to_judge_it() -> None:
    rows_, labels = rows(60, 3)
    data = Labelled(rows_, labels, [f"d{i // 6}" for i in range(60)])
    _, test = split(data)[0]
    hidden = {data.groups[int(i)] for i in test}
    twins = data.take(np.array([group in hidden for group in data.groups]))
    made = Labelled(twins.rows, 1 - twins.labels, twins.groups)
    assert np.array_equal(out_of_fold(data, also=made)[test], out_of_fold(data)[test])
