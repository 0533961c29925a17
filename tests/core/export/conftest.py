"""Trained folders for the exporter's tests: the tiny backbones of the trainer's tests with random heads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.models.task import Architecture, Head, TaskConfig, TextPooling
from tests.core.finetune.conftest import tiny_decoder, tiny_encoder

__all__ = ["headed", "tiny_decoder", "tiny_encoder"]

SINGLE = Head("label", "single", ("account", "card", "fee", "transfer"), temperature=1.7)
MULTI = Head("topics", "multi", ("money", "time", "anger"), thresholds=(0.4, 0.5, 0.6))
TOKEN = Head("tags", "token", ("O", "B-PER", "I-PER", "B-LOC", "I-LOC"))
SCORE = Head("score", "score", ("score",), temperature=0.8, shift=-0.3)

Make = Callable[..., Path]


@pytest.fixture(scope="session")
def headed(tiny_encoder: Path, tiny_decoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """`headed("encoder", SINGLE, MULTI)` is a trained folder with those heads, made once."""
    import torch
    from transformers import AutoTokenizer

    from core.backends.headed import HeadedModel, load_backbone

    made: dict[tuple[object, ...], Path] = {}

    def make(architecture: Architecture, *heads: Head, pooling: TextPooling = "mean", max_tokens: int = 64) -> Path:
        key = (architecture, heads, pooling, max_tokens)
        if key not in made:
            source = tiny_encoder if architecture == "encoder" else tiny_decoder
            kinds = {head.kind for head in heads}
            config = TaskConfig(
                task="tagger" if "token" in kinds else "reranker" if "score" in kinds else "classifier",
                architecture=architecture,
                pooling=pooling,
                max_tokens=max_tokens,
                heads=heads,
                pairs="score" in kinds,
            )
            with torch.random.fork_rng():
                torch.manual_seed(len(made))
                model = HeadedModel(load_backbone(source), config)
                for parameter in model.parameters():
                    parameter.data.mul_(2 if parameter.ndim == 2 else 1)  # random weights this small say nothing
            folder = tmp_path_factory.mktemp("trained") / "model"
            model.save(folder, AutoTokenizer.from_pretrained(str(source)))
            made[key] = folder
        return made[key]

    return make
