from __future__ import annotations

import numpy as np
import pytest

from core.generate.lexicon import content_words
from core.generate.parts import parts_of
from core.generate.silence import SILENCE, silence
from core.generate.told import Facts, Told, months, pairs, years
from tests.core.generate.evidence_parts import passage

TITLES = ["Acme Solar Ltd.", "Acme", "Borealis Group", "Zeta", "晨星能源有限公司", "IT"]


def told(text: str, language: str = "en") -> tuple[Told, ...]:
    return Facts.of(passage(text, language=language)).told


def numbers(
    question: str, parts: list[str], documents: list[tuple[Told, ...]], language: str = "en"
) -> dict[str, float]:
    idf = dict.fromkeys(content_words(question, language), 1.0)
    return dict(zip(SILENCE, silence(question, language, idf, parts, documents).tolist(), strict=True))


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("What did Acme Solar Ltd. earn?", ["Acme Solar Ltd."]),
        ("Did Acme Solar earn more than Zeta?", ["Acme Solar Ltd.", "Zeta"]),
        ("Compare borealis with ACME", ["Borealis Group", "Acme"]),
        ("晨星能源的收入是多少？", ["晨星能源有限公司"]),
        ("How do I submit a ticket?", []),
        ("Is it zetaless?", []),
        ("", []),
    ],
)
def test_titles_are_found_as_whole_words_each_character_once(question: str, named: list[str]) -> None:
    assert parts_of(question, [*TITLES, " "]) == named


def test_the_part_that_says_least_counts() -> None:
    full, bare = told("Acme raised the dividend in May 2020. It was $5."), told("Zeta sells lamps.")
    both = numbers("Did Acme and Zeta raise the dividend in May?", ["Acme", "Zeta"], [full, bare])
    alone = numbers("Did Acme raise the dividend in May?", ["Acme"], [full])
    assert alone["told_words"] == 1
    assert alone["rarest_untold"] == 0
    assert alone["month_cover"] > 0
    assert both["told_words"] == both["month_cover"] == 0
    assert both["told_words_most"] > 0
    assert both["parts_named"] == 2
    assert both["asked_months"] == 1


def test_a_silent_or_unknown_document_gives_low_numbers_and_no_error() -> None:
    assert not np.any(silence("What?", "en", {}, [], []))
    empty = numbers("Which dividend?", [], [()])
    assert empty["told_words"] == empty["best_cover"] == 0
    assert empty["rarest_untold"] == -1


def test_chinese_is_compared_by_neighbouring_characters() -> None:
    said = numbers("晨星的分红金额是多少", [], [told("晨星的分红金额为五百万元。", "zh")], "zh")
    other = numbers("晨星的分红金额是多少", [], [told("晨星出售台灯。", "zh")], "zh")
    assert said["told_pairs"] > other["told_pairs"]
    assert said["best_pairs"] > other["best_pairs"]


def test_what_a_sentence_holds() -> None:
    one = told("In May 2021 Acme paid $5 million, 3.5% more, on the stock exchange.")[0]
    assert one.months == {"may"} == months("May we?")
    assert one.years == {"2021"} == years("2021年")
    assert one.numbers == {"2021", "5", "3.5%"}
    assert one.values == (True, True, True)
    assert [one.text[at] for at in one.number_at] == ["5", "3", "5"]
    assert "acme" in one.names
    assert pairs("a b", "zh") == {"ab"}
