"""Companies are found in texts of both languages, and other words are not taken for them."""

from __future__ import annotations

import time
from itertools import pairwise
from random import Random

import pytest

from apps.finance_sentiment.entities import LONGEST, Linker, clauses
from apps.finance_sentiment.entities.fold import fold, readable
from apps.finance_sentiment.gazetteer import Company, Gazetteer, shipped
from tests.apps.finance_sentiment._entity_cases import CHINESE, ENGLISH
from tests.apps.finance_sentiment._linking import incoming, named


@pytest.fixture(scope="module")
def linker() -> Linker:
    return Linker()


@pytest.mark.parametrize(("cases", "least"), [(ENGLISH, 130), (CHINESE, 110)])
def test_names_are_found_and_traps_are_not(linker: Linker, cases: str, least: int) -> None:
    lines = cases.strip().splitlines()
    assert len(lines) >= least
    right = extra = missing = 0
    wrong = []
    for line in lines:
        text, _, ids = line.partition("=>")
        wanted, found = set(ids.split()), set(named(linker, text.strip()))
        assert all(id in shipped() for id in wanted), f"no such company: {line}"
        right, extra, missing = right + len(wanted & found), extra + len(found - wanted), missing + len(wanted - found)
        if wanted != found:
            wrong.append(line)
    assert right / (right + extra) >= 0.97, wrong
    assert right / (right + missing) >= 0.97, wrong


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("(NASDAQ: AAPL) and NYSE:BA", ["US:AAPL", "US:BA"]),
        ("$brk.b and $BRK.A", ["US:BRK.B"]),
        ("港股00700午后走低，0941.HK走高", ["HK:0700", "HK:0941"]),
        ("sz000001 与 SH600519 走强", ["CN:000001", "CN:600519"]),
        ("SH000001 是指数", []),
        ("代码：300750", ["CN:300750"]),
        ("AAPL US Equity", ["US:AAPL"]),
        ("#AMD up, #IT down", ["US:AMD"]),
        ("costs of $5 (in $M) and US$T", []),
        ("founded in (2019), zip 02138, order 600519", []),
        ("中国平安（02318.HK）", ["CN:601318"]),
        ("平安电工（001359）涨停", []),
    ],
)
def test_tickers_are_read_in_the_forms_of_three_markets(linker: Linker, text: str, ids: list[str]) -> None:
    assert named(linker, text) == ids


def test_places_are_those_of_the_text_as_it_came(linker: Linker) -> None:
    text = incoming(
        "<b>AT&amp;T</b> and Micro\u200bsoft’s deal", "<p>ＴＥＳＬＡ</p><script>var x = 'Boeing shares';</script> 騰訊"
    )
    mentions = linker.find_all(text)
    assert [m.entity for m in mentions] == ["US:T", "US:MSFT", "US:TSLA", "HK:0700"]
    assert [m.name for m in mentions] == ["AT&amp;T", "Micro\u200bsoft", "ＴＥＳＬＡ", "騰訊"]
    assert all(text.text[m.start : m.end] == m.name for m in mentions)


def test_web_addresses_name_nobody(linker: Linker) -> None:
    assert named(linker, "Read more: https://www.nokia.com/tesla-boeing or mail press@netflix.com") == []


def test_relevance_falls_from_title_to_body_and_with_company(linker: Linker) -> None:
    alone = linker.find(incoming("Nokia wins a contract"))
    two = linker.find(incoming("Nokia beats, Ericsson misses"))
    body = "Shares moved. " * 20 + "Boeing was flat. " + "Volumes were thin. " * 20
    later = {m.entity: m.relevance for m in linker.find(incoming("Nokia wins a contract", "Airbus fell. " + body))}
    assert alone[0].relevance == 1
    assert [m.relevance for m in two] == [0.75, 0.75]
    assert later["FI:NOKIA"] > later["FR:AIR"] > later["US:BA"] > 0


def test_a_company_named_often_weighs_more(linker: Linker) -> None:
    mentions = linker.find(incoming("Nokia sues Ericsson; Nokia says Nokia owns the patents"))
    assert [m.entity for m in mentions] == ["FI:NOKIA", "SE:ERIC-B"]
    assert mentions[0].relevance > mentions[1].relevance


def test_a_bank_that_only_rates_others_is_hardly_what_the_text_is_about(linker: Linker) -> None:
    for title, bank in [
        ("Nokia upgraded to buy from hold at UBS", "CH:UBSG"),
        ("Goldman Sachs raises Nokia price target", "US:GS"),
        ("高盛：将腾讯目标价上调至600港元", "US:GS"),
        ("中信证券研报指出，贵州茅台动销平稳", "CN:600030"),
    ]:
        mentions = linker.find(incoming(title))
        assert mentions[0].entity != bank and mentions[-1].entity == bank
        assert mentions[-1].relevance < 0.4 < mentions[0].relevance
    assert linker.find(incoming("Goldman Sachs raises its dividend"))[0].relevance == 1


