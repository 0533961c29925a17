"""Whatever bytes a file holds, reading gives rows or one of the suite's own errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import SuiteError
from core.finetune.data import read_dialogues, read_labelled, read_pairs, read_plain, read_tagged

READERS: list[Callable[[Path], Any]] = [read_labelled, read_tagged, read_pairs, read_dialogues, read_plain]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    [
        "text",
        "label",
        "labels",
        "words",
        "tags",
        "spans",
        "query",
        "positive",
        "negatives",
        "score",
        "messages",
        "question",
        "answer",
        "group",
        "start",
        "end",
        "role",
        "content",
    ]
)
records = st.dictionaries(
    names, json_values | st.lists(st.dictionaries(names, json_values, max_size=3), max_size=3), max_size=6
)
quiet = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read_all(path: Path) -> None:
    for reader in READERS:
        try:
            found = reader(path)
        except SuiteError as error:
            assert str(error)
        else:
            assert len(found) > 0 and all(problem.reason for problem in found.problems)


@quiet
@given(
    data=st.binary(max_size=200), suffix=st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet", ".txt", ".conll", ""])
)
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str) -> None:
    path = tmp_path_factory.mktemp("bytes") / f"t{suffix}"
    path.write_bytes(data)
    read_all(path)


@quiet
@given(rows=st.lists(records, max_size=4))
def test_any_json_objects(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> None:
    path = tmp_path_factory.mktemp("json") / "t.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    read_all(path)


@quiet
@given(
    header=st.lists(names, min_size=1, max_size=4, unique=True),
    body=st.text(st.sampled_from('ab,"\n\r\t;|[]{}\x00\ufeff中'), max_size=60),
)
def test_any_table(tmp_path_factory: pytest.TempPathFactory, header: list[str], body: str) -> None:
    path = tmp_path_factory.mktemp("table") / "t.csv"
    path.write_text(",".join(header) + "\n" + body, encoding="utf-8", newline="")
    read_all(path)
