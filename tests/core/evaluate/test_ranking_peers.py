"""The ranking figures against ranx.

It runs in a process of its own with numba's compiler off: compiling takes most of a minute, these lists a millisecond.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from core.evaluate.ranking import (
    hit_rate_at_k,
    map_at_k,
    mrr_at_k,
    ndcg_at_k,
    precision_at_k,
    query_figures,
    recall_at_k,
)

RANX = """
import json, sys
from ranx import Qrels, Run, evaluate
ranked, gains, names = json.load(sys.stdin)
qrels = Qrels({f"q{q}": table for q, table in enumerate(gains)})
run = Run({f"q{q}": {i: float(100 - rank) for rank, i in enumerate(ids)} for q, ids in enumerate(ranked)})
print(json.dumps({name: float(value) for name, value in evaluate(qrels, run, names).items()}))
"""
QUERIES, IDS = 40, 30


@pytest.fixture(scope="module")
def lists() -> tuple[list[list[str]], list[dict[str, int]]]:
    random = np.random.default_rng(0)
    ranked = [[f"d{i}" for i in random.permutation(IDS)[: int(random.integers(1, 25))]] for _ in range(QUERIES)]
    gains = [
        {f"d{i}": int(random.integers(1, 4)) for i in random.permutation(IDS)[: int(random.integers(1, 20))]}
        for _ in range(QUERIES)
    ]
    return ranked, gains


@pytest.fixture(scope="module")
def theirs(lists: tuple[list[list[str]], list[dict[str, int]]]) -> dict[str, float]:
    names = [f"{name}@{k}" for name in ("ndcg", "mrr", "map", "recall", "precision", "hit_rate") for k in (1, 5, 10)]
    done = subprocess.run(
        [sys.executable, "-c", RANX],
        input=json.dumps([*lists, names]),
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("k", [1, 5, 10])
def test_every_figure_is_that_of_ranx(
    k: int, lists: tuple[list[list[str]], list[dict[str, int]]], theirs: dict[str, float]
) -> None:
    ranked, gains = lists
    relevant = [set(table) for table in gains]
    ours = {
        "recall": recall_at_k(ranked, relevant, k),
        "precision": precision_at_k(ranked, relevant, k),
        "hit_rate": hit_rate_at_k(ranked, relevant, k),
        "mrr": mrr_at_k(ranked, relevant, k),
        "map": map_at_k(ranked, relevant, k),
        "ndcg": ndcg_at_k(ranked, gains, k),
    }
    by_query = query_figures(ranked, gains, k)
    for name, value in ours.items():
        assert value == pytest.approx(theirs[f"{name}@{k}"]), name
        assert by_query[name].mean() == pytest.approx(value), name
        assert by_query[name].shape == (QUERIES,)
