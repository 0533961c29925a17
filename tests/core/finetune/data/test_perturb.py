from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.finetune.data import KINDS, Kind, perturb, perturb_all

ENGLISH = "Please transfer the remaining balance of 1250 dollars to another account because Visa2 declined yesterday"
CHINESE = "请问我的银行卡丢失以后应该怎么办理挂失手续"


def noisy(text: str, kind: Kind, rate: float = 1.0, seed: int = 0) -> str:
    return perturb(text, kind, rate, random.Random(seed))


@pytest.mark.parametrize("kind", ["swap", "drop", "insert", "keyboard", "repeat"])
def test_a_word_is_hit_once_inside_and_keeps_its_ends(kind: Kind) -> None:
    before, after = ENGLISH.split(), noisy(ENGLISH, kind).split()
    assert len(before) == len(after)
    lengths = {"drop": -1, "insert": 1, "repeat": 1}
    for a, b in zip(before, after, strict=True):
        if len(a) < 4 or any(c.isdigit() for c in a):
            assert a == b
        else:
            assert (a[0], a[-1]) == (b[0], b[-1])
            assert len(b) - len(a) == lengths.get(kind, 0)
            if kind == "swap":
                assert Counter(a) == Counter(b)
    assert after != before


def test_numbers_are_left_alone_unless_asked() -> None:
    text = "order a1b2c3d4e 555123 x"
    assert noisy(text, "word-drop") != text and "555123" in noisy(text, "word-drop")
    assert perturb("transfers99", "drop", 1.0, random.Random(1), keep_numbers=False) != "transfers99"


def test_chinese_characters_are_lost_doubled_or_change_places() -> None:
    assert Counter(noisy(CHINESE, "swap")) == Counter(CHINESE) and noisy(CHINESE, "swap") != CHINESE
    assert noisy(CHINESE, "repeat") == "".join(c * 2 for c in CHINESE)
    assert 0 < len(noisy(CHINESE, "drop", 0.3)) < len(CHINESE)
    assert noisy(CHINESE, "keyboard") == CHINESE == noisy(CHINESE, "insert")
    assert noisy(CHINESE, "word-swap") != CHINESE and Counter(noisy(CHINESE, "word-swap")) == Counter(CHINESE)


def test_words_are_lost_or_change_places_but_not_across_a_comma() -> None:
    assert noisy("one two three four", "word-swap") == "two one four three"
    assert noisy("one, two three", "word-swap") == "one, three two"
    assert noisy("one, two three", "word-drop") == ", three" or noisy("one, two three", "word-drop").strip()
    assert noisy("alone", "word-drop") == "alone"


def test_the_rate_is_about_the_share_of_words_hit() -> None:
    words = ["something"] * 2_000
    hit = sum(word != "something" for word in noisy(" ".join(words), "drop", 0.2).split())
    assert 330 < hit < 470


def test_every_text_has_a_draw_of_its_own() -> None:
    texts = [ENGLISH, CHINESE, "short one here"]
    together = perturb_all(texts, "characters", 0.4, seed=3)
    assert together == [perturb_all([text], "characters", 0.4, seed=3)[0] for text in texts]
    assert together != perturb_all(texts, "characters", 0.4, seed=4)
    assert together == perturb_all(texts, "characters", 0.4, seed=3)
    assert perturb_all([ENGLISH], "characters", 0.3) == [
        perturb_all([ENGLISH, ENGLISH], "characters", 0.3)[1],
    ]


def test_unknown_kinds_and_rates_are_refused() -> None:
    with pytest.raises(InputError, match="kind 'blur' is unknown; use one of swap"):
        perturb("a", "blur", 0.1, random.Random(0))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="rate is 2"):
        perturb("a", "swap", 2, random.Random(0))


@given(st.text(max_size=60), st.sampled_from(KINDS), st.floats(0, 1), st.integers(0, 5))
def test_noise_never_empties_a_text_and_rate_zero_changes_nothing(
    text: str, kind: Kind, rate: float, seed: int
) -> None:
    assert bool(noisy(text, kind, rate, seed).strip()) == bool(text.strip())
    assert noisy(text, kind, 0.0, seed) == text
    assert noisy(text, kind, rate, seed) == noisy(text, kind, rate, seed)
