from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import InputError, UnknownColumn
from core.evaluate.human_file import LONGEST_TEXT, read_task
from tests.core.evaluate.human_parts import write_task


def written(folder: Path, text: str, name: str = "t.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def test_a_csv_of_two_systems_is_a_comparison(tmp_path: Path) -> None:
    task = read_task(written(tmp_path, "id,prompt,Base,Tuned\n1,Why?,Because.,So.\n2,How?,Thus.,Like that.\n"))
    assert (task.mode, task.systems, len(task.items), task.bad) == ("pairwise", ("Base", "Tuned"), 2, ())
    assert task.items[1].answers == {"Base": "Thus.", "Tuned": "Like that."}
    assert task.items[0].id == "1"


def test_any_other_number_of_systems_is_rated_and_answers_may_be_missing(tmp_path: Path) -> None:
    task = read_task(written(tmp_path, "prompt,a,b,c\nWhy?,1,2,3\nHow?,,5,\n"))
    assert (task.mode, len(task.units)) == ("scale", 4)
    assert read_task(written(tmp_path, "prompt,a\nWhy?,1\n")).mode == "scale"
    assert read_task(written(tmp_path, "prompt,a,b\nWhy?,1,2\n"), mode="scale").mode == "scale"


def test_jsonl_may_keep_its_answers_in_an_object_beside_other_fields(tmp_path: Path) -> None:
    row = {"question": "退款？", "answers": {"甲": "三天。", "乙": "五天。"}, "source": "faq", "context": "政策"}
    path = written(tmp_path, json.dumps(row, ensure_ascii=False), "t.jsonl")
    task = read_task(path, columns={"prompt": "question"})
    assert task.systems == ("甲", "乙")
    assert (task.items[0].context, task.items[0].id) == ("政策", "line 1")


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-8-sig"])
def test_other_encodings_are_found_out(tmp_path: Path, encoding: str) -> None:
    text = "prompt,甲,乙\n什么时候退款？,三天之内退款。,我们会在五个工作日之内退款。\n"
    assert read_task(written(tmp_path, text, encoding=encoding)).items[0].answers["甲"] == "三天之内退款。"


def test_wrong_rows_are_named_and_the_rest_is_rated(tmp_path: Path) -> None:
    rows = [
        {"prompt": "ok?", "a": "1", "b": "2"},
        {"prompt": "", "a": "1", "b": "2"},
        {"prompt": "none", "a": "", "b": None},
        {"prompt": "half", "a": "1"},
        {"prompt": "ok?", "a": "1", "b": "2"},
        {"prompt": "huge", "a": "x" * (LONGEST_TEXT + 1), "b": "2"},
        {"prompt": "list", "a": ["1"], "b": "2"},
        {"prompt": "named", "a": "1", "b": "2", "id": "line 1"},
    ]
    path = written(tmp_path, "".join(json.dumps(row) + "\n" for row in rows) + "{half", "t.jsonl")
    task = read_task(path)
    assert len(task.items) == 1
    told = {row.line: row.reason for row in task.bad}
    assert told[2] == "the prompt is empty"
    assert told[3] == "there is no answer"
    assert told[4] == "no answer of 'b'"
    assert told[5] == "the same prompt and answers as in line 1"
    assert told[6] == "the answer of 'a' has 100,001 characters; the limit is 100,000"
    assert told[7] == "the answer of 'a' is no text"
    assert told[8] == "the id 'line 1' is used twice"
    assert "half written" in told[9]
    with pytest.raises(InputError, match=r"t\.jsonl, line 2: the prompt is empty; 7 more rows are wrong"):
        read_task(path, strict=True)


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("", "t.csv", "empty"),
        ("prompt,a,b\n", "t.csv", "no rows"),
        ("prompt\nWhy?\n", "t.csv", "there is no answer"),
        ("prompt,,b\nWhy?,1,2\n", "t.csv", "a system has no name"),
        ("prompt,a,b\nWhy?,1,2\n", "t.pdf", r"a \.csv or \.jsonl"),
        ("[1]\n", "t.jsonl", "list"),
    ],
)
def test_a_file_with_nothing_to_rate_is_refused(tmp_path: Path, text: str, name: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_task(written(tmp_path, text, name))


def test_a_file_without_prompts_is_refused_with_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(UnknownColumn, match=r"no column 'prompt'; it has question, a, b.*--column prompt="):
        read_task(written(tmp_path, "question,a,b\nWhy?,1,2\n"))
    with pytest.raises(UnknownColumn, match="'hint'"):
        read_task(written(tmp_path, "prompt,a,b\nWhy?,1,2\n"), columns={"context": "hint"})


def test_more_than_two_systems_cannot_be_compared_side_by_side(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found 3 \(a, b, c\). Use --mode scale"):
        read_task(written(tmp_path, "prompt,a,b,c\nWhy?,1,2,3\n"), mode="pairwise")
    with pytest.raises(InputError, match="'ranking'"):
        read_task(write_task(tmp_path / "t.jsonl"), mode="ranking")  # type: ignore[arg-type]


def test_a_missing_file_and_a_binary_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_task(tmp_path / "none.csv")
    (tmp_path / "b.csv").write_bytes(bytes(range(256)) * 20)
    with pytest.raises(InputError, match="binary"):
        read_task(tmp_path / "b.csv")
