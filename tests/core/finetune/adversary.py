from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from core.finetune.adversarial import AdversarialArgs, Adversary, Method

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
