from __future__ import annotations

import math
import threading
from pathlib import Path

import bm25s
import numpy as np
import pytest

from core.errors import IndexDamaged, InputError
from core.index import LexicalIndex
from core.index.lexical import K1, B

PASSAGES = {
    10: ["early", "closure", "fee", "fifty", "dollars"],
    20: ["monthly", "fee", "none"],
    30: ["card", "lost", "call"],
    40: ["fee", "fee", "fee", "card"],
    50: [],
}


@pytest.fixture
def index() -> LexicalIndex:
    index = LexicalIndex()
    index.add(list(PASSAGES), list(PASSAGES.values()))
    return index


def random_passages(n: int, seed: int = 0) -> list[list[str]]:
    rng = np.random.default_rng(seed)
    return [[f"w{t % 900}" for t in rng.zipf(1.3, int(rng.integers(1, 60)))] for _ in range(n)]


def test_scores_are_those_of_bm25s_itself() -> None:
    passages = random_passages(300)
    theirs = bm25s.BM25(method="lucene", k1=K1, b=B)
    theirs.index(passages, show_progress=False)
    index = LexicalIndex()
    index.add(range(300), passages)
    for query in random_passages(30, seed=1):
        expected = theirs.get_scores(query)
        assert index.scores_for(query, range(300)) == pytest.approx(expected, rel=1e-4, abs=1e-5)
        ids, scores = index.search(query, 10)
        assert scores == pytest.approx(np.sort(expected)[::-1][: len(scores)], rel=1e-4)
        assert expected[ids] == pytest.approx(scores, rel=1e-4)


def test_only_passages_that_share_a_word_are_found_best_first(index: LexicalIndex) -> None:
    ids, scores = index.search(["fee", "closure"], 10)
    assert ids.tolist()[0] == 10 and set(ids.tolist()) == {10, 20, 40}
    assert (np.diff(scores) <= 0).all()
    assert index.search(["unheard"], 5)[0].tolist() == index.search([], 5)[0].tolist() == []
    assert index.search(["fee"], 0)[0].tolist() == []


def test_equal_passages_come_by_ascending_id() -> None:
    index = LexicalIndex()
    index.add([7, 3, 5], [["same", "words"]] * 3)
    assert index.search(["same"], 2)[0].tolist() == [3, 5]


def test_a_filter_lets_only_its_ids_through(index: LexicalIndex) -> None:
    assert index.search(["fee"], 5, np.array([20, 30, 999]))[0].tolist() == [20]
    assert index.search(["fee"], 5, np.array([], np.int64))[0].tolist() == []


def test_removed_and_replaced_passages_are_as_if_never_there(index: LexicalIndex) -> None:
    index.search(["fee"], 1)
    index.remove([40, 999])
    index.add([20], [["branch", "hours"]])
    fresh = LexicalIndex()
    fresh.add([10, 20, 30, 50], [PASSAGES[10], ["branch", "hours"], PASSAGES[30], []])
    assert index.ids.tolist() == fresh.ids.tolist()
    for query in (["fee"], ["card", "hours"], ["closure"]):
        assert index.search(query, 5)[0].tolist() == fresh.search(query, 5)[0].tolist()
        assert index.search(query, 5)[1] == pytest.approx(fresh.search(query, 5)[1])
    assert index.document_frequency("fee") == 1 and index.document_frequency("monthly") == 0


def test_idf_follows_its_formula_and_an_unknown_word_is_the_rarest(index: LexicalIndex) -> None:
    assert index.document_frequency("fee") == 3
    assert index.idf("fee") == pytest.approx(math.log(1 + (5 - 3 + 0.5) / 3.5))
    assert index.idf("unheard") > index.idf("closure") > index.idf("fee") > 0


def test_scores_of_ids_that_are_not_there_are_zero(index: LexicalIndex) -> None:
    scores = index.scores_for(["fee"], [999, 40, 50, -1])
    assert scores[1] > 0 and scores[[0, 2, 3]].tolist() == [0, 0, 0]


def test_an_empty_index_answers(tmp_path: Path) -> None:
    index = LexicalIndex()
    assert len(index) == 0 and index.search(["a"], 3)[0].tolist() == [] and index.document_frequency("a") == 0
    assert index.scores_for(["a"], [1]).tolist() == [0] and index.idf("a") > 0
    index.add([1], [[]])
    assert index.search(["a"], 3)[0].tolist() == []
    index.save(tmp_path, revision=1)
    assert LexicalIndex.load(tmp_path)[0].ids.tolist() == [1]


@pytest.mark.parametrize(("ids", "lists"), [([1, 1], [["a"], ["b"]]), ([-1], [["a"]]), ([1, 2], [["a"]])])
def test_ids_that_do_not_fit_are_refused(ids: list[int], lists: list[list[str]]) -> None:
    with pytest.raises(InputError):
        LexicalIndex().add(ids, lists)


def test_a_clone_changes_on_its_own(index: LexicalIndex) -> None:
    other = index.clone()
    other.remove([10])
    assert index.search(["closure"], 1)[0].tolist() == [10] and other.search(["closure"], 1)[0].tolist() == []


def test_a_rebuild_replaces_everything(index: LexicalIndex) -> None:
    index.rebuild([([1], [["new"]]), ([2], [["new", "too"]])])
    assert index.ids.tolist() == [1, 2] and index.search(["fee"], 3)[0].tolist() == []


def test_a_saved_index_comes_back_with_odd_tokens_and_all(tmp_path: Path, index: LexicalIndex) -> None:
    index.add([60], [["line\nbreak", "", "费用", "\ud800"]])
    index.save(tmp_path / "lexical", revision=12)
    back, revision = LexicalIndex.load(tmp_path / "lexical")
    assert revision == 12 and back.ids.tolist() == index.ids.tolist()
    for token in ("fee", "line\nbreak", "", "费用", "\ud800"):
        assert back.search([token], 9)[0].tolist() == index.search([token], 9)[0].tolist() != []


def test_another_kind_of_index_is_refused(tmp_path: Path) -> None:
    from core.index import VectorIndex

    VectorIndex(4).save(tmp_path, revision=1, encoder="e")
    with pytest.raises(IndexDamaged, match="no lexical"):
        LexicalIndex.load(tmp_path)


def test_searches_during_writes_see_a_whole_state() -> None:
    index = LexicalIndex()
    index.add(range(100), [["even"]] * 100)
    wrong: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            found = len(index.search(["even"], 1000)[0])
            if found % 100:
                wrong.append(found)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for i in range(1, 12):
        index.add(range(i * 100, i * 100 + 100), [["even"]] * 100)
    index.remove(range(100))
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == [] and len(index.search(["even"], 2000)[0]) == 1100
