from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from apps.customer_service.model import ENGLISH, MULTILINGUAL, Held, Knowledge, encoded_text, family, tokens
from apps.customer_service.passages import cut, encode, fill, retrievers, vectors_of
from apps.customer_service.settings import CustomerServiceSettings
from core.backends.fake import FakeEncoder
from core.index.hybrid import Block
from core.text import parse_text
from core.types import Chunk, Document
from tests.apps.customer_service._bot import FEES, GOLD, RETURNS, SILVER, WARRANTY, Bot, open_real_bot


def page(name: str, text: str) -> Document:
    return parse_text(text, id=name, title=text.split("\n", maxsplit=1)[0].strip("# "))


PAGES = [page("returns", RETURNS), page("fees", FEES), page("silver", SILVER), page("gold", GOLD), page("zh", WARRANTY)]


def knowledge(*, english: bool = True, multilingual: bool = True, **settings: float) -> Knowledge:
    made = Knowledge(
        FakeEncoder(64, name="en") if english else None,
        FakeEncoder(32, name="m3") if multilingual else None,
        CustomerServiceSettings(**settings),  # type: ignore[arg-type]
    )
    fill(PAGES, made)
    return made


def chunk(document: str, text: str, language: str = "en") -> Chunk:
    return Chunk(document, 0, text, 0, len(text), 5, language, title=document)


def test_a_question_finds_the_passage_that_answers_it_first() -> None:
    found = knowledge().search("What is the early closure fee?", "en")
    assert found[0].document_id == "fees"
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
    assert all(0 <= p.lexical <= 1.0001 and -1.0001 <= p.dense <= 1.0001 and 0 <= p.title <= 1.0001 for p in found)


def test_a_question_is_answered_among_passages_of_its_own_language() -> None:
    known = knowledge()
    assert {p.document_id for p in known.search("台灯的保修期", "zh", k=20)} == {"zh"}
    assert "zh" not in {p.document_id for p in known.search("lamp 保修期", "en", k=20)}
    assert {p.document_id for p in known.search("台灯的保修期", "zh", k=20, across=True)} == {
        "returns",
        "fees",
        "silver",
        "gold",
    }


def test_words_never_keep_out_what_only_the_meaning_finds() -> None:
    found = knowledge().search("zzz qqq", "en", k=20)
    assert len(found) == 4
    assert all(p.lexical == 0 for p in found)


def test_a_named_title_counts() -> None:
    named = knowledge().search("Gold membership delivery", "en")
    assert named[0].document_id == "gold"
    assert named[0].title == pytest.approx(1)


def test_evidence_has_compared_sentences_and_the_named_document() -> None:
    evidence = knowledge().evidence("What do Gold members of the Gold membership pay?", "en")
    assert evidence.named == 1
    assert "gold" in evidence.named_terms
    assert len(evidence.bodies) == 1
    best = max(evidence.found, key=lambda s: evidence.coverage(s.own_terms) + s.similarity)
    assert best.passage.text[best.start : best.end] == best.text
    assert "9 euros" in best.text


def test_the_same_question_has_the_same_evidence_again() -> None:
    known = knowledge()
    first, second = (known.evidence("When are refunds paid?", "en") for _ in range(2))
    assert [s.similarity for s in first.found] == pytest.approx([s.similarity for s in second.found])
    assert [p.score for p in first.passages] == [p.score for p in second.passages]


def test_nothing_is_found_in_nothing() -> None:
    empty = Knowledge(FakeEncoder(64), FakeEncoder(32), CustomerServiceSettings())
    assert len(empty) == 0
    assert empty.search("anything", "en") == []
    evidence = empty.evidence("anything", "en", across=True)
    assert not evidence.passages
    assert not evidence.bodies


def test_one_encoder_alone_serves_all() -> None:
    only_m3 = knowledge(english=False)
    assert only_m3.encoder("en")[0] == MULTILINGUAL
    assert only_m3.search("early closure fee", "en")[0].document_id == "fees"
    only_english = knowledge(multilingual=False)
    assert only_english.encoder("zh")[0] == ENGLISH
    assert only_english.search("台灯的保修期", "zh")[0].document_id == "zh"
    assert only_english.search("台灯的保修期", "zh", across=True) == []
    assert only_english.evidence("台灯的保修期", "zh", across=True).passages == []


