"""Words for tagging."""

from __future__ import annotations

from core.text.tagwords import split_tags, split_words, windows


def test_words_are_cut_as_texts_are_and_their_tags_go_on() -> None:
    words = ["北京", "U.S.", "Bell"]
    parts, firsts = split_words(words)
    assert (parts, firsts) == (["北", "京", "U", ".", "S", ".", "Bell"], [0, 2, 6])
    assert split_tags(words, ["B-LOC", "I-LOC", "O"]) == ["B-LOC", *["I-LOC"] * 5, "O"]
    assert split_tags(["北京"], ["NOUN"]) == ["NOUN", "NOUN"]
    assert split_words([" "]) == ([" "], [0])


def test_windows_hold_every_word_once() -> None:
    assert windows([2, 2, 2, 9, 1, 0], 4) == [(0, 2), (2, 3), (3, 4), (4, 6)]
    assert windows([], 4) == []
