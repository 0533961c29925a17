from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.generate.evidence import Passage
from core.generate.grounding import Proof, prove, unsupported
from tests.core.generate.evidence_parts import ENCODER, passage

CLOSING = passage(
    "An account can be closed at any time. The early closure fee is $50 if the account is closed within 90 days. "
    "Gold members do not pay the early closure fee.",
    context="Closing an account > Evergreen Savings",
)
PLANS = passage(
    "With a twelve-month commitment Easy costs £10.00 and Roam £15.50. "
    "Data costs £2 a day in Zone 3 and £6 a day in Zone 4. "
    "Bundles are valid for 3 to 5 working days from 22 May 2026.",
    context="Mobile plans",
)
RETURNS = passage(
    "Gold members: 60 days from delivery.\nSilver members: 45 days from delivery.\n"
    "The office is open Monday to Friday from 9:00 to 17:30.\nRefunds take 3 to 5 working days.",
    context="Returns policy",
)
CHINESE = passage(
    "金卡会员自送达日起60天内可以退货。银卡会员45天内可以退货。年费为168元。2026年5月22日起不再接受现金。",
    context="退货规定",
    language="zh",
)


def said(sentence: str, *passages: Passage) -> Proof:
    return prove(sentence, passages, ENCODER.encode)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (CLOSING, "The early closure fee is $50 if the account is closed within 90 days."),
        (CLOSING, "If the account is closed within 90 days, the early closure fee is $50."),
        (CLOSING, "The early closure fee is fifty dollars if the account is closed within ninety days."),
        (CLOSING, "Gold members do not pay the early closure fee."),
        (PLANS, "With a twelve-month commitment Easy costs £10.00."),
        (PLANS, "With a 12-month commitment Roam costs £15.50."),
        (PLANS, "Data costs £2 a day in Zone 3."),
        (PLANS, "Bundles are valid for three to five working days from 22 May 2026."),
        (RETURNS, "Gold members have 60 days from delivery."),
        (RETURNS, "Refunds take three to five working days."),
        (RETURNS, "The office is open Monday to Friday from 9 am to 5:30 pm."),
        (CHINESE, "金卡会员自送达日起60天内可以退货。"),
        (CHINESE, "金卡会员自送达日起六十天内可以退货。"),
        (CHINESE, "年费为168元。"),
        (CHINESE, "年费为１６８元。"),
        (CHINESE, "2026年5月22日起不再接受现金。"),
    ],
)
def test_a_faithful_paraphrase_is_proved(source: Passage, sentence: str) -> None:
    proof = said(sentence, source)
    assert proof.passage == 0 and proof.reason == ""
    assert 0 <= proof.start < proof.end <= len(source.text)


@pytest.mark.parametrize(
    ("source", "sentence", "reason"),
    [
        (CLOSING, "The early closure fee is $7.50 if the account is closed within 90 days.", "number"),
        (CLOSING, "The early closure fee is $5 if the account is closed within 90 days.", "number"),
        (CLOSING, "The early closure fee is $500 if the account is closed within 90 days.", "number"),
        (CLOSING, "The early closure fee is €50 if the account is closed within 90 days.", "number"),
        (CLOSING, "The early closure fee is 50% if the account is closed within 90 days.", "number"),
        (CLOSING, "The early closure fee is $50 if the account is closed within 90 weeks.", "number"),
        (CLOSING, "The early closure fee is $50 a month if the account is closed within 90 days.", "number"),
        (CLOSING, "The early closure fee is $50 million if the account is closed within 90 days.", "number"),
        (CLOSING, "The early closure fee is twenty dollars if the account is closed.", "number"),
        (CLOSING, "The early closure fee is $50 if the account is closed in may.", "number"),
        (CLOSING, "The early closure fee is $50 if the account is closed after 90 days.", "polarity"),
        (CLOSING, "Gold members do pay the early closure fee.", "polarity"),
        (CLOSING, "An account can not be closed at any time.", "polarity"),
        (CLOSING, "Platinum members do not pay the early closure fee.", "name"),
        (CLOSING, "The early closure fee is paid to Zorbex.", "name"),
        (CLOSING, "Zorbex members do not pay the early closure fee.", "name"),
        (CLOSING, "The moon is made of green cheese.", "words"),
        (CLOSING, "Fee account closure members time.", "meaning"),
        (CLOSING, "…", "empty"),
        (CLOSING, "Evergreen Savings.", "empty"),
        (PLANS, "With a twelve-month commitment Roam costs £10.00.", "number"),
        (PLANS, "With a twelve-month commitment Easy costs £15.50.", "number"),
        (PLANS, "Data costs £2 a day in Zone 4.", "number"),
        (PLANS, "Data costs £2 a day in Zone 5.", "number"),
        (PLANS, "Data costs £2 a month in Zone 3.", "number"),
        (PLANS, "Bundles are valid for 3 to 5 days from 22 May 2026.", "number"),
        (PLANS, "Bundles are valid for 3 to 5 working days from 22 June 2026.", "number"),
        (PLANS, "Bundles are valid for 3 to 5 working days from 22 May 2025.", "number"),
        (RETURNS, "Gold members have 45 days from delivery.", "number"),
        (RETURNS, "Silver members have 60 days from delivery.", "number"),
        (RETURNS, "The office is open Monday to Saturday from 9:00 to 17:30.", "number"),
        (RETURNS, "The office is closed Monday to Friday from 9:00 to 17:30.", "polarity"),
        (CHINESE, "金卡会员自送达日起45天内可以退货。", "number"),
        (CHINESE, "银卡会员60天内可以退货。", "number"),
        (CHINESE, "金卡会员自送达日起60周内可以退货。", "number"),
        (CHINESE, "金卡会员自送达日起三天内可以退货。", "number"),
        (CHINESE, "金卡会员自送达日起60天内不可以退货。", "polarity"),
        (CHINESE, "年费为168港元。", "number"),
        (CHINESE, "年费为五百元。", "number"),
        (CHINESE, "2026年5月23日起不再接受现金。", "number"),
        (CHINESE, "2026年5月22日起接受现金。", "polarity"),
        (CHINESE, "金卡会员自送达日起60天内可以在北京退货。", "name"),
        (CHINESE, "金卡会员自送达日起60天内可以用PayPal退货。", "name"),
    ],
)
def test_what_the_passage_does_not_say_is_refused(source: Passage, sentence: str, reason: str) -> None:
    assert said(sentence, source) == Proof(None, reason=reason)


