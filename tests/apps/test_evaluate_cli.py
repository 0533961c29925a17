from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import typer.main

from apps.evaluate_cli import app
from core.errors import InputError, SuiteError, UnknownColumn
from core.evaluate.human_file import read_task
from core.evaluate.ratings import RatingLog
from tests.core.evaluate.human_parts import write_task


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPTYCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_COLOR", "1")


def call(*words: object) -> int:
    try:
        typer.main.get_command(app).main([str(word) for word in words], prog_name="evaluate", standalone_mode=True)
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def last(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def rated(folder: Path, *raters: str) -> Path:
    file = write_task(folder / "answers.jsonl")
    log = RatingLog(folder / "answers.ratings.jsonl", read_task(file))
    for rater in raters:
        for key in log.task.units:
            log.add(rater, key, ("left", "right")[log.task.shown(rater, key).index("tuned")])
    return file


def test_text_prints_a_table_and_ends_in_one_line_of_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.txt").write_text("We refund it within three days.\nNo.\n", encoding="utf-8")
    (tmp_path / "r.txt").write_text("We refund it in three days.\nNo.\n", encoding="utf-8")
    assert call("text", "--predictions", tmp_path / "p.txt", "--references", tmp_path / "r.txt") == 0
    out = capsys.readouterr().out
    assert "rougeL" in out.splitlines()[0] + out
    figures = json.loads(out.splitlines()[-1])
    assert (figures["texts"], figures["language"], figures["exact_match"]) == (2, "en", 0.5)
    assert figures["ci95"]["rougeL"][0] <= figures["rougeL"] <= figures["ci95"]["rougeL"][1]


def test_text_can_be_json_only_and_in_a_given_language(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.csv").write_text("out\n三天内退款。\n", encoding="gb18030")
    (tmp_path / "r.jsonl").write_text('{"references": ["款项三天内退回。", "三天内退款。"]}', encoding="utf-8")
    words = ["--predictions", tmp_path / "p.csv", "--references", tmp_path / "r.jsonl"]
    assert call("text", *words, "--prediction-column", "out", "--language", "zh", "--json") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["bleu"] == pytest.approx(100)


def test_texts_out_of_step_are_an_error_of_the_suite(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("a\nb\n", encoding="utf-8")
    (tmp_path / "r.txt").write_text("a\n", encoding="utf-8")
    with pytest.raises(SuiteError, match="paired"):
        call("text", "--predictions", tmp_path / "p.txt", "--references", tmp_path / "r.txt")


def test_report_shows_win_rates_and_agreement_and_writes_exports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = rated(tmp_path, "anna", "ben")
    assert call("human", "report", file, "--csv", tmp_path / "o.csv", "--export", tmp_path / "o.json") == 0
    out = capsys.readouterr().out
    assert "win rate" in out and "anna and ben" in out
    figures = json.loads(out.splitlines()[-1])
    assert figures["systems"]["tuned"]["wins"] == 8
    assert figures["agreement"]["fleiss"] == {"raters": 2, "units": 4, "kappa": None}
    assert (tmp_path / "o.csv").read_bytes().startswith(b"\xef\xbb\xbfitem,")
    assert len(json.loads((tmp_path / "o.json").read_text(encoding="utf-8"))["ratings"]) == 8


def test_report_counts_only_the_raters_asked_for_and_says_what_it_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = rated(tmp_path, "anna", "ben")
    with (tmp_path / "answers.ratings.jsonl").open("a", encoding="utf-8") as out:
        out.write('{"at": "20')
    assert call("human", "report", file, "--raters", "anna", "--json") == 0
    captured = capsys.readouterr()
    figures = json.loads(captured.out)
    assert (figures["raters"], figures["unreadable_lines"]) == ({"anna": 4}, 1)
    assert figures["ratings_of_other_items"] == 4
    assert "1 lines are no ratings" in captured.err and "4 ratings are of other" in captured.err


def test_report_of_a_scale_shows_means(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_task(tmp_path / "t.jsonl", 2, ("a", "b", "c"))
    log = RatingLog(tmp_path / "t.ratings.jsonl", read_task(file))
    for key in log.task.units:
        log.add("anna", key, 4)
    assert call("human", "report", file) == 0
    assert last(capsys)["systems"]["a"]["counts"] == [0, 0, 0, 2, 0]


def test_report_without_ratings_and_with_a_wrong_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no rating of"):
        call("human", "report", write_task(tmp_path / "t.jsonl"))
    (tmp_path / "q.csv").write_text("question,a,b\nWhy?,1,2\n", encoding="utf-8")
    with pytest.raises(UnknownColumn, match="'prompt'"):
        call("human", "report", tmp_path / "q.csv")
    assert call("human", "report", tmp_path / "q.csv", "--column", "prompt") == 2
    assert call("human", "report", tmp_path / "none.csv") == 2


def test_serve_opens_the_page_keeps_ratings_and_goes_on_after_a_kill(tmp_path: Path) -> None:
    file = write_task(tmp_path / "t.jsonl")
    code = "import sys; from apps.evaluate_cli import app; app(sys.argv[1:])"
    words = [sys.executable, "-c", code, "human", "serve", str(file), "--raters", "anna,ben", "--port", "0"]
    for done in (0, 1):
        process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
        assert process.stderr is not None
        lines = []
        while not lines or "Ready on" not in lines[-1]:
            lines.append(process.stderr.readline())
            assert lines[-1], lines
        assert f"{done} ratings so far" in "".join(lines)
        base = lines[-1].split()[2]
        with urllib.request.urlopen(f"{base}rating/next?rater=anna") as reply:
            found = json.load(reply)
        assert (found["done"], found["total"]) == (done, 4)
        body = json.dumps({"rater": "anna", "unit": found["unit"]["unit"], "verdict": "equal"}).encode()
        request = urllib.request.Request(
            f"{base}rating/ratings", body, {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request) as reply:
            assert reply.status == 201
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stderr.close()
        time.sleep(0.01)
    assert len(RatingLog(tmp_path / "t.ratings.jsonl", read_task(file)).ratings()) == 2
