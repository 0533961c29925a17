from __future__ import annotations

import numpy as np
import pytest

from core.errors import InputError
from core.index.late import LateIndex, TokenRows, read_tokens
from core.types import FloatArray, TokenBatch

AXES = np.eye(8, dtype=np.float32)


def text(*tokens: int) -> TokenRows:
    return np.array(tokens, dtype=np.int64), AXES[list(tokens)]


def test_a_text_that_says_more_is_not_punished() -> None:
    index = LateIndex([text(1, 2), text(1, 2, 3, 4, 5, 6), text(5, 6)])
    scores = index.scores(text(1, 2), np.arange(3))
    np.testing.assert_allclose(scores, [1.0, 1.0, 0.0], atol=1e-3)


def test_rare_tokens_weigh_more() -> None:
    index = LateIndex([text(0, 1), text(0, 2), text(0, 3), text(0, 4)])
    assert index.rarity(1) > index.rarity(0)
    common_only, rare_only = index.scores(text(0, 7), np.array([0])), index.scores(text(1, 7), np.array([0]))
    assert rare_only[0] > common_only[0]


def test_only_the_texts_asked_for_are_scored_in_the_order_asked() -> None:
    index = LateIndex([text(1), text(2), text(3)])
    np.testing.assert_allclose(index.scores(text(3), np.array([2, 0])), [1.0, 0.0], atol=1e-3)
    assert len(index.scores(text(3), np.array([], dtype=np.int64))) == 0
    assert len(index) == 3


def test_a_text_without_tokens_is_refused() -> None:
    with pytest.raises(InputError, match="without tokens"):
        LateIndex([text(1), (np.zeros(0, np.int64), np.zeros((0, 8), np.float32))])


class Letters:
    """Every letter is a token, at right angles to the others."""

    reads_tokens = True

    def prepare(self, texts: list[str]) -> TokenBatch:
        width = max(map(len, texts))
        ids = np.array([[ord(c) - 96 for c in t] + [0] * (width - len(t)) for t in texts], dtype=np.int64)
        return TokenBatch(ids, (ids > 0).astype(np.int64))

    def forward_tokens(self, batch: TokenBatch) -> FloatArray:
        return 3.0 * AXES[batch.input_ids]


def test_token_vectors_come_normalised_without_padding_in_the_order_given() -> None:
    read = read_tokens(Letters(), ["abc", "a", "bb"], batch_size=2)
    assert [ids.tolist() for ids, _ in read] == [[1, 2, 3], [1], [2, 2]]
    np.testing.assert_allclose(np.linalg.norm(np.concatenate([v for _, v in read]), axis=1), 1.0, atol=1e-6)
