from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UnreadableDocument
from core.text.parse import parse, parse_text
from core.text.parse.markdown import inline


def read(text: str) -> str:
    return parse_text(text, id="x", title="t").text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("**bold** and *soft* and ***both*** and __strong__ _em_", "bold and soft and both and strong em"),
        ('[link](http://x.com/a_(b) "t") ![img](a.png) [r][1] <http://x.com>', "link img r http://x.com"),
        ("`code *x*` and ``a`b``", "code *x* and a`b"),
        ("open_bank_account_4821 and 5 * 3 * 2 and snake_case", "open_bank_account_4821 and 5 * 3 * 2 and snake_case"),
        (r"\*not\* \[this\]", "*not* [this]"),
        ("~~old~~ new[^1]", "old new"),
        ("<b>hi</b> &amp; x < 5", "hi & x < 5"),
        ("[value not available] stays", "[value not available] stays"),
    ],
)
def test_markers_go_and_words_stay(raw: str, shown: str) -> None:
    assert inline(raw) == shown


def test_headings_become_sections_and_stay_in_the_text() -> None:
    (document,) = parse(
        b"# Guide\n\nIntro.\n\nSetext\n------\n\nBody.\n\n### Deep ###\n\nMore.\n\n## Next\n", name="g.md"
    )
    assert document.title == "Guide"
    assert document.text == "Guide\n\nIntro.\n\nSetext\n\nBody.\n\nDeep\n\nMore.\n\nNext"
    assert [s.headings for s in document.sections] == [
        ("Guide",),
        ("Guide", "Setext"),
        ("Guide", "Setext", "Deep"),
        ("Guide", "Next"),
    ]
    assert [document.text[s.start : s.end].split("\n")[0] for s in document.sections] == [
        "Guide",
        "Setext",
        "Deep",
        "Next",
    ]


def test_lists_stay_as_lines_and_their_wrapped_lines_are_joined() -> None:
    assert read("1. one\n   goes on\n2. two\n   - inner **x**\n* star\n+ [x] done") == (
        "1. one goes on\n2. two\n  - inner x\n- star\n- done"
    )


def test_tables_become_lines_that_stand_alone() -> None:
    assert read("| Plan | Fee | Cap |\n|---|:-:|--:|\n| Gold | $5 | 3\\|4 |\n| Red |  | 1 |") == (
        "Plan: Gold; Fee: $5; Cap: 3|4\nPlan: Red; Cap: 1"
    )
    assert read("| Fee | $5 |\n|--|--|\n| Max | 7 |") == "Fee: $5\nMax: 7"


def test_code_quotes_rules_and_definitions() -> None:
    assert read("> said\n> so\n\n---\n\n```py\nx = 1  # no heading\n```\n\n[r]: http://x.com\nend") == (
        "said\nso\n\nx = 1  # no heading\n\nend"
    )


def test_scripts_and_comments_are_dropped() -> None:
    assert read("a <!-- hidden\n# no --> b\n\n<script>\nevil()\n</script>\n\nc") == "a b\n\nc"


def test_code_that_shows_a_script_stays() -> None:
    snippet = '<script src="https://example.com/widget.js"></script>'
    assert read(f"Add this:\n\n```html\n<!-- chat -->\n{snippet}\n```\n\nOr `{snippet}` here.") == (
        f"Add this:\n\n<!-- chat -->\n{snippet}\n\nOr {snippet} here."
    )
    assert read("Put the <script> tag at the end.\n\nThen reload.").endswith("at the end.\n\nThen reload.")


def test_plain_paragraphs_pass_unharmed() -> None:
    text = "First paragraph with a price of $5*.\nSecond paragraph, on its own line.\n\nThird: a_b, 2 < 3, #1 choice."
    assert read(text) == text


def test_hard_wraps_are_undone() -> None:
    wrapped = (
        "This paragraph was wrapped by hand at about fifty\n"
        "characters, and it goes on for three whole lines\n"
        "so that there is no doubt."
    )
    assert read(wrapped) == wrapped.replace("\n", " ")


def test_front_matter_gives_title_and_metadata() -> None:
    (document,) = parse(b'---\ntitle: "My Guide"\naudience: staff\n---\n# Other\n\nText.', name="g.md")
    assert document.title == "My Guide" and document.metadata == {"audience": "staff"}
    assert document.text == "Other\n\nText."
    assert parse(b"---\nnot matter, but a rule\n\nText", name="g.md")[0].text.startswith("not matter")


def test_a_file_of_markers_alone_holds_no_text() -> None:
    with pytest.raises(UnreadableDocument, match=r"g\.md holds no text"):
        parse(b"---\n\n***\n", name="g.md")


_LINES = ["# H", "## S\n", "\n", "\n\n", "- a", "1. b", "| a | b |\n", "|---|---|\n", "```\n", "---\n", "===\n", "> "]
_PIECES = [*_LINES, "text", "**", "*", "_", "`", "[", "](", ")", "    ", "<b>", "<script>", "退款。", "\\"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=50))
def test_any_markdown_gives_ordered_sections_that_cover_its_text(pieces: list[str]) -> None:
    document = parse_text("".join(pieces) + "\n\nend", id="x", title="t")
    position = 0
    for section in document.sections:
        assert not document.text[position : section.start].strip()
        assert section.start < section.end
        position = section.end
    assert position == len(document.text)


@pytest.mark.parametrize(
    "piece", ["[", "[a](", "**a ", "*a", "`a ", "_a_a", "<a ", "<!--", "| a ", "~~a ", "![", "> ", "a\\", "***", "[^"]
)
def test_hostile_lines_take_no_quadratic_time(piece: str) -> None:
    started = time.perf_counter()
    parse_text(piece * 20_000 + " end", id="x", title="t")
    assert time.perf_counter() - started < 10