def test_a_number_is_not_moved_from_one_thing_to_another_that_share_a_third() -> None:
    zones = passage("Zone 3 costs £2 a day with Roam, Zone 4 £6 a day.", context="Plans")
    assert said("Zone 3 costs £2 a day with Roam.", zones).passage == 0
    assert said("Zone 4 costs £2 a day with Roam.", zones).reason == "number"


def test_a_number_that_only_the_question_has_is_refused() -> None:
    # The question said "I have had it for 30 days"; no passage does.
    assert said("The early closure fee applies as you had the account for 30 days.", CLOSING).reason == "number"


def test_the_first_passage_that_proves_it_is_named() -> None:
    sentence = "Gold members have 60 days from delivery."
    assert said(sentence, CLOSING, RETURNS).passage == 1
    assert said(sentence, RETURNS, RETURNS).passage == 0
    assert said(sentence).passage is None


def test_the_proof_points_at_the_sentence_that_says_it() -> None:
    proof = said("Silver members have 45 days from delivery.", RETURNS)
    assert RETURNS.text[proof.start : proof.end] == "Silver members: 45 days from delivery."


def test_headings_may_supply_a_name_that_the_sentence_lacks() -> None:
    owner = passage("The battery weighs 71 kg.", context="Cell 5 owner's guide")
    assert said("The Cell 5 battery weighs 71 kg.", owner).passage == 0
    assert said("The Cell 10 battery weighs 71 kg.", owner).reason == "number"


@pytest.mark.parametrize("piece", ["x", "$50 ", "Ab ", "三", "1,"])
def test_a_sentence_of_a_megabyte_is_refused_at_once(piece: str) -> None:
    started = time.perf_counter()
    assert said(piece * (1_000_000 // len(piece)), CLOSING).passage is None
    assert time.perf_counter() - started < 2


@given(st.text(max_size=120))
def test_any_sentence_gets_a_verdict_and_what_is_proved_has_no_unsupported_facts(sentence: str) -> None:
    proof = said(sentence, CLOSING, CHINESE)
    if proof.passage is None:
        assert proof.reason in {"number", "name", "words", "polarity", "meaning", "empty"}
    else:
        source = (CLOSING, CHINESE)[proof.passage]
        assert unsupported(sentence, [f"{source.context}\n{source.text}"]) == []


@pytest.mark.parametrize(
    ("text", "loose"),
    [
        ("The fee is $50.", []),
        ("The fee is $7.50.", ["7.5 $"]),
        ("Call Helena Strand on Monday.", ["weekday:1", "Helena Strand", "Call"]),
        ("Zorbex pays.", ["Zorbex"]),
        ("It begins on 3 June.", ["6-3"]),
        ("It takes twenty days.", ["20 day"]),
        ("年费为500元。", ["500 ¥"]),
        ("", []),
    ],
)
def test_numbers_dates_and_names_that_stand_in_no_source_are_found(text: str, loose: list[str]) -> None:
    assert unsupported(text, [CLOSING.text, CHINESE.text]) == loose


def test_a_part_of_a_number_or_word_is_not_taken_for_a_quotation() -> None:
    assert unsupported("The fee is $5", ["The fee is $50"]) == ["5 $"]
    assert unsupported("Ask Ann", ["Ask Anna"]) == ["Ann"]


SOURCES = [
    CLOSING.text,
    PLANS.text,
    RETURNS.text,
    CHINESE.text,
    "“我的—发票”在400-555-0188。Sense 3P kit; 5G: yes\nOld 3G",
]


@given(st.sampled_from(SOURCES), st.data())
def test_sentences_of_a_source_are_always_supported_by_it(source: str, data: st.DataObject) -> None:
    spans = passage(source).spans
    first = data.draw(st.integers(0, len(spans) - 1))
    last = data.draw(st.integers(first, len(spans) - 1))
    assert unsupported(source[spans[first][0] : spans[last][1]], ["Other text 1.", source]) == []
