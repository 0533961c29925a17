from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from apps.finance_sentiment.data import Texts
from apps.finance_sentiment.feeds import LONGEST_RUN, MOST_ENTRIES, read_date, read_feed
from apps.finance_sentiment.reading import tidy
from core.errors import InputError
from tests.apps.finance_sentiment._feeds import item, rss

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>F</title>
<entry><id>urn:2</id><title type="html">B &amp;lt;script&amp;gt;</title><link href="/two"/>
<updated>2026-03-02T10:00:00+08:00</updated><summary>short</summary>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>one</p><p>two &amp; three</p></div></content></entry>
<entry><id>urn:1</id><title>A</title><published>2026-03-01T00:00:00Z</published><updated>2026-03-02T00:00:00Z</updated></entry></feed>"""


def read(data: bytes | str, **told: object) -> Texts:
    raw = data.encode() if isinstance(data, str) else data
    return read_feed(raw, source="wire", url="https://a.test/feed.xml", now=NOW, **told)  # type: ignore[arg-type]


def problems(read: Texts) -> str:
    return "; ".join(str(problem) for problem in read.problems)


def test_an_rss_feed_becomes_texts_oldest_first() -> None:
    found = read(rss(item(2), item(1, body="<p>Profit &amp; loss</p>")))
    assert [t.id for t in found.texts] == ["g1", "g2"] and found.problems == ()
    first = found.texts[0]
    assert (first.source, first.title, first.url, first.received_at) == ("wire", "Headline 1", "https://a.test/1", NOW)
    assert first.published_at == datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    assert tidy(first).body == "Profit & loss"


def test_an_atom_feed_becomes_texts_with_whole_links_and_the_longest_words() -> None:
    one, two = read(ATOM).texts
    assert one.published_at == datetime(2026, 3, 1, tzinfo=UTC), "when it was published, not when it was mended"
    assert two.published_at == datetime(2026, 3, 2, 2, tzinfo=UTC) and two.url == "https://a.test/two"
    assert tidy(two).body.split() == ["one", "two", "&", "three"]


def test_scripts_in_titles_never_get_through() -> None:
    title = "<script>alert(1)</script>Bank <img src=x onerror=alert(2)>fined <b>now</b>"
    found = tidy(read(rss(item(1, title=title, body="<style>x</style><iframe src=y></iframe>text"))).texts[0])
    assert "alert" not in found.title and "<" not in found.title and found.body == "text"
    assert found.title.startswith("Bank fined")


@pytest.mark.parametrize(
    ("date", "year"),
    [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 1970),
        ("2999-01-01T00:00:00Z", 2999),
        ("0001-01-02T00:00:00Z", 1),
        ("2026-03-02 09:30:00 +0800", 2026),
        ("2026-03-02 09:30:00 GMT", 2026),
        ("2 Mar 26 09:30 EST", 2026),
    ],
)
def test_dates_are_passed_on_as_they_are(date: str, year: int) -> None:
    found = read(rss(item(1, date=date)))
    assert found.texts[0].published_at is not None and found.texts[0].published_at.year == year
    assert not found.problems


def test_chinese_dates_are_in_chinas_time() -> None:
    assert read_date("2026年3月2日 09:30") == datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
    assert read_date("2026年3月2日 9时5分7秒") == datetime(2026, 3, 2, 1, 5, 7, tzinfo=UTC)
    assert read_date("2026年3月2日") == datetime(2026, 3, 1, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    "date", ["yesterday", "02/03/2026 10:00", "2026年13月2日", "99999-01-01T00:00:00Z", "0001-01-01T00:00+23:00"]
)
def test_a_date_that_cannot_be_read_is_told_and_never_guessed(date: str) -> None:
    found = read(rss(item(1, date=date)))
    assert found.texts[0].published_at is None and "is no time" in problems(found)


def test_entries_without_a_date_have_none_unless_they_come_after_a_gap() -> None:
    assert read(rss(item(1, date=None))).texts[0].published_at is None
    before = NOW - timedelta(hours=9)
    found = read(rss(item(1, date=None), item(2), item(3, date="soon")), undated=before)
    assert [t.published_at for t in found.texts if t.id != "g2"] == [None, before]


def test_entries_without_ids_get_the_same_digest_every_time() -> None:
    bare = "<item><title>T</title><description>{}</description></item>"
    linked = "<item><title>T</title><link>https://a.test/x?{}</link></item>"
    ids = [t.id for t in read(rss(bare.format("a"), bare.format("b"), linked.format(1), linked.format(2))).texts]
    assert len(set(ids)) == 4 and all(len(id) == 32 for id in ids)
    assert ids == [
        t.id for t in read(rss(bare.format("a"), bare.format("b"), linked.format(1), linked.format(2))).texts
    ]


@pytest.mark.parametrize(
    "broken",
    [
        rss(item(1), item(2)).replace(b"Headline 2", b"Ben & Jerry < all"),
        rss(item(1), item(2)).replace(b"</channel></rss>", b""),
        rss(item(1), item(2)).replace(b"words", b"<p>words<br>more <b>words"),
        rss(item(1), item(2)).replace(b"words", b"w\x00\x01ords"),
        rss(item(1), item(2)).replace(b"words", b"&nbsp;&unknown;"),
        rss(item(1), item(2)) + b"<!-- tail",
        b"\n\n  " + rss(item(1), item(2)),
    ],
)
def test_broken_xml_is_read_as_far_as_it_can_be(broken: bytes) -> None:
    found = read(broken)
    assert {t.id for t in found.texts} == {"g1", "g2"}


def test_an_entry_whose_words_are_lost_in_broken_xml_is_told() -> None:
    found = read(rss(item(1), item(2)).replace(b"Headline 2</title>", b"Headline 2"))
    assert [t.id for t in found.texts] == ["g1"] and "line 2: the entry has no words" in problems(found)


def test_an_entry_that_is_cut_off_waits_until_it_is_whole() -> None:
    whole = rss(item(1), item(2))
    found = read(whole[: whole.index(b"Headline 2") + 4])
    assert (
        [t.id for t in found.texts] == ["g1"] and "cut off" in problems(found) and "not well-formed" in problems(found)
    )


def test_an_entry_without_words_is_told_and_the_others_go_on() -> None:
    found = read(rss("<item><guid>g0</guid></item>", item(1)))
    assert [t.id for t in found.texts] == ["g1"] and problems(found) == "wire line 1: the entry has no words"


@pytest.mark.parametrize("data", [b"<html><body>404</body></html>", b"{}", b"not found", b"<a/>"])
def test_what_is_no_feed_is_refused_with_its_beginning(data: bytes) -> None:
    with pytest.raises(InputError, match="is no RSS or Atom feed; it begins with"):
        read(data)


@pytest.mark.parametrize("data", [b"", b"\x1f\x8b\x08\x00abc", b"%PDF-1.4"])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        read(data)


@pytest.mark.parametrize(
    ("encoding", "declared", "header"),
    [
        ("gb18030", "gb2312", ""),
        ("gbk", "", "text/xml; charset=GBK"),
        ("gb18030", "", ""),
        ("gb18030", "utf-8", ""),
        ("big5", "big5", ""),
        ("utf-16", "utf-16", ""),
        ("utf-8", "no-such-thing", ""),
        ("utf-8-sig", "", "application/xml"),
    ],
)
def test_the_encoding_is_found_where_it_is_declared_and_where_not(encoding: str, declared: str, header: str) -> None:
    words = "中国银行发布公告" if encoding != "big5" else "中國銀行發布公告"
    start = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    body = (
        "银行今天在北京发布了新的公告，市场反应不大。"
        if encoding != "big5"
        else "銀行今天在北京發布了新的公告，市場反應不大。"
    )
    feed = f"{start}<rss version='2.0'><channel>{item(1, title=words, body=body)}</channel></rss>"
    assert read(feed.encode(encoding), content_type=header).texts[0].title == words


def test_an_item_of_ten_megabytes_is_cut_and_costs_little() -> None:
    for big in ("<p>word word</p> " * 600_000, "word & word " * 900_000):
        for form in (item(1, body=big), f"<item><guid>g1</guid><description><![CDATA[{big}]]></description></item>"):
            began = time.perf_counter()
            found = read(rss(item(0), form, item(2)))
            assert {t.id for t in found.texts} == {"g0", "g1", "g2"}
            assert max(len(t.body) for t in found.texts) <= LONGEST_RUN and "was cut" in problems(found)
            assert time.perf_counter() - began < 3


def test_only_the_first_entries_of_a_huge_feed_are_read() -> None:
    found = read(rss(*(item(i) for i in range(MOST_ENTRIES + 500))))
    assert len(found.texts) == MOST_ENTRIES and found.texts[-1].id == "g0"
    assert "the first 1,000 of 1,500 entries" in problems(found) and "not well-formed" not in problems(found)


@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE r [<!ENTITY a "ha">' + "".join(
            f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9)
        ) + '<!ENTITY x "&j;">]>',
    ],
)  # fmt: skip
def test_entities_lead_neither_to_files_nor_to_floods(prolog: str) -> None:
    found = read(
        f'<?xml version="1.0"?>{prolog}<rss version="2.0"><channel><item><title>A &x; B</title></item></channel></rss>'
    )
    assert "root:" not in found.texts[0].title and len(found.texts[0].title) < 100


@pytest.mark.parametrize("piece", ["<![CDATA[", "&a ", "< ", "<item>", "<a ", "]]>", "<!--", "<!["])
def test_hostile_markup_ends_soon(piece: str) -> None:
    began = time.perf_counter()
    with suppress(InputError):
        read(f"<rss version='2.0'><channel><item><title>x</title></item>{piece * (3_000_000 // len(piece))}")
    assert time.perf_counter() - began < 8
