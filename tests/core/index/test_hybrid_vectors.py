from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError
from core.index import Block, Fusion, HybridIndex, Query
from core.types import FloatArray

EN, ZH = "english", "multilingual"


def unit(*values: float) -> FloatArray:
    row = np.array(values, np.float32)
    return row / np.linalg.norm(row)


@pytest.fixture
def index() -> HybridIndex:
    index = HybridIndex({EN: 3, ZH: 2})
    index.update((), [Block([1, 2], [["fee"], ["card"]], {EN: np.stack([unit(1, 0, 0), unit(0, 1, 0)])})])
    return index


def nearest(index: HybridIndex, name: str, vector: FloatArray) -> list[int]:
    return [hit.id for hit in index.search(Query((), {name: vector}), Fusion({name: 1}), 5)]


def test_passages_are_found_by_a_retriever_once_they_have_its_vectors(index: HybridIndex) -> None:
    assert nearest(index, ZH, unit(1, 0)) == []
    index.add_vectors(ZH, [2, 1], np.stack([unit(1, 0), unit(0, 1)]))
    assert nearest(index, ZH, unit(1, 0)) == [2, 1]


def test_words_and_other_vectors_stay_as_they_are(index: HybridIndex) -> None:
    words, english = index.lexical, nearest(index, EN, unit(1, 0, 0))
    index.add_vectors(ZH, [1], unit(1, 0)[None])
    assert index.lexical is words and nearest(index, EN, unit(1, 0, 0)) == english and len(index) == 2


def test_a_second_vector_replaces_the_first(index: HybridIndex) -> None:
    index.add_vectors(EN, [1], unit(0, 0, 1)[None])
    assert nearest(index, EN, unit(0, 0, 1))[0] == 1
    hits = index.search(Query((), {EN: unit(1, 0, 0)}), Fusion({EN: 1}), 5)
    assert {hit.id: hit.parts[EN] for hit in hits}[1] == pytest.approx(0, abs=1e-6)


def test_a_passage_that_is_removed_loses_the_added_vector_too(index: HybridIndex) -> None:
    index.add_vectors(ZH, [1, 2], np.stack([unit(1, 0), unit(0, 1)]))
    index.remove([1])
    assert nearest(index, ZH, unit(1, 0)) == [2]


def test_added_vectors_are_saved(index: HybridIndex, tmp_path: Path) -> None:
    index.add_vectors(ZH, [1], unit(1, 0)[None])
    index.save(tmp_path, revision=7, encoders={EN: "e", ZH: "z"})
    again, revision = HybridIndex.load(tmp_path, encoders={EN: "e", ZH: "z"})
    assert revision == 7 and nearest(again, ZH, unit(1, 0)) == [1]


@pytest.mark.parametrize(
    ("name", "ids", "rows"),
    [
        ("nobody", [1], np.ones((1, 2), np.float32)),
        (ZH, [1], np.ones((1, 3), np.float32)),
        (ZH, [1, 2], np.ones((1, 2), np.float32)),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(
    index: HybridIndex, name: str, ids: list[int], rows: FloatArray
) -> None:
    with pytest.raises(InputError):
        index.add_vectors(name, ids, rows)
    assert nearest(index, ZH, unit(1, 0)) == [] and nearest(index, EN, unit(1, 0, 0))[0] == 1


def test_searches_go_on_while_vectors_are_added(index: HybridIndex) -> None:
    seen: list[list[int]] = []
    done = threading.Event()

    def search() -> None:
        while not done.is_set():
            seen.append(nearest(index, ZH, unit(1, 0)))

    reader = threading.Thread(target=search)
    reader.start()
    for _ in range(20):
        index.add_vectors(ZH, [1, 2], np.stack([unit(1, 0), unit(0, 1)]))
    done.set()
    reader.join()
    assert all(ids in ([], [1, 2]) for ids in seen)
