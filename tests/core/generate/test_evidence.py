from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.generate.evidence import Body, Evidence, squeeze
from core.text import words
from tests.core.generate.evidence_parts import evidence, passage

TEXT = st.text(max_size=200)
FEE = passage("The early closure fee is $50. It is due at once.", context="Evergreen savings")


def test_words_of_the_headings_count_for_a_passage_but_not_for_a_sentences_own() -> None:
    sentence = evidence("What is the fee?", [FEE]).found[0]
    assert "evergreen" in FEE.terms and "evergreen" in sentence.terms and "evergreen" not in sentence.own_terms


def test_a_sentence_is_the_run_of_characters_it_says() -> None:
    found = evidence("What is the fee?", [FEE]).found
    assert [s.text for s in found] == ["The early closure fee is $50.", "It is due at once."]
    assert all(FEE.text[s.start : s.end] == s.text for s in found)


def test_function_words_do_not_tell_what_is_asked() -> None:
    assert evidence("What is the early closure fee, please?", [FEE]).terms == words("early closure fee", stem=True)


def test_a_question_of_function_words_alone_keeps_them() -> None:
    assert evidence("What is it about?", [FEE]).terms


def test_words_that_name_the_document_are_not_what_is_asked_unless_nothing_else_is() -> None:
    named = frozenset({"evergreen"})
    asked = Evidence("What is the Evergreen fee?", "en", [FEE], [], lambda _: 1.0, named_terms=named)
    assert asked.terms == ["fee"]
    only = Evidence("Evergreen?", "en", [FEE], [], lambda _: 1.0, named_terms=named)
    assert only.terms == ["evergreen"]


def test_coverage_weighs_words_by_how_rare_they_are() -> None:
    rare = Evidence("card fee", "en", [FEE], [], lambda word: 3.0 if word == "card" else 1.0)
    assert rare.coverage(frozenset({"card"})) == 0.75 and rare.coverage(frozenset({"fee"})) == 0.25
    assert rare.rarest_missing(frozenset({"fee"})) == 3.0 and rare.rarest_missing(frozenset(rare.terms)) == 0


def test_nothing_is_covered_by_a_question_without_words() -> None:
    assert Evidence("", "en", [FEE], [], lambda _: 1.0).coverage(FEE.terms) == 0


def test_chinese_is_compared_without_white_space() -> None:
    assert squeeze("提前 销户\n费用 Fee", "zh") == "提前销户费用fee" and squeeze(" A\n b ", "en") == "a b"
    body = Body.of("规定", "提前 销户收 50 元", "zh")
    assert "提前销户收50元" in body.text and "销户" in body.terms


@given(TEXT, TEXT, st.sampled_from(["en", "zh"]))
def test_coverage_is_a_share_for_any_text(question: str, text: str, language: str) -> None:
    found = evidence(question, [passage(text, language=language)], language)
    for piece in (*found.passages, *found.found):
        assert 0 <= found.coverage(piece.terms) <= 1 + 1e-6
    assert len(found.weights) == len(found.terms) and found.rarest_missing(frozenset()) >= 0
