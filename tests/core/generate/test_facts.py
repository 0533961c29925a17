from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.generate.facts import facts
from core.generate.names import haystack, named_in, names

SAME = [
    ("$50", "50 dollars"),
    ("$50", "US$50.00"),
    ("£1,500", "1500 pounds"),
    ("three days", "3 days"),
    ("三天", "3天"),
    ("三天", "3 days"),
    ("两百元", "200元"),
    ("１６８元", "168元"),
    ("一万二千元", "12,000元"),
    ("百分之五", "5%"),
    ("5 percent", "5%"),
    ("3.5亿元", "350 million yuan"),
    ("£1.2bn", "£1,200 million"),
    ("twenty-five minutes", "25 min"),
    ("one hundred and fifty km", "150 kilometres"),
    ("9 am", "9:00"),
    ("5:30 p.m.", "17:30"),
    ("3 to 5 days", "three to five days"),
    ("3-5 working days", "3 to 5 business days"),
    ("a 60-day period", "60 days"),
    ("22 May 2026", "May 22nd, 2026"),
    ("22 May 2026", "2026年5月22日"),
    ("22 May 2026", "2026-05-22"),
    ("3rd of may", "3 May"),
    ("Monday", "周一"),
    ("second", "2nd"),
    ("第三", "third"),
    ("198港元/月", "每月198港元"),
]

DIFFERENT = [
    ("$50", "€50"),
    ("$50", "HK$50"),
    ("$50", "$500"),
    ("$5", "$50"),
    ("50", "$50"),
    ("50 days", "50 weeks"),
    ("5 days", "5 working days"),
    ("50%", "50"),
    ("5%", "5 percentage points"),
    ("8.4 million", "8.4 billion"),
    ("8.4", "8.4 million"),
    ("3 TB", "3 GB"),
    ("3", "1-35"),
    ("-5 °C", "5 °C"),
    ("£3 a month", "£3 a year"),
    ("monthly", "yearly"),
    ("22 May", "23 May"),
    ("22 May 2026", "22 May 2025"),
    ("in may", "in March"),
    ("May 2026", "June 2026"),
    ("5月", "5个月"),
    ("五百元", "五百港元"),
    ("三天", "三周"),
    ("Saturday", "Sunday"),
    ("9 am", "9 pm"),
    ("E27", "E28"),
    ("A5-P", "A5-H"),
    ("Zone 3", "Zone 4 for 3 people"),
    ("the second hour", "the first hour"),
    ("half", "double"),
    ("help@norvane.example", "sales@norvane.example"),
    ("twenty", "fifty"),
    ("两年", "三年"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_fact_in_two_spellings_is_one_fact(one: str, other: str) -> None:
    assert facts(one).missing_from(facts(other)) == [] == facts(other).missing_from(facts(one))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_facts_that_differ_in_value_unit_currency_scale_or_date_are_told_apart(one: str, other: str) -> None:
    assert facts(one).missing_from(facts(other))


@pytest.mark.parametrize("text", ["You may return it.", "one of them", "no one", "一些万一一下", "千万不要", "", "…"])
def test_words_that_only_look_like_facts_are_none(text: str) -> None:
    found = facts(text)
    assert not found.quantities and not found.dates and not found.words


def test_the_less_exact_date_is_stated_by_the_more_exact_one_not_the_other_way_round() -> None:
    assert not facts("in May 2026").missing_from(facts("on 22 May 2026"))
    assert facts("on 22 May 2026").missing_from(facts("in May 2026")) == ["2026-5-22"]


def test_a_range_does_not_hide_a_number_that_stands_elsewhere() -> None:
    assert not facts("2").missing_from(facts("2 to 5 days. Step 2."))


def test_the_number_of_a_thing_takes_no_unit_from_what_follows() -> None:
    assert not facts("Zone 3").missing_from(facts("£2 in Zone 3 and £6 in Zone 4"))


@given(st.text(max_size=300))
def test_every_text_states_its_own_facts(text: str) -> None:
    assert facts(text).missing_from(facts(text)) == []


@given(st.text(alphabet="0123456789.,:/-$€£% \n年月日天元三十百万amp", max_size=80))
def test_any_mixture_of_figures_and_signs_states_its_own_facts(text: str) -> None:
    assert facts(text).missing_from(facts(text)) == []


@pytest.mark.parametrize(
    ("text", "inside", "opening"),
    [
        ("It is paid by Zorbex Bank.", ["Zorbex Bank"], []),
        ("Zorbex pays it.", [], ["Zorbex"]),
        ("If Gold members call", ["Gold"], []),
        ("- Silver: 45 days", [], ["Silver"]),
        ("The eBay shop", ["eBay"], []),
        ("清屿支持 wifi 和 PayPal", ["PayPal"], ["wifi"]),
        ("However, nothing", [], []),
        ("", [], []),
    ],
)
def test_names_are_capitalised_words_and_latin_words_in_chinese(
    text: str, inside: list[str], opening: list[str]
) -> None:
    found = names(text)
    assert [n for n in found.inside if n.isascii()] == inside and found.opening == opening


def test_people_and_places_are_found_in_chinese() -> None:
    assert {"张伟明", "北京"} <= set(names("张伟明去了北京的门店。").inside)


def test_a_name_is_found_as_whole_words_only() -> None:
    known = haystack("Tarnwick Shipping's head is Helena Strand.")
    assert named_in("Tarnwick Shipping", known) and named_in("Helena Strand", known)
    assert not named_in("Tarn", known) and not named_in("Helena Shipping", known)


HOSTILE = ["1", "1,", "1 to ", "May ", "A ", "一", "三", "$", "one hundred ", "12:", "Ab.", "a@", "-", " ", "每", "\n"]


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_is_read_in_linear_time(piece: str) -> None:
    text = piece * (300_000 // len(piece))
    started = time.perf_counter()
    facts(text)
    names(text)
    assert time.perf_counter() - started < 20
