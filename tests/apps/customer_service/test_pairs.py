"""Training pairs from documents and questions."""

from __future__ import annotations

import random

import pytest

from apps.customer_service.data import RagQuestion
from apps.customer_service.pairs import changed, clozes, made_pairs, make_pairs, near_misses, proves, windows, without
from core.errors import InputError
from core.types import Document

RAISED = "In May 2021, Kestrel Foods raised $5 million from its bank."
KESTREL = f"Kestrel Foods bakes bread. {RAISED} The money went into two ovens. Its staff grew to 40 people."
HERON = "Heron Mills grinds flour. In June 2020, Heron Mills raised $9 million from its bank. It has three mills."


def _document(id_: str, title: str, text: str, language: str = "en") -> Document:
    return Document(id_, title, text, f"{id_}.txt", language, "0" * 64)


@pytest.fixture
def documents() -> list[Document]:
    return [_document("k", "Kestrel Foods", KESTREL), _document("h", "Heron Mills", HERON)]


@pytest.fixture
def question() -> RagQuestion:
    return RagQuestion("How much did Kestrel Foods raise in May 2021?", "$5 million", True, ("k",), (RAISED,))


def test_the_sentence_that_proves_is_taken_out_and_the_others_stay() -> None:
    assert without(KESTREL, [RAISED], "en") == (
        "Kestrel Foods bakes bread. The money went into two ovens. Its staff grew to 40 people."
    )
    assert (
        without("公司成立于2001年。公司募集了10亿元。员工很多。", ["公司募集了10亿元。"], "zh")
        == "公司成立于2001年。员工很多。"
    )


def test_a_part_of_a_span_and_other_white_space_prove_too() -> None:
    assert proves("raised  $5\nMILLION from its bank.", [RAISED])
    assert not proves("It.", ["It. It is so."])
    assert not proves("Heron Mills grinds flour.", [RAISED, ""])


def test_a_question_on_two_companies_is_silenced_one_company_at_a_time(documents: list[Document]) -> None:
    spans = (RAISED, "In June 2020, Heron Mills raised $9 million from its bank.")
    both = RagQuestion("Who raised more, Kestrel Foods or Heron Mills?", "Heron", True, ("k", "h"), spans)
    misses = list(near_misses([both], {d.id: d for d in documents}))
    assert [m.document.id for m in misses] == ["k", "h"]
    assert all("raised" not in m.document.text for m in misses)


def test_questions_without_evidence_or_documents_give_no_near_miss(documents: list[Document]) -> None:
    by_id = {d.id: d for d in documents}
    asked = [
        RagQuestion("Unanswerable?", "", False, ("k",), (RAISED,)),
        RagQuestion("No spans?", "", True, ("k",)),
        RagQuestion("Unknown document?", "", True, ("x",), (RAISED,)),
        RagQuestion("All of it?", "", True, ("k",), (KESTREL,)),
    ]
    assert list(near_misses(asked, by_id)) == []


def test_windows_have_each_sentence_once_in_the_middle(documents: list[Document]) -> None:
    found = windows(documents[0])
    assert len(found) == 4
    assert found[0].startswith("Kestrel Foods bakes bread.") and found[0].endswith("bank.")
    assert RAISED in found[1] and found[1].endswith("ovens.")
    with pytest.raises(InputError, match="no middle"):
        windows(documents[0], 2)


def test_pairs_hold_the_answer_and_near_misses_of_every_kind(documents: list[Document], question: RagQuestion) -> None:
    pairs = make_pairs([question], documents)
    assert {p.origin for p in pairs} == {"labelled", "deleted", "changed", "neighbour", "parallel"}
    for pair in pairs:
        said = RAISED in pair.text and pair.question == question.question
        assert pair.answers == said, pair
    assert len({(p.question, p.title, p.text) for p in pairs}) == len(pairs)


def test_a_pair_names_every_document_it_was_made_from(documents: list[Document], question: RagQuestion) -> None:
    for pair in make_pairs([question], documents):
        assert pair.documents == (("k", "h") if pair.origin == "parallel" else ("k",))


def test_pairs_are_the_same_under_one_seed(documents: list[Document], question: RagQuestion) -> None:
    assert make_pairs([question], documents, seed=3) == make_pairs([question], documents, seed=3)


def test_an_unanswerable_question_gives_negatives_only(documents: list[Document]) -> None:
    asked = RagQuestion("Who founded Kestrel Foods?", "", False, ("k",))
    pairs = make_pairs([asked], documents)
    assert pairs and not any(p.answers for p in pairs)


def test_another_document_of_the_same_company_is_no_stranger(question: RagQuestion) -> None:
    twins = [_document("k", "Kestrel Foods", KESTREL), _document("k2", "Kestrel Foods", KESTREL)]
    assert all(p.origin != "parallel" for p in make_pairs([question], twins))


def test_only_a_single_date_is_changed() -> None:
    draw = random.Random(0)
    other = changed("What happened at Kestrel in May 2021?", draw)
    assert other is not None and "May" not in other and other.endswith("2021?")
    assert "2021年" in str(changed("公司在2021年5月做了什么？", draw))
    assert changed("What happened in 2021?", draw) != "What happened in 2021?"
    assert changed("What changed between 2019 and 2021?", draw) is None
    assert changed("Who bakes bread?", draw) is None


def test_dates_and_amounts_become_questions() -> None:
    assert clozes(RAISED, "Kestrel Foods", "en") == [
        "When Kestrel Foods raised $5 million from its bank?",
        "In May 2021, Kestrel Foods raised how much from its bank?",
    ]
    assert clozes("公司在2021年5月募集了10亿元资金。", "华夏公司", "zh") == [
        "华夏公司：公司在什么时候募集了10亿元资金？",
        "华夏公司：公司在2021年5月募集了多少资金？",
    ]
    assert clozes(RAISED, "Kestrel Foods", "fr") == []


def test_a_made_question_is_answered_by_its_window_and_not_without_its_sentence(documents: list[Document]) -> None:
    pairs = made_pairs(documents, most=2)
    assert {p.origin for p in pairs} == {"made", "deleted"}
    assert sum(p.answers for p in pairs) == 4
    assert all("raised" not in p.text for p in pairs if not p.answers)
