from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError, TooLarge, UnknownColumn, UnreadableDocument
from core.finetune.data import DataLimits, HeadColumn, label_list, parse_heads, read_labelled


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_csv_of_texts_and_labels_is_read_with_its_lines(tmp_path: Path) -> None:
    read = read_labelled(write(tmp_path, "t.csv", 'text,label\n"Where is  it?",track\nHi,greet\n'))
    assert [(row.text, row.label(), row.line) for row in read] == [("Where is it?", "track", 2), ("Hi", "greet", 3)]
    assert label_list(read) == ("greet", "track")


def test_columns_may_be_called_anything(tmp_path: Path) -> None:
    path = write(tmp_path, "t.csv", "question,intent\nHi,greet\n")
    read = read_labelled(path, columns={"text": "question", "label": "intent"})
    assert read[0].text == "Hi" and read[0].labels == {"label": ("greet",)}


def test_a_missing_column_is_named_with_those_there_are(tmp_path: Path) -> None:
    path = write(tmp_path, "t.csv", "question,label\nHi,greet\n")
    with pytest.raises(UnknownColumn, match=r"no column 'text'; it has question, label. Map it with --column text="):
        read_labelled(path)
    with pytest.raises(UnknownColumn, match="no column 'intent'"):
        read_labelled(path, columns={"text": "question", "label": "intent"})


@pytest.mark.parametrize("cell", ['["b", "a", "b"]', "b;a", "a|b", " b ; ; a "])
def test_several_labels_stand_in_a_list_or_parted(tmp_path: Path, cell: str) -> None:
    quoted = cell.replace('"', '""')
    read = read_labelled(write(tmp_path, "t.csv", f'text,labels\nHi,"{quoted}"\nNone,\n'))
    assert [row.labels for row in read] == [{"labels": ("a", "b")}, {"labels": ()}]


def test_two_heads_read_one_text(tmp_path: Path) -> None:
    rows = [{"text": "Fees rise", "topics": ["fees", "news"], "label": "negative"}]
    path = write(tmp_path, "t.jsonl", "\n".join(map(json.dumps, rows)))
    read = read_labelled(path, heads=parse_heads(["topic=topics:multi", "sentiment=label"]))
    assert read[0].labels == {"topic": ("fees", "news"), "sentiment": ("negative",)}
    with pytest.raises(InputError, match="no such head under 'label'; heads: topic, sentiment"):
        read[0].label()


def test_heads_are_spelled_name_column_kind() -> None:
    assert parse_heads(["a=b:c:multi", "d=e"]) == (HeadColumn("a", "b:c", "multi"), HeadColumn("d", "e"))
    for wrong in (["x"], ["=a"], ["a="], ["a=:multi"], ["a b=c"]):
        with pytest.raises(InputError, match="is not name=column"):
            parse_heads(wrong)
    with pytest.raises(InputError, match="twice"):
        parse_heads(["a=b", "a=c"])


def test_a_list_under_a_single_head_says_how_to_ask_for_several(tmp_path: Path) -> None:
    path = write(tmp_path, "t.jsonl", '{"text": "a", "label": ["x", "y"]}\n{"text": "b", "label": ["x"]}')
    read = read_labelled(path)
    assert [row.label() for row in read] == ["x"]
    assert "give it as --head label=label:multi" in read.problems[0].reason


def test_pairs_and_groups_are_read(tmp_path: Path) -> None:
    read = read_labelled(write(tmp_path, "t.csv", "text,pair,label,group\na,b,yes,7\nc,d,no,\n"), pairs=True)
    assert [(row.pair, row.group, row.bundle[:7]) for row in read] == [
        ("b", "7", "group:7"),
        ("d", None, read[1].bundle[:7]),
    ]


def test_every_wrong_row_is_reported_and_the_rest_goes_in(tmp_path: Path) -> None:
    lines = ["text,label", "good,a", ",a", "no label,", "too,many,cells", '"open,b', "fine,b"]
    path = write(tmp_path, "t.csv", "\n".join(lines))
    read = read_labelled(path)
    assert [row.text for row in read] == ["good", "fine"]
    assert [problem.line for problem in read.problems] == [3, 4, 5, 6]
    assert "'text' is empty" in read.problems[0].reason and "'label' is empty" in read.problems[1].reason
    with pytest.raises(InputError, match=r"t.csv line 3: 'text' is empty; .*and 1 more.*Nothing was taken in"):
        read_labelled(path, strict=True)


