from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import UnknownColumn
from core.finetune.data import read_pairs


def write(folder: Path, *rows: object) -> Path:
    path = folder / "p.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_pairs_with_negatives_are_read(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {"query": "q", "positive": "yes", "negatives": ["no", "No way", "no"]},
        {"query": "r", "positive": "s"},
    )
    read = read_pairs(path)
    assert [(row.negatives, row.score) for row in read] == [(("no", "No way"), None), ((), None)]


def test_negatives_may_stand_in_columns_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text('query,passage,negative_1,negative_2\nq,yes,no,\nr,[1] cited,"[""x"", ""y""]",z\n')
    read = read_pairs(path)
    assert [row.negatives for row in read] == [("no",), ("x", "y", "z")]
    assert read[1].positive == "[1] cited"


def test_labels_and_scores_are_scores(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("query,passage,label\na,b,1\na,c,0\na,d,true\na,e,4\na,f,\n")
    read = read_pairs(path)
    assert [row.score for row in read][:2] == [1.0, 0.0]
    assert [problem.line for problem in read.problems] == [4, 5, 6]
    assert "'label' is 4; it must lie in [0, 1]" in read.problems[1].reason
    assert read[0].bundle == read[1].bundle and read[1].strata == ("low",)


def test_the_positive_among_the_negatives_is_a_wrong_row(tmp_path: Path) -> None:
    read = read_pairs(
        write(
            tmp_path,
            {"query": "q", "positive": "Yes", "negatives": ["yes "]},
            {"query": "q", "positive": "y", "negative": 5},
        )
    )
    assert len(read) == 1 and read[0].negatives == ("5",)
    assert "the positive passage itself" in read.problems[0].reason


def test_a_table_without_passages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownColumn, match="no column 'positive'"):
        read_pairs(write(tmp_path, {"query": "q"}))
    mapped = read_pairs(
        write(tmp_path, {"question": "q", "answer": "a"}), columns={"query": "question", "passage": "answer"}
    )
    assert mapped[0].positive == "a"
