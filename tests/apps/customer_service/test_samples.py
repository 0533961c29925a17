"""The shipped samples hold together: labels point at text that exists, and no split gives away the other."""

from __future__ import annotations

import csv
import json
from collections import Counter
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

import apps.customer_service
from core.text import parse

SAMPLES = Path(apps.customer_service.__file__).parent / "samples"
SETS = {"questions.jsonl": "documents", "reports_questions.jsonl": "reports"}
FIELDS = {"id", "language", "question", "answer", "answerable", "doc_ids", "spans", "kind", "split"}
OPTIONAL = {"about", "history", "standalone"}
REFUSED = {"near_miss", "out_of_scope", "injection"}
KINDS = REFUSED | {"fact", "number", "date", "howto", "why", "summary", "compare", "policy", "cross_language"}


@cache
def questions(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLES / name).read_text(encoding="utf-8").splitlines()]


@cache
def texts(folder: str) -> dict[str, str]:
    """Readable text by document id; a row of a CSV file is a document of its own."""
    found: dict[str, str] = {}
    for path in sorted((SAMPLES / folder).glob("*/*.*")):
        id = f"{path.parent.name}/{path.stem}"
        for document in parse(path):
            row = f"#{document.source.rpartition('#')[2]}" if path.suffix == ".csv" else ""
            assert f"{id}{row}" not in found, f"two documents are called {id}{row}"
            found[f"{id}{row}"] = document.text
    return found


def rows(name: str) -> list[dict[str, str]]:
    with (SAMPLES / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def chinese(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def test_there_are_enough_documents_of_each_language_and_format() -> None:
    suffixes = Counter(path.parent.name + path.suffix for path in (SAMPLES / "documents").glob("*/*.*"))
    assert suffixes["en.md"] >= 44 and suffixes["zh.md"] >= 24
    assert suffixes["en.html"] >= 2 and suffixes["en.csv"] >= 2 and suffixes["en.txt"] >= 1
    assert len(rows("documents/en/faq.csv")) >= 25 and len(rows("documents/en/faq-devices.csv")) >= 25
    assert len(list((SAMPLES / "reports/en").glob("*.md"))) >= 12
    assert len(list((SAMPLES / "reports/zh").glob("*.md"))) >= 10


@pytest.mark.parametrize("folder", SETS.values())
def test_every_document_is_read_in_the_language_of_its_folder(folder: str) -> None:
    for id, text in texts(folder).items():
        assert text.strip(), id
        assert chinese(text) == id.startswith("zh/"), id


def test_the_support_questions_cover_what_the_bot_must_master() -> None:
    asked = questions("questions.jsonl")
    kinds = Counter(question["kind"] for question in asked)
    assert len(asked) >= 300
    assert sum(not question["answerable"] for question in asked) >= 130
    assert sum("history" in question for question in asked) >= 30
    assert kinds["near_miss"] >= 100 and kinds["cross_language"] >= 20
    assert kinds["out_of_scope"] >= 30 and kinds["injection"] >= 10
    assert 0.35 <= sum(question["language"] == "zh" for question in asked) / len(asked) <= 0.5


def test_half_of_the_report_questions_have_no_answer() -> None:
    asked = questions("reports_questions.jsonl")
    assert len(asked) >= 260
    assert 0.4 <= sum(question["answerable"] for question in asked) / len(asked) <= 0.6
    assert sum(question["language"] == "zh" for question in asked) / len(asked) >= 0.4


@pytest.mark.parametrize("name", SETS)
def test_every_question_has_the_documented_fields(name: str) -> None:
    asked = questions(name)
    assert len({question["id"] for question in asked}) == len(asked)
    assert len({(question["question"], str(question.get("history"))) for question in asked}) == len(asked)
    for question in asked:
        assert FIELDS <= set(question) <= FIELDS | OPTIONAL, question["id"]
        assert question["kind"] in KINDS and question["split"] in {"fit", "test"}, question["id"]
        assert (question["language"] == "zh") == chinese(question["question"]), question["id"]
        assert question["question"] == question["question"].strip() != "", question["id"]


@pytest.mark.parametrize("name", SETS)
def test_every_span_is_found_in_its_documents(name: str) -> None:
    documents = texts(SETS[name])
    for question in questions(name):
        if question["answerable"]:
            assert question["doc_ids"] and question["spans"] and question["answer"], question["id"]
            for span in question["spans"]:
                assert any(span in documents[id] for id in question["doc_ids"]), (question["id"], span)


@pytest.mark.parametrize("name", SETS)
def test_what_cannot_be_answered_names_no_evidence(name: str) -> None:
    for question in questions(name):
        assert question["answerable"] == (question["kind"] not in REFUSED), question["id"]
        if not question["answerable"]:
            assert not question["spans"] and not question["doc_ids"] and not question["answer"], question["id"]


@pytest.mark.parametrize("name", SETS)
def test_questions_across_languages_are_answered_only_in_the_other_language(name: str) -> None:
    for question in questions(name):
        if question["kind"] == "cross_language":
            assert {id[:2] for id in question["doc_ids"]}.isdisjoint({question["language"]}), question["id"]


@pytest.mark.parametrize("name", SETS)
def test_follow_ups_bring_their_conversation_and_a_rewriting(name: str) -> None:
    for question in questions(name):
        assert ("history" in question) == ("standalone" in question), question["id"]
        roles = [role for role, _ in question.get("history", [])]
        assert roles == ["user", "assistant"] * (len(roles) // 2), question["id"]
        assert question.get("standalone") != question["question"], question["id"]


@pytest.mark.parametrize("name", SETS)
def test_the_splits_share_no_document_and_no_span(name: str) -> None:
    files: dict[str, set[str]] = {"fit": set(), "test": set()}
    spans: dict[str, set[str]] = {"fit": set(), "test": set()}
    for question in questions(name):
        named = chain(question["doc_ids"], question.get("about", []))
        files[question["split"]] |= {id.partition("#")[0] for id in named}
        spans[question["split"]] |= set(question["spans"])
    assert not files["fit"] & files["test"]
    assert not spans["fit"] & spans["test"]
    share = sum(question["split"] == "test" for question in questions(name)) / len(questions(name))
    assert 0.3 <= share <= 0.6


@pytest.mark.parametrize(
    ("name", "intents", "each", "outside"), [("intents.csv", 14, 14, 60), ("intents_zh.csv", 10, 8, 30)]
)
def test_every_intent_has_enough_distinct_examples(name: str, intents: int, each: int, outside: int) -> None:
    examples = rows(name)
    counts = Counter(example["label"] for example in examples)
    assert len({example["text"].casefold() for example in examples}) == len(examples)
    assert counts.pop("oos") >= outside
    assert len(counts) >= intents and min(counts.values()) >= each


def test_the_source_note_states_the_counts() -> None:
    note = (SAMPLES / "SOURCE.md").read_text(encoding="utf-8")
    for name in SETS:
        asked = questions(name)
        follow_ups = sum("history" in question for question in asked)
        kinds = Counter(question["kind"] for question in asked)
        splits = Counter(question["split"] for question in asked)
        refusals = sum(not question["answerable"] for question in asked)
        zh = sum(question["language"] == "zh" for question in asked)
        cells = (len(asked), refusals, kinds["near_miss"], zh, kinds["cross_language"], follow_ups)
        line = " | ".join(map(str, cells))
        assert f"| `{name}` | {line} | {splits['fit']} / {splits['test']} |" in note
