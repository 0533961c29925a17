from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError
from core.index import Block, Fusion, HybridIndex, Query, reciprocal_rank_fusion
from core.types import FloatArray, Hit, IntArray

EN, ZH = "dense", "multilingual"


def unit(*values: float) -> FloatArray:
    row = np.array(values, np.float32)
    return row / np.linalg.norm(row)


TOKENS = {1: ["early", "closure", "fee"], 2: ["monthly", "fee"], 3: ["lost", "card"], 4: ["提前", "销户", "费用"]}
ENGLISH = {1: unit(1, 0, 0), 2: unit(0.7, 0.7, 0), 3: unit(0, 0, 1)}
CROSS = {1: unit(1, 0.1), 2: unit(0.5, 1), 3: unit(-1, 1), 4: unit(1, 0)}
BOTH = Fusion({"lexical": 1, EN: 1, ZH: 1})


@pytest.fixture
def index() -> HybridIndex:
    index = HybridIndex({EN: 3, ZH: 2})
    index.update(
        (),
        [
            Block(
                [1, 2, 3],
                [TOKENS[i] for i in (1, 2, 3)],
                {EN: np.stack([ENGLISH[i] for i in (1, 2, 3)]), ZH: np.stack([CROSS[i] for i in (1, 2, 3)])},
            ),
            Block([4], [TOKENS[4]], {ZH: CROSS[4][None]}),
        ],
    )
    return index


def found(hits: list[Hit]) -> list[int]:
    return [hit.id for hit in hits]


def test_a_question_in_another_language_finds_passages_without_a_shared_word(index: HybridIndex) -> None:
    hits = index.search(Query(["提前", "销户"], {ZH: CROSS[4]}), BOTH, 4)
    assert found(hits)[:2] == [4, 1]
    assert hits[1].parts["lexical"] == 0 and hits[1].parts[ZH] > 0.9


def test_words_add_candidates_that_no_vector_is_near_to(index: HybridIndex) -> None:
    fusion = Fusion({"lexical": 1, EN: 1}, depth=1)
    assert set(found(index.search(Query(["lost", "card"], {EN: ENGLISH[1]}), fusion, 5))) == {1, 3}


def test_a_hit_tells_each_retrievers_own_score_even_where_another_proposed_it(index: HybridIndex) -> None:
    query = Query(["fee"], {EN: ENGLISH[1], ZH: CROSS[1]})
    hits = {hit.id: hit for hit in index.search(query, Fusion({"lexical": 1, EN: 1, ZH: 1}, depth=2), 4)}
    for i, hit in hits.items():
        assert hit.parts[ZH] == pytest.approx(float(CROSS[i] @ CROSS[1]))
        assert hit.parts["lexical"] == pytest.approx(index.lexical.scores_for(["fee"], [i])[0])
        assert (EN in hit.parts) == (i in ENGLISH)


def test_reciprocal_ranks_are_fused_with_the_callers_weights(index: HybridIndex) -> None:
    query = Query(["fee"], {EN: unit(0, 0.1, 1)})
    lexical, _ = index.lexical.search(["fee"], 50)
    dense, _ = index.dense[EN].search(query.vectors[EN][None], 50)
    for weights in ((1.0, 1.0), (5.0, 1.0), (1.0, 9.0)):
        fusion = Fusion(dict(zip(("lexical", EN), weights, strict=True)))
        ids, scores = reciprocal_rank_fusion([lexical, dense[0]], weights)
        hits = index.search(query, fusion, 10)
        assert found(hits) == ids.tolist() and [h.score for h in hits] == pytest.approx(scores.tolist())


@pytest.mark.parametrize("method", ["z", "minmax", "theoretical"])
def test_scores_can_be_fused_instead_of_ranks(index: HybridIndex, method: str) -> None:
    query = Query(["closure", "fee"], {EN: ENGLISH[1]})
    fusion = Fusion({"lexical": 0.5, EN: 0.5}, method=method)  # type: ignore[arg-type]
    hits = index.search(query, fusion, 10)
    assert found(hits)[:2] == [1, 2] and [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)


def test_a_retriever_without_weight_or_without_a_query_is_silent(index: HybridIndex) -> None:
    query = Query(["fee"], {EN: ENGLISH[3]})
    assert found(index.search(query, Fusion({"lexical": 0, EN: 1}, depth=1), 3)) == [3]
    assert found(index.search(Query(["closure"]), BOTH, 3)) == [1]
    assert index.search(Query(), BOTH, 3) == index.search(query, Fusion({}), 3) == index.search(query, BOTH, 0) == []


def test_a_filter_holds_for_every_retriever(index: HybridIndex) -> None:
    query = Query(["fee"], {EN: ENGLISH[1], ZH: CROSS[1]})
    assert set(found(index.search(query, BOTH, 9, allowed=np.array([2, 4])))) == {2, 4}
    assert index.search(query, BOTH, 9, allowed=np.array([], np.int64)) == []


