from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import InputError
from core.finetune.batches import Batches
from core.finetune.data import Pair
from core.finetune.embedder import EmbedderArgs, fit
from core.finetune.losses import supervised_contrastive
from core.finetune.negatives import Mining, linked, mine, usable
from core.models.config import read_pretrained
from tests.core.finetune.rows import labelled, pairs


def options(backbone: Path, **more: Any) -> EmbedderArgs:
    base: dict[str, Any] = {
        "epochs": 4.0,
        "batch_size": 8,
        "learning_rate": 3e-3,
        "threads": 1,
        "device": "cpu",
        "precision": "fp32",
        "track": (),
    }
    return EmbedderArgs(backbone=str(backbone), **{**base, **more})


def distinct(n: int) -> list[Pair]:
    """Pairs with one right passage each."""
    names = ["paris", "london", "monday", "may", "acme", "orion", "nova", "delta", "loan", "shares", "bank", "desk"]
    return [Pair(f"where is {name} ?", f"the {name} is at the {names[(i + 5) % 12]}") for i, name in enumerate(names)][
        :n
    ]


def test_pairs_move_together_and_the_folder_is_a_sentence_encoder(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = distinct(12)
    fitted = fit(rows, rows, options(tiny_encoder, epochs=10.0), cache=tmp_path)
    assert fitted.figures["mrr@10"] > fitted.figures["mrr@10_before"]
    fitted.save(tmp_path / "model")
    config = read_pretrained(tmp_path / "model" / "backbone", name="mine")
    assert config.pooling == "mean" and config.max_tokens == 128
    from core.backends.torch import TorchEncoder

    texts = ["where is paris ?", "the bank"]
    again = TorchEncoder(tmp_path / "model" / "backbone", name="mine").encode(texts)
    assert np.allclose(again, fitted.encode(texts), atol=1e-5)


def test_cached_batches_give_the_same_loss_in_less_memory(tiny_encoder: Path, tmp_path: Path) -> None:
    def weights(cached: int) -> Any:
        args = options(tiny_encoder, cached=cached, batch_size=12, max_steps=3, group_by_length=False)
        for_dropout = fit(distinct(12), [], args, cache=tmp_path)
        return for_dropout.outcome.loss

    assert weights(4) == pytest.approx(weights(0), abs=0.35)  # dropout masks differ


def test_labelled_texts_gather_round_their_label(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = labelled(60)
    fitted = fit(rows[:48], rows[48:], options(tiny_encoder, temperature=0.1), cache=tmp_path)
    assert fitted.figures["centroid_accuracy"] >= min(0.9, fitted.figures["centroid_accuracy_before"])


def test_adversarial_training_works_on_the_embedder_and_not_on_cached_batches(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    args = options(tiny_encoder, adversarial={"method": "fgm"}, max_steps=2)
    assert np.isfinite(fit(distinct(8), [], args, cache=tmp_path).outcome.loss)
    with pytest.raises(InputError, match="cannot be combined"):
        fit(distinct(8), [], options(tiny_encoder, adversarial={"method": "fgm"}, cached=4), cache=tmp_path)


def test_mined_negatives_are_near_and_never_right() -> None:
    rows = [Pair("q", "a"), Pair("q", "b"), Pair("r", "c"), Pair("s", "d")]
    table = {
        "q": [1, 0, 0],
        "a": [1, 0.1, 0],
        "b": [1, 0, 0.1],
        "c": [0.8, 0.6, 0],
        "d": [0, 0, 1],
        "r": [0, 1, 0],
        "s": [0, 0, 1],
    }

    def encode(texts: Any) -> Any:
        rows = np.array([table[text] for text in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    found, notes = mine(rows, encode, Mining(count=1))
    assert [pair.negatives for pair in found[:2]] == [("c",), ("c",)]
    assert all(not set(pair.negatives) & {"a", "b"} for pair in found[:2])
    assert notes


def test_what_the_pairs_link_is_no_mined_negative() -> None:
    rows = [Pair("q", "a", ("e",)), Pair("r", "a"), Pair("r", "c"), Pair("s", "d"), Pair("c", "f")]
    assert len({linked(rows)[text] for text in ("q", "r", "a", "c", "f")}) == 1
    assert len(set(linked(rows).values())) == 2 and "e" not in linked(rows)

    def encode(texts: Any) -> Any:
        return np.ones((len(texts), 2), np.float32) / np.sqrt(2)

    found, _ = mine(rows, encode, Mining(count=2))
    assert all(set(pair.negatives) == {"e", "d"} for pair in found if pair.query != "s")
    assert all(len(set(pair.negatives)) == 2 and "d" not in pair.negatives for pair in found if pair.query == "s")
    pairs, notes = usable([Pair("q", "a", ("b", "n")), Pair("q", "b"), Pair("z", "n", score=0.0)])
    assert [pair.negatives for pair in pairs] == [("n",), ()] and "1 negatives left out" in notes[0]


def vectors(n: int, seed: int) -> torch.Tensor:
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("symmetric", [False, True])
def test_where_nothing_is_linked_the_loss_is_the_librarys(symmetric: bool) -> None:
    from sentence_transformers.sentence_transformer import losses

    from core.finetune.ranking import PURE, LinkedRanking, links

    directions = ("query_to_doc", "doc_to_query") if symmetric else ("query_to_doc",)
    columns = [vectors(5, 0), vectors(5, 1), vectors(5, 2)]
    wanted = losses.MultipleNegativesRankingLoss(None, directions=directions)
    mine = LinkedRanking(None, directions=directions)
    labels = links(range(5), [(i, PURE) for i in range(5)])
    found = mine.compute_loss_from_embeddings(columns, labels)
    assert found.item() == pytest.approx(wanted.compute_loss_from_embeddings(columns, labels).item(), rel=1e-6)


@pytest.mark.parametrize("symmetric", [False, True])
def test_linked_pairs_are_never_each_others_negatives_and_other_rows_lose_nothing(symmetric: bool) -> None:
    from core.finetune.ranking import PURE, links, ranking_losses

    queries, passages = vectors(3, 0), vectors(5, 1).requires_grad_()
    labels = links([7, 7, 8], [(2, 7), (0, PURE)])  # a negative of the third pair is right for the first two
    options = {"scale": 20.0, "symmetric": symmetric}
    each = ranking_losses(queries, passages, labels, slice(None), **options)
    (moved,) = torch.autograd.grad(each[0], passages, retain_graph=True)
    assert [bool(row.any()) for row in moved] == [True, False, True, False, True]
    (moved,) = torch.autograd.grad(each[2], passages, retain_graph=True)
    assert all(bool(row.any()) for row in moved)
    parts = [ranking_losses(queries, passages, labels, slice(i, i + 2), **options) for i in (0, 2)]
    assert torch.equal(torch.cat(parts), each)


@pytest.mark.parametrize("cached", [0, 3])
def test_one_row_without_negatives_leaves_the_others_theirs(tiny_encoder: Path, tmp_path: Path, cached: int) -> None:
    def loss(rows: list[Pair]) -> float:
        args = options(tiny_encoder, batch_size=12, max_steps=1, cached=cached, learning_rate=1e-5)
        return fit(rows, [], args, cache=tmp_path).outcome.loss

    plain = distinct(12)
    given = [replace(pair, negatives=(f"the {pair.query}", "the bank", "hello")) for pair in plain[:-1]]
    assert loss([*given, plain[-1]]) > loss(plain) + 0.1


def test_two_right_passages_of_one_query_are_learned_side_by_side(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = [Pair("where is paris ?", f"{word} paris") for word in ("red", "green", "blue", "price", "profit", "loss")]
    with pytest.raises(InputError, match="All 6 pairs are linked"):
        fit(rows, [], options(tiny_encoder), cache=tmp_path)
    other = Pair("the bank ?", "bank shares")
    fitted = fit([*rows, other], [], options(tiny_encoder, epochs=20.0, seed=3), cache=tmp_path)
    query, bank, *right = fitted.encode([rows[0].query, other.positive, *(pair.positive for pair in rows)])
    assert min(float(query @ each) for each in right) > float(query @ bank) + 0.3


def test_rows_of_one_key_never_share_a_batch_where_that_is_possible() -> None:
    keys = [i % 6 for i in range(24)]
    for epoch in range(4):
        batches = Batches([5] * 24, 4, seed=3, keys=keys)
        batches.set_epoch(epoch)
        got = list(batches)
        assert sorted(row for batch in got for row in batch) == list(range(24))
        assert all(len({keys[row] for row in batch}) == 4 for batch in got)


def test_the_contrastive_loss_is_that_of_the_paper() -> None:
    rows = torch.nn.functional.normalize(torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), dim=1)
    classes = torch.tensor([0, 0, 1, 1, 2])
    each = []
    for i in range(4):
        others = [a for a in range(5) if a != i]
        bottom = sum(torch.exp(rows[i] @ rows[a] / 0.1) for a in others)
        partner = next(p for p in others if classes[p] == classes[i])
        each.append(-torch.log(torch.exp(rows[i] @ rows[partner] / 0.1) / bottom))
    assert supervised_contrastive(rows, classes, 0.1).item() == pytest.approx(float(sum(each) / 4), rel=1e-5)


def test_negative_pairs_alone_and_one_label_alone_are_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="negative one"):
        fit([Pair("a", "b", score=0.0)], [], options(tiny_encoder), cache=tmp_path)
    same = [row for row in labelled(12) if row.label() == "pin"]
    with pytest.raises(InputError, match="two or more"):
        fit(same, [], options(tiny_encoder), cache=tmp_path)


def test_what_is_saved_names_the_length_it_was_trained_with(tiny_encoder: Path, tmp_path: Path) -> None:
    fit(distinct(8), [], options(tiny_encoder, max_tokens=16, max_steps=1), cache=tmp_path).save(tmp_path / "model")
    described = json.loads((tmp_path / "model" / "backbone" / "sentence_bert_config.json").read_text("utf-8"))
    assert described["max_seq_length"] == 16
    assert len(pairs(3)) == 3
