from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from core.backends.headed import HeadedModel
from core.errors import InputError
from core.finetune.data import Pair
from core.finetune.losses import listwise
from core.finetune.reranker import RerankerArgs, fit, platt, score
from tests.core.finetune.rows import pairs


def options(backbone: Path, **more: Any) -> RerankerArgs:
    base: dict[str, Any] = {
        "epochs": 15.0,
        "batch_size": 6,
        "learning_rate": 3e-3,
        "threads": 1,
        "device": "cpu",
        "precision": "fp32",
        "track": (),
    }
    return RerankerArgs(backbone=str(backbone), **{**base, **more})


@pytest.mark.parametrize("ranking", [0.0, 1.0])
def test_it_learns_which_passage_answers_and_says_the_same_when_opened_again(
    ranking: float, tiny_encoder: Path, tmp_path: Path
) -> None:
    rows = pairs(72)
    fitted = fit(rows[:60], rows[60:], options(tiny_encoder, ranking=ranking), cache=tmp_path)
    assert fitted.figures["auroc" if ranking == 0 else "mrr"] >= 0.75
    fitted.save(tmp_path / "model")
    queries, passages = [r.query for r in rows[60:]], [r.positive for r in rows[60:]]
    tokenizer = fitted.backbone.tokenizer
    again = score(HeadedModel.load(tmp_path / "model"), tokenizer, queries, passages)
    assert np.allclose(again, score(fitted.model, tokenizer, queries, passages), atol=1e-5)


def test_a_decoder_ranks_too(tiny_decoder: Path, tmp_path: Path) -> None:
    rows = pairs(60)
    fitted = fit(rows[:48], rows[48:], options(tiny_decoder, epochs=8.0), cache=tmp_path)
    assert fitted.figures["auroc"] > 0.5 and fitted.model.task.pairs


def test_labelled_single_passages_train_the_answer_check(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = [
        Pair(row.query, passage, score=value)
        for row in pairs(48)
        for passage, value in ((row.positive, 1.0), (row.negatives[0], 0.0))
    ]
    fitted = fit(rows[:80], rows[80:], options(tiny_encoder, ranking=0.0, epochs=10.0), cache=tmp_path)
    assert fitted.figures["auroc"] >= 0.7 and "mrr" not in fitted.figures
    assert fitted.model.task.head().temperature != 1.0


def test_platt_is_a_logistic_regression_with_smoothed_targets() -> None:
    random = np.random.default_rng(0)
    truth = random.random(400) < 0.4
    logits = (truth * 2.0 - 1 + random.normal(size=400)).astype(np.float32)
    slope, shift = platt(logits, truth)
    peer = LogisticRegression(C=1e6).fit(logits[:, None], truth)
    assert slope == pytest.approx(float(peer.coef_[0, 0]), rel=0.05)
    assert shift == pytest.approx(float(peer.intercept_[0]), abs=0.05)


def test_groups_without_a_right_or_a_wrong_passage_do_not_rank() -> None:
    logits, group = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([0, 0, 1, 2])
    found = listwise(logits, torch.tensor([1.0, 0.0, 1.0, 0.0]), group)
    assert found.item() == pytest.approx(float(-torch.log_softmax(logits[:2], 0)[0]))
    assert listwise(logits, torch.ones(4), group).item() == 0.0


def test_passages_of_one_kind_only_are_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs both kinds"):
        fit([Pair("a", "b"), Pair("c", "d")], [], options(tiny_encoder), cache=tmp_path)
