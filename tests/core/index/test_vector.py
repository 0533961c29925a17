from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import IndexDamaged, InputError
from core.index import VectorIndex
from core.types import FloatArray, IntArray

D = 16


def rows(n: int, seed: int = 0, d: int = D) -> FloatArray:
    values = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values


def nearest(known: dict[int, FloatArray], query: FloatArray, k: int) -> list[int]:
    return sorted(known, key=lambda i: (-float(known[i] @ query), i))[:k]


def filled(n: int, **options: int) -> tuple[VectorIndex, dict[int, FloatArray]]:
    index, values = VectorIndex(D, **options), rows(n)
    index.add(np.arange(n) + 100, values)
    return index, {i + 100: values[i] for i in range(n)}


def recall(index: VectorIndex, known: dict[int, FloatArray], allowed: IntArray | None = None, k: int = 10) -> float:
    kept = known if allowed is None else {i: known[i] for i in allowed.tolist() if i in known}
    queries = rows(50, seed=99)
    found, _ = index.search(queries, k, allowed)
    hits = [len(set(found[i].tolist()) & set(nearest(kept, queries[i], k))) for i in range(len(queries))]
    return sum(hits) / (len(queries) * min(k, len(kept)))


def test_few_vectors_are_compared_exactly() -> None:
    index, known = filled(500)
    assert not index.approximate and recall(index, known) == 1.0


def test_a_vector_finds_itself_first_and_results_are_padded() -> None:
    index, known = filled(3)
    ids, scores = index.search(known[101][None], 5)
    assert ids[0, 0] == 101 and scores[0, 0] == pytest.approx(1)
    assert ids[0, 3:].tolist() == [-1, -1] and np.isneginf(scores[0, 3:]).all()


def test_an_empty_index_finds_nothing() -> None:
    ids, scores = VectorIndex(D).search(rows(2), 3)
    assert (ids == -1).all() and np.isneginf(scores).all()
    assert VectorIndex(D).search(rows(0), 3)[0].shape == (0, 3) and VectorIndex(D).search(rows(1), 0)[0].shape == (1, 0)


@pytest.mark.parametrize("exact_below", [50_000, 200])
def test_a_filter_lets_only_its_ids_through(exact_below: int) -> None:
    index, known = filled(1000, exact_below=exact_below)
    assert index.approximate == (exact_below == 200)
    for allowed in (np.array([105, 700, 5]), np.arange(100, 400), np.array([], np.int64)):
        found, _ = index.search(rows(20, seed=4), 10, allowed)
        assert set(found[found >= 0].tolist()) <= set(allowed.tolist())
        assert not len(allowed) or recall(index, known, allowed) == 1.0


@pytest.mark.parametrize("exact_below", [50_000, 200])
def test_deleted_and_replaced_vectors_are_not_found(exact_below: int) -> None:
    index, known = filled(600, exact_below=exact_below)
    index.remove([100, 101, 5])
    index.add([102], rows(1, seed=7))
    old = known[102].copy()
    del known[100], known[101]
    known[102] = rows(1, seed=7)[0]
    assert len(index) == 598 and sorted(known) == index.ids.tolist()
    found, scores = index.search(old[None], 598)
    assert not {100, 101} & set(found[0].tolist())
    assert scores[0][found[0] == 102] == pytest.approx(old @ known[102], abs=1e-5)
    assert recall(index, known) > 0.98


def test_many_vectors_go_into_a_graph_that_finds_nearly_all() -> None:
    index, known = filled(3000, exact_below=1000)
    assert index.approximate and recall(index, known) > 0.97


def test_a_wide_filter_is_searched_in_the_graph_itself() -> None:
    index, known = filled(8000, exact_below=1000)
    allowed = np.arange(100, 7100)
    assert recall(index, known, allowed) > 0.95
    found, _ = index.search(rows(10, seed=3), 10, allowed)
    assert set(found.ravel().tolist()) <= set(allowed.tolist())


def test_the_graph_is_built_again_when_much_has_changed_and_given_up_when_little_is_left() -> None:
    index, known = filled(1200, exact_below=1000)
    for i in range(10):
        index.add(np.arange(40) + 2000 + 40 * i, rows(40, seed=10 + i))
        known |= {2000 + 40 * i + j: row for j, row in enumerate(rows(40, seed=10 + i))}
    assert index._state.graph.ntotal > 1200 and recall(index, known) > 0.97
    gone = np.array(sorted(known)[:1100])
    index.remove(gone)
    for i in gone.tolist():
        del known[i]
    assert not index.approximate and recall(index, known) == 1.0 and index.ids.tolist() == sorted(known)


