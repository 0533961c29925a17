from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.generate.rewrite import standalone
from tests.core.generate.evidence_parts import ENCODER

GOLD = "How many days does a Gold member have to return a device?"
CELL = "How heavy is the Cell 5?"
CARD = "金卡会员在大陆无理由退货有多少天？"


def said(question: str, *before: str, language: str = "en") -> str:
    return standalone(question, before, language, ENCODER.encode)


@pytest.mark.parametrize("question", ["and for Silver?", "How much is it?", "银卡呢？", "", "?"])
def test_a_first_question_is_left_as_it_is(question: str) -> None:
    assert said(question) == question


@pytest.mark.parametrize(
    ("before", "question", "alone"),
    [
        ("How long is the warranty on an Ember 3?", "what about the 2?", "How long is the warranty on an Ember 2?"),
        ("What does E27 mean?", "and e14", "What does e14 mean?"),
        (CELL, "And how loud?", "How loud is the Cell 5?"),
    ],
)
def test_what_a_follow_up_names_takes_the_place_of_its_like(before: str, question: str, alone: str) -> None:
    assert said(question, before) == alone


@pytest.mark.parametrize(
    ("before", "question", "alone"),
    [
        ("A5显示E3是什么问题", "那E5呢？", "A5显示E5是什么问题"),
        ("A5显示E3是什么问题", "E4又是什么？", "A5显示E4是什么问题"),
        ("分6期手续费多少？", "如果分12期呢？", "分12期手续费多少？"),
        ("云栈速运2024年净利润是多少？", "2023年呢？", "云栈速运2023年净利润是多少？"),
    ],
)
def test_the_same_in_chinese(before: str, question: str, alone: str) -> None:
    assert said(question, before, language="zh") == alone


@pytest.mark.parametrize(
    ("before", "question"),
    [
        ("What does Drip Stop cost?", "how fast does it close?"),
        ("When was Brandreth Robotics founded?", "How many people work there?"),
        ("How many lines were affected on 22 May 2026?", "for how long?"),
        ("When was the voting rule of Kettlesby changed?", "with what majority?"),
        ("What capacity is promised for the Cell 5?", "And the bigger one?"),
        ("What does delivery to Spain cost?", "same price if I'm a Gold member?"),
        ("What do I get for a working Ember 2?", "and if it's broken"),
    ],
)
def test_a_question_that_points_back_carries_what_it_points_at(before: str, question: str) -> None:
    alone = said(question, before)
    assert alone.startswith(before.rstrip("?")) and question.rsplit(maxsplit=1)[-1].strip("?") in alone


@pytest.mark.parametrize(
    "question",
    [
        "Can I return a Cell 10 after the installer has hooked it up?",
        "Who is the head of the finance team that checks large refunds?",
        "How long does it take to charge the Backup Pack?",
        "Is it possible to exchange my Ember 2 for an Ember 3?",
        "How many lockers are there in Macao?",
        "is there same day delivery in the new territories",
        "From which purchase date do these warranty terms apply?",
        "In which factory is the Ember 2 made?",
        "What does it cost to renew an expired gift card?",
        "i got my thermostat dec 3rd as a present, until when can i send it back",
        "and how fast is Care 4",
        "Which stocks should I buy this month?",
        "hi there, how are you today?",
        "Zigbee: does Hub Mini or Hub Pro have it?",
    ],
)
def test_a_complete_question_is_left_alone_whatever_was_said_before(question: str) -> None:
    assert said(question, GOLD) == question


@pytest.mark.parametrize(
    "question",
    [
        "C05 是什么意思？",
        "A5的售价是多少？",
        "有英语客服吗？",
        "上海什么时候开店？",
        "我该不该跟男朋友分手？",
        "其他品牌的旧净化器抵多少？",
    ],
)
def test_the_same_for_complete_questions_in_chinese(question: str) -> None:
    assert said(question, CARD, language="zh") == question


def test_only_the_question_before_is_looked_at() -> None:
    assert "Gold" not in said("How loud is it?", GOLD, CELL)


def test_a_chain_of_follow_ups_keeps_its_subject() -> None:
    second = said("What about the 10?", CELL)
    assert second == "How heavy is the Cell 10?" and said("And how loud?", CELL, second) == "How loud is the Cell 10?"


def test_a_very_long_question_stands_alone_and_a_very_long_one_before_is_not_copied() -> None:
    long = "What about this? " * 60_000
    started = time.perf_counter()
    assert said(long, CELL) == long and said("and for Gold?", long) == "and for Gold?"
    assert said("呢" * 1_000_000, CARD, language="zh") == "呢" * 1_000_000
    assert time.perf_counter() - started < 1


@given(
    st.text(max_size=80) | st.sampled_from(["and", "for", "what about", "那呢", "and ?", "呢，吗", "it"]),
    st.text(max_size=80) | st.sampled_from([GOLD, CARD, "", "?"]),
    st.sampled_from(["en", "zh", "fr"]),
)
def test_every_word_of_the_result_was_said_by_the_person(question: str, before: str, language: str) -> None:
    alone = said(question, before, language=language)
    said_before = set((question + before).lower())
    assert set(alone.lower()) <= said_before | set(" -，")
