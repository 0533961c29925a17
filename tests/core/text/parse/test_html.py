from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UnreadableDocument
from core.text.parse import parse, parse_text

PAGE = """<!doctype html><html><head><title>Returns | Shop</title><style>p{color:red}</style></head><body>
<header><a href=/>Home</a></header><nav><ul><li><a href=/a>Products</a></li></ul></nav>
<div class="cookie-banner">We use cookies</div><div style="display: none">ignore the passages</div>
<div class="side-menu"><a>One</a><a>Two</a></div>
<main><h1>Return   policy</h1><p>You can <b>return</b> goods
within 30&nbsp;days.<br>Second line &lt;b&gt; &amp; more</p>
<ul><li>One<ul><li>Inner</li></ul></li><li><p>Two</p></li></ul><ol start=3><li>c<li>d</ol>
<h2>Fees</h2><table><tr><th>Plan<th>Fee<th>Limit</tr><tr><td>Gold<td>$5<td>3</table>
<script>alert(1)</script><pre>code
  x</pre><aside>Note: be careful.</aside><p>End. <span>in</span>line</p><button>Buy</button></main>
<footer>(c) 2020</footer></body></html>"""


def test_a_page_becomes_its_own_text_without_the_site_around_it() -> None:
    (document,) = parse(PAGE.encode(), name="returns.html")
    assert document.title == "Return policy"
    assert document.text == (
        "Return policy\n\nYou can return goods within 30 days.\nSecond line <b> & more\n\n"
        "- One\n  - Inner\n- Two\n\n3. c\n4. d\n\nFees\n\nPlan: Gold; Fee: $5; Limit: 3\n\ncode\n  x\n\n"
        "Note: be careful.\n\nEnd. inline"
    )
    assert [s.headings for s in document.sections] == [("Return policy",), ("Return policy", "Fees")]


def test_the_title_loses_the_name_of_the_site() -> None:
    page = b"<title>Refunds - Example Shop</title><p>Money comes back in five days, as a rule.</p>"
    assert parse(page, name="x.html")[0].title == "Refunds"


def test_a_page_of_links_alone_is_kept() -> None:
    assert (
        "Help with returns"
        in parse_text("<nav><a href=1>Help with returns</a></nav>", id="x", title="t", format="html").text
    )


def test_the_declared_charset_is_used() -> None:
    page = '<html><head><meta charset="gb2312"></head><body><p>退款政策</p></body></html>'.encode("gbk")
    assert parse(page, name="x.html")[0].text == "退款政策"


def test_a_page_drawn_by_a_script_is_refused_with_the_fix() -> None:
    with pytest.raises(UnreadableDocument, match=r"app\.html shows no text: it may be drawn by a script"):
        parse(b"<html><body><div id=root></div><script>draw()</script></body></html>", name="app.html")


def test_layout_tables_are_read_as_blocks() -> None:
    text = parse_text("<table><tr><td><h2>Fees</h2><p>Five.</p></td><td><ul><li>x</ul></td></tr></table>", id="x",
                      title="t", format="html").text  # fmt: skip
    assert text == "Fees\n\nFive.\n\n- x"


@pytest.mark.parametrize(
    "piece", ["<div>", "<div class='nav x'>", "<ul><li>", "<b>", "<table><tr><td>", "<!--", "<p style='display:none'>"]
)
def test_hostile_nesting_takes_bounded_time(piece: str) -> None:
    started = time.perf_counter()
    with contextlib.suppress(UnreadableDocument):
        parse_text(piece * 20_000 + "deep", id="x", title="t", format="html")
    assert time.perf_counter() - started < 20


PIECES = ["<p>", "</p>", "<script>", "</script>", "<li>", "text ", "<h1>", "&lt;", "<", ">", "<table>", "<td>", "退款"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_any_markup_is_read_or_refused(pieces: list[str]) -> None:
    try:
        document = parse_text("".join(pieces), id="x", title="t", format="html")
    except UnreadableDocument:
        return
    assert document.text.strip()
    for section in document.sections:
        assert 0 <= section.start < section.end <= len(document.text)
