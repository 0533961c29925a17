"""Exact and near duplicates among texts, deterministic from run to run and machine to machine.

Knows texts and numpy. MinHash (Broder 1997) with banded locality-sensitive hashing finds candidates, the exact Jaccard
similarity decides, and texts that differ in a number or a name are never called duplicates: in support documents
"Gold: $5" and "Silver: $9" are alike in everything but what matters.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from core.errors import InputError

_Hashes = npt.NDArray[np.uint64]

PERMUTATIONS = 64
_BANDS = 16
_ROWS = PERMUTATIONS // _BANDS
_SHINGLE = 3

_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]+")
_FACT = re.compile(r"\d+(?:[.,:/\-]\d+)*%?")
_NAME = re.compile(r"(?<=[a-z,;] )[A-Z][\w'’-]*")
_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)


def fingerprint(text: str) -> str:
    """SHA-256 of the text in NFKC, case folded, white space as one space: equal for exact duplicates.

    :returns: 64 hex digits.
    """
    folded = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return hashlib.sha256(" ".join(folded.casefold().split()).encode("utf-8", "replace")).hexdigest()


def exact_duplicates(texts: Sequence[str]) -> list[int | None]:
    """For every text the index of the first one with the same fingerprint, or None where it is the first."""
    first: dict[str, int] = {}
    found: list[int | None] = []
    for i, text in enumerate(texts):
        at = first.setdefault(fingerprint(text), i)
        found.append(None if at == i else at)
    return found


def near_duplicates(texts: Sequence[str], *, threshold: float = 0.85, same_facts: bool = True) -> list[int | None]:
    """For every text the index of the first kept text that is nearly the same, or None where it is kept.

    :param threshold: Jaccard similarity of three-word shingles (three characters in Chinese), in [0.5, 1]. At .85 the
        chance to miss a pair is 1e-5, at .7 it is .01.
    :param same_facts: call texts duplicates only if their numbers and the names in mid-sentence are the same.
    :raises InputError: if the threshold is out of range.
    """
    index = NearDuplicateIndex(threshold=threshold, same_facts=same_facts)
    return [index.add(text) for text in texts]


class NearDuplicateIndex:
    """Grows text by text: `add` answers with the earlier text that this one repeats."""

    def __init__(self, *, threshold: float = 0.85, same_facts: bool = True) -> None:
        if not 0.5 <= threshold <= 1:
            raise InputError(f"threshold is {threshold}; it must lie in [0.5, 1].")
        self._threshold = threshold
        self._same_facts = same_facts
        self._bands: list[dict[bytes, list[int]]] = [{} for _ in range(_BANDS)]
        self._kept: dict[int, tuple[_Hashes, frozenset[str]]] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, text: str) -> int | None:
        """Number (from 0, in the order of `add`) of the earlier kept text that this repeats; None keeps this one."""
        number, self._next = self._next, self._next + 1
        hashes = shingles(text)
        facts = _facts(text) if self._same_facts else frozenset()
        keys = [row.tobytes() for row in signature(hashes).reshape(_BANDS, _ROWS)]
        candidates = {at for band, key in zip(self._bands, keys, strict=True) for at in band.get(key, ())}
        for at in sorted(candidates):
            others, their_facts = self._kept[at]
            if facts == their_facts and jaccard(hashes, others) >= self._threshold:
                return at
        self._kept[number] = (hashes, facts)
        for band, key in zip(self._bands, keys, strict=True):
            band.setdefault(key, []).append(number)
        return None


def shingles(text: str) -> _Hashes:
    """(n,) uint64, sorted and distinct: hashes of the runs of three tokens. A text of fewer tokens is one shingle."""
    tokens = _TOKEN.findall(text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).lower())
    if not tokens:
        return np.zeros(0, dtype=np.uint64)
    codes = np.fromiter((zlib.crc32(token.encode("utf-8", "replace")) for token in tokens), np.uint64, len(tokens))
    codes = _scramble(codes)
    if len(codes) < _SHINGLE:
        return _scramble(np.array([(codes * _MIX[: len(codes)]).sum(dtype=np.uint64)]))
    runs = sum((codes[i : len(codes) - _SHINGLE + 1 + i] * _MIX[i] for i in range(_SHINGLE)), np.uint64(0))
    distinct: _Hashes = np.unique(_scramble(np.asarray(runs, dtype=np.uint64)))
    return distinct


def signature(hashes: _Hashes) -> npt.NDArray[np.uint32]:
    """(64,) uint32: the least value of the shingles under each of 64 hash functions; all ones without shingles.

    Two signatures agree in a place with probability equal to the Jaccard similarity of their shingles. The functions
    are multiply-shift (Dietzfelbinger et al. 1997).
    """
    if not len(hashes):
        return np.full(PERMUTATIONS, 0xFFFFFFFF, dtype=np.uint32)
    multipliers, offsets = _FUNCTIONS
    values = multipliers[:, None] * hashes[None, :]
    values += offsets[:, None]
    least: npt.NDArray[np.uint32] = (values.min(axis=1) >> np.uint64(32)).astype(np.uint32)
    return least


def jaccard(a: _Hashes, b: _Hashes) -> float:
    """Shared over all shingles of two sorted, distinct arrays; two empty ones are equal."""
    if not len(a) and not len(b):
        return 1.0
    shared = len(np.intersect1d(a, b, assume_unique=True))
    return shared / (len(a) + len(b) - shared)


def _facts(text: str) -> frozenset[str]:
    return frozenset(_FACT.findall(text)) | frozenset(name.casefold() for name in _NAME.findall(text))


def _scramble(values: _Hashes) -> _Hashes:
    """SplitMix64's finaliser (Steele et al. 2014): every bit of the input moves every bit of the output."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: _Hashes = values ^ (values >> np.uint64(31))
    return mixed


def _make_functions() -> tuple[_Hashes, _Hashes]:
    counters = np.arange(1, 2 * PERMUTATIONS + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    values = _scramble(counters)
    return values[:PERMUTATIONS] | np.uint64(1), values[PERMUTATIONS:]


_FUNCTIONS = _make_functions()
