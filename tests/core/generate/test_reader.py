from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import ArtifactDamaged, ModelError
from core.generate.features import FEATURES, features
from core.generate.reader import JUDGED, SUMMARY, Reader, passage_scores, row_for, summary
from core.generate.reader_features import NUMBERS, Candidate, Reading, number_rows
from core.generate.silence import SILENCE
from core.generate.told import Facts
from core.heads.boosted import Boosted
from core.types import FloatArray
from tests.core.generate.evidence_parts import ENCODER, evidence, passage

ACME = passage("Acme opened an office in March 2021. It employs 40 people.", context="Acme Ltd.", number=1, score=1.2)
ZETA = passage("Zeta has no office. Zeta paid $5 million in May 2020.", context="Zeta", number=2, score=0.9)


def reading(question: str, *, parts: tuple[str, ...] = ()) -> Reading:
    vector = ENCODER.encode([question])[0]
    candidates = [
        Candidate(p, p.context, Facts.of(p), ENCODER.encode([p.text[a:b] for a, b in p.spans]) @ vector)
        for p in (ACME, ZETA)
    ]
    e = evidence(question, [ACME, ZETA])
    return Reading(question, "en", dict(zip(e.terms, e.weights.tolist(), strict=True)), parts, len(parts), candidates)


def column(rows: FloatArray, name: str) -> list[float]:
    return [round(float(value), 3) for value in rows[:, NUMBERS.index(name)]]


def test_every_sentence_of_every_candidate_gets_its_numbers() -> None:
    rows, places = number_rows(reading("When did Acme open an office in March?", parts=("Acme Ltd.",)))
    assert rows.shape == (4, len(NUMBERS))
    assert np.isfinite(rows).all()
    assert places.tolist() == [0, 0, 1, 1]
    assert column(rows, "month") == [1, 0, 0, 0]
    assert column(rows, "month_near") == [1, 1, 0, 0]
    assert column(rows, "year") == [-1, -1, -1, -1]
    assert column(rows, "date") == [1, 0, 0, 1]
    assert column(rows, "money") == [0, 0, 0, 1]
    assert column(rows, "when_date") == [1, 0, 0, 1]
    assert column(rows, "is_part") == [1, 1, 0, 0]
    assert max(column(rows, "cover_against_all")) == 0
    assert column(rows, "cover_rank_all")[0] == 0


def test_ranks_within_a_document_begin_anew_in_each() -> None:
    rows, _ = number_rows(reading("What did Zeta pay in May 2020?"))
    assert sorted(column(rows, "cosine_rank_all")) == [0, 1, 2, 3]
    assert sorted(column(rows, "cosine_rank_part")) == [0, 0, 1, 1]


def test_no_candidates_give_no_rows() -> None:
    rows, places = number_rows(Reading("What?", "en", {}, (), 0, []))
    assert rows.shape == (0, len(NUMBERS))
    assert len(places) == 0


def test_the_best_sentence_is_the_passage_and_the_least_part_counts() -> None:
    asked = reading("Compare Acme and Zeta.", parts=("Acme Ltd.", "Zeta"))
    scores = np.array([2.0, -1.0, -3.0, -0.5], np.float32)
    places = np.array([0, 0, 1, 1])
    assert passage_scores(scores, places, 3).tolist() == [2.0, -0.5, -30.0]
    told = dict(zip(SUMMARY, summary(asked, scores, places).tolist(), strict=True))
    assert told["least_part"] == -0.5
    assert told["most_part"] == told["best"] == told["best_first"] == 2.0
    assert told["second"] == -0.5
    assert told["parts"] == 2


def test_a_part_that_no_candidate_belongs_to_counts_as_silent() -> None:
    asked = reading("Compare Acme and Borealis.", parts=("Acme Ltd.", "Borealis"))
    told = summary(asked, np.array([2.0, -1.0, -3.0, -0.5], np.float32), np.array([0, 0, 1, 1]))
    assert told[0] == -9.0
    nothing = summary(asked, np.zeros(0, np.float32), np.zeros(0, np.int64))
    assert nothing.shape == (len(SUMMARY),)
    assert nothing[0] == -9.0


def tiny() -> Reader:
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(300, len(NUMBERS))).astype(np.float32)
    return Reader(Boosted.fit(rows, (rows[:, 0] > 0).astype(np.int64), trees=8, leaves=4))


def test_a_reader_reads_the_same_after_a_file(tmp_path: Path) -> None:
    rows, _ = number_rows(reading("When did Acme open an office?"))
    reader = tiny()
    reader.save(tmp_path, "en")
    assert np.array_equal(Reader.load(tmp_path, "en").read(rows), reader.read(rows))
    assert reader.read(rows[:0]).shape == (0,)


def test_a_reader_of_other_numbers_is_refused(tmp_path: Path) -> None:
    tiny().save(tmp_path, "en")
    (tmp_path / "en.json").write_text(json.dumps({"numbers": ["cover"]}))
    with pytest.raises(ArtifactDamaged, match="other numbers"):
        Reader.load(tmp_path, "en")


def test_a_check_beside_a_reader_does_not_judge_what_none_has_read() -> None:
    found = evidence("When did Acme open an office?", [ACME, ZETA])
    assert np.array_equal(row_for(FEATURES, found), features(found))
    with pytest.raises(ModelError, match="read by none"):
        row_for(JUDGED, found)
    assert len(JUDGED) == len(FEATURES) + len(SUMMARY) + len(SILENCE)