def test_other_languages_are_families_of_their_own() -> None:
    assert [family(x) for x in ("en", "und", "", "zh", "de")] == ["en", "en", "en", "zh", "de"]
    assert knowledge().languages == {"en", "zh"}


def test_a_change_shows_all_at_once() -> None:
    known = knowledge()
    before = known.passages
    new = Held(99, chunk("new", "Umbrellas cost 5 euros."), "new.md")
    rows = FakeEncoder(64, name="en").encode([encoded_text(new.chunk)])
    gone = [i for i, held in before.items() if held.chunk.document_id == "fees"]
    known.update(gone, [new], [Block([99], [tokens(new.chunk)], {ENGLISH: rows})])
    assert 99 not in before
    assert set(known.index.ids.tolist()) == set(known.passages)
    assert known.search("umbrellas", "en")[0].id == 99
    assert known.held(99) is new
    assert known.held(gone[0]) is None
    assert "fees" not in {p.document_id for p in known.search("early closure fee", "en", k=20)}


def test_vectors_of_passages_that_are_gone_are_passed_over() -> None:
    known = knowledge()
    known.add_vectors(MULTILINGUAL, np.array([1, 12345], np.int64), np.eye(2, 32, dtype=np.float32))
    assert 12345 not in known.index.dense[MULTILINGUAL].ids.tolist()


# Passages


def test_passages_are_bounded_and_are_runs_of_their_document() -> None:
    known = knowledge(passage_tokens=20)
    for document, chunks in zip(PAGES, cut(PAGES, known), strict=True):
        assert chunks
        for c in chunks:
            assert document.text[c.start : c.end] == c.text
            assert c.tokens <= 20


def test_rows_come_in_the_order_of_the_passages() -> None:
    known = knowledge()
    chunks = [chunk(f"d{i}", f"word{i} " * (1 + i % 7)) for i in range(200)]
    rows = encode(ENGLISH, chunks, known)
    assert known.english is not None
    np.testing.assert_allclose(rows, known.english.encode([encoded_text(c) for c in chunks]), atol=1e-6)
    assert encode(ENGLISH, [], known).shape == (0, 64)


def test_each_document_is_encoded_for_its_retrievers() -> None:
    known = knowledge()
    lists = cut(PAGES, known)
    assert retrievers(known, "en") == [ENGLISH, MULTILINGUAL]
    assert retrievers(known, "zh") == [MULTILINGUAL]
    assert [set(v) for v in vectors_of(PAGES, lists, known)] == [{ENGLISH}] * 4 + [{MULTILINGUAL}]
    both = vectors_of(PAGES, lists, known, across=True)
    assert [set(v) for v in both] == [{ENGLISH, MULTILINGUAL}] * 4 + [{MULTILINGUAL}]
    assert all(len(rows) == len(chunks) for v, chunks in zip(both, lists, strict=True) for rows in v.values())


# The real models


@pytest.mark.models
def test_questions_cross_languages_in_both_directions(tmp_path: Path, models_home: Path) -> None:
    with open_real_bot(tmp_path / "home", models_home, generator="none") as bot:
        bot.ingest(bot.write({"fees.md": FEES, "returns.md": RETURNS, "gold.md": GOLD, "warranty.md": WARRANTY}))
        known = bot.service.knowledge
        assert known.search("提前关闭Evergreen账户要付多少钱？", "zh", across=True)[0].document_id == "docs:fees.md"
        assert known.search("可以退货吗？几天之内？", "zh", across=True)[0].document_id == "docs:returns.md"
        assert (
            known.search("How long is the warranty on a lamp?", "en", across=True)[0].document_id == "docs:warranty.md"
        )


def test_the_library_and_an_evaluation_in_memory_hold_the_same(bot: Bot) -> None:
    assert len(bot.service.knowledge) == 5
    assert bot.service.knowledge.languages == {"en", "zh"}
