from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from apps.__main__ import main
from apps.customer_service.cli import _show_answer, _show_ingest
from apps.customer_service.schemas import Action, Answer, Citation, FileReport, IngestReport, Verdict
from core.types import Usage


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPTYCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)


def answer(**changed: object) -> Answer:
    citation = Citation(
        index=1,
        document_id="returns",
        chunk_id=1,
        title="Returns",
        headings=("Returns", "Time"),
        source="en/returns.md",
        quote="Gold members: 60 days.",
        start=0,
        end=22,
    )
    values: dict[str, object] = {
        "text": "Gold members: 60 days. [1]",
        "action": Action.quote,
        "citations": (citation,),
        "verdict": Verdict(answerable=0.97, threshold=0.5, reason="answerable"),
        "language": "en",
        "standalone_question": "How many days does Gold have?",
        "model": "quote",
        "usage": Usage(prompt_tokens=1, completion_tokens=1),
    }
    return Answer.model_validate({**values, **changed})


@pytest.mark.parametrize("verb", [[], ["train"], ["evaluate"]])
def test_every_group_tells_its_verbs(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["customer-service", *verb, "--help"]) == 0
    assert "Commands" in capsys.readouterr().out


@pytest.mark.parametrize(("text", "said"), [("", "is empty"), ("   ", "is empty"), ("x" * 8_001, "8001 characters")])
def test_no_question_and_one_too_long_are_refused_in_words(
    text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["customer-service", "ask", text]) == 1
    assert said in capsys.readouterr().err


def test_a_question_may_come_by_a_pipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert main(["customer-service", "ask", "-"]) == 1
    assert "is empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["ingest"],
        ["evaluate", "intents", "--train", "missing.csv", "--test", "missing.csv"],
        ["evaluate", "faq", "--faq", "missing.csv"],
        ["evaluate", "rag", "--docs", "missing.jsonl", "--questions", "missing.jsonl"],
        ["train", "intents", "missing.csv"],
    ],
)
def test_a_missing_argument_or_file_is_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["customer-service", *words]) == 2
    assert "Error" in capsys.readouterr().err


def test_asking_without_models_says_what_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["customer-service", "ask", "How long is the warranty?"]) == 1
    assert "triptych models prepare" in capsys.readouterr().err


def test_an_answer_is_printed_with_where_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    _show_answer(answer())
    captured = capsys.readouterr()
    assert captured.out.splitlines() == ["Gold members: 60 days. [1]", "  [1] Returns > Time (en/returns.md)"]
    assert "0.97 against 0.50" in captured.err


def test_an_ingest_lists_what_was_not_taken_in(capsys: pytest.CaptureFixture[str]) -> None:
    files = (
        FileReport(source="a.md", status="added"),
        FileReport(source="b.pdf", status="error", detail="The file is encrypted."),
    )
    _show_ingest(IngestReport(files=files, seconds=2.0, passages=40))
    out = capsys.readouterr().out
    assert "b.pdf" in out and "The file is encrypted." in out
    assert out.splitlines()[-1] == "1 added, 1 error; 40 passages in 2.0 s, 20 a second."


def test_an_answer_survives_its_json() -> None:
    whole = answer(conversation_id="c1")
    assert Answer.model_validate_json(json.dumps(whole.model_dump(mode="json"))) == whole
    assert datetime.now(UTC).tzinfo is UTC
