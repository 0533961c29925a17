"""Texts to token rows for training: cut, typed in pairs, padded into tensors.

Knows a fast tokenizer; nothing of labels. Serving makes the same rows from `tokenizer.json` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

TokenRow = dict[str, list[int]]
"""input_ids, and token_type_ids where the backbone has them and the row is a pair."""

_CHARACTERS_PER_TOKEN = 64


def token_rows(
    tokenizer: Any, texts: Sequence[str], max_tokens: int, pairs: Sequence[str] | None = None
) -> list[TokenRow]:
    """Ids of each text with its special tokens; of a pair the second text is cut, the first only if it must be.

    A decoder has no special tokens: its pairs are parted by a blank line, and the second text is cut.
    """
    if not texts:
        return []
    limit = _CHARACTERS_PER_TOKEN * max_tokens
    first = [text[:limit] for text in texts]
    if pairs is None:
        ids: list[list[int]] = tokenizer(first, truncation=True, max_length=max_tokens)["input_ids"]
        return [{"input_ids": row or [tokenizer.pad_token_id]} for row in ids]
    second = [text[:limit] for text in pairs]
    if tokenizer.sep_token_id is None:
        joined = [f"{a}\n\n{b}" for a, b in zip(first, second, strict=True)]
        return token_rows(tokenizer, joined, max_tokens)
    found = tokenizer(first, second, truncation="longest_first", max_length=max_tokens, return_token_type_ids=True)
    return [
        {"input_ids": ids, "token_type_ids": types}
        for ids, types in zip(found["input_ids"], found["token_type_ids"], strict=True)
    ]


def pad_rows(rows: Sequence[TokenRow], pad_id: int, *, left: bool = False) -> dict[str, torch.Tensor]:
    """(n, t) int64 tensors: input_ids, attention_mask, and token_type_ids where the rows have them."""
    width = max(len(row["input_ids"]) for row in rows)
    out = {key: torch.full((len(rows), width), pad_id if key == "input_ids" else 0) for key in rows[0]}
    out["attention_mask"] = torch.zeros((len(rows), width), dtype=torch.int64)
    for i, row in enumerate(rows):
        n = len(row["input_ids"])
        place = slice(width - n, width) if left else slice(0, n)
        for key, values in row.items():
            out[key][i, place] = torch.tensor(values, dtype=torch.int64)
        out["attention_mask"][i, place] = 1
    return out


def special_frame(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Ids of the special tokens that stand before and after every text; none for most decoders."""
    plain: list[int] = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole: list[int] = tokenizer("a")["input_ids"]
    starts = (i for i in range(len(whole) - len(plain) + 1) if whole[i : i + len(plain)] == plain)
    start = next(starts, 0)
    return whole[:start], whole[start + len(plain) :]
