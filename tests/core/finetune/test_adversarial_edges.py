from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from core.errors import InputError
from core.finetune.adversarial import AdversarialArgs, Adversary, ascent, project
from tests.core.finetune.adversary import BATCH, Task, settings, tiny_encoder


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
