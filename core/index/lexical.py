"""BM25 over passages that come as lists of tokens.

Knows tokens and ids; how a text becomes tokens is `core.text`'s affair. The ranking is bm25s' Lucene variant; its
builder is replaced by one without a loop over passages, which gives the same numbers about ten times faster.
"""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bm25s
import numpy as np

from core.errors import IndexDamaged
from core.index import sealed
from core.index.fusion import Ranked, best
from core.index.ids import EMPTY_IDS, check_ids, find
from core.types import FloatArray, IntArray

K1, B = 0.9, 0.4


class _Bm25(bm25s.BM25):  # type: ignore[misc]
    """bm25s with a vectorised builder; the method is one that bm25s documents as open to replacement."""

    def build_index_from_ids(
        self,
        unique_token_ids: Sequence[int],
        corpus_token_ids: Sequence[np.ndarray],
        show_progress: bool = False,
        leave_progress: bool = False,
    ) -> dict[str, Any]:
        """Scores of all (passage, token) pairs as a sparse matrix by column.

        Robertson, Zaragoza 2009, "The Probabilistic Relevance Framework", eq. 3.15, with Lucene's idf:
        idf * tf / (k1 * (1 - b + b * length / mean length) + tf).
        """
        words, passages = len(unique_token_ids), len(corpus_token_ids)
        lengths = np.array([len(t) for t in corpus_token_ids], dtype=np.int64)
        tokens = np.concatenate(corpus_token_ids).astype(np.int64)
        pairs, counts = np.unique(tokens * passages + np.repeat(np.arange(passages), lengths), return_counts=True)
        column, row = pairs // passages, (pairs % passages).astype(np.int32)
        frequency = np.bincount(column, minlength=words)
        weight = np.log1p((passages - frequency + 0.5) / (frequency + 0.5))
        saturation = K1 * (1 - B + B * lengths / max(lengths.mean(), 1e-9))
        self.nonoccurrence_array = None
        return {
            "data": (weight[column] * counts / (saturation[row] + counts)).astype(np.float32),
            "indices": row,
            "indptr": np.concatenate([[0], np.cumsum(frequency)]).astype(np.int64),
            "num_docs": passages,
        }


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """Never changed after it was made; a reader keeps the one it began with."""

    ids: IntArray
    """(n,) int64, ascending."""
    passages: tuple[np.ndarray, ...]
    """n arrays of int32 token numbers, in the order of `ids`."""
    vocabulary: dict[str, int]


