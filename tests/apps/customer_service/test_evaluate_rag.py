from __future__ import annotations

import json
from pathlib import Path

import pytest

from apps.customer_service.evaluate_rag import evaluate_rag
from apps.customer_service.settings import CustomerServiceSettings
from core.errors import InputError
from tests.apps.customer_service._bot import FEES, GOLD, RETURNS, SILVER

ASKED = [
    ("What is the early closure fee for Evergreen?", "$50", "fees", "The early closure fee for Evergreen is $50"),
    ("Is there a monthly fee for Evergreen?", "There is no monthly fee.", "fees", "There is no monthly fee"),
    ("Within how many days can I return a lamp?", "30 days", "returns", "within 30 days of delivery"),
    ("When are refunds paid?", "within 5 working days", "returns", "within 5 working days"),
    ("What do Silver members pay a month?", "4 euros", "silver", "Silver members pay 4 euros a month."),
    ("What do Gold members pay a month?", "9 euros", "gold", "Gold members pay 9 euros a month."),
]
UNKNOWN = [
    ("What is the interest rate of Evergreen?", "fees"),
    ("Who signs the Evergreen contract?", "fees"),
    ("Is the lamp waterproof?", "returns"),
    ("Where is the lamp made?", "returns"),
    ("How old must Silver members be?", "silver"),
    ("Can Gold members bring a dog?", "gold"),
]


def write(folder: Path, *, answerable: bool = True) -> tuple[Path, Path, Path]:
    docs, questions, strangers = folder / "docs.jsonl", folder / "questions.jsonl", folder / "off.csv"
    texts = {"fees": FEES, "returns": RETURNS, "silver": SILVER, "gold": GOLD}
    docs.write_text("\n".join(json.dumps({"id": k, "title": k.title(), "text": v}) for k, v in texts.items()))
    rows = [{"question": q, "answer": "", "answerable": False, "doc_ids": []} for q, _ in UNKNOWN]
    if answerable:
        rows += [{"question": q, "answer": a, "answerable": True, "doc_ids": [d], "spans": [s]} for q, a, d, s in ASKED]
    questions.write_text("\n".join(map(json.dumps, rows)))
    strangers.write_text("text\nHow do I bake bread?\nWho won the match yesterday?\n")
    return docs, questions, strangers


def test_questions_that_measure_nothing_are_refused(tmp_path: Path) -> None:
    docs, questions, _ = write(tmp_path, answerable=False)
    with pytest.raises(InputError, match="no answerable question"):
        evaluate_rag(docs, questions, None, CustomerServiceSettings(home=tmp_path))


@pytest.mark.models
def test_a_small_collection_is_measured(tmp_path: Path, models_home: Path) -> None:
    docs, questions, strangers = write(tmp_path)
    settings = CustomerServiceSettings(home=models_home, generator="none")
    figures = evaluate_rag(docs, questions, strangers, settings)
    assert figures["questions"] == 12
    assert figures["answerable"] == 6
    assert figures["recall@5"] == figures["span_recall@5"] == 1
    assert figures["invalid_citations"] == figures["unsupported_numbers"] == 0
    assert figures["written"] == 0
    for name in ("refusal_recall", "off_topic_refusal", "false_refusal", "answerability_auroc", "token_f1"):
        value = figures[name]
        assert value is not None
        assert 0 <= value <= 1
    assert figures["answer_p50_ms"]
