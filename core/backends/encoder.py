"""What all token encoders share: tokenise, cut, pad, batch by length, normalise.

Knows `tokenizers` and numpy. A backend adds `forward` alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from core.errors import ArtifactDamaged
from core.models.config import EncoderConfig
from core.types import FloatArray, TokenBatch

TOKEN_BUDGET = 1024
"""Padded tokens of one batch at most on a CPU: its activations stay near the cache. 4096 is a tenth slower on texts of
mixed length and takes 350 MB more."""

TOKEN_BUDGET_GPU = 32_768
"""The same on a GPU, which wants much at once."""

MAX_WASTE = 0.15
"""Share of padding that a batch of more than a few rows may have."""

_CHARACTERS_PER_TOKEN = 64
_SMALL_BATCH = 4
_WINDOW = 4096


class TokenEncoder(ABC):
    """The encoder contract over a `tokenizer.json`; backends give `forward`."""

    def __init__(self, config: EncoderConfig, tokenizer_file: Path) -> None:
        from tokenizers import Tokenizer

        try:
            self._tokenizer = Tokenizer.from_file(str(tokenizer_file))
        except Exception as error:
            raise ArtifactDamaged(f"{tokenizer_file} is no tokenizer ({error}); publish the model again.") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.config = config
        self.token_budget = TOKEN_BUDGET
        self._room = config.max_tokens - len(config.prefix_ids) - len(config.suffix_ids)

    @property
    def name(self) -> str:
        """Name and precision, as in "minilm-int8"."""
        return self.config.full_name

    @property
    def dimension(self) -> int:
        """Length d of a row."""
        return self.config.dimension

    @property
    def max_tokens(self) -> int:
        """Longer texts are cut to this many tokens."""
        return self.config.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special tokens not counted, not cut."""
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding) for encoding in encodings]

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text with its special tokens, cut to `max_tokens`.

        Only the first 64 * `max_tokens` characters are read, so a text of a megabyte costs no more than a page.
        """
        config, room = self.config, self._room
        limit = _CHARACTERS_PER_TOKEN * config.max_tokens
        encodings = self._tokenizer.encode_batch_fast([text[:limit] for text in texts], add_special_tokens=False)
        prefix, suffix, empty = list(config.prefix_ids), list(config.suffix_ids), list(config.empty_ids)
        return [prefix + (encoding.ids[:room] or empty) + suffix for encoding in encodings]

    def pad(self, rows: Sequence[Sequence[int]]) -> TokenBatch:
        """Token rows as one right-padded batch."""
        lengths = np.fromiter((len(row) for row in rows), dtype=np.int64, count=len(rows))
        width = int(lengths.max(initial=1))
        attention = (np.arange(width) < lengths[:, None]).astype(np.int64)
        ids = np.full((len(rows), width), self.config.pad_id, dtype=np.int64)
        for row, target in zip(rows, ids, strict=True):
            target[: len(row)] = row
        return TokenBatch(ids, attention)

    def prepare(self, texts: Sequence[str]) -> TokenBatch:
        """Tokenise and pad; an empty text becomes the special tokens alone."""
        return self.pad(self.token_ids(texts))

    @abstractmethod
    def forward(self, batch: TokenBatch) -> FloatArray:
        """(n, d) float32, pooled, not normalised."""

    def finish(self, rows: FloatArray) -> FloatArray:
        """(n, d) float32, rows L2-normalised; a zero row stays zero."""
        return normalise(rows)

    def encode(self, texts: Sequence[str], *, batch_size: int = 32) -> FloatArray:
        """(n, d) float32, rows L2-normalised, in the order given. n = 0 gives (0, d).

        Texts of like length share a batch, so that mixed lengths cost little padding.

        :param batch_size: rows of one batch at most.
        """
        out = np.empty((len(texts), self.dimension), dtype=np.float32)
        for start in range(0, len(texts), _WINDOW):  # bounds memory; sorting within 4096 texts is sorting enough
            rows = self.token_ids(texts[start : start + _WINDOW])
            for batch in batches([len(row) for row in rows], batch_size, self.token_budget):
                out[start + batch] = self.forward(self.pad([rows[i] for i in batch]))
        return self.finish(out)


def batches(
    lengths: Sequence[int], batch_size: int, budget: int = TOKEN_BUDGET
) -> Iterator[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Group row indices so that a batch holds rows of like length, longest first.

    Each batch has at most `batch_size` rows and `budget` padded tokens, and once it has a few rows at most
    `MAX_WASTE` of it is padding.
    """
    order = np.argsort(np.negative(lengths), kind="stable").astype(np.int64)
    start = 0
    while start < len(order):
        width, real, end = lengths[order[start]], 0, start
        while end < len(order) and end - start < batch_size:
            count, grown = end - start + 1, real + lengths[order[end]]
            padded = width * count
            wasteful = count > _SMALL_BATCH and padded - grown > MAX_WASTE * padded
            if count > 1 and (padded > budget or wasteful):
                break
            real, end = grown, end + 1
        yield order[start:end]
        start = end


def normalise(rows: FloatArray) -> FloatArray:
    """(n, d) float32, rows of length 1; a zero row stays zero."""
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    return np.asarray(rows / np.maximum(norms, 1e-12), dtype=np.float32)
