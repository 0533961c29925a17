from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import InputError, UnreadableDocument
from core.text.parse import document_id, is_supported, parse, parse_text


def test_plain_text_is_read_with_its_file_name_as_title(tmp_path: Path) -> None:
    path = tmp_path / "opening_hours.TXT"
    path.write_bytes("Mon–Fri 9–17.\r\n\r\n\r\nClosed on Sunday.".encode("utf-8-sig"))
    (document,) = parse(path)
    assert (document.title, document.text) == ("opening hours", "Mon–Fri 9–17.\n\nClosed on Sunday.")
    assert (document.id, document.source) == ("opening_hours.TXT", "opening_hours.TXT")


def test_the_digest_changes_with_the_text_and_only_then() -> None:
    one, same, other = (parse(text, name="a.txt")[0].sha256 for text in (b"one", b" one\n", b"two"))
    assert one == same != other


def test_unknown_formats_are_refused_with_the_fix() -> None:
    with pytest.raises(InputError, match=r"a\.xlsx: files called \.xlsx are not read; export its sheets as \.csv"):
        parse(b"x", name="a.xlsx")
    with pytest.raises(InputError, match="without a suffix"):
        parse(b"x", name="README")
    with pytest.raises(InputError, match="need a name"):
        parse(b"x")
    assert is_supported("A.PDF") and not is_supported("a.exe")


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocument, match="does not exist"):
        parse(tmp_path / "none.md")
    (tmp_path / "folder.md").mkdir()
    with pytest.raises(UnreadableDocument, match="is a folder"):
        parse(tmp_path / "folder.md")


def test_ids_are_readable_stable_and_distinct() -> None:
    assert document_id("policies/returns.md") == "policies:returns.md"
    assert document_id("政策/退款.md") == "政策:退款.md"
    assert document_id("a b.md") != document_id("a-b.md") == "a-b.md"
    assert len(document_id("x/" * 500 + "y.md")) < 200


def test_a_text_of_any_format_becomes_a_document() -> None:
    for format, text in (("text", "**Hi** there"), ("markdown", "**Hi** there"), ("html", "<b>Hi</b> there")):
        document = parse_text(text, id="a", title="T", format=format)
        assert document.text == ("**Hi** there" if format == "text" else "Hi there")
        assert (document.id, document.title, document.source) == ("a", "T", "a")
    with pytest.raises(InputError, match="format 'rtf' is unknown"):
        parse_text("x", id="a", title="T", format="rtf")
    with pytest.raises(UnreadableDocument):
        parse_text(" \u200b ", id="a", title="T")


def test_importing_text_loads_no_parser_and_no_model() -> None:
    heavy = {"pypdf", "mammoth", "selectolax", "rjieba", "py3langid", "torch", "pandas"}
    program = f"import sys, core.text; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
