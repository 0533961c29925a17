from __future__ import annotations

import json
from pathlib import Path

import pytest

from apps.customer_service.data import (
    FaqEntry,
    FaqQuery,
    Labelled,
    RagQuestion,
    read_documents,
    read_faq,
    read_labelled,
    read_queries,
    read_questions,
    read_sources,
    read_texts,
)
from core.errors import InputError, UnknownColumn, UnreadableDocument
from core.text.parse import Limits


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    docs = tmp_path / "docs"
    (docs / "policies").mkdir(parents=True)
    (docs / ".git").mkdir()
    (docs / ".git" / "x.md").write_text("hidden")
    (docs / ".secret.md").write_text("hidden")
    (docs / "policies" / "returns.md").write_text("# Returns\n\nWithin thirty days.")
    (docs / "broken.pdf").write_bytes(b"no pdf")
    (docs / "empty.txt").write_bytes(b"")
    (docs / "faq.csv").write_text("question,answer\nA?,One.\nB?\nC?,Three.\n")
    (docs / "movie.mp4").write_bytes(b"\x00\x00")
    (docs / "kb.jsonl").write_text('{"id": 5, "title": "Five", "text": "Fünf."}\n{"id": 6, "ti')
    return docs


def test_a_folder_is_read_whole_and_one_bad_file_stops_nothing(folder: Path) -> None:
    reads = {read.source: read for read in read_sources([folder])}
    assert [d.id for d in reads["docs/policies/returns.md"].documents] == ["docs:policies:returns.md"]
    assert [d.title for d in reads["docs/faq.csv"].documents] == ["A?", "C?"]
    assert reads["docs/faq.csv"].problems[0].line == 3
    assert [d.id for d in reads["docs/kb.jsonl"].documents] == ["5"]
    assert reads["docs/kb.jsonl"].documents[0].source == "docs/kb.jsonl#1"
    assert "half written" in reads["docs/kb.jsonl"].problems[0].reason
    assert "docs/empty.txt is empty" in str(reads["docs/empty.txt"].problems[0])
    assert reads["docs/broken.pdf"].problems[0].kind == "error"
    assert reads["docs/movie.mp4"].problems[0].kind == "skipped"
    assert reads["docs/.secret.md"].problems[0].kind == "skipped"
    assert not any(".git" in source for source in reads)
    assert list(reads) == sorted(reads)


def test_a_file_has_the_same_id_alone_and_in_its_folder(folder: Path) -> None:
    path = folder / "policies" / "returns.md"
    alone = next(read_sources([path])).documents[0]
    inside = next(read_sources([folder / "policies"])).documents[0]
    assert alone == inside and alone.id == "policies:returns.md"


def test_a_file_that_is_given_twice_is_read_once(folder: Path) -> None:
    path = folder / "policies" / "returns.md"
    assert len(list(read_sources([path, path, folder / "policies"]))) == 1


def test_the_second_document_with_an_id_is_reported_and_left_out(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text('{"id": "x", "title": "T", "text": "Text."}')
    first, second = read_sources([tmp_path / "a.jsonl", tmp_path / "b.jsonl"])
    assert len(first.documents) == 1 and second.documents == ()
    assert second.problems[0].kind == "duplicate" and f"{first.source}#1" in second.problems[0].reason


def test_missing_unknown_and_too_large_files_are_problems(tmp_path: Path) -> None:
    (tmp_path / "x.exe").write_bytes(b"MZ")
    (tmp_path / "big.txt").write_text("x" * 5_000)
    (tmp_path / "none").mkdir()
    paths = [tmp_path / "gone.md", tmp_path / "x.exe", tmp_path / "big.txt", tmp_path / "none"]
    reasons = [read.problems[0].reason for read in read_sources(paths, limits=Limits(file_bytes=1_000))]
    assert "does not exist" in reasons[0] and ".exe are not read" in reasons[1]
    assert "the limit is" in reasons[2] and "without files" in reasons[3]


def test_strict_takes_all_or_nothing(folder: Path) -> None:
    with pytest.raises(InputError, match=r"docs/broken\.pdf.*Nothing was taken in"):
        list(read_sources([folder], strict=True))
    assert len(list(read_sources([folder / "policies"], strict=True))) == 1


def test_links_in_a_ring_are_not_followed(folder: Path) -> None:
    (folder / "policies" / "ring").symlink_to(folder)
    assert len([read for read in read_sources([folder]) if read.documents]) == 3


def test_labelled_texts_are_read_and_bad_rows_reported(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text,label\nhello,greet\n,greet\nbye\nlast one,oos\n")
    read = read_labelled(path)
    assert read.rows == (Labelled("hello", "greet"), Labelled("last one", "oos"))
    assert [(p.line, p.reason) for p in read.problems] == [(3, "'text' is empty"), (4, "1 cells, but the header has 2")]
    with pytest.raises(InputError, match=r"t\.csv line 3"):
        read_labelled(path, strict=True)


def test_columns_can_be_called_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("Utterance,intent\nhello,greet\n")
    assert read_labelled(path, columns={"text": "utterance", "label": "intent"}).rows == (Labelled("hello", "greet"),)
    with pytest.raises(UnknownColumn, match=r"t\.csv has no column 'text'; it has Utterance, intent"):
        read_labelled(path)


def test_faq_queries_and_texts_are_read_from_csv_and_jsonl(tmp_path: Path) -> None:
    faq, queries, texts = tmp_path / "f.csv", tmp_path / "q.csv", tmp_path / "t.jsonl"
    faq.write_text('question,answer,source\nA?,"One,\ntwo",web\n')
    queries.write_text("query,question\na please,A?\n")
    texts.write_text('{"text": "hello"}\n{"text": 5}\n{"text": ["x"]}\n')
    assert read_faq(faq).rows == (FaqEntry("A?", "One,\ntwo"),)
    assert read_queries(queries).rows == (FaqQuery("a please", "A?"),)
    assert read_texts(texts).rows == ("hello", "5")
    assert read_texts(texts).problems[0].line == 3


def test_questions_on_documents_are_read(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    rows = [
        {"question": "A?", "answer": "One.", "answerable": True, "doc_ids": [40, "b"], "spans": ["One."]},
        {"question": "B?", "answer": None, "answerable": False, "doc_ids": []},
        {"question": "C?", "doc_ids": ["x"]},
        {"question": "D?", "answerable": "perhaps"},
        {"answer": "no question"},
        {"question": "E?", "doc_ids": {"a": 1}},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    read = read_questions(path)
    assert read.rows[0] == RagQuestion("A?", "One.", True, ("40", "b"), ("One.",))
    assert [row.answerable for row in read.rows] == [True, False, True]
    assert [p.line for p in read.problems] == [4, 5, 6]


def test_documents_of_one_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text('{"id": 40, "title": "T", "text": "Text."}\n{"id": 41}\n')
    assert [d.id for d in read_documents(path).rows] == ["40"]
    with pytest.raises(InputError, match="line 2"):
        read_documents(path, strict=True)


def test_files_without_a_good_row_or_without_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text,label\n,\nx\n")
    with pytest.raises(InputError, match=r"t\.csv holds no good row"):
        read_labelled(path)
    path.write_text("")
    with pytest.raises(UnreadableDocument, match="is empty"):
        read_labelled(path)
    with pytest.raises(UnreadableDocument, match="does not exist"):
        read_labelled(tmp_path / "none.csv")
