from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from apps.finance_sentiment.data import parse_time, read_texts, to_incoming
from core.errors import InputError

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def file(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_columns_are_found_under_the_names_people_give_them(tmp_path: Path) -> None:
    csv = "Date,Headline,Content,Publisher,Link\n2026-03-01 08:00,Fire at Harbour Steel,It burns.,Wire,https://a.example/1\n"
    [text] = read_texts(file(tmp_path, "news.csv", csv), now=NOW).texts
    assert (text.title, text.body, text.source, text.url) == (
        "Fire at Harbour Steel",
        "It burns.",
        "Wire",
        "https://a.example/1",
    )
    assert text.published_at == datetime(2026, 3, 1, 8, 0, tzinfo=UTC) and text.received_at == NOW


@pytest.mark.parametrize("name", ["t.jsonl", "t.json"])
def test_json_objects_are_read_line_by_line_or_as_a_list(tmp_path: Path, name: str) -> None:
    rows = [{"text": "股价大跌", "published_at": 1_772_000_000, "id": 7}, {"text": "Shares fall", "source": "x"}]
    content = json.dumps(rows, ensure_ascii=False) if name.endswith(".json") else "\n".join(map(json.dumps, rows))
    first, second = read_texts(file(tmp_path, name, content), now=NOW).texts
    assert (first.id, first.source, first.title) == ("7", "t", "股价大跌")
    assert (second.source, second.published_at) == ("x", None)


def test_bad_rows_are_named_and_the_rest_goes_in_unless_strict(tmp_path: Path) -> None:
    content = "published_at,text\n2026-03-01,good\nyesterday,when\n2026-03-01,\n2026-03-01,also good\n"
    path = file(tmp_path, "t.csv", content)
    read = read_texts(path, now=NOW)
    assert [t.title for t in read.texts] == ["good", "also good"]
    assert [(p.line, p.reason) for p in read.problems] == [
        (3, "'yesterday' is no time; write it as 2026-03-02T09:30:00Z"),
        (4, "The text is empty"),
    ]
    with pytest.raises(InputError, match="2 rows are wrong"):
        read_texts(path, strict=True)


def test_other_encodings_are_read(tmp_path: Path) -> None:
    content = "text,source\n公司公告称业绩预亏，投资者应注意风险，董事会将召开会议。,公告\n".encode("gb18030")
    assert read_texts(file(tmp_path, "t.csv", content)).texts[0].title.startswith("公司公告")


@pytest.mark.parametrize(
    ("name", "content"),
    [("t.csv", "a,b\n1,2\n"), ("t.csv", ""), ("t.docx", "x"), ("t.json", "[{"), ("t.parquet", "no")],
)
def test_a_file_that_holds_no_texts_is_refused_in_words(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(InputError, match=name):
        read_texts(file(tmp_path, name, content))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-03-02T09:30:00Z", datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
        ("2026-03-02T17:30:00+08:00", datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
        ("Mon, 02 Mar 2026 09:30:00 GMT", datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
        ("2026-03-02", datetime(2026, 3, 2, tzinfo=UTC)),
        (1_772_443_800, datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
        ("1772443800000", datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
        ("", None),
        (None, None),
    ],
)
def test_times_are_read_as_they_are_written(written: object, meant: datetime | None) -> None:
    assert parse_time(written) == meant


@pytest.mark.parametrize("nonsense", ["soon", "2026-13-01", 1e300, True, [], "99999999999999999999999999"])
def test_what_is_no_time_is_said(nonsense: object) -> None:
    with pytest.raises(InputError, match="no time"):
        parse_time(nonsense)


def test_the_same_row_is_the_same_text_and_another_is_not() -> None:
    def id(**cells: object) -> str:
        return to_incoming(cells, source="s", now=NOW).id

    assert id(title="A", published_at="2026-03-01") == id(title="A", published_at="2026-03-01T00:00:00Z")
    assert (
        len({id(title="A"), id(title="B"), id(title="A", source="other"), id(title="A", published_at="2026-03-01")})
        == 4
    )
