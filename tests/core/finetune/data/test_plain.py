from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import InputError, UnknownColumn, UnreadableDocument
from core.finetune.data import DataLimits, read_plain, stream_plain
from core.text.parse import Problem


def test_blank_lines_part_the_documents_of_a_text_file(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    path.write_bytes(b"\xef\xbb\xbfOne\nstill one\r\n\r\n \n\nTwo")
    assert [(row.text, row.line) for row in read_plain(path)] == [("One\nstill one", 1), ("Two", 6)]


def test_json_lines_and_tables_give_their_text_column(tmp_path: Path) -> None:
    lines, table = tmp_path / "c.jsonl", tmp_path / "c.csv"
    lines.write_text('{"text": "a"}\n\nnot json\n[1]\n{"text": ""}\n{"other": 1}\n{"text": "b"}')
    table.write_text("body\na\nb\n")
    read = read_plain(lines)
    assert [row.text for row in read] == ["a", "b"] and [problem.line for problem in read.problems] == [3, 4, 5, 6]
    assert [row.line for row in read_plain(table, columns={"text": "body"})] == [2, 3]
    with pytest.raises(UnknownColumn, match="no 'words'; it has text"):
        read_plain(lines, columns={"text": "words"})


def test_a_stream_gives_the_first_text_before_the_last_line_is_read(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    path.write_bytes(b"first\n\n" + b"middle\n\n" * 200_000 + b"\xff broken\n\nlast\n")
    problems: list[Problem] = []
    stream = stream_plain(path, problems=problems)
    assert next(stream).text == "first" and not problems
    rest = list(stream)
    assert rest[-1].text == "last" and len(rest) == 200_001
    assert problems[0].line == 400_003 and "no UTF-8 at byte 1" in problems[0].reason


def test_other_encodings_are_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    path.write_bytes("银行的客户可以在网上办理业务。\n\n请问年费是多少？".encode("gb18030"))
    assert [row.text for row in read_plain(path)] == ["银行的客户可以在网上办理业务。", "请问年费是多少？"]


def test_texts_over_the_limit_are_cut_at_line_ends_and_long_lines_reported(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    path.write_text("aaaa\nbbbb\ncccc\n" + "d" * 30 + "\n" + "e" * 200 + "\nffff\n")
    read = read_plain(path, limits=DataLimits(cell_characters=10))
    assert [row.text for row in read] == ["aaaa\nbbbb", "cccc", "ffff"] or [row.text for row in read] == [
        "aaaa\nbbbb",
        "cccc\nffff",
    ]
    assert [problem.line for problem in read.problems] == [4, 5]
    assert "30 characters" in read.problems[0].reason and "201 bytes" in read.problems[1].reason


def test_the_first_wrong_row_ends_a_strict_reading(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"text": "a"}\n{"tex')
    with pytest.raises(InputError, match="line 2: no complete JSON object"):
        read_plain(path, strict=True)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.txt", b" \n", "is empty"),
        ("c.txt", b"%PDF-1.7 x", "a PDF"),
        ("c.jsonl", b'{"text": ""}', "holds no text. First problem"),
        ("c.pdf", b"x", "hold no rows"),
    ],
)
def test_a_file_without_text_says_so(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_plain(tmp_path / name)
    with pytest.raises(UnreadableDocument, match="does not exist"):
        read_plain(tmp_path / "none.txt")
