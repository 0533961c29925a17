"""The shipped companies and the desk's own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from apps.finance_sentiment.entities import Linker
from apps.finance_sentiment.exchanges import exchange_of, ticker_of
from apps.finance_sentiment.gazetteer import Company, Gazetteer, load_gazetteer, shipped, short_name
from core.errors import InputError, UnknownColumn, UnreadableDocument
from tests.apps.finance_sentiment._linking import named


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "desk.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_the_shipped_list_holds_the_large_companies_of_three_markets() -> None:
    markets = Counter(company.id[:2] for company in shipped())
    assert len(shipped()) >= 1_000
    assert markets["US"] >= 260 and markets["HK"] >= 100 and markets["CN"] >= 180


def test_the_shipped_chinese_companies_have_chinese_names_and_codes_of_an_exchange() -> None:
    for company in shipped():
        if company.id.startswith("CN:"):
            assert company.name_zh and company.name
            assert exchange_of(company.id[3:]), company.id


def test_a_company_with_several_listings_is_one_entity() -> None:
    alibaba = shipped().get("US:BABA")
    assert alibaba is not None and shipped().by_ticker("HK:9988") is alibaba
    assert shipped().title("US:BABA", "zh") == "阿里巴巴"
    assert shipped().title("US:BABA") == "Alibaba"
    assert shipped().title("XX:NONE") == "XX:NONE"


@pytest.mark.parametrize(
    ("written", "ticker"),
    [
        ("US:AAPL", "US:AAPL"),
        ("nasdaq: aapl", "US:AAPL"),
        ("HK:700", "HK:0700"),
        ("00700.HK", "HK:0700"),
        ("SH:600519", "CN:600519"),
        ("600519.SH", "CN:600519"),
        ("NYSE:BRK.B", "US:BRK.B"),
    ],
)
def test_a_ticker_is_read_in_any_common_form(written: str, ticker: str) -> None:
    assert ticker_of(written) == ticker


@pytest.mark.parametrize("written", ["", "AAPL", "QQ:AAPL", "US:", "US:AA PL", "HK 700"])
def test_a_ticker_without_a_known_market_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(InputError, match=r"US"):
        ticker_of(written)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_the_desks_file_is_read_in_any_common_encoding(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "id,name,name_zh,aliases\nCN:688001,Huaxing,华兴源创,华兴|源创科技\n", encoding)
    loaded = load_gazetteer([path])
    assert loaded.problems == ()
    company = loaded.gazetteer.get("CN:688001")
    assert company is not None and company.names == ("Huaxing", "华兴源创", "华兴", "源创科技")
    assert len(loaded.gazetteer) == len(shipped()) + 1


def test_a_desk_row_replaces_names_adds_to_lists_and_takes_away(tmp_path: Path) -> None:
    path = write(tmp_path, "id;name;name_zh;aliases;context\nUS:TSLA;Tesla Inc;;TSLAQ|!特斯拉公司;Giga Berlin\n")
    tesla = load_gazetteer([path]).gazetteer.get("US:TSLA")
    before = shipped().get("US:TSLA")
    assert tesla is not None and before is not None
    assert (tesla.name, tesla.name_zh) == ("Tesla Inc", before.name_zh)
    assert "TSLAQ" in tesla.aliases and "Tesla Motors" in tesla.aliases
    assert "特斯拉公司" in before.aliases and "特斯拉公司" not in tesla.aliases
    assert set(before.context) < set(tesla.context)


def test_wrong_rows_are_told_with_line_and_reason_and_the_rest_goes_in(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "id,name,tickers,aliases,needs_context\n"
        "US:ACME,Acme,,Acme Rockets,\n"
        "ACME,No market,,,\n"
        "US:ACME,Acme again,,,\n"
        "US:NONE,,,,\n"
        ",Nobody,,,\n"
        "US:OTHR,Other,US:AAPL,,\n"
        "US:CTXT,Context,,,Nowhere\n"
        "US:SHRT,X,,,\n"
        "US:LONG,Long," + "a" * 90 + ",,\n"
        "US:CELL,One cell too many,,,,,\n",
    )
    loaded = load_gazetteer([path])
    assert loaded.gazetteer.get("US:ACME") is not None and len(loaded.gazetteer) == len(shipped()) + 1
    told = {problem.line or 0: problem.reason for problem in loaded.problems}
    assert sorted(told) == [3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert "no ticker" in told[3] and "line 2 already" in told[4] and "no name" in told[5]
    assert "id is empty" in told[6] and "US:AAPL" in told[7] and "'Nowhere'" in told[8] and "2 to 80" in told[9]
    with pytest.raises(InputError, match=r"desk\.csv line 3.*and 6 more"):
        load_gazetteer([path], strict=True)


def test_a_file_without_the_columns_or_without_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownColumn, match="symbol, title"):
        load_gazetteer([write(tmp_path, "symbol,title\nA,B\n")])
    with pytest.raises(UnreadableDocument, match="empty"):
        load_gazetteer([write(tmp_path, "")])
    with pytest.raises(UnreadableDocument, match="does not exist"):
        load_gazetteer([tmp_path / "none.csv"])


def test_a_list_of_tickers_and_names_is_taken_with_care(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        'ticker,name\nZORP,"Zorp Dynamics Group, Inc. - Common Stock"\nSOLO,Solo Inc.\nAAPL,Apple Inc.\n'
        "HK:8888,Tiny Holdings Limited\nTSLA,Tesla Energy Division Inc\n,Nameless\n",
    )
    loaded = load_gazetteer([path])
    assert [problem.line for problem in loaded.problems] == [7]
    linker = Linker(loaded.gazetteer)
    assert named(linker, "Zorp Dynamics Group wins a contract") == ["US:ZORP"]
    assert named(linker, "He flew solo across the sea. Solo walks are rare.") == []
    assert named(linker, "Solo Inc. shares jump after $SOLO results") == ["US:SOLO"]
    assert named(linker, "Tesla Energy Division grows") == ["US:TSLA"]
    assert loaded.gazetteer.get("HK:8888") is not None


def test_legal_forms_are_cut_off_names() -> None:
    assert short_name("American Airlines Group, Inc.") == "American Airlines Group"
    assert short_name("Nokia Oyj") == "Nokia"
    assert short_name("AB Volvo") == "AB Volvo"
    assert short_name("Coca-Cola Company (The)") == "Coca-Cola"


def test_two_companies_with_one_id_or_ticker_are_refused() -> None:
    one = Company("US:ONE", "One", tickers=("US:ONE",))
    with pytest.raises(InputError, match="twice"):
        Gazetteer([one, one])
    with pytest.raises(InputError, match="both have the ticker US:ONE"):
        Gazetteer([one, Company("US:TWO", "Two", tickers=("US:ONE",))])
