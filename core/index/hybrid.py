"""One lexical index and any number of dense ones, searched together.

Each retriever proposes candidates and the union is fused: words may add a passage, never keep one out, so a Chinese
question finds an English passage. Knows ids, tokens and vectors; weights by language and kind of query, encoders and
rerankers belong to the caller.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from core.errors import IndexDamaged, InputError
from core.index.fusion import Ranked, reciprocal_rank_fusion, weighted_fusion
from core.index.lexical import LexicalIndex
from core.index.vector import VectorIndex
from core.types import FloatArray, Hit, IntArray

LEXICAL, RERANK = "lexical", "rerank"

Reranker = Callable[[str, list[int]], FloatArray]
"""A query and n ids to (n,) float32 scores, higher is better."""


@dataclass(frozen=True, slots=True)
class Block:
    """Passages to index; all of them have a vector from the same retrievers."""

    ids: Sequence[int] | IntArray
    tokens: Sequence[Sequence[str]]
    vectors: Mapping[str, FloatArray] = field(default_factory=dict)
    """By dense retriever, (n, d) float32, rows L2-normalised."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question in the forms the retrievers take. A retriever whose form is missing stays silent."""

    tokens: Sequence[str] = ()
    vectors: Mapping[str, FloatArray] = field(default_factory=dict)
    """By dense retriever, (d,) float32, L2-normalised."""
    text: str = ""
    """For the reranker."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """How lists become one."""

    weights: Mapping[str, float]
    """By retriever ("lexical" and the dense names), >= 0; one that is not named is not asked."""
    method: Literal["rrf", "z", "minmax", "theoretical"] = "rrf"
    """`rrf` looks at ranks; the others at scores, normalised as in `weighted_fusion`."""
    k: float = 60.0
    """Of reciprocal rank fusion."""
    depth: int = 50
    """Candidates of each retriever."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """Published once, never changed after."""

    lexical: LexicalIndex
    dense: Mapping[str, VectorIndex]


class HybridIndex:
    """Safe between threads: a search sees all retrievers before or all after a change.

    :param dimensions: row length by the name of each dense retriever.
    :param exact_below: as for `VectorIndex`. :param threads: as for `VectorIndex`.
    """

    def __init__(self, dimensions: Mapping[str, int], *, exact_below: int = 50_000, threads: int = 1) -> None:
        taken = {LEXICAL, RERANK} & set(dimensions)
        if taken:
            raise InputError(f"{taken.pop()!r} is not a name for a dense retriever; it has a meaning already.")
        dense = {name: VectorIndex(d, exact_below=exact_below, threads=threads) for name, d in dimensions.items()}
        self._parts = _Parts(LexicalIndex(), dense)
        self._writing = threading.Lock()

    def __len__(self) -> int:
        return len(self._parts.lexical)

    @property
    def ids(self) -> IntArray:
        """(n,) int64, ascending."""
        return self._parts.lexical.ids

    @property
    def lexical(self) -> LexicalIndex:
        """The present lexical index, for idf and coverage. Read only: changes go through `update`."""
        return self._parts.lexical

    @property
    def dense(self) -> Mapping[str, VectorIndex]:
        """The present dense indexes by name. Read only: changes go through `update`."""
        return self._parts.dense

    def clone(self) -> HybridIndex:
        """An index of the same content that changes on its own; costs next to nothing."""
        other = HybridIndex({})
        other._parts = self._parts
        return other

    def add(
        self,
        ids: Sequence[int] | IntArray,
        tokens: Sequence[Sequence[str]],
        vectors: Mapping[str, FloatArray] | None = None,
    ) -> None:
        """Add passages; one that is there is replaced. See `update`."""
        self.update((), [Block(ids, tokens, vectors or {})])

    def remove(self, ids: Sequence[int] | IntArray) -> None:
        """Forget passages; ids that are not there are passed over."""
        self.update(ids, ())

    def update(self, remove: Sequence[int] | IntArray, blocks: Sequence[Block]) -> None:
        """Remove and add in one step; searches go on meanwhile in the old state.

        :raises InputError: if a block's parts disagree or name an unknown retriever; nothing changes then.
        """
        with self._writing:
            old = self._parts
            unknown = {name for block in blocks for name in block.vectors} - set(old.dense)
            if unknown:
                raise InputError(f"There is no dense retriever {unknown.pop()!r}; there is {', '.join(old.dense)}.")
            ids = _joined([block.ids for block in blocks])
            gone = np.concatenate([np.asarray(remove, dtype=np.int64), ids])
            lexical = old.lexical.clone()
            lexical.update(remove, ids, [tokens for block in blocks for tokens in block.tokens])
            lexical.build()
            dense: dict[str, VectorIndex] = {}
            for name, index in old.dense.items():
                mine = [block for block in blocks if name in block.vectors]
                for block in mine:
                    if len(block.vectors[name]) != len(block.ids):
                        raise InputError(f"{len(block.ids)} passages came with {len(block.vectors[name])} of {name}.")
                rows = [np.empty((0, index.dimension), np.float32), *(block.vectors[name] for block in mine)]
                dense[name] = index.clone()
                dense[name].update(gone, _joined([block.ids for block in mine]), _stacked(rows, name))
            self._parts = _Parts(lexical, dense)

    def add_vectors(self, name: str, ids: Sequence[int] | IntArray, rows: FloatArray) -> None:
        """Give passages that are there a vector of one more retriever, or a new one; words stay as they are.

        :param rows: (n, d) float32, L2-normalised.
        :raises InputError: if the retriever is unknown or the shapes do not fit.
        """
        with self._writing:
            old = self._parts
            if name not in old.dense:
                raise InputError(f"There is no dense retriever {name!r}; there is {', '.join(old.dense)}.")
            index = old.dense[name].clone()
            index.update((), ids, rows)
            self._parts = _Parts(old.lexical, {**old.dense, name: index})

    def rebuild(
        self,
        tokens: Iterable[tuple[Sequence[int] | IntArray, Sequence[Sequence[str]]]],
        vectors: Mapping[str, Iterable[tuple[IntArray, FloatArray]]],
    ) -> None:
        """Replace everything; searches go on in the old state until all blocks are in; changes wait.

        :param tokens: blocks of ids and token lists.
        :param vectors: by dense retriever, blocks of ids and rows; one that is not named becomes empty.
        """
        with self._writing:
            lexical = LexicalIndex()
            lexical.rebuild(tokens)
            dense: dict[str, VectorIndex] = {}
            for name, old in self._parts.dense.items():
                dense[name] = VectorIndex(old.dimension, exact_below=old.exact_below, threads=old.threads)
                dense[name].rebuild(vectors.get(name, ()))
            self._parts = _Parts(lexical, dense)

    def search(
        self,
        query: Query,
        fusion: Fusion,
        k: int,
        *,
        allowed: IntArray | None = None,
        reranker: Reranker | None = None,
        rerank: int = 20,
    ) -> list[Hit]:
        """The k best passages.

        :param allowed: (m,) int64; only these ids. None means all.
        :param reranker: scores the best `max(rerank, k)` anew; its scores then decide.
        :returns: at most k hits, best first. `parts` has each asked retriever's own score of the passage, also where
            another one proposed it; a retriever that does not hold the passage is left out.
        :raises InputError: if a weight is negative or a query vector does not fit its index.
        """
        parts = self._parts
        lists: dict[str, Ranked] = {}
        for name, weight in fusion.weights.items():
            if name == LEXICAL:
                if weight and query.tokens:
                    lists[name] = parts.lexical.search(query.tokens, fusion.depth, allowed)
            elif name not in parts.dense:
                raise InputError(f"There is no retriever {name!r}; there is {', '.join((LEXICAL, *parts.dense))}.")
            elif weight and name in query.vectors:
                ids, scores = parts.dense[name].search(query.vectors[name].reshape(1, -1), fusion.depth, allowed)
                lists[name] = ids[0], scores[0]
        ids, scores = _fused(parts, query, lists, fusion)
        if reranker is not None and len(ids):
            ids, scores, anew = _reranked(reranker, query.text, ids[: max(rerank, k)])
        else:
            anew = {}
        ids, scores = ids[:k], scores[:k]
        own = {name: _scores(parts, query, name, ids) for name in lists}
        return [
            Hit(
                int(ids[i]),
                float(scores[i]),
                {n: float(s[i]) for n, s in own.items() if np.isfinite(s[i])}
                | ({RERANK: anew[int(ids[i])]} if anew else {}),
            )
            for i in range(len(ids))
        ]

    def save(self, folder: Path, *, revision: int, encoders: Mapping[str, str]) -> None:
        """Write all indexes.

        :param revision: of the SQL they were made from. :param encoders: encoder by dense retriever.
        """
        parts = self._parts
        parts.lexical.save(folder / LEXICAL, revision=revision)
        for name, index in parts.dense.items():
            index.save(folder / name, revision=revision, encoder=encoders[name])

    @classmethod
    def load(
        cls, folder: Path, *, encoders: Mapping[str, str], exact_below: int = 50_000, threads: int = 1
    ) -> tuple[HybridIndex, int]:
        """The indexes and the revision they were saved with.

        :raises IndexDamaged: if a file is missing or changed, or the indexes are not of one revision.
        """
        lexical, revision = LexicalIndex.load(folder / LEXICAL)
        dense: dict[str, VectorIndex] = {}
        for name, encoder in encoders.items():
            dense[name], its = VectorIndex.load(
                folder / name, encoder=encoder, exact_below=exact_below, threads=threads
            )
            if its != revision:
                raise IndexDamaged(f"{folder / name} is of revision {its}, the words of {revision}. Rebuild the index.")
        lexical.build()
        index = cls({})
        index._parts = _Parts(lexical, dense)
        return index, revision


def _fused(parts: _Parts, query: Query, lists: Mapping[str, Ranked], fusion: Fusion) -> Ranked:
    weights = [fusion.weights[name] for name in lists]
    if fusion.method == "rrf":
        return reciprocal_rank_fusion([ids for ids, _ in lists.values()], weights, fusion.k)
    union = np.unique(_joined([ids[ids >= 0] for ids, _ in lists.values()]))
    full = []
    for name in lists:
        scores = _scores(parts, query, name, union)
        held = np.isfinite(scores)
        full.append((union[held], scores[held]))
    lowest = [0.0 if name == LEXICAL else -1.0 for name in lists]
    return weighted_fusion(full, weights, normalise=fusion.method, lowest=lowest)


def _scores(parts: _Parts, query: Query, name: str, ids: IntArray) -> FloatArray:
    if name == LEXICAL:
        return parts.lexical.scores_for(query.tokens, ids)
    return parts.dense[name].scores_for(query.vectors[name], ids)


def _reranked(reranker: Reranker, text: str, ids: IntArray) -> tuple[IntArray, FloatArray, dict[int, float]]:
    scores = np.asarray(reranker(text, ids.tolist()), dtype=np.float32)
    if scores.shape != ids.shape:
        raise InputError(f"The reranker gave scores of shape {scores.shape} for {len(ids)} passages.")
    order = np.argsort(-scores, kind="stable")  # equal scores keep the order of the fusion
    return ids[order], scores[order], dict(zip(ids.tolist(), scores.tolist(), strict=True))


def _joined(parts: Sequence[Sequence[int] | IntArray]) -> IntArray:
    return np.concatenate([np.empty(0, np.int64), *(np.asarray(part, dtype=np.int64) for part in parts)])


def _stacked(rows: Sequence[FloatArray], name: str) -> FloatArray:
    if len({block.shape[1:] for block in rows}) > 1:
        raise InputError(f"Vectors of {name} must have {rows[0].shape[1]} numbers each.")
    return np.concatenate(rows)
