"""Typing errors in the words a model leans on: the discrete side of adversarial training.

Knows texts as a tokenizer gives them back, letters and keys; nothing of models, losses or labels. A batch comes in as
token ids with the length of the loss's gradient at every token; the words to damage are drawn in proportion to it
(Li et al. 2019, TextBugger, section 3.2.1, takes the largest; drawing reaches all words over the epochs), each gets one
edit that a hurried person makes, and the rows are tokenised again. Words outside the ASCII letters lose or swap
characters only, for there are no neighbouring keys to know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from core.errors import InputError
from core.finetune.adversarial import AdversarialArgs
from core.types import FloatArray

if TYPE_CHECKING:
    from torch import Tensor

Edit = Literal["swap", "omit", "double", "key", "drop", "repeat"]
EDITS: tuple[Edit, ...] = ("swap", "omit", "double", "key", "drop")

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_KEYS = {
    letter: "".join(
        _ROWS[r][c]
        for r in (row - 1, row, row + 1)
        for c in (column - 1, column, column + 1)
        if 0 <= r < len(_ROWS) and 0 <= c < len(_ROWS[r]) and (r, c) != (row, column)
    )
    for row, letters in enumerate(_ROWS)
    for column, letter in enumerate(letters)
}


class WordEditor:
    """Damages the most telling words of a batch's texts; single texts only, one label a text."""

    def __init__(
        self, tokenizer: Any, *, rate: float = 0.2, max_tokens: int = 128, edits: Sequence[Edit] = EDITS
    ) -> None:
        """Damage rows that this tokenizer made.

        :param tokenizer: a fast Hugging Face tokenizer.
        :param rate: share of a row's words to damage, in (0, 1]; at least one word.
        :param max_tokens: cut of the new rows, special tokens included.
        :param edits: kinds to draw from.
        :raises InputError: if the tokenizer cannot give character offsets or no kind is left.
        """
        if not getattr(tokenizer, "is_fast", False):
            raise InputError(f"{type(tokenizer).__name__} gives no character offsets; edits need a fast tokenizer")
        if not edits:
            raise InputError(f"no kind of edit to draw from; choose some of {', '.join(EDITS)}")
        self._tokenizer, self._rate, self._max_tokens, self._edits = tokenizer, rate, max_tokens, tuple(edits)

    def __call__(self, batch: Mapping[str, Any], saliency: Tensor, seed: int) -> dict[str, Any]:
        """The batch again, its texts damaged; everything but the token tensors is passed through.

        :param batch: input_ids and attention_mask (n, t) int64, perhaps token_type_ids, and what the loss needs.
        :param saliency: (n, t) float32, at least 0.
        :param seed: same seed, same edits.
        :raises InputError: if labels belong to tokens, or rows are pairs of texts.
        """
        ids, mask = batch["input_ids"], batch["attention_mask"]
        kinds = batch.get("token_type_ids")
        if any(_by_token(name, value, ids) for name, value in batch.items()) or (kinds is not None and kinds.any()):
            raise InputError(
                'adversarial method "edits" damages single texts with a label each; use fgm or freelb here'
            )
        draw = np.random.default_rng(seed)
        rows = [row[real.bool()].tolist() for row, real in zip(ids.cpu(), mask.cpu(), strict=True)]
        weights = [row[real.bool()].numpy() for row, real in zip(saliency.cpu(), mask.cpu(), strict=True)]
        texts = self._tokenizer.batch_decode(rows, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        found = self._tokenizer(texts, truncation=True, max_length=self._max_tokens, return_offsets_mapping=True)
        damaged = []
        for i, text in enumerate(texts):
            aligned = found["input_ids"][i] == rows[i]
            spans, pull = words(text, found.word_ids(i), found["offset_mapping"][i], weights[i] if aligned else None)
            damaged.append(self.damage(text, spans, pull, draw))
        new = self._tokenizer.pad(
            self._tokenizer(damaged, truncation=True, max_length=self._max_tokens), padding=True, return_tensors="pt"
        )
        kept = {name: value for name, value in batch.items() if name not in new}
        return kept | {name: value.to(ids.device) for name, value in new.items() if name in batch}

    def damage(self, text: str, spans: Sequence[tuple[int, int]], pull: FloatArray, draw: np.random.Generator) -> str:
        """One text with one edit in each drawn word.

        :param spans: character spans of its words, in order.
        :param pull: (words,) float64, chance of being drawn, up to a factor.
        """
        able = [i for i, (start, end) in enumerate(spans) if end - start > 1 and text[start:end].isalpha()]
        count = min(len(able), max(1, round(self._rate * len(spans))))
        if not count:
            return text
        # the largest of log p + Gumbel noise are a draw without replacement (Gumbel-top-k)
        order = np.argsort(-(np.log(pull[able] + 1e-12) + draw.gumbel(size=len(able))), kind="stable")
        for i in sorted((able[j] for j in order[:count]), reverse=True):
            start, end = spans[i]
            text = text[:start] + edit(text[start:end], self._edits[draw.integers(len(self._edits))], draw) + text[end:]
        return text


def editor_for(args: AdversarialArgs, tokenizer: Any, max_tokens: int) -> WordEditor | None:
    """The editor that the method edits needs; None for the other methods."""
    if args.method != "edits" or not args.active:
        return None
    return WordEditor(tokenizer, rate=args.edit_rate, max_tokens=max_tokens)


def _by_token(name: str, value: Any, ids: Tensor) -> bool:
    """Whether a tensor of the batch holds a class for every token."""
    same = getattr(value, "shape", None) == ids.shape and value.dtype == ids.dtype
    return same and name.startswith("labels")


def words(
    text: str, ids: Sequence[int | None], offsets: Sequence[tuple[int, int]], saliency: FloatArray | None
) -> tuple[list[tuple[int, int]], FloatArray]:
    """Character spans of a row's words and how much the loss hangs on each.

    :param ids: word of every token, None for special ones.
    :param offsets: character span of every token.
    :param saliency: (tokens,) float32; None counts all words alike.
    :returns: spans without leading spaces, in order; (words,) float64 sums of their tokens' saliency.
    """
    spans: dict[int, tuple[int, int]] = {}
    pull: dict[int, float] = {}
    for token, word in enumerate(ids):
        if word is None:
            continue
        start, end = offsets[token]
        start += len(text[start:end]) - len(text[start:end].lstrip())  # byte-level pieces carry the space before them
        spans[word] = (min(start, spans.get(word, (start, end))[0]), max(end, spans.get(word, (start, end))[1]))
        pull[word] = pull.get(word, 0.0) + (1.0 if saliency is None else float(saliency[token]))
    return list(spans.values()), np.array(list(pull.values()))


def edit(word: str, kind: Edit, draw: np.random.Generator) -> str:
    """A word of two letters or more with one typing error; `drop` gives the empty word, `repeat` the word twice."""
    if kind == "drop":
        return ""
    if kind == "repeat":
        return f"{word} {word}"
    at = int(draw.integers(len(word) - 1))
    near = _KEYS.get(word[at].lower(), "")
    if kind == "key" and near:
        return word[:at] + near[int(draw.integers(len(near)))] + word[at + 1 :]
    if kind in {"key", "swap"} and word[at] != word[at + 1]:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at] + word[at:] if kind == "double" else word[:at] + word[at + 1 :]
