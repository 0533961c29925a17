"""Plain text to pre-training rows, and what is hidden of them: masks, deletions.

Knows ids and where words begin; nothing of models. What is hidden in a row hangs on seed, epoch and row alone, so that
a resumed run hides the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from core.errors import InputError
from core.finetune.causal import CausalRow, causal_row, pack
from core.finetune.losses import IGNORED
from core.finetune.tokens import pad_rows, special_frame

HELD_OUT = 2**31
"""The epoch of held-out rows: their masks never change."""


@dataclass(frozen=True, slots=True)
class TextRow:
    """A run of tokens of one text, special ones included."""

    ids: tuple[int, ...]
    words: tuple[int, ...]
    """Which word a token belongs to, ascending from 0; -1 for special tokens."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What hiding needs to know of a tokenizer."""

    size: int
    mask_id: int
    pad_id: int
    special: frozenset[int]

    @classmethod
    def of(cls, tokenizer: Any) -> Vocabulary:
        """Of a fast tokenizer; one without a mask token hides behind its unknown token."""
        mask = tokenizer.mask_token_id if tokenizer.mask_token_id is not None else tokenizer.unk_token_id
        special = frozenset(int(i) for i in tokenizer.all_special_ids)
        return cls(len(tokenizer), int(mask if mask is not None else -1), int(tokenizer.pad_token_id), special)


def text_rows(tokenizer: Any, texts: Sequence[str], limit: int) -> list[TextRow]:
    """Rows of every text; a long one is cut into runs of `limit` tokens, so that nothing of it is lost.

    :raises InputError: if no text has a token.
    """
    before, after = special_frame(tokenizer)
    room = limit - len(before) - len(after)
    rows: list[TextRow] = []
    found: Any = tokenizer(list(texts), add_special_tokens=False, verbose=False) if texts else {"input_ids": []}
    for i, ids in enumerate(found["input_ids"]):
        words = [-1 if word is None else word for word in found.word_ids(i)]
        for start in range(0, len(ids), room):
            part, own = ids[start : start + room], words[start : start + room]
            _, numbered = np.unique(own, return_inverse=True)
            whole = (*before, *part, *after)
            rows.append(TextRow(whole, (*[-1] * len(before), *map(int, numbered), *[-1] * len(after))))
    if texts and not rows:
        raise InputError("None of the texts has a token that the backbone knows.")
    return rows


def causal_rows(tokenizer: Any, texts: Sequence[str], limit: int) -> list[CausalRow]:
    """Rows for a decoder: every text with the end token behind it, in runs of `limit` tokens, short ones packed."""
    found: list[list[int]] = (
        tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"] if texts else []
    )
    end = [int(tokenizer.eos_token_id)] if tokenizer.eos_token_id is not None else []
    runs = [(ids + end)[start : start + limit] for ids in found if ids for start in range(0, len(ids + end), limit)]
    rows = [causal_row(run) for run in runs if len(run) > 1]
    if texts and not rows:
        raise InputError("None of the texts has a token that the backbone knows.")
    return pack(rows, limit)


def masked(row: TextRow, share: float, vocabulary: Vocabulary, at: tuple[int, int, int]) -> tuple[list[int], list[int]]:
    """Ids with whole words hidden, and targets: the id where it was hidden, else `IGNORED`.

    Words are drawn until `share` of the tokens is hidden, at least one word; of the hidden tokens 80 % become the mask,
    10 % another token, 10 % stay.

    :param at: seed, epoch, row.

    Devlin et al. 2019, "BERT", section 3.1; whole words: their release of May 2019.
    """
    random = np.random.default_rng(at)
    words = np.array(row.words)
    goal = max(1, round(share * int((words >= 0).sum())))
    ids, targets, hidden = list(row.ids), [IGNORED] * len(row.ids), 0
    for word in random.permutation(int(words.max(initial=-1)) + 1):
        places = np.flatnonzero(words == word)
        if hidden and hidden + len(places) > goal:
            continue
        for place in places:
            targets[place] = row.ids[place]
            fate = random.random()
            other = int(random.integers(vocabulary.size))
            if fate < 0.8:
                ids[place] = vocabulary.mask_id
            elif fate < 0.9 and other not in vocabulary.special:
                ids[place] = other
        hidden += len(places)
        if hidden >= goal:
            break
    return ids, targets


def deleted(row: TextRow, share: float, at: tuple[int, int, int]) -> list[int]:
    """Ids with each word left out with probability `share`; one word stays at least.

    Wang et al. 2021, "TSDAE", section 3: 60 % deleted works best.
    """
    random = np.random.default_rng(at)
    count = max(row.words, default=-1) + 1
    keep = random.random(count) >= share
    if count and not keep.any():
        keep[random.integers(count)] = True
    return [i for i, word in zip(row.ids, row.words, strict=True) if word < 0 or keep[word]]


def plain_batch(rows: Sequence[Sequence[int]], pad_id: int) -> dict[str, torch.Tensor]:
    """(n, t) int64 input_ids and attention_mask."""
    return pad_rows([{"input_ids": list(ids)} for ids in rows], pad_id)


def with_targets(batch: dict[str, torch.Tensor], targets: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
    """The batch with (n, t) int64 targets, of their own width, padded with `IGNORED`."""
    width = max(len(each) for each in targets)
    padded = [[*each, *([IGNORED] * (width - len(each)))] for each in targets]
    return {**batch, "targets": torch.tensor(padded, dtype=torch.int64)}
