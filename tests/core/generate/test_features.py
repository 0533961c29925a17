from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.generate.evidence import Evidence
from core.generate.features import FEATURES, features
from tests.core.generate.evidence_parts import evidence, passage

TEXTS = st.one_of(
    st.text(max_size=120),
    st.sampled_from(
        [
            "",
            "   ",
            "🙂🙂👍",
            "?!",
            "12 34 5%",
            "提前销户要收多少费用？",
            "Wi-Fi 怎么 reset？",
            "é" * 50,
            "a\x00b",
            "ﬁ①²",
        ]
    ),
)


def named(row: np.ndarray) -> dict[str, float]:
    return dict(zip(FEATURES, row.tolist(), strict=True))


def ask(question: str, *texts: str, language: str = "en") -> dict[str, float]:
    return named(
        features(
            evidence(question, [passage(t, language=language, number=i) for i, t in enumerate(texts, 1)], language)
        )
    )


@settings(deadline=None)
@given(TEXTS, st.lists(TEXTS, max_size=4), st.sampled_from(["en", "zh", "fr"]))
def test_any_text_gives_finite_numbers_in_the_documented_shape(question: str, texts: list[str], language: str) -> None:
    row = features(evidence(question, [passage(t, language=language) for t in texts], language))
    assert row.shape == (len(FEATURES),) and row.dtype == np.float32 and np.isfinite(row).all()


def test_names_of_features_are_all_different() -> None:
    assert len(set(FEATURES)) == len(FEATURES)


def test_nothing_found_is_all_zero() -> None:
    assert not features(Evidence("What is the fee?", "en", [], [], lambda _: 1.0)).any()


def test_a_passage_that_says_it_covers_more_than_one_that_is_only_about_it() -> None:
    says = ask("What is the early closure fee?", "The early closure fee is $50.")
    about = ask("What is the early closure fee?", "Evergreen is an account for savers.")
    assert says["cover_best"] == pytest.approx(1) and about["cover_best"] < 0.5
    assert says["missing_best"] == 0 < about["missing_best"]
    assert says["pairs_best"] == pytest.approx(1) and about["pairs_best"] == 0


def test_a_number_asked_for_and_missing_is_seen() -> None:
    assert ask("What is the limit for 500 users?", "The limit for 500 users is high.")["numbers_sentence"] == 1
    assert ask("What is the limit for 500 users?", "The limit for 300 users is high.")["numbers_sentence"] == 0


def test_a_question_for_a_time_or_an_amount_without_one_is_seen() -> None:
    assert ask("When does the office open?", "The office opens early.")["when_without_date"] == 1
    assert ask("When does the office open?", "The office opens at 9:00.")["when_without_date"] == 0
    assert ask("How much is the fee?", "The fee is small.")["how_much_without_number"] == 1
    assert ask("How much is the fee?", "The fee is $50.")["how_much_without_number"] == 0


def test_chinese_is_compared_by_characters() -> None:
    says = ask("提前销户费用是多少？", "提前销户费用是五十元。", language="zh")
    other = ask("提前销户费用是多少？", "您可以在网点办理存款。", language="zh")
    assert says["pairs_best"] > other["pairs_best"] and says["how_much"] == 1


def test_more_passages_never_lower_what_the_best_one_covers() -> None:
    one = ask("What is the early closure fee?", "The fee is $50.")
    two = ask("What is the early closure fee?", "The fee is $50.", "Early closure costs more.")
    assert two["cover_best"] >= one["cover_best"] and two["cover_union"] >= one["cover_union"]


@pytest.mark.parametrize("piece", ["fee ", "费用", "1 ", "🙂", "a"])
def test_a_huge_question_does_not_hang(piece: str) -> None:
    started = time.perf_counter()
    row = features(
        evidence(piece * (20_000 // len(piece)), [passage("The fee is $50.")], "zh" if piece == "费用" else "en")
    )
    assert np.isfinite(row).all() and time.perf_counter() - started < 20
