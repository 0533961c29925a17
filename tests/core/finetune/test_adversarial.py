from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from core.errors import InputError
from core.finetune.adversarial import AdversarialArgs, Adversary, Method, ascent, project

METHODS: list[Method] = ["fgm", "pgd", "freelb"]
BATCH = {
    "input_ids": torch.tensor([[2, 7, 8, 9, 3], [2, 5, 3, 0, 0], [2, 6, 11, 3, 0]]),
    "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0]]),
    "labels": torch.tensor([0, 1, 1]),
}


def tiny_encoder(dropout: float = 0.0) -> nn.Module:
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=20,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=16,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        initializer_range=0.3,
    )
    return BertModel(config, add_pooling_layer=False)


def tiny_decoder() -> nn.Module:
    from transformers import LlamaConfig, LlamaModel

    torch.manual_seed(0)
    return LlamaModel(
        LlamaConfig(
            vocab_size=20,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=16,
            initializer_range=0.3,
        )
    )


@dataclass
class Task:
    """A backbone, a linear head, and the loss of every pass."""

    backbone: nn.Module
    losses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        torch.manual_seed(1)
        self.head = nn.Linear(16, 2)
        self.backbone.train()

    def loss(self, batch: Any) -> Tensor:
        rows = self.backbone(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1).float()
        logits = self.head((rows * mask).sum(1) / mask.sum(1))
        loss = nn.functional.cross_entropy(logits.float(), batch["labels"])
        self.losses.append(loss.item())
        return loss

    def parameters(self) -> Iterator[nn.Parameter]:
        yield from self.backbone.parameters()
        yield from self.head.parameters()

    def step(self, args: AdversarialArgs, seed: int = 3) -> Tensor:
        torch.manual_seed(seed)
        return Adversary(self.backbone, args).step(self.loss, BATCH, lambda loss: loss.backward())

    def gradients(self) -> list[Tensor | None]:
        return [None if p.grad is None else p.grad.clone() for p in self.parameters()]


def settings(method: Method, **values: Any) -> AdversarialArgs:
    return AdversarialArgs(**{"method": method, "epsilon": 0.5, "step_size": 0.2, "initial": 0.1, "steps": 3, **values})


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


def test_accumulated_batches_add_up() -> None:
    once, twice = Task(tiny_encoder()), Task(tiny_encoder())
    once.step(settings("pgd"))
    for _ in range(2):
        Adversary(twice.backbone, settings("pgd")).step(twice.loss, BATCH, lambda loss: (loss / 2).backward())
    for a, b in zip(once.gradients(), twice.gradients(), strict=True):
        assert a is not None and b is not None and torch.allclose(a, b, atol=1e-6)


def test_a_loss_that_hides_its_graph_is_refused() -> None:
    task = Task(tiny_encoder())

    def cached(batch: Any) -> Tensor:
        with torch.no_grad():
            task.backbone(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
        return task.head(torch.ones(1, 16)).sum()

    with pytest.raises(InputError, match="cached loss"):
        Adversary(task.backbone, settings("fgm")).step(cached, BATCH, lambda loss: loss.backward())


def test_a_module_without_words_is_refused() -> None:
    with pytest.raises(InputError, match="Linear has no input embeddings"):
        Adversary(nn.Linear(2, 2), settings("fgm"))


def test_edits_without_an_editor_are_refused() -> None:
    with pytest.raises(InputError, match="no editor"):
        Adversary(tiny_encoder(), AdversarialArgs(method="edits"))


def test_the_editor_gets_the_gradient_at_real_tokens_and_its_batch_is_trained_on() -> None:
    task = Task(tiny_encoder())
    seen: list[Tensor] = []

    def editor(batch: Any, saliency: Tensor, seed: int) -> Any:
        seen.append(saliency)
        return {**batch, "input_ids": batch["input_ids"].flip(0), "attention_mask": batch["attention_mask"].flip(0)}

    args = AdversarialArgs(method="edits")
    Adversary(task.backbone, args, editor=editor).step(task.loss, BATCH, lambda loss: loss.backward())
    assert seen[0].shape == (3, 5) and (seen[0] >= 0).all()
    assert not seen[0][BATCH["attention_mask"] == 0].any() and seen[0][BATCH["attention_mask"] == 1].any()
    assert len(task.losses) == 2 and task.losses[0] != task.losses[1]


def test_ascent_has_length_one_and_rows_without_a_finite_gradient_stay() -> None:
    gradient = torch.randn(4, 3, 2) * 1e-20
    gradient[1] = 0
    gradient[2, 0, 0] = float("inf")
    lengths = ascent(gradient, "l2").norm(dim=(1, 2))
    assert torch.allclose(lengths, torch.tensor([1.0, 0.0, 0.0, 1.0]))
    assert ascent(gradient, "linf").abs().amax(dim=(1, 2)).tolist() == [1.0, 0.0, 0.0, 1.0]


def test_projection_moves_only_what_is_outside() -> None:
    delta = torch.tensor([[[3.0, 4.0]], [[0.3, 0.4]]])
    assert torch.allclose(project(delta, 1.0, "l2"), torch.tensor([[[0.6, 0.8]], [[0.3, 0.4]]]))
    assert torch.equal(project(delta, 1.0, "linf"), torch.tensor([[[1.0, 1.0]], [[0.3, 0.4]]]))


@pytest.mark.parametrize("wrong", [{"method": "fast"}, {"epsilon": -1}, {"steps": 0}, {"step_size": 0}, {"radius": 1}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AdversarialArgs(**wrong)
