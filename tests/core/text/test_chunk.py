from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.text.chunk import chunk, chunk_many
from core.text.parse import parse_text
from core.types import Document, Section


def count_words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def count_characters(texts: Sequence[str]) -> list[int]:
    return [len("".join(text.split())) for text in texts]


def markdown(text: str) -> Document:
    return parse_text(text, id="d", title="Guide")


def plain(text: str, language: str = "en") -> Document:
    return Document("d", "Guide", text, "d", language, "0")


def sentence(words: int, word: str = "word") -> str:
    return "The " + " ".join([word] * (words - 1)) + "."


def test_a_chunk_is_a_piece_of_its_document_with_offsets_and_context() -> None:
    document = markdown(f"# Guide\n\n## Fees\n\n{sentence(40)}\n\n## Returns\n\n{sentence(40)}")
    chunks = chunk(document, count_tokens=count_words, max_tokens=64)
    assert [c.headings for c in chunks] == [("Guide", "Fees"), ("Guide", "Returns")]
    assert [c.context for c in chunks] == ["Guide > Fees", "Guide > Returns"]
    assert [c.ordinal for c in chunks] == [0, 1]
    for c in chunks:
        assert c.text == document.text[c.start : c.end]
        assert c.tokens == len(c.text.split())


def test_sections_under_different_headings_never_share_a_chunk_unless_small() -> None:
    document = markdown(f"## A\n\n{sentence(30)}\n\n## B\n\n{sentence(30)}")
    assert len(chunk(document, count_tokens=count_words, max_tokens=100)) == 2


def test_small_neighbours_under_one_parent_share_a_chunk() -> None:
    document = markdown("# Top\n\n## A\n\nYes.\n\n## B\n\nNo.\n\n# Other\n\n## C\n\nMaybe.")
    chunks = chunk(document, count_tokens=count_words, max_tokens=100)
    assert [c.headings for c in chunks] == [("Top",), ("Other", "C")]
    assert chunks[0].text.startswith("Top\n\nA\n\nYes.") and chunks[0].text.endswith("No.")


def test_a_bare_heading_goes_with_what_follows_it() -> None:
    document = markdown(f"# Top\n\n## Sub\n\n{sentence(60)}\n\n## Next\n\n{sentence(60)}")
    chunks = chunk(document, count_tokens=count_words, max_tokens=64)
    assert [c.text.split("\n")[0] for c in chunks] == ["Top", "Next"]
    assert chunks[0].headings == ("Top", "Sub")


def test_long_sections_are_parted_evenly_between_sentences() -> None:
    document = plain(" ".join([sentence(20)] * 10))
    chunks = chunk(document, count_tokens=count_words, max_tokens=128)
    assert [c.tokens for c in chunks] == [100, 100]
    assert all(c.text.endswith(".") for c in chunks)


def test_what_a_colon_announces_stays_with_it() -> None:
    document = plain(
        f"{sentence(20)}\n{sentence(20)}\nYou need:\n- a passport\n- a form\n{sentence(20)}\n{sentence(20)}"
    )
    chunks = chunk(document, count_tokens=count_words, max_tokens=50)
    assert not any(c.text.endswith(":") for c in chunks)


def test_an_overlong_sentence_is_parted_at_clauses_then_words_then_anywhere() -> None:
    clauses = plain(", ".join(["alpha beta gamma delta"] * 10) + ".")
    parts = chunk(clauses, count_tokens=count_words, max_tokens=8)
    assert all(c.tokens <= 8 for c in parts) and parts[0].text.endswith(",")
    unbroken = plain("word " * 50)
    assert all(c.tokens <= 10 for c in chunk(unbroken, count_tokens=count_words, max_tokens=10))
    blob = plain("x" * 1_000)
    pieces = chunk(blob, count_tokens=count_characters, max_tokens=64)
    assert all(c.tokens <= 64 for c in pieces) and "".join(c.text for c in pieces) == blob.text


def test_overlap_repeats_sentences_of_the_chunk_before() -> None:
    text = " ".join(f"Sentence number {i} has exactly eight words here." for i in range(12))
    chunks = chunk(plain(text), count_tokens=count_words, max_tokens=32, overlap_sentences=1)
    for before, after in pairwise(chunks):
        assert after.start < before.end and after.tokens <= 32
        assert before.text.split(". ")[-1].rstrip(".") in after.text


def test_a_page_break_ends_no_chunk_and_the_page_is_where_it_begins() -> None:
    first, second = sentence(20), sentence(20, "next")
    sections = (Section(("H",), 0, len(first), 1), Section(("H",), len(first) + 1, len(first) + 1 + len(second), 2))
    document = Document("d", "T", f"{first} {second}", "d", "en", "0", sections)
    (only,) = chunk(document, count_tokens=count_words, max_tokens=64)
    assert only.page == 1 and only.text == document.text
    assert [c.page for c in chunk(document, count_tokens=count_words, max_tokens=20)] == [1, 2]


def test_tokens_are_counted_in_one_call_for_all_documents() -> None:
    calls: list[int] = []

    def counting(texts: Sequence[str]) -> list[int]:
        calls.append(len(texts))
        return count_words(texts)

    documents = [plain(" ".join([sentence(9)] * 20)) for _ in range(5)]
    assert len(chunk_many(documents, count_tokens=counting, max_tokens=64)) == 5
    assert len(calls) == 1


def test_no_documents_and_wrong_bounds() -> None:
    assert chunk_many([], count_tokens=count_words) == []
    with pytest.raises(InputError, match="max_tokens is 3"):
        chunk(plain("x"), count_tokens=count_words, max_tokens=3)
    with pytest.raises(InputError, match="overlap_sentences"):
        chunk(plain("x"), count_tokens=count_words, overlap_sentences=-1)


_PIECES = st.lists(
    st.sampled_from(
        ["# H\n\n", "## S\n\n", "Word word. ", "这是一句话。", "- item\n", "\n\n", "a, b; c: ", "longword" * 9, " "]
    ),
    max_size=60,
)


@settings(deadline=None)
@given(_PIECES, st.integers(8, 40))
def test_chunks_cover_any_document_in_order_within_the_bound(pieces: list[str], bound: int) -> None:
    text = "".join(pieces) + "end"
    document = markdown(text)
    chunks = chunk(document, count_tokens=count_characters, max_tokens=bound)
    position = 0
    for c in chunks:
        assert c.text == document.text[c.start : c.end] == c.text.strip()
        assert not document.text[position : c.start].strip()
        assert c.tokens <= bound
        position = c.end
    assert not document.text[position:].strip()
