"""The words that speak of each company of a text."""

from __future__ import annotations

import time

import pytest

from apps.finance_sentiment.entities import Linker, clauses
from apps.finance_sentiment.schemas import Mention
from tests.apps.finance_sentiment._linking import incoming


@pytest.fixture(scope="module")
def linker() -> Linker:
    return Linker()


def parted(linker: Linker, title: str, body: str = "") -> dict[str, str]:
    text = incoming(title, body)
    return clauses(text.text, linker.find_all(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Apple beats, Nokia misses.", {"US:AAPL": "Apple beats", "FI:NOKIA": "Nokia misses."}),
        (
            "Intel slides while AMD gains 4%, its best day",
            {"US:INTC": "Intel slides", "US:AMD": "AMD gains 4%, its best day"},
        ),
        ("Apple beats and Microsoft misses", {"US:AAPL": "Apple beats", "US:MSFT": "Microsoft misses"}),
        ("Apple rises as Samsung recalls phones", {"US:AAPL": "Apple rises", "KR:005930": "Samsung recalls phones"}),
        (
            "Apple beats estimates, shares jump; Microsoft misses on cloud",
            {"US:AAPL": "Apple beats estimates, shares jump", "US:MSFT": "Microsoft misses on cloud"},
        ),
        (
            "$AAPL +3%, $MSFT -2%, $TSLA flat",
            {"US:AAPL": "$AAPL +3%", "US:MSFT": "$MSFT -2%", "US:TSLA": "$TSLA flat"},
        ),
        ("腾讯上涨3%，而美团下跌5%", {"HK:0700": "腾讯上涨3%", "HK:3690": "美团下跌5%"}),
        (
            "贵州茅台涨2%，五粮液、泸州老窖跟涨，伊利股份跌停",
            {
                "CN:600519": "贵州茅台涨2%",
                "CN:000858": "五粮液、泸州老窖跟涨",
                "CN:000568": "五粮液、泸州老窖跟涨",
                "CN:600887": "伊利股份跌停",
            },
        ),
        (
            "比亚迪销量大增，但蔚来和小鹏汽车交付下滑",
            {"CN:002594": "比亚迪销量大增", "US:NIO": "蔚来和小鹏汽车交付下滑", "US:XPEV": "蔚来和小鹏汽车交付下滑"},
        ),
    ],
)
def test_each_company_gets_the_words_about_it(linker: Linker, text: str, words: dict[str, str]) -> None:
    assert parted(linker, text) == words


@pytest.mark.parametrize(
    "text",
    [
        "Apple and Microsoft beat estimates",
        "Apple, Microsoft and Google rally after the Fed",
        "Apple sues Samsung over patents",
        "$AAPL $MSFT earnings tonight",
        "苹果、微软财报超预期",
    ],
)
def test_a_list_shares_what_is_said_of_it(linker: Linker, text: str) -> None:
    found = parted(linker, text)
    assert len(found) >= 2 and set(found.values()) == {text}


def test_a_single_company_has_the_whole_text(linker: Linker) -> None:
    assert parted(linker, "Nokia falls", "Costs rose, orders fell.") == {
        "FI:NOKIA": "Nokia falls\nCosts rose, orders fell."
    }
    assert parted(linker, "Nobody is named") == {}


def test_a_sentence_without_names_follows_the_single_company_before_it(linker: Linker) -> None:
    found = parted(
        linker, "Apple rose. Revenue grew. Apple and Nokia met. Nothing came of it. Nokia fell. Orders shrank."
    )
    assert found["US:AAPL"] == "Apple rose. Revenue grew. Apple and Nokia met."
    assert found["FI:NOKIA"] == "Apple and Nokia met. Nokia fell. Orders shrank."


def test_a_bank_that_judges_others_gets_no_words_of_its_own(linker: Linker) -> None:
    assert parted(linker, "Goldman Sachs raises Nokia price target") == {
        "FI:NOKIA": "Goldman Sachs raises Nokia price target"
    }
    assert set(parted(linker, "高盛将腾讯目标价上调，把京东评级下调")) == {"HK:0700", "US:JD"}


def test_thousands_and_decimals_part_nothing(linker: Linker) -> None:
    found = parted(linker, "Nokia cuts 1,000 jobs, Ericsson adds 2.5 points")
    assert found == {"FI:NOKIA": "Nokia cuts 1,000 jobs", "SE:ERIC-B": "Ericsson adds 2.5 points"}


def test_places_outside_the_text_are_left_out() -> None:
    odd = [Mention("A", "x", -3, 2, 1.0), Mention("B", "y", 5, 5, 1.0), Mention("C", "z", 2, 900, 1.0)]
    assert clauses("short", odd) == {}


def test_a_huge_text_is_parted_in_little_time(linker: Linker) -> None:
    text = incoming("Apple and Nokia", "Nokia fell, Ericsson rose and Boeing, Airbus " * 200_000)
    mentions = linker.find_all(text)
    begun = time.process_time()
    found = clauses(text.text, mentions)
    assert time.process_time() - begun < 3 and "FI:NOKIA" in found