operations = st.lists(
    st.tuples(st.sampled_from(["add", "remove"]), st.lists(st.integers(0, 60), unique=True, max_size=25)), max_size=12
)


@given(operations, st.sampled_from([8, 20, 1000]))
@settings(max_examples=40, deadline=None)
def test_any_history_leaves_what_a_dictionary_would_hold(history: list[tuple[str, list[int]]], below: int) -> None:
    index = VectorIndex(D, exact_below=below)
    known: dict[int, FloatArray] = {}
    for step, (what, ids) in enumerate(history):
        if what == "add":
            values = rows(len(ids), seed=step)
            index.add(ids, values)
            known |= dict(zip(ids, values, strict=True))
        else:
            index.remove(ids)
            for i in ids:
                known.pop(i, None)
    assert index.ids.tolist() == sorted(known) and len(index) == len(known)
    query = rows(1, seed=77)
    found, scores = index.search(query, 5)
    assert found[0][found[0] >= 0].tolist() == nearest(known, query[0], 5)
    own = index.scores_for(query[0], [*known, 999])
    assert own[:-1] == pytest.approx([float(v @ query[0]) for v in known.values()], abs=1e-5)
    assert np.isneginf(own[-1]) and (np.diff(scores[0][found[0] >= 0]) <= 0).all()


@pytest.mark.parametrize(
    ("ids", "values", "message"),
    [
        ([1, 2], rows(1), "2 ids"),
        ([1, 1], rows(2), "different"),
        ([-4], rows(1), "negative"),
        ([1], rows(1, d=3), "dimension 16"),
        ([1], rows(1) * np.float32("nan"), "finite"),
    ],
)
def test_rows_that_do_not_fit_are_refused(ids: list[int], values: FloatArray, message: str) -> None:
    index = VectorIndex(D)
    with pytest.raises(InputError, match=message):
        index.add(ids, values)
    assert len(index) == 0


def test_a_rebuild_takes_blocks_and_refuses_a_repeated_id() -> None:
    index, _ = filled(10)
    index.rebuild(iter([(np.arange(3), rows(3)), (np.arange(3, 5), rows(2, seed=1))]))
    assert index.ids.tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(InputError):
        index.rebuild([(np.arange(3), rows(3)), (np.arange(1), rows(1))])
    assert len(index) == 5


@pytest.mark.parametrize("exact_below", [50_000, 100])
def test_a_saved_index_comes_back_the_same(tmp_path: Path, exact_below: int) -> None:
    index, _ = filled(300, exact_below=exact_below)
    index.remove([100])
    index.add([900], rows(1, seed=5))
    index.save(tmp_path / "dense", revision=7, encoder="minilm-int8")
    back, revision = VectorIndex.load(tmp_path / "dense", encoder="minilm-int8", exact_below=exact_below)
    assert revision == 7 and back.approximate == index.approximate and back.ids.tolist() == index.ids.tolist()
    before, after = index.search(rows(20, seed=3), 10), back.search(rows(20, seed=3), 10)
    assert np.array_equal(before[0], after[0]) and np.array_equal(before[1], after[1])
    back.remove([900])
    back.add([901], rows(1, seed=6))
    assert len(back) == len(index)


def test_vectors_of_another_encoder_are_refused(tmp_path: Path) -> None:
    filled(3)[0].save(tmp_path, revision=1, encoder="minilm-int8")
    with pytest.raises(IndexDamaged, match="minilm-fp32"):
        VectorIndex.load(tmp_path, encoder="minilm-fp32")


def test_searches_during_writes_see_a_whole_state() -> None:
    index, values = VectorIndex(D, exact_below=700), rows(100)
    index.add(np.arange(100), values)
    wrong: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            found, _ = index.search(values[:1], 2000)
            if (found >= 0).sum() % 100:
                wrong.append(int((found >= 0).sum()))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for i in range(1, 12):
        index.add(np.arange(100) + 100 * i, rows(100, seed=i))
        index.update(np.arange(100) + 100 * i, np.arange(100) + 100 * i, rows(100, seed=i))
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == [] and len(index) == 1200


def test_the_threads_of_faiss_are_limited_in_every_thread() -> None:
    import faiss

    seen: list[int] = []

    def work() -> None:
        filled(5, threads=1)[0].search(rows(1), 1)
        seen.append(faiss.omp_get_max_threads())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [1]
