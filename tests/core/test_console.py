from __future__ import annotations

import json

import pytest

from core.console import fail, put_figures, put_json, put_table, say, shown, size


def test_the_last_line_of_figures_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    put_figures("faq", {"recall@1": 0.7512, "p50_ms": 12.5, "baselines": {"bm25": 0.4}})
    lines = capsys.readouterr().out.splitlines()
    assert json.loads(lines[-1]) == {"recall@1": 0.7512, "p50_ms": 12.5, "baselines": {"bm25": 0.4}}
    assert any("recall@1" in line and "0.7512" in line for line in lines[:-1])


def test_brackets_in_a_text_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    say("see [1] and [red]this[/red]")
    put_table(("a",), [("[bold]x",)])
    out = capsys.readouterr().out
    assert "see [1] and [red]this[/red]" in out and "[bold]x" in out


def test_a_long_line_of_json_is_never_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    put_json({"text": "说明 " * 500})
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_an_error_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    fail("no such file")
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.strip() == "error: no such file"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (133_466_304, "133.5 MB"), (2 * 10**12, "2.0 TB"), (10**16, "10000.0 TB")],
)
def test_sizes_are_for_people(count: int, text: str) -> None:
    assert size(count) == text


def test_values_are_for_people() -> None:
    assert [shown(v) for v in (True, 0.5, 1234.56, "x", 3)] == ["yes", "0.5000", "1,234.6", "x", "3"]
