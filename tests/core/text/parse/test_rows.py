from __future__ import annotations

import json

import pytest

from core.errors import InputError, UnreadableDocument
from core.text.parse import Problem, parse, parse_lenient


def test_jsonl_rows_become_documents_and_ids_may_be_numbers() -> None:
    rows = [
        {"id": 7, "title": "A", "text": "## S\n\nText **one**."},
        {"id": "b", "title": "B", "text": "Two.", "tag": "x"},
    ]
    first, second = parse("\n".join(map(json.dumps, rows)).encode(), name="docs.jsonl")
    assert (first.id, first.title, first.text, first.source) == ("7", "A", "S\n\nText one.", "docs.jsonl#1")
    assert first.sections[0].headings == ("S",)
    assert second.metadata == {"tag": "x"}


def test_bad_lines_are_reported_and_the_others_go_in() -> None:
    lines = (
        '{"id":1,"title":"A","text":"one"}',
        '{"id":2,"title":"B"}',
        '{"id":1,"title":"C","text":"x"}',
        '{"id":true,"text":"y"}',
        '{"id":5,"text":"half',
    )
    data = "\n".join(lines).encode()
    parsed = parse_lenient(data, name="docs.jsonl")
    assert [d.id for d in parsed.documents] == ["1"]
    assert [p.line for p in parsed.problems] == [2, 3, 4, 5]
    assert parsed.problems[0] == Problem("docs.jsonl", 2, "'text' is empty")
    assert "given to line 1 already" in parsed.problems[1].reason
    assert str(parsed.problems[3]).startswith("docs.jsonl line 5: no complete JSON object")
    with pytest.raises(InputError, match=r"docs\.jsonl line 2: 'text' is empty; .*\(and 1 more\)"):
        parse(data, name="docs.jsonl")


def test_a_csv_of_questions_and_answers_gives_a_document_a_row() -> None:
    data = "question,answer,source\nWhat is it?,It is a thing.,web\n怎么退款？,七天内退款。,\n".encode()
    first, second = parse(data, name="faq.csv")
    assert (first.title, first.text, first.metadata) == ("What is it?", "It is a thing.", {"source": "web"})
    assert second.language == "zh" and second.source == "faq.csv#3"


def test_rows_without_ids_keep_theirs_when_others_come_or_go() -> None:
    before = parse(b"question,answer\nA?,one\nB?,two\n", name="faq.csv")
    after = parse(b"question,answer\nNew?,x\nB?,two\n", name="faq.csv")
    assert before[1].id == after[1].id != before[0].id
    same = parse(b"question,answer\nA?,one\nA?,two\n", name="faq.csv")
    assert len({d.id for d in same}) == 2


def test_a_csv_with_three_bad_rows_among_ten_thousand() -> None:
    lines = ["id,title,text", *(f'{i},Title {i},"The answer to this is {i}."' for i in range(10_000))]
    lines[10], lines[20], lines[30] = "9,only", '19,"open,x', "29,Title,"
    parsed = parse_lenient("\n".join(lines).encode("gbk"), name="rows.csv")
    assert len(parsed.documents) == 9_997 and [p.line for p in parsed.problems] == [11, 21, 31]


def test_a_table_without_text_is_one_document_with_a_line_for_every_row() -> None:
    (document,) = parse("套餐;价格;限额\n金卡;5元;3\n银卡;;1\n".encode("gbk"), name="price_list.csv")
    assert document.text == "套餐: 金卡; 价格: 5元; 限额: 3\n套餐: 银卡; 限额: 1"
    assert document.title == "price list" and document.id == "price_list.csv"


def test_a_title_is_made_from_the_text_where_none_is_given() -> None:
    assert parse(b'{"text": "## Fees\\n\\nFive."}', name="x.jsonl")[0].title == "Fees"


def test_cells_of_html_are_read_as_html() -> None:
    (document,) = parse(
        b'{"id":"a","title":"T","text":"<p>One</p><ul><li>x</li></ul><script>bad()</script>"}', name="x.jsonl"
    )
    assert document.text == "One\n\n- x"


def test_half_a_surrogate_does_no_harm() -> None:
    assert parse(b'{"id":"a","title":"T \\ud800","text":"One \\udfff two"}', name="x.jsonl")[0].text == "One two"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.csv", b"", "x.csv is empty"),
        ("x.csv", b"id,text\n", "x.csv has a header and no rows"),
        ("x.csv", b"a,a\n1,2\n", "names the column 'a' twice"),
        ("x.jsonl", b"\n\n", "x.jsonl is empty"),
    ],
)
def test_files_without_rows_are_refused(name: str, data: bytes, message: str) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        parse(data, name=name)
    assert message in str(caught.value)


def test_json_without_a_text_column_says_what_it_has() -> None:
    parsed = parse_lenient(b'{"id": 1, "price": 5}', name="x.jsonl")
    assert not parsed.documents and "columns found: id, price" in parsed.problems[0].reason
