"""Texts to token rows of a fine-tuned model, from `tokenizer.json` alone: the same ids that training sees.

Knows `tokenizers` and `tokens.json`, which the export writes beside the graph; nothing of heads or onnxruntime.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from core.errors import ArtifactDamaged, InputError
from core.text.tagwords import windows
from core.types import IntArray

Pairing = Literal["typed", "joined"]

FILE_NAME = "tokens.json"
TOKENIZER_FILE = "tokenizer.json"
_FORMAT = 1
_CHARACTERS_PER_TOKEN = 64


@dataclass(frozen=True, slots=True)
class TokenConfig:
    """How the rows of one exported model are made."""

    name: str
    """What the model is called, as in "intents"."""
    precision: str
    """ "fp32", "fp16", "int8" or "int8-static"."""
    pad_id: int
    """Fills short rows, and stands for a text without any token."""
    pairing: Pairing = "typed"
    """How two texts become one row: by the tokenizer's own template with token types, or joined by a blank line."""

    @property
    def full_name(self) -> str:
        """Name and precision, as in "intents-int8"."""
        return f"{self.name}-{self.precision}"

    def save(self, folder: Path) -> None:
        """Write `tokens.json` into a folder."""
        values = {"format": _FORMAT, **asdict(self)}
        (folder / FILE_NAME).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> TokenConfig:
        """Read `tokens.json`.

        :raises ArtifactDamaged: if it is missing or not what this version writes.
        """
        path = folder / FILE_NAME
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values.pop("format") != _FORMAT or values["pairing"] not in get_args(Pairing):
                raise ValueError("another version wrote it")
            return cls(**values)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ArtifactDamaged(
                f"{path} is not a readable token description ({error}); export the model again."
            ) from error


@dataclass(frozen=True, slots=True)
class Row:
    """One text or pair in tokens, special ones included."""

    ids: list[int]
    types: list[int]
    """0 for the first text of a pair, 1 for the second."""


@dataclass(frozen=True, slots=True)
class WordRow:
    """A run of a sentence's words in tokens."""

    sentence: int
    start: int
    """The run's first word."""
    row: Row
    first: list[int]
    """Place in the row of each word's first piece; -1 for words without one."""


class RowTokenizer:
    """Rows of a model that was trained to read at most `max_tokens`."""

    def __init__(self, folder: Path, config: TokenConfig, max_tokens: int) -> None:
        """Open `tokenizer.json` of an exported model.

        :raises ArtifactDamaged: if it is no tokenizer.
        """
        from tokenizers import Tokenizer

        path = folder / TOKENIZER_FILE
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:
            raise ArtifactDamaged(f"{path} is no tokenizer ({error}); publish the model again.") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens, stride=0, strategy="longest_first")
        self.config, self.max_tokens = config, max_tokens
        self._limit = _CHARACTERS_PER_TOKEN * max_tokens
        self._before, self._after = self._frame()

    def rows(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> list[Row]:
        """Token rows of texts or of pairs, cut to `max_tokens`; of a pair the longer text is cut first.

        Only the first 64 * `max_tokens` characters of a text are read.

        :raises InputError: if there are not as many second texts as first ones.
        """
        first = [text[: self._limit] for text in texts]
        if pairs is None:
            found = self._tokenizer.encode_batch_fast(first)
        else:
            if len(pairs) != len(first):
                raise InputError(f"{len(first)} texts and {len(pairs)} second texts; a pair needs both.")
            second = [text[: self._limit] for text in pairs]
            both = zip(first, second, strict=True)
            if self.config.pairing == "joined":
                found = self._tokenizer.encode_batch_fast([f"{a}\n\n{b}"[: self._limit] for a, b in both])
            else:
                found = self._tokenizer.encode_batch_fast(list(both))
        return [Row(each.ids or [self.config.pad_id], each.type_ids or [0]) for each in found]

    def words(self, sentences: Sequence[Sequence[str]]) -> list[WordRow]:
        """Token rows of sentences that are split into words, each word tokenised by itself; a sentence that is too
        long becomes several rows, a sentence without words none.

        A tokenizer whose pieces carry the space before them (`pairing` is "joined": a decoder's) is shown that space.
        """
        spaced = self.config.pairing == "joined"
        room = self.max_tokens - len(self._before) - len(self._after)
        shown = [[" " + word if spaced and i else word for i, word in enumerate(words)] for words in sentences]
        found = iter(
            self._tokenizer.encode_batch_fast([word for words in shown for word in words], add_special_tokens=False)
        )
        rows = []
        for number, words in enumerate(shown):
            ids = [next(found).ids for _ in words]
            for start, end in windows([len(word) for word in ids], room):
                row, first = list(self._before), []
                for word in ids[start:end]:
                    first.append(len(row) if word else -1)
                    row += word[:room]
                row = [*row, *self._after] or [self.config.pad_id]
                rows.append(WordRow(number, start, Row(row, [0] * len(row)), first))
        return rows

    def _frame(self) -> tuple[list[int], list[int]]:
        """Special tokens before and after every text."""
        plain: list[int] = self._tokenizer.encode("a", add_special_tokens=False).ids
        whole: list[int] = self._tokenizer.encode("a").ids
        starts = (i for i in range(len(whole) - len(plain) + 1) if whole[i : i + len(plain)] == plain)
        start = next(starts, 0)
        return whole[:start], whole[start + len(plain) :]

    def pad(self, rows: Sequence[Row], *, types: bool = False, left: bool = False) -> dict[str, IntArray]:
        """Rows as one batch: (n, t) int64 `input_ids`, `attention_mask`, and `token_type_ids` where asked for."""
        width = max((len(row.ids) for row in rows), default=1)
        out = {"input_ids": np.full((len(rows), width), self.config.pad_id, dtype=np.int64)}
        out["attention_mask"] = np.zeros((len(rows), width), dtype=np.int64)
        if types:
            out["token_type_ids"] = np.zeros((len(rows), width), dtype=np.int64)
        for i, row in enumerate(rows):
            size = len(row.ids)
            place = slice(width - size, width) if left else slice(0, size)
            out["input_ids"][i, place] = row.ids
            out["attention_mask"][i, place] = 1
            if types:
                out["token_type_ids"][i, place] = row.types
        return out