class LexicalIndex:
    """BM25 with adds and deletes. Safe between threads: a search sees the state before or after a change, never half.

    A change only notes the tokens; the ranking is built at the next search, or by `build`.
    """

    def __init__(self) -> None:
        self._state = _State(EMPTY_IDS, (), {})
        self._built: tuple[_State, Any] | None = None
        self._writing = threading.Lock()
        self._building = threading.Lock()

    def __len__(self) -> int:
        return len(self._state.ids)

    @property
    def ids(self) -> IntArray:
        """(n,) int64, ascending."""
        return self._state.ids

    def clone(self) -> LexicalIndex:
        """An index of the same content that changes on its own; costs next to nothing."""
        other = LexicalIndex()
        other._state, other._built = self._state, self._built
        return other

    def add(self, ids: Sequence[int] | IntArray, token_lists: Sequence[Sequence[str]]) -> None:
        """Add passages; an id that is there is replaced.

        :raises InputError: if the lengths differ, an id repeats or is negative.
        """
        self.update((), ids, token_lists)

    def remove(self, ids: Sequence[int] | IntArray) -> None:
        """Forget passages; ids that are not there are passed over."""
        self.update(ids, (), ())

    def update(
        self,
        remove: Sequence[int] | IntArray,
        ids: Sequence[int] | IntArray,
        token_lists: Sequence[Sequence[str]],
    ) -> None:
        """Remove and add in one step; see `add`."""
        new = check_ids(ids, len(token_lists))
        gone = np.concatenate([np.asarray(remove, dtype=np.int64), new])
        with self._writing:
            old = self._state
            vocabulary = dict(old.vocabulary)
            keep = np.flatnonzero(~np.isin(old.ids, gone))
            passages = [old.passages[i] for i in keep.tolist()]
            for tokens in token_lists:
                numbers = [vocabulary.setdefault(token, len(vocabulary)) for token in tokens]
                passages.append(np.array(numbers, dtype=np.int32))
            every = np.concatenate([old.ids[keep], new])
            order = np.argsort(every)
            self._state = _State(every[order], tuple(passages[i] for i in order.tolist()), vocabulary)

    def rebuild(self, blocks: Iterable[tuple[Sequence[int] | IntArray, Sequence[Sequence[str]]]]) -> None:
        """Replace everything by the blocks; searches see the old state until the last block is in."""
        with self._writing:
            fresh = LexicalIndex()
            ids: list[int] = []
            token_lists: list[Sequence[str]] = []
            for block_ids, block_tokens in blocks:
                ids += [int(i) for i in block_ids]
                token_lists += block_tokens
            fresh.add(ids, token_lists)
            fresh.build()
            self._state, self._built = fresh._state, fresh._built

    def build(self) -> None:
        """Build the ranking now, so that no search has to."""
        self._ranking()

    def search(self, tokens: Sequence[str], k: int, allowed: IntArray | None = None) -> Ranked:
        """The best passages that share a token with the query.

        :param allowed: (m,) int64; only these ids. None means all.
        :returns: ids (<= k,) int64 and scores (<= k,) float32 > 0, best first; equal scores by ascending id.
        """
        state, scores = self._scores(tokens)
        keep = scores > 0
        if allowed is not None:
            keep &= np.isin(state.ids, allowed)
        return best(state.ids[keep], scores[keep], k)

    def scores_for(self, tokens: Sequence[str], ids: Sequence[int] | IntArray) -> FloatArray:
        """(n,) float32: BM25 of each of the n ids; 0 where no token is shared or the id is not there."""
        state, scores = self._scores(tokens)
        wanted = np.asarray(ids, dtype=np.int64)
        place, found = find(state.ids, wanted)
        return np.where(found, scores[place] if len(scores) else 0.0, 0.0).astype(np.float32)

    def document_frequency(self, token: str) -> int:
        """Passages that contain the token."""
        return _frequency(*self._ranking(), token)

    def idf(self, token: str) -> float:
        """ln(1 + (n - df + 1/2) / (df + 1/2)), Lucene's; an unknown token has the highest."""
        state, ranking = self._ranking()
        frequency = _frequency(state, ranking, token)
        return math.log1p((len(state.ids) - frequency + 0.5) / (frequency + 0.5))

    def save(self, folder: Path, *, revision: int) -> None:
        """Write the tokens, guarded by SHA-256. The ranking is built again after a load."""
        state = self._state
        lengths = np.array([len(p) for p in state.passages], dtype="<i8")
        tokens = np.concatenate(state.passages) if state.passages else np.empty(0)
        files = {
            "ids": state.ids.astype("<i8").tobytes(),
            "lengths": lengths.tobytes(),
            "tokens": tokens.astype("<i4").tobytes(),
            "vocabulary": json.dumps(list(state.vocabulary)).encode(),
        }
        sealed.write(folder, files, {"kind": "lexical", "revision": revision, "count": len(state.ids)})

    @classmethod
    def load(cls, folder: Path) -> tuple[LexicalIndex, int]:
        """The index and the revision it was saved with.

        :raises IndexDamaged: if a file is missing or changed, or another kind of index lies there.
        """
        files, facts = sealed.read(folder)
        if facts.get("kind") != "lexical":
            raise IndexDamaged(f"{folder} holds no lexical index. Rebuild it.")
        ends = np.cumsum(np.frombuffer(files["lengths"], dtype="<i8"))
        passages = np.split(np.frombuffer(files["tokens"], dtype="<i4").astype(np.int32), ends)[:-1]
        index = cls()
        index._state = _State(
            np.frombuffer(files["ids"], dtype="<i8").astype(np.int64),
            tuple(passages),
            {token: i for i, token in enumerate(json.loads(files["vocabulary"]))},
        )
        return index, int(facts["revision"])

    def _scores(self, tokens: Sequence[str]) -> tuple[_State, FloatArray]:
        """Scores of all passages, in the order of the state's ids; a repeated query token counts again."""
        state, ranking = self._ranking()
        scores = np.zeros(len(state.ids), np.float32)
        if ranking is None:
            return state, scores
        data, rows, pointers = (ranking.scores[name] for name in ("data", "indices", "indptr"))
        for token in tokens:
            number = state.vocabulary.get(token)
            if number is not None:
                start, end = pointers[number], pointers[number + 1]
                scores[rows[start:end]] += data[start:end]  # a passage is at most once in a column
        return state, scores

    def _ranking(self) -> tuple[_State, Any]:
        state, built = self._state, self._built
        if built is not None and built[0] is state:
            return built
        with self._building:
            state = self._state
            if self._built is None or self._built[0] is not state:
                self._built = (state, _ranking(state))
            return self._built


def _ranking(state: _State) -> Any:
    if not any(len(p) for p in state.passages):
        return None
    logging.getLogger("bm25s").setLevel(logging.WARNING)
    ranking = _Bm25(k1=K1, b=B, method="lucene", backend="numpy")
    ranking.index((list(state.passages), dict(state.vocabulary)), create_empty_token=False, show_progress=False)
    return ranking


def _frequency(state: _State, ranking: Any, token: str) -> int:
    number = state.vocabulary.get(token)
    if number is None or ranking is None:
        return 0
    pointers = ranking.scores["indptr"]
    return int(pointers[number + 1] - pointers[number])