def test_find_gives_the_most_telling_place_and_find_all_every_one(linker: Linker) -> None:
    text = incoming("Chip stocks rise", "Intel led. Nvidia followed. " + "Intel again. " * 3)
    assert [m.entity for m in linker.find_all(text)].count("US:INTC") == 4
    intel = next(m for m in linker.find(text) if m.entity == "US:INTC")
    assert text.text[: intel.start] == "Chip stocks rise\n"


def test_a_name_that_two_companies_share_goes_to_the_one_the_text_is_sure_of() -> None:
    first = Company("US:AONE", "Aurora", tickers=("US:AONE",), aliases=("Aurora Mining",))
    second = Company("US:BTWO", "Aurora", tickers=("US:BTWO",), aliases=("Aurora Robotics",))
    linker = Linker(Gazetteer([first, second]))
    assert named(linker, "Aurora Robotics warns on costs; Aurora shares fall") == ["US:BTWO"]
    assert named(linker, "We watched the aurora all night") == []


def test_folding_keeps_every_place() -> None:
    everything = "".join(map(chr, (*range(0x20, 0xD800), *range(0xE000, 0x11000), *range(0x20000, 0x20100))))
    assert len(fold(everything)) == len(everything)
    assert fold("ＡＴ＆Ｔ’s L’Oréal 騰訊") == "at&t's l'oreal 腾讯"


def test_what_only_looks_like_markup_stays() -> None:
    assert readable("EPS < 3 & sales > 4, a<b").text == "EPS < 3 & sales > 4, a<b"
    assert readable("&nbsp;&#26;&unknown;x").text.strip() == "x"


@pytest.mark.parametrize(
    "piece",
    [
        "Apple shares fell. ",
        "苹果小米平安股价",
        "A\u200bpple ",
        "<a",
        "<script>",
        "&amp;",
        "中国",
        "$A",
        "((",
        "deal of ",
    ],
)
def test_a_huge_text_costs_no_more_than_its_first_part(linker: Linker, piece: str) -> None:
    text = incoming("Nokia", piece * (10_000_000 // len(piece)))
    begun = time.process_time()
    mentions = linker.find_all(text)
    assert time.process_time() - begun < 3
    assert mentions[0].entity == "FI:NOKIA" and all(m.end <= LONGEST for m in mentions)


def test_odd_texts_name_nobody_and_do_no_harm(linker: Linker) -> None:
    for text in [
        "",
        " ",
        "\x00\x01",
        "\ud800",
        "🍎🍎",
        "'",
        "$",
        "()",
        "（）",
        "İ" * 50,
        "\u202eelppA",
        "<",
        "&#x110000;",
    ]:
        assert named(linker, text) == []
        assert named(linker, "", text) == []


def test_ten_thousand_names_do_not_make_it_slow(linker: Linker) -> None:
    extra = [
        Company(f"US:Q{i:05d}", f"Quorvex{i} Systems", tickers=(f"US:Q{i:05d}",), aliases=(f"振远{i}科技",))
        for i in range(2_500)
    ]
    big = Linker(Gazetteer([*shipped(), *extra]))
    lines = [line.partition("=>")[0] for line in (ENGLISH + CHINESE).strip().splitlines()]
    long = " ".join(lines)
    texts = [incoming(long[i : i + 200]) for i in range(0, len(long) - 200, 20)]
    big.find(texts[0])
    begun = time.process_time()
    for text in texts:
        big.find(text)
    rate = len(texts) / (time.process_time() - begun)
    assert rate >= 200, f"{rate:.0f} texts a second"  # ten times that where the machine is not shared


def test_mentions_are_in_order_and_apart(linker: Linker) -> None:
    lines = [line.partition("=>")[0] for line in (ENGLISH + CHINESE).strip().splitlines()]
    mentions = linker.find_all(incoming("", "\n".join(lines)))
    assert len(mentions) > 200
    assert all(one.end <= other.start for one, other in pairwise(mentions))


def test_torn_and_dirty_texts_keep_every_promise(linker: Linker) -> None:
    random, whole = Random(7), ENGLISH + CHINESE
    noise = "<b></b>&amp;&#x;\u200b$()（）: .,、，。 \n\u00ad\ud83d\x00'’－-"
    for _ in range(400):
        starts = [random.randrange(len(whole) - 40) for _ in range(5)]
        letters = list("".join(whole[i : i + random.randrange(40)] for i in starts))
        for _ in range(random.randrange(12)):
            letters.insert(random.randrange(len(letters) + 1), random.choice(noise))
        cut = random.randrange(len(letters) + 1)
        text = incoming("".join(letters[:cut]), "".join(letters[cut:]))
        mentions = linker.find_all(text)
        assert all(text.text[m.start : m.end] == m.name and 0 < m.relevance <= 1 for m in mentions)
        assert all(one.end <= other.start for one, other in pairwise(mentions))
        assert {m.entity for m in linker.find(text)} == {m.entity for m in mentions}
        spoken = clauses(text.text, mentions)
        assert all(spoken.values()) and set(spoken) <= {m.entity for m in mentions}
