from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.text.dedup import (
    NearDuplicateIndex,
    exact_duplicates,
    fingerprint,
    jaccard,
    near_duplicates,
    shingles,
    signature,
)

LONG = (
    "you can return any item that you bought from us within thirty days of delivery provided that it has not been used "
    "and that you still have the original packaging and the receipt which we sent to you by mail when the order was "
    "shipped and after we have checked the item the refund goes to the card that you paid with"
)


def test_exact_duplicates_ignore_case_and_white_space() -> None:
    assert exact_duplicates(["A  b", "c", "a\nB", "ａ b"]) == [None, None, 0, 0]
    assert fingerprint("A b") == fingerprint("a  b") != fingerprint("ab")


def test_a_text_with_one_word_changed_is_a_near_duplicate() -> None:
    assert near_duplicates([LONG, LONG.replace("delivery", "arrival"), "something else altogether, no doubt"]) == [
        None,
        0,
        None,
    ]


def test_chinese_texts_are_compared_too() -> None:
    text = (
        "客户可以在收到商品之日起七天内申请退货，商品应当保持完好，并附上原始包装和发票，退款将原路退回支付账户。" * 2
    )
    assert near_duplicates([text, text.replace("七天内", "七天之内", 1)]) == [None, 0]


def test_texts_that_differ_in_a_number_or_a_name_are_no_duplicates() -> None:
    gold = f"With the Gold card {LONG}. The fee is $5 a month."
    silver = gold.replace("Gold", "Silver")
    dearer = gold.replace("$5", "$9")
    assert near_duplicates([gold, silver, dearer]) == [None, None, None]
    assert near_duplicates([gold, silver, dearer], same_facts=False) == [None, 0, 0]


def test_signatures_estimate_the_jaccard_similarity() -> None:
    words = LONG.split()
    a, b = shingles(LONG), shingles(" ".join(words[: len(words) * 3 // 4]))
    estimate = float(np.mean(signature(a) == signature(b)))
    assert abs(estimate - jaccard(a, b)) < 0.2
    assert signature(a).shape == (64,) and signature(a).dtype == np.uint32


def test_the_same_text_has_the_same_signature_in_another_process() -> None:
    program = f"from core.text.dedup import *; print(signature(shingles({LONG!r}))[:4].tolist())"
    output = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert output.strip() == str(signature(shingles(LONG))[:4].tolist())


def test_an_index_grows_text_by_text() -> None:
    index = NearDuplicateIndex()
    assert index.add(LONG) is None and index.add(LONG + " indeed") == 0 and len(index) == 1
    assert index.add("") is None and index.add(" ! ") == 2


def test_the_threshold_has_a_range() -> None:
    with pytest.raises(InputError, match=r"threshold is 0\.2"):
        NearDuplicateIndex(threshold=0.2)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=12))
def test_every_duplicate_points_at_a_text_that_is_kept_before_it(texts: list[str]) -> None:
    found = near_duplicates(texts)
    for i, at in enumerate(found):
        assert at is None or (at < i and found[at] is None)
    assert found == near_duplicates(texts)
