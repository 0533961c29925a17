from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from apps.customer_service.data import FaqEntry
from apps.customer_service.evaluate_faq import evaluate_faq
from apps.customer_service.faq import QUESTION, TOKENS, WHOLE, FaqIndex
from core.backends.fake import FakeEncoder
from core.errors import InputError
from core.settings import CoreSettings
from core.types import FloatArray, TokenBatch

ENTRIES = [
    FaqEntry("What is the monthly fee of the Gold plan?", "It costs 9 euros and includes travel insurance."),
    FaqEntry("What should a customer who has lost a card while travelling abroad do first?", "Block it in the app."),
    FaqEntry("How do I close my account?", "Write to us; it takes two days."),
    FaqEntry("How do I close my account?", "Call the branch."),
    FaqEntry("How long does a transfer take?", "One working day."),
]


class Reader(FakeEncoder):
    """The fake encoder, its words one by one."""

    reads_tokens = True

    def forward_tokens(self, batch: TokenBatch) -> FloatArray:
        rows = [self.forward(TokenBatch(ids[:, None], np.ones((len(ids), 1), np.int64))) for ids in batch.input_ids]
        return np.stack(rows)


@pytest.fixture(params=[FakeEncoder, Reader], ids=["vectors only", "tokens too"])
def index(request: pytest.FixtureRequest) -> FaqIndex:
    return FaqIndex(ENTRIES, request.param(256))


def test_a_paraphrase_finds_its_question(index: FaqIndex) -> None:
    assert index.search("monthly fee for Gold?")[0].entry == ENTRIES[0]
    assert index.search("transfer how long")[0].entry == ENTRIES[4]


def test_words_of_the_answer_help(index: FaqIndex) -> None:
    assert index.search("Gold travel insurance costs")[0].entry == ENTRIES[0]


def test_a_question_that_stands_twice_comes_once(index: FaqIndex) -> None:
    questions = [hit.entry.question for hit in index.search("close my account", k=5)]
    assert questions[0] == "How do I close my account?"
    assert len(questions) == len(set(questions)) == 4


def test_scores_fall_and_the_parts_are_told(index: FaqIndex) -> None:
    hits = index.search("lost card", k=3)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert {QUESTION, WHOLE} <= set(hits[0].parts)


def test_token_vectors_are_used_where_the_encoder_has_them() -> None:
    hit = FaqIndex(ENTRIES, Reader(256)).search("lost card")[0]
    assert hit.entry == ENTRIES[1]
    assert hit.parts[TOKENS] > hit.parts[QUESTION]


def test_an_export_without_token_vectors_is_searched_by_vectors_alone() -> None:
    encoder = Reader(256)
    encoder.reads_tokens = False
    assert TOKENS not in FaqIndex(ENTRIES, encoder).search("lost card")[0].parts


def test_an_empty_query_is_answered_with_something(index: FaqIndex) -> None:
    assert len(index.search("", k=2)) == 2


def test_an_empty_faq_is_refused() -> None:
    with pytest.raises(InputError, match="at least one entry"):
        FaqIndex([], FakeEncoder())


def write(folder: Path, queries: str) -> tuple[Path, Path]:
    faq, asked = folder / "faq.csv", folder / "queries.csv"
    faq.write_text(
        'question,answer\n"What is the fee?","Nine euros,\nevery month."\nHow do I close my account?,Write to us.\n'
        "How long does a transfer take?,One day.\n",
        "utf-8",
    )
    asked.write_text("query,question\n" + queries, "utf-8")
    return faq, asked


def test_evaluation_gives_the_figures_and_those_of_every_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faq, asked = write(tmp_path, "the fee?,What is the fee?\nclose account,How do I close my account?\nx,Not there?\n")
    settings = CoreSettings(home=tmp_path)
    other = FakeEncoder(128, name="other")
    figures = evaluate_faq(faq, asked, settings, encoder=Reader(128), multilingual=other)
    assert figures["recall@1"] == figures["recall@5"] == figures["mrr@10"] == 1.0
    assert (figures["queries"], figures["left_out"], figures["bad_rows"]) == (2, 1, 0)
    assert isinstance(figures["p50_ms"], float)
    parts = figures["parts"]
    assert isinstance(parts, dict)
    assert set(parts) == {
        "bm25 on the question",
        "fake, question",
        "fake, question and answer",
        "fake, tokens",
        "other, question",
    }
    assert "fused" in capsys.readouterr().out


def test_white_space_around_a_question_does_not_matter(tmp_path: Path) -> None:
    faq, asked = write(tmp_path, "the fee?,  What is  the fee?\n")
    figures = evaluate_faq(faq, asked, CoreSettings(home=tmp_path), encoder=FakeEncoder(), quietly=True)
    assert figures["recall@1"] == 1.0


def test_queries_of_another_faq_are_refused(tmp_path: Path) -> None:
    faq, asked = write(tmp_path, "hello,What is love?\n")
    with pytest.raises(InputError, match=r"No question of queries\.csv stands in faq\.csv"):
        evaluate_faq(faq, asked, CoreSettings(home=tmp_path), encoder=FakeEncoder(), quietly=True)
