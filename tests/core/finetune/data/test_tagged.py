from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.finetune.data import read_tagged, spans_to_tags, tag_list, to_bio


def test_words_and_tags_are_read_from_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(
        '{"words": ["Ann", "Lee", "left"], "tags": ["B-PER", "I-PER", "O"]}\n{"words": ["a"], "tags": []}\n'
    )
    read = read_tagged(path)
    assert read[0].words == ("Ann", "Lee", "left") and read[0].strata == ("PER",)
    assert read.problems[0].reason == "1 words, but 0 tags; every word needs one"


def test_conll_files_have_a_token_a_line_and_a_blank_line_between_sentences(tmp_path: Path) -> None:
    path = tmp_path / "t.conll"
    path.write_text("-DOCSTART- -X- O\n\n# a comment\nAnn NNP B-PER\nleft VBD O\n\n\nlonely\n\nParis\tNNP\tI-LOC\n")
    read = read_tagged(path)
    assert [(row.words, row.tags, row.line) for row in read] == [
        (("Ann", "left"), ("B-PER", "O"), 4),
        (("Paris",), ("B-LOC",), 10),
    ]
    assert read.problems[0].line == 8 and "line 8 has a token and no tag: 'lonely'" in read.problems[0].reason
    assert tag_list(read) == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


def test_spans_become_words_in_english_and_characters_in_chinese(tmp_path: Path) -> None:
    rows = [
        {
            "text": "Ann Lee paid $5.50 to Acme-Bank.",
            "spans": [{"start": 0, "end": 7, "label": "PER"}, {"start": 22, "end": 31, "label": "ORG"}],
        },
        {"text": "我在北京银行", "spans": [[2, 4, "LOC"]]},
        {"text": "short", "spans": [{"start": 3, "end": 9, "label": "X"}]},
    ]
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    read = read_tagged(path)
    assert read[0].words == ("Ann", "Lee", "paid", "$", "5.50", "to", "Acme", "-", "Bank", ".")
    assert read[0].tags == ("B-PER", "I-PER", "O", "O", "O", "O", "B-ORG", "I-ORG", "I-ORG", "O")
    assert read[1].words == tuple("我在北京银行") and read[1].tags == ("O", "O", "B-LOC", "I-LOC", "O", "O")
    assert "span 3-9 (X) is outside the text, which has 5 characters" in read.problems[0].reason


def test_a_span_inside_a_word_cuts_it_and_neighbours_stay_apart() -> None:
    assert spans_to_tags("unbanked", [(2, 6, "A")]) == (("un", "bank", "ed"), ("O", "B-A", "O"))
    assert spans_to_tags("ab", [(0, 1, "A"), (1, 2, "A")]) == (("a", "b"), ("B-A", "B-A"))
    with pytest.raises(InputError, match="overlap"):
        spans_to_tags("abc", [(0, 2, "A"), (1, 3, "B")])
    with pytest.raises(InputError, match="only white space"):
        spans_to_tags("a  b", [(1, 3, "A")])


@pytest.mark.parametrize(
    ("tags", "bio"),
    [
        ("I-A I-A O I-B", "B-A I-A O B-B"),  # IOB1
        ("I-A B-A I-A", "B-A B-A I-A"),
        ("B-A E-A S-B O", "B-A I-A B-B O"),  # BIOES
        ("B-A L-A U-B I-B", "B-A I-A B-B B-B"),  # BILOU
        ("B-A I-B", "B-A B-B"),
        ("NOUN VERB O", "NOUN VERB O"),
    ],
)
def test_every_scheme_becomes_bio(tags: str, bio: str) -> None:
    assert to_bio(tags.split()) == tuple(bio.split())


def test_a_tag_without_its_letter_is_refused_where_others_have_one(tmp_path: Path) -> None:
    path = tmp_path / "t.conll"
    path.write_text("Ann B-PER\n\nParis LOC\n")
    read = read_tagged(path)
    assert len(read) == 1 and "tag 'LOC' has no B- or I- before it" in read.problems[0].reason
    with pytest.raises(InputError, match="line 3: tag 'LOC'"):
        read_tagged(path, strict=True)


@given(st.text(max_size=40), st.lists(st.integers(0, 40), max_size=6))
def test_spans_cover_what_they_name(text: str, places: list[int]) -> None:
    borders = sorted({place for place in places if place <= len(text)})
    spans = [(a, b, "X") for a, b in list(pairwise(borders))[::2] if text[a:b].strip()]
    words, tags = spans_to_tags(text, spans)
    assert len(words) == len(tags) and all(words)
    assert to_bio(tags) == tags
    assert sum(tag == "B-X" for tag in tags) <= len(spans)
    if text.isascii() and text.isprintable():
        assert "".join(words) == "".join(text.split())
        assert sum(tag == "B-X" for tag in tags) == len(spans)
        inside = "".join(word for word, tag in zip(words, tags, strict=True) if tag != "O")
        assert inside == "".join("".join(text[a:b].split()) for a, b, _ in spans)
