from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from apps.customer_service.evaluate_refusals import judge_apart
from core.errors import InputError
from core.generate.answerability import Labelled
from core.generate.features import FEATURES

TITLES = [f"document {i}" for i in range(4)]
TOUCHES = [*((title,) for title in TITLES for _ in range(8)), ("document 1", "document 3"), tuple(TITLES)]


def made() -> Labelled:
    """The first feature tells whether the documents answer, more or less."""
    draw = np.random.default_rng(0)
    labels = np.array([i % 2 for i in range(len(TOUCHES))], np.int64)
    rows = draw.uniform(0, 1, (len(TOUCHES), len(FEATURES))).astype(np.float32)
    rows[:, 0] = (rows[:, 0] + labels) / 2
    return Labelled(rows, labels, [names[0] for names in TOUCHES])


def test_rows_about_a_questions_documents_do_not_reach_the_check_that_judges_it() -> None:
    data, place = made(), len(TOUCHES) - 2
    mine = set(TOUCHES[place])
    changed = data.rows.copy()
    others = [i for i, names in enumerate(TOUCHES) if mine & set(names) and i != place]
    changed[others] = 1 - changed[others]
    before = judge_apart(data, TOUCHES, None, 0.1)
    after = judge_apart(replace(data, rows=changed), TOUCHES, None, 0.1)
    assert before[place] == after[place]
    assert any(before[i] != after[i] for i, names in enumerate(TOUCHES[:place]) if not mine & set(names))
    assert sorted(before) == list(range(len(TOUCHES) - 1)), "the one about all documents is judged by no check"


def test_questions_about_one_document_only_cannot_be_parted() -> None:
    data = made()
    with pytest.raises(InputError, match="too few documents"):
        judge_apart(data, [("one",) if label else ("other",) for label in data.labels], None, 0.1)
