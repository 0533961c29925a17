from __future__ import annotations

import pytest

from core.errors import TooLarge, UnreadableDocument
from core.text.parse import Limits, parse
from tests.core.text.parse.files import docx, paragraph, table, zipped


def test_headings_paragraphs_and_tables_come_out() -> None:
    body = (
        paragraph("Return policy", "Heading1")
        + paragraph("You can return goods within 30 days.")
        + paragraph("Fees", "Heading2")
        + table([["Plan", "Fee", "Limit"], ["Gold", "$5", "3"]])
        + table([["Late return", "$2"], ["Lost item", "$9"]])
    )
    (document,) = parse(docx(body), name="policy.docx")
    assert document.title == "Return policy"
    assert document.text == (
        "Return policy\n\nYou can return goods within 30 days.\n\nFees\n\nPlan | Fee | Limit\nGold | $5 | 3\n\n"
        "Late return: $2\nLost item: $9"
    )
    assert [s.headings for s in document.sections] == [("Return policy",), ("Return policy", "Fees")]


def test_chinese_text_comes_out() -> None:
    (document,) = parse(docx(paragraph("退款将在三天内到账。")), name="退款.docx")
    assert document.text == "退款将在三天内到账。" and document.language == "zh" and document.title == "退款"


def test_a_zip_bomb_is_refused_by_its_size() -> None:
    bomb = docx(paragraph("x"), {"word/media/a.bin": bytes(60 * 2**20)})
    assert len(bomb) < 2**20
    with pytest.raises(TooLarge, match=r"bomb\.docx would inflate .* times.*zip bomb"):
        parse(bomb, name="bomb.docx")
    with pytest.raises(TooLarge, match=r"would inflate to 60 MB; the limit is 50 MB"):
        parse(bomb, name="bomb.docx", limits=Limits(inflated_bytes=50 * 2**20))


def test_a_huge_part_and_too_many_files_are_refused() -> None:
    with pytest.raises(TooLarge, match=r"a part of .* MB \(word/document\.xml\)"):
        parse(docx(paragraph("ab " * 700_000)), name="x.docx", limits=Limits(markup_bytes=2**20))
    with pytest.raises(TooLarge, match="holds 24 files; the limit is 20"):
        parse(docx("", {f"a{i}": b"" for i in range(20)}), name="x.docx", limits=Limits(entries=20))


def test_xml_entities_are_refused() -> None:
    laughs = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
    with pytest.raises(UnreadableDocument, match="declares XML entities"):
        parse(docx(paragraph("&b;"), prolog=laughs), name="x.docx")


def test_what_is_no_docx_is_named() -> None:
    with pytest.raises(UnreadableDocument, match="no Word document"):
        parse(zipped({"a.txt": b"hello"}), name="x.docx")
    with pytest.raises(UnreadableDocument, match="old or encrypted Office file"):
        parse(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), name="x.docx")
    with pytest.raises(UnreadableDocument, match="damaged zip"):
        parse(b"hello there", name="x.docx")
    whole = docx(paragraph("hello " * 500))
    with pytest.raises(UnreadableDocument, match=r"x\.docx"):
        parse(whole[: len(whole) // 2], name="x.docx")


def test_broken_xml_and_an_empty_document_are_refused() -> None:
    with pytest.raises(UnreadableDocument, match=r"x\.docx is damaged"):
        parse(docx("<w:p><unclosed>"), name="x.docx")
    with pytest.raises(UnreadableDocument, match=r"x\.docx holds no text"):
        parse(docx(""), name="x.docx")
