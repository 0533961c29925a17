from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core.finetune.adversarial import AdversarialArgs, Adversary, Method
from tests.core.finetune.adversary import BATCH, METHODS, Task, settings, tiny_decoder, tiny_encoder


@pytest.mark.parametrize("backbone", [tiny_encoder, tiny_decoder])
@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("method", METHODS)
def test_every_ascent_raises_the_loss(method: Method, norm: str, backbone: Callable[[], nn.Module]) -> None:
    task = Task(backbone())
    small = {"epsilon": 0.05, "step_size": 0.01} if norm == "linf" else {"epsilon": 0.2, "step_size": 0.05}
    task.step(settings(method, norm=norm, initial=0.0, **small))
    expected = {"fgm": [0, -1], "pgd": [0, 1, 2, 3], "freelb": [0, 1, 2]}[method]
    climbed = [task.losses[i] for i in expected]
    assert climbed == sorted(climbed) and climbed[-1] > climbed[0] + 1e-4


@pytest.mark.parametrize(("method", "passes"), [("none", 1), ("fgm", 2), ("pgd", 4), ("freelb", 3)])
def test_a_step_costs_the_passes_the_table_says(method: Method, passes: int) -> None:
    task = Task(tiny_encoder())
    task.step(settings(method))
    assert len(task.losses) == passes


@pytest.mark.parametrize("method", METHODS)
def test_weights_and_hooks_are_as_before_the_step(method: Method) -> None:
    task = Task(tiny_encoder(dropout=0.1))
    before = copy.deepcopy(task.backbone.state_dict())
    task.step(settings(method))
    assert all(torch.equal(value, before[name]) for name, value in task.backbone.state_dict().items())
    assert not task.backbone._forward_pre_hooks
    assert not task.backbone.get_input_embeddings()._forward_hooks


def test_hooks_are_gone_after_a_failing_loss() -> None:
    task = Task(tiny_encoder())

    def broken(batch: Any) -> Tensor:
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        Adversary(task.backbone, settings("pgd")).step(broken, BATCH, lambda loss: loss.backward())
    assert not task.backbone.get_input_embeddings()._forward_hooks


@pytest.mark.parametrize("method", METHODS)
def test_zero_epsilon_is_plain_training_bit_for_bit(method: Method) -> None:
    results = []
    for args in (AdversarialArgs(), settings(method, epsilon=0.0)):
        task = Task(tiny_encoder(dropout=0.1))
        optimizer = torch.optim.SGD(list(task.parameters()), lr=0.1)
        for seed in range(3):
            task.step(args, seed)
            optimizer.step()
            optimizer.zero_grad()
        results.append([p.detach().clone() for p in task.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("method", ["fgm", "pgd"])
def test_ascents_add_nothing_to_the_gradients_of_the_weights(method: Method) -> None:
    plain, adversarial = Task(tiny_encoder(dropout=0.1)), Task(tiny_encoder(dropout=0.1))
    plain.step(AdversarialArgs())
    adversarial.step(settings(method, weight=0.0))
    for a, b in zip(plain.gradients(), adversarial.gradients(), strict=True):
        assert a is not None and b is not None and torch.allclose(a, b, atol=1e-8)


def test_a_huge_weight_leaves_the_perturbed_pass_alone() -> None:
    half, alone, clean = (Task(tiny_encoder()) for _ in range(3))
    half.step(settings("fgm"))
    alone.step(settings("fgm", weight=100.0))
    clean.step(AdversarialArgs())
    for a, b, c in zip(half.gradients(), alone.gradients(), clean.gradients(), strict=True):
        assert a is not None and b is not None and c is not None
        assert torch.allclose((a * 2 - c), b * 101 / 100 - c / 100, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_padding_is_never_perturbed_and_the_ball_is_kept(method: Method) -> None:
    task = Task(tiny_encoder())
    seen: list[Tensor] = []
    task.backbone.embeddings.LayerNorm.register_forward_pre_hook(lambda _m, args: seen.append(args[0].detach()))
    task.step(AdversarialArgs())
    task.step(settings(method, epsilon=0.3))
    padding = BATCH["attention_mask"] == 0
    moves = [each - seen[0] for each in seen[1:]]
    assert all(not move[padding].any() for move in moves)
    lengths = moves[-1].norm(dim=(1, 2))
    assert (lengths > 0.05).all() and (lengths <= 0.3 + 1e-4).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_row_gets_the_same_gradient_whatever_its_padding(method: Method) -> None:
    row = {name: value[1:2] for name, value in BATCH.items()}
    short = {**row, "input_ids": row["input_ids"][:, :3], "attention_mask": row["attention_mask"][:, :3]}
    found = []
    for batch in (row, short):
        task = Task(tiny_encoder())
        args = settings(method, initial=0.0)
        Adversary(task.backbone, args).step(task.loss, batch, lambda loss: loss.backward())
        found.append(task.gradients())
    for a, b in zip(*found, strict=True):
        assert a is not None and b is not None and torch.allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_same_seed_same_gradients(method: Method) -> None:
    found = []
    for _ in range(2):
        task = Task(tiny_encoder(dropout=0.1))
        task.step(settings(method))
        found.append(task.gradients())
    assert all(a is not None and b is not None and torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_all_passes_see_one_dropout_mask_unless_told_otherwise() -> None:
    tiny = {"epsilon": 1e-6, "step_size": 1e-6}
    same, fresh = Task(tiny_encoder(dropout=0.3)), Task(tiny_encoder(dropout=0.3))
    same.step(settings("pgd", **tiny))
    fresh.step(settings("pgd", same_dropout=False, **tiny))
    assert max(same.losses) - min(same.losses) < 1e-4 < max(fresh.losses) - min(fresh.losses)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # peft 0.21 asks the old name
def test_frozen_words_and_adapters_are_perturbed_too() -> None:
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(tiny_encoder(), LoraConfig(r=2, target_modules=["query"], task_type="FEATURE_EXTRACTION"))
    task = Task(model)
    task.step(settings("pgd", epsilon=0.2, step_size=0.05))
    assert task.losses == sorted(task.losses)
    words = model.get_input_embeddings().weight
    assert words.grad is None and not words.requires_grad


@pytest.mark.parametrize("method", METHODS)
def test_bfloat16_autocast_works(method: Method) -> None:
    task = Task(tiny_encoder())
    with torch.autocast("cpu", torch.bfloat16):
        task.step(settings(method))
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in task.parameters())


def test_every_call_of_the_backbone_has_its_own_perturbation() -> None:
    backbone = tiny_encoder()
    losses: list[float] = []

    def pair_loss(batch: Any) -> Tensor:
        sides = []
        for rows in (slice(0, 1), slice(1, 3)):
            call = {name: batch[name][rows] for name in ("input_ids", "attention_mask")}
            sides.append(backbone(**call).last_hidden_state[:, 0])
        loss = nn.functional.cosine_similarity(sides[0], sides[1]).mean()
        losses.append(loss.item())
        return loss

    Adversary(backbone, settings("pgd", epsilon=0.2, step_size=0.05)).step(pair_loss, BATCH, lambda x: x.backward())
    assert losses == sorted(losses) and losses[-1] > losses[0]
