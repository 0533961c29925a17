from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import InputError, UnknownColumn
from core.evaluate.generation import text_figures
from core.evaluate.text_file import read_pairs


def written(folder: Path, **files: str) -> list[Path]:
    paths = []
    for name, text in files.items():
        paths.append(folder / name.replace("_", "."))
        paths[-1].write_text(text, encoding="utf-8")
    return paths


def test_lines_csv_and_jsonl_are_paired_row_by_row(tmp_path: Path) -> None:
    lines, table = written(tmp_path, p_txt="one\r\n\r\nthree\n", r_csv="id,reference\n1,eins\n2,zwei\n3,drei\n")
    assert read_pairs(lines, table) == (["one", "", "three"], [["eins"], ["zwei"], ["drei"]])
    ours, theirs = written(
        tmp_path,
        p_jsonl='{"Answer": "one"}\n{"Answer": 2}\n',
        q_jsonl='{"references": ["a", "b"]}\n{"references": "c"}',
    )
    assert read_pairs(ours, theirs) == (["one", "2"], [["a", "b"], ["c"]])
    assert read_pairs(table, table, "id", "reference")[0] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ("a\nb\n", "a\n", r"p\.txt has 2 texts, r\.txt has 1"),
        ("", "a", r"p\.txt is empty"),
    ],
)
def test_files_out_of_step_are_refused(tmp_path: Path, ours: str, theirs: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_pairs(*written(tmp_path, p_txt=ours, r_txt=theirs))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('{"text": null}', "line 1, text: no text but None"),
        ('{"text": []}', "no text but"),
        ('{"text": ["a", "b"]}', "row 1: 2 texts where one"),
        ('{"text": "a"', "line 1: no complete JSON"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_pairs(*written(tmp_path, p_jsonl=row, r_txt="a"))


def test_a_column_that_is_not_there_is_named_with_what_is(tmp_path: Path) -> None:
    table, lines = written(tmp_path, p_csv="a,b\n1,2\n", r_txt="a")
    with pytest.raises(UnknownColumn, match=r"'prediction' or 'answer'.*it has a, b"):
        read_pairs(table, lines)
    with pytest.raises(UnknownColumn, match="'c'"):
        read_pairs(table, lines, "c")


def test_all_figures_of_chinese_texts_find_the_language_themselves() -> None:
    found = text_figures(["三天内退款。", "不能退货。"], [["款项三天内退回。"], ["不能退货。", "无法退货。"]])
    assert (found["texts"], found["language"]) == (2, "zh")
    assert found["exact_match"] == 0.5
    assert 50 < float(str(found["bleu"])) < 100
    assert 0.5 < float(str(found["rougeL"])) < 1
    assert "tok:zh" in str(found["signatures"])
