"""Nearest vectors by inner product, on FAISS: exact while they are few, a graph with tombstones when they are many.

Knows ids and float32 rows; nothing of texts or SQL. The index is derived data: a file that is not as it was written
is refused, and its owner builds it again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from core.errors import IndexDamaged, InputError
from core.index import sealed
from core.index.fusion import best
from core.index.ids import EMPTY_IDS, check_ids, find
from core.types import FloatArray, IntArray

LINKS, BUILD_EFFORT, SEARCH_EFFORT = 32, 80, 128
"""HNSW: links of a node, candidates kept while building and while searching."""

FEW = 5_000
"""Up to this many allowed ids are compared one by one: a graph finds little behind a narrow filter."""


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """Never changed after it was made; a reader keeps the one it began with."""

    exact: Any
    """IndexIDMap2 over IndexFlatIP: all vectors, or those that came after the graph was built."""
    exact_ids: IntArray
    """(n,) int64, ascending."""
    graph: Any = None
    """IndexIDMap2 over IndexHNSWFlat, or None. It cannot delete."""
    graph_ids: IntArray = field(default_factory=lambda: EMPTY_IDS)
    """(m,) int64, ascending: those in the graph that are alive."""
    dead: IntArray = field(default_factory=lambda: EMPTY_IDS)
    """(t,) int64: those in the graph that are deleted or replaced."""
    living: Any = None
    """FAISS selector of all but the dead; None where none is dead."""


class VectorIndex:
    """Vectors with ids. Safe between threads: a search sees the state before or after a change, never half.

    :param dimension: length of a row.
    :param exact_below: up to this many vectors each search compares all; above it, a graph is built. A quarter of it
        (or of the graph) may come or go before the graph is built again.
    :param threads: OpenMP threads of one call.
    """

    def __init__(self, dimension: int, *, exact_below: int = 50_000, threads: int = 1) -> None:
        if dimension < 1 or exact_below < 1 or threads < 1:
            raise InputError("dimension, exact_below and threads of an index must be at least 1.")
        self.dimension, self.exact_below, self.threads = dimension, exact_below, threads
        self._state = _State(_flat(dimension), EMPTY_IDS)
        self._writing = threading.Lock()

    def __len__(self) -> int:
        state = self._state
        return len(state.exact_ids) + len(state.graph_ids)

    @property
    def ids(self) -> IntArray:
        """(n,) int64, ascending."""
        state = self._state
        return np.sort(np.concatenate([state.exact_ids, state.graph_ids]))

    @property
    def approximate(self) -> bool:
        """Whether a graph is in use."""
        return self._state.graph is not None

    def clone(self) -> VectorIndex:
        """An index of the same content that changes on its own; costs next to nothing."""
        other = VectorIndex(self.dimension, exact_below=self.exact_below, threads=self.threads)
        other._state = self._state
        return other

    def add(self, ids: Sequence[int] | IntArray, rows: FloatArray) -> None:
        """Add vectors; an id that is there is replaced.

        :param ids: (n,) int64 >= 0, without repeats. :param rows: (n, dimension) float32, L2-normalised for cosine.
        :raises InputError: if shapes disagree or a value is not finite.
        """
        self.update((), ids, rows)

    def remove(self, ids: Sequence[int] | IntArray) -> None:
        """Forget vectors; ids that are not there are passed over."""
        self.update(ids, (), np.empty((0, self.dimension), np.float32))

    def update(self, remove: Sequence[int] | IntArray, ids: Sequence[int] | IntArray, rows: FloatArray) -> None:
        """Remove and add in one step; see `add`."""
        new = check_ids(ids, len(rows))
        rows = self._checked(rows)
        gone = np.concatenate([np.asarray(remove, dtype=np.int64), new])
        with self._writing:
            faiss.omp_set_num_threads(self.threads)
            old = self._state
            exact = faiss.clone_index(old.exact)
            leaving = np.intersect1d(old.exact_ids, gone)
            if len(leaving):
                exact.remove_ids(faiss.IDSelectorBatch(leaving))
            if len(new):
                exact.add_with_ids(rows, new)
            buried = np.isin(old.graph_ids, gone)
            dead = np.union1d(old.dead, old.graph_ids[buried])
            state = _State(
                exact,
                np.sort(np.concatenate([np.setdiff1d(old.exact_ids, leaving), new])),
                old.graph,
                old.graph_ids[~buried],
                dead,
                _living(dead),
            )
            self._state = self._rebuilt(state) if self._stale(state) else state

    def rebuild(self, blocks: Iterable[tuple[Sequence[int] | IntArray, FloatArray]]) -> None:
        """Replace everything by blocks of ids and rows; searches see the old state until the last block is in."""
        with self._writing:
            flat, every = _flat(self.dimension), [EMPTY_IDS]
            faiss.omp_set_num_threads(self.threads)
            for ids, rows in blocks:
                new = check_ids(ids, len(rows))
                flat.add_with_ids(self._checked(rows), new)
                every.append(new)
            all_ids = np.concatenate(every)
            state = _State(flat, np.sort(check_ids(all_ids, len(all_ids))))
            self._state = self._rebuilt(state) if self._stale(state) else state

    def search(self, queries: FloatArray, k: int, allowed: IntArray | None = None) -> tuple[IntArray, FloatArray]:
        """The k nearest of each query.

        :param queries: (q, dimension) float32. :param allowed: (m,) int64; only these ids. None means all.
        :returns: ids (q, k) int64 padded with -1, inner products (q, k) float32 padded with -inf, best first; equal
            ones among them by ascending id.
        :raises InputError: if the shape is wrong or a value is not finite.
        """
        queries = self._checked(queries)
        ids = np.full((len(queries), max(k, 0)), -1, np.int64)
        scores = np.full(ids.shape, -np.inf, np.float32)
        if k <= 0:
            return ids, scores
        faiss.omp_set_num_threads(self.threads)
        state = self._state
        found = [_search_exact(state, queries, k, allowed), _search_graph(state, queries, k, allowed)]
        for i in range(len(queries)):
            row_ids = np.concatenate([part[0][i] for part in found])
            row_scores = np.concatenate([part[1][i] for part in found])
            real = row_ids >= 0
            top_ids, top_scores = best(row_ids[real], row_scores[real], k)
            ids[i, : len(top_ids)], scores[i, : len(top_ids)] = top_ids, top_scores
        return ids, scores

    def scores_for(self, query: FloatArray, ids: Sequence[int] | IntArray) -> FloatArray:
        """(n,) float32: inner product of the query (dimension,) with each id's vector; -inf where it is not there."""
        wanted = np.asarray(ids, dtype=np.int64)
        scores = np.full(len(wanted), -np.inf, np.float32)
        row, state = self._checked(query.reshape(1, -1))[0], self._state
        for index, alive in ((state.exact, state.exact_ids), (state.graph, state.graph_ids)):
            _, there = find(alive, wanted)
            if there.any():
                scores[there] = index.reconstruct_batch(wanted[there]) @ row
        return scores

    def save(self, folder: Path, *, revision: int, encoder: str) -> None:
        """Write the index, guarded by SHA-256 and replaced in one step.

        :param revision: of the SQL it was made from. :param encoder: name of what made the vectors.
        """
        state = self._state
        files = {"exact": _bytes(state.exact)}
        if state.graph is not None:
            files["graph"] = _bytes(state.graph)
        files |= {name: memoryview(getattr(state, name).astype("<i8")).cast("B") for name in _ID_FILES}
        facts = {"kind": "vector", "revision": revision, "encoder": encoder, "dimension": self.dimension}
        sealed.write(folder, files, {**facts, "count": len(state.exact_ids) + len(state.graph_ids)})

    @classmethod
    def load(
        cls, folder: Path, *, encoder: str, exact_below: int = 50_000, threads: int = 1
    ) -> tuple[VectorIndex, int]:
        """The index and the revision it was saved with.

        :param encoder: the name given to `save`; vectors of another encoder mean nothing here.
        :raises IndexDamaged: if a file is missing or changed, or another index lies there.
        """
        files, facts = sealed.read(folder)
        if facts.get("kind") != "vector" or facts.get("encoder") != encoder:
            raise IndexDamaged(f"{folder} holds no vectors of {encoder}, but {facts.get('encoder')}. Rebuild it.")
        index = cls(int(facts["dimension"]), exact_below=exact_below, threads=threads)
        parts = {name: np.frombuffer(files[name], dtype="<i8").astype(np.int64) for name in _ID_FILES}
        exact: Any = faiss.deserialize_index(np.frombuffer(files["exact"], np.uint8))
        graph: Any = faiss.deserialize_index(np.frombuffer(files["graph"], np.uint8)) if "graph" in files else None
        index._state = _State(exact, graph=graph, living=_living(parts["dead"]), **parts)
        if len(index) != facts["count"] or exact.ntotal != len(parts["exact_ids"]) or exact.d != index.dimension:
            raise IndexDamaged(f"{folder} does not hold what its manifest says. Rebuild the index.")
        return index, int(facts["revision"])

    def _checked(self, rows: FloatArray) -> FloatArray:
        rows = np.ascontiguousarray(rows, dtype=np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.dimension:
            raise InputError(f"Rows of shape {rows.shape} were given to an index of dimension {self.dimension}.")
        if not np.isfinite(rows).all():
            raise InputError("A vector holds a value that is not finite.")
        return rows

    def _stale(self, state: _State) -> bool:
        """Whether to build the graph (again)."""
        if state.graph is None:
            return len(state.exact_ids) > self.exact_below
        changed = len(state.exact_ids) + len(state.dead)
        return bool(changed > max(self.exact_below, state.graph.ntotal) // 4)

    def _rebuilt(self, state: _State) -> _State:
        """All that is alive in one index of the kind that fits its number."""
        ids, rows = [state.exact_ids], [_rows(state.exact, state.exact_ids, self.dimension)]
        if state.graph is not None:
            ids.append(state.graph_ids)
            rows.append(_rows(state.graph, state.graph_ids, self.dimension))
        alive, vectors = np.concatenate(ids), np.concatenate(rows)
        if len(alive) <= self.exact_below:
            flat = _flat(self.dimension)
            flat.add_with_ids(vectors, alive)
            return _State(flat, np.sort(alive))
        links = faiss.IndexHNSWFlat(self.dimension, LINKS, faiss.METRIC_INNER_PRODUCT)
        links.hnsw.efConstruction = BUILD_EFFORT
        graph = faiss.IndexIDMap2(links)
        graph.add_with_ids(vectors, alive)
        return _State(_flat(self.dimension), EMPTY_IDS, graph, np.sort(alive))


_graph_parameters: Any = getattr(faiss, "SearchParametersHNSW")  # noqa: B009 - its stubs do not name it

_ID_FILES = ("exact_ids", "graph_ids", "dead")


def _flat(dimension: int) -> Any:
    return faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))