def test_a_cell_of_ten_megabytes_is_a_wrong_row_with_its_size(tmp_path: Path) -> None:
    huge = "x" * (10 * 2**20)
    for name, content in (
        ("t.csv", f'text,label\n"{huge}",a\nok,b\n'),
        ("t.jsonl", f'{{"text": "{huge}", "label": "a"}}\n{{"text": "ok", "label": "b"}}'),
    ):
        read = read_labelled(write(tmp_path, name, content))
        assert [row.text for row in read] == ["ok"]
        assert "10,485,7" in read.problems[0].reason and "characters" in read.problems[0].reason


def test_numbers_are_texts_and_labels_but_null_and_nan_are_empty(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "t.jsonl",
        '{"text": 5, "label": 1}\n{"text": "a", "label": NaN}\n{"text": null, "label": 1}\n{"text":"b","label":true}',
    )
    read = read_labelled(path)
    assert [(row.text, row.label()) for row in read] == [("5", "1"), ("b", "true")]
    assert [problem.line for problem in read.problems] == [2, 3]


def test_a_half_written_last_line_is_named(tmp_path: Path) -> None:
    read = read_labelled(write(tmp_path, "t.jsonl", '{"text": "a", "label": "x"}\n{"text": "b", "la'))
    assert len(read) == 1 and read.problems[0].line == 2 and "half written" in read.problems[0].reason


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"text,label\n", r"has a header \(text, label\) and no rows"),
        (b"text,text\na,b\n", "names the column 'text' twice"),
        (b"text,label\n,\n , \n", "no rows"),
        (b"text,label\n,a\n", "holds no good row. First problem: t.csv line 2: 'text' is empty"),
        (b"\x89PNG\r\n\x1a\n", "PNG image"),
        (bytes(range(256)) * 9, "binary"),
    ],
)
def test_a_file_without_rows_says_what_is_wrong(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_labelled(write(tmp_path, "t.csv", content))


def test_marks_nul_bytes_and_other_encodings_are_read(tmp_path: Path) -> None:
    assert read_labelled(write(tmp_path, "a.csv", b"\xef\xbb\xbftext,label\nh\x00i,x\n"))[0].text == "hi"
    chinese = "text,label\n我的银行卡丢了怎么办,挂失\n请问年费是多少,费用\n"
    for encoding in ("gb18030", "utf-16"):
        read = read_labelled(write(tmp_path, f"{encoding}.csv", chinese.encode(encoding)))
        assert [row.label() for row in read] == ["挂失", "费用"]


def test_missing_files_folders_unknown_suffixes_and_sizes_are_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocument, match="does not exist"):
        read_labelled(tmp_path / "no.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UnreadableDocument, match="is a folder"):
        read_labelled(tmp_path / "folder.csv")
    with pytest.raises(InputError, match=r"files called .xlsx hold no rows \(known: .csv"):
        read_labelled(write(tmp_path, "t.xlsx", b"x"))
    with pytest.raises(TooLarge, match="the limit is"):
        read_labelled(write(tmp_path, "t.csv", "text,label\na,b\n"), limits=DataLimits(file_bytes=5))


texts = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20).map(str.strip).filter(bool)


@given(st.lists(st.tuples(texts, st.lists(texts, max_size=3)), min_size=1, max_size=5))
def test_what_is_written_as_json_lines_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, list[str]]]
) -> None:
    path = tmp_path_factory.mktemp("rows") / "t.jsonl"
    path.write_text("\n".join(json.dumps({"text": text, "labels": labels}) for text, labels in rows), encoding="utf-8")
    read = read_labelled(path)
    assert len(read) + len(read.problems) == len(rows)
    for row in read:
        given_labels = rows[row.line - 1][1]
        assert len(row.labels["labels"]) <= len(given_labels)


def test_parquet_rows_are_read_with_their_numbers(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"text": ["a", None, "c"], "topics": [["x", "y"], ["x"], []]}), path)
    read = read_labelled(path, columns={"labels": "topics"})
    assert [(row.labels["labels"], row.line) for row in read] == [(("x", "y"), 1), ((), 3)]
    assert read.problems[0].line == 2