def test_a_reranker_has_the_last_word_on_the_best_candidates(index: HybridIndex) -> None:
    asked: list[tuple[str, list[int]]] = []

    def rerank(text: str, ids: list[int]) -> FloatArray:
        asked.append((text, ids))
        return np.array([float(i == 2) for i in ids], np.float32)

    query = Query(["fee"], {EN: ENGLISH[1]}, text="What is the fee?")
    before = found(index.search(query, BOTH, 3))
    hits = index.search(query, BOTH, 2, reranker=rerank, rerank=3)
    assert asked == [("What is the fee?", before)]
    assert hits[0].id == 2 and hits[0].parts["rerank"] == hits[0].score == 1 and hits[1].id == 1
    with pytest.raises(InputError, match="reranker"):
        index.search(query, BOTH, 2, reranker=lambda _text, _ids: np.zeros(1, np.float32))


def test_removed_passages_are_gone_from_every_retriever(index: HybridIndex) -> None:
    index.remove([1, 77])
    assert index.ids.tolist() == [2, 3, 4] == index.dense[ZH].ids.tolist()
    assert 1 not in found(index.search(Query(["closure"], {EN: ENGLISH[1], ZH: CROSS[1]}), BOTH, 9))


def test_a_passage_put_again_without_a_vector_keeps_no_old_one(index: HybridIndex) -> None:
    index.add([1], [["new"]], {ZH: CROSS[2][None]})
    assert index.dense[EN].ids.tolist() == [2, 3] and index.dense[ZH].ids.tolist() == [1, 2, 3, 4]


def test_a_wrong_block_changes_nothing(index: HybridIndex) -> None:
    wrong = [
        Block([9], [["x"]], {"unknown": np.ones((1, 3), np.float32)}),
        Block([9], [["x"]], {EN: np.ones((1, 2), np.float32)}),
        Block([9], [["x"]], {EN: np.ones((2, 3), np.float32)}),
        Block([9, 9], [["x"], ["y"]]),
        Block([9], []),
        Block([9], [["x"]], {EN: np.full((1, 3), np.nan, np.float32)}),
    ]
    for block in wrong:
        with pytest.raises(InputError):
            index.update([1], [block])
    assert index.ids.tolist() == [1, 2, 3, 4] and index.dense[EN].ids.tolist() == [1, 2, 3]


def test_questions_that_do_not_fit_are_refused(index: HybridIndex) -> None:
    with pytest.raises(InputError, match="unknown"):
        index.search(Query(["a"]), Fusion({"unknown": 1}), 3)
    with pytest.raises(InputError, match="dimension 3"):
        index.search(Query(vectors={EN: unit(1, 0)}), BOTH, 3)
    with pytest.raises(InputError, match="Weights"):
        index.search(Query(["fee"]), Fusion({"lexical": -1}), 3)
    with pytest.raises(InputError, match="lexical"):
        HybridIndex({"lexical": 3})


def test_a_rebuild_from_streams_gives_the_same_index(index: HybridIndex) -> None:
    fresh = HybridIndex({EN: 3, ZH: 2})
    fresh.add([50], [["old"]])

    def stream(rows: dict[int, FloatArray]) -> list[tuple[IntArray, FloatArray]]:
        return [(np.array([i]), row[None]) for i, row in rows.items()]

    fresh.rebuild((([i], [t]) for i, t in TOKENS.items()), {EN: stream(ENGLISH), ZH: stream(CROSS)})
    query = Query(["fee", "提前"], {EN: ENGLISH[2], ZH: CROSS[4]})
    assert fresh.search(query, BOTH, 9) == index.search(query, BOTH, 9)


def test_a_saved_index_comes_back_the_same(tmp_path: Path, index: HybridIndex) -> None:
    encoders = {EN: "minilm-int8", ZH: "use-m3"}
    index.save(tmp_path, revision=3, encoders=encoders)
    back, revision = HybridIndex.load(tmp_path, encoders=encoders)
    query = Query(["fee", "提前"], {EN: ENGLISH[2], ZH: CROSS[4]})
    assert revision == 3 and back.search(query, BOTH, 9) == index.search(query, BOTH, 9)
    back.remove([1])
    back.add([8], [["later"]], {EN: ENGLISH[1][None]})
    assert found(back.search(Query(["later"]), BOTH, 1)) == [8]


def test_searches_see_all_retrievers_before_or_all_after_a_change() -> None:
    index = HybridIndex({EN: 3})
    fusion = Fusion({"lexical": 1, EN: 1}, depth=1000)

    def swap(generation: int) -> None:
        ids = np.arange(50) + 50 * generation
        block = Block(ids, [["word"]] * 50, {EN: np.tile(unit(1, 0, 0), (50, 1))})
        index.update(index.ids, [block])

    swap(0)
    wrong: list[list[Hit]] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            hits = index.search(Query(["word"], {EN: unit(1, 0, 0)}), fusion, 1000)
            if len(hits) != 50 or len({h.id // 50 for h in hits}) != 1 or any(len(h.parts) != 2 for h in hits):
                wrong.append(hits)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for generation in range(1, 30):
        swap(generation)
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []
