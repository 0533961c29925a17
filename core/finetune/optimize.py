"""Which weight learns how fast: parameter groups, and the optimisers by name.

Knows modules and torch.optim; nothing of tasks or schedules.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from core.finetune.args import TrainArgs
from core.finetune.backbone import transformer_layers

Group = dict[str, Any]

HEAD_FACTOR, HEAD_LIMIT = 10.0, 1e-3


def build_optimizer(model: nn.Module, args: TrainArgs) -> torch.optim.Optimizer:
    """AdamW, RMSprop or SGD with momentum over `parameter_groups`.

    RMSprop and SGD get their weight decay as torch gives it, in the gradient.
    """
    groups = parameter_groups(model, args)
    if args.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=args.learning_rate, betas=(0.9, 0.999), eps=1e-8, fused=True)
    if args.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, lr=args.learning_rate, alpha=0.99, eps=1e-8, foreach=True)
    return torch.optim.SGD(groups, lr=args.learning_rate, momentum=0.9, fused=True)


def parameter_groups(model: nn.Module, args: TrainArgs) -> list[Group]:
    """Groups by rate and decay: heads, layers by depth, embeddings; biases and norms without decay.

    The rate of layer l of L is `learning_rate * layer_decay ** (L - 1 - l)`; embeddings count as one layer below
    (Howard and Ruder 2018, "Universal Language Model Fine-tuning", discriminative fine-tuning).
    """
    backbone = getattr(model, "backbone", model)
    layers = transformer_layers(backbone)
    depth = {id(p): i for i, layer in enumerate(layers) for p in layer.parameters()}
    room = getattr(model, "heads", None)
    heads = {id(p) for p in room.parameters()} if isinstance(room, nn.Module) else set()
    embeddings = {id(p) for p in _embeddings(backbone)}
    head_rate = args.head_learning_rate or min(HEAD_FACTOR * args.learning_rate, HEAD_LIMIT)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        if not weight.requires_grad:
            continue
        if id(weight) in heads:
            rate = head_rate
        elif id(weight) in embeddings:
            rate = args.learning_rate * args.layer_decay ** len(layers)
        else:
            rate = args.learning_rate * args.layer_decay ** (len(layers) - 1 - depth.get(id(weight), len(layers) - 1))
        plain = weight.ndim < 2 or name.endswith("bias")
        groups.setdefault((rate, 0.0 if plain else args.weight_decay), []).append(weight)
    return [
        {"params": weights, "lr": rate, "weight_decay": decay}
        for (rate, decay), weights in sorted(groups.items(), key=lambda entry: entry[0])
    ]


def _embeddings(backbone: Any) -> list[nn.Parameter]:
    """Weights of the embedding room: word, position, type, and its norm."""
    room = next((m for name, m in backbone.named_modules() if name.rsplit(".", 1)[-1] == "embeddings"), None)
    return list((room or backbone.get_input_embeddings()).parameters())