def _rows(index: Any, ids: IntArray, dimension: int) -> FloatArray:
    if not len(ids):
        return np.empty((0, dimension), np.float32)
    return np.asarray(index.reconstruct_batch(ids), dtype=np.float32)


def _search_exact(state: _State, queries: FloatArray, k: int, allowed: IntArray | None) -> tuple[IntArray, FloatArray]:
    alive = state.exact_ids if allowed is None else np.intersect1d(state.exact_ids, allowed)
    return _compare(state.exact, queries, k, alive, everything=len(alive) == len(state.exact_ids))


def _search_graph(state: _State, queries: FloatArray, k: int, allowed: IntArray | None) -> tuple[IntArray, FloatArray]:
    if state.graph is None:
        return _nothing(len(queries))
    alive = state.graph_ids if allowed is None else np.intersect1d(state.graph_ids, allowed)
    if len(alive) <= FEW:
        return _compare(state.graph, queries, k, alive, everything=False)
    selector = state.living if allowed is None else faiss.IDSelectorBatch(alive)
    options: dict[str, Any] = {"efSearch": max(SEARCH_EFFORT, 2 * k)} | ({"sel": selector} if selector else {})
    scores, ids = state.graph.search(queries, min(k, len(alive)), params=_graph_parameters(**options))
    return ids, scores


def _compare(
    index: Any, queries: FloatArray, k: int, alive: IntArray, *, everything: bool
) -> tuple[IntArray, FloatArray]:
    """Each query with each vector that is alive."""
    if not len(alive):
        return _nothing(len(queries))
    if everything:
        scores, ids = index.search(queries, min(k, len(alive)))
        return ids, scores
    products = queries @ _rows(index, alive, queries.shape[1]).T
    return np.broadcast_to(alive, products.shape), products


def _living(dead: IntArray) -> Any:
    return faiss.IDSelectorNot(faiss.IDSelectorBatch(dead)) if len(dead) else None


def _bytes(index: Any) -> memoryview:
    content: Any = faiss.serialize_index(index)
    return memoryview(content)


def _nothing(queries: int) -> tuple[IntArray, FloatArray]:
    return np.empty((queries, 0), np.int64), np.empty((queries, 0), np.float32)
