from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from apps.customer_service.folds import FOLDS, DocumentFolds, clusters
from core.errors import InputError

SHOPS = [f"shop {i}" for i in range(40)]
ALONE = [(shop,) for shop in SHOPS for _ in range(3)]
CHAIN = list(pairwise(SHOPS))
"""All documents hang together, so that no parting keeps all pairs whole."""


def parted(touches: list[tuple[str, ...]], seed: int = 0) -> DocumentFolds:
    return DocumentFolds(touches, [i % 3 > 0 for i in range(len(touches))], seed=seed)


@pytest.mark.parametrize("seed", range(5))
def test_a_question_is_judged_without_the_folds_of_all_its_documents(seed: int) -> None:
    touches = [*ALONE, *CHAIN]
    folds = parted(touches, seed)
    judged = {int(i): out for out, test in folds.tests.items() for i in test}
    assert sorted(judged) == list(range(len(touches)))
    assert any(len(out) == 2 for out in judged.values())
    for i, out in judged.items():
        assert all(folds.fold[name] in out for name in touches[i])
        seen = [names for names in touches if out.isdisjoint(folds.of(names))]
        assert seen
        assert not set(touches[i]) & {name for names in seen for name in names}


def test_a_document_that_is_never_named_first_has_a_fold_too() -> None:
    folds = parted([*ALONE, ("shop 3", "the handbook"), ("shop 9", "the handbook")])
    assert folds.fold["the handbook"] == folds.fold["shop 3"]
    assert folds.of(("shop 9", "the handbook")) == {folds.fold["shop 9"], folds.fold["shop 3"]}
    assert folds.of(("nowhere",)) == frozenset()


def test_documents_that_are_asked_about_together_stay_together_as_far_as_sizes_allow() -> None:
    touches = [*ALONE, *[("shop 0", "shop 1")] * 3, ("shop 1", "shop 2")]
    home = clusters(touches)
    assert home["shop 0"] == home["shop 1"] != home["shop 2"]
    folds = parted(touches)
    assert folds.fold["shop 0"] == folds.fold["shop 1"]
    sizes = [sum(len(test) for out, test in folds.tests.items() if k in out) for k in range(folds.count)]
    assert folds.count == FOLDS
    assert max(sizes) < 2 * min(sizes)


def test_a_question_about_nearly_everything_is_set_aside() -> None:
    folds = parted([*ALONE, tuple(SHOPS)])
    assert folds.aside == [len(ALONE)]
    assert len(ALONE) not in np.concatenate(list(folds.tests.values()))


def test_folds_are_the_same_again_and_others_with_another_seed() -> None:
    assert parted([*ALONE, *CHAIN]).fold == parted([*ALONE, *CHAIN]).fold
    assert parted([*ALONE, *CHAIN]).fold != parted([*ALONE, *CHAIN], seed=1).fold


def test_questions_without_a_document_and_documents_that_cannot_be_parted_are_refused() -> None:
    with pytest.raises(InputError, match="without a document"):
        parted([*ALONE, ()])
    with pytest.raises(InputError, match="too few documents"):
        DocumentFolds([("a",)] * 4 + [("b",)] * 4, [True] * 4 + [False] * 4)
