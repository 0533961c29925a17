from __future__ import annotations

import json

import numpy as np
import pytest

from core.evaluate.report import plain, put_comparison, put_report


def test_numpy_numbers_become_plain_and_nan_becomes_null() -> None:
    figures = {"a": np.float32(0.5), "b": float("nan"), "c": [np.int64(3)], "d": {"e": np.array([1.0, np.inf])}}
    assert plain(figures) == {"a": 0.5, "b": None, "c": [3], "d": {"e": [1.0, None]}}


def test_the_last_line_is_the_figures_as_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    put_report("faq", {"recall@1": 0.75, "auroc": float("nan")}, {"retriever": {"words": {"recall@1": 0.5}}})
    lines = capsys.readouterr().out.splitlines()
    assert json.loads(lines[-1]) == {"recall@1": 0.75, "auroc": None}
    assert any("words" in line for line in lines[:-1])


def test_a_script_gets_the_json_alone(capsys: pytest.CaptureFixture[str]) -> None:
    put_report("faq", {"recall@1": 0.75}, json_only=True)
    assert json.loads(capsys.readouterr().out) == {"recall@1": 0.75}


def test_a_figure_that_one_candidate_lacks_is_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    put_comparison("retriever", {"words": {"recall@1": 0.5}, "both": {"recall@1": 0.7, "mrr@10": 0.8}})
    said = capsys.readouterr().out
    assert "-" in said
    assert "0.8" in said
