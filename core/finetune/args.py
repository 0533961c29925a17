"""Every option of training, with unit and range: a TOML file, or `--set name=value` on the command line.

Knows names and ranges; loads nothing. The tables in the README are made of these texts.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import InputError
from core.finetune.adversarial import AdversarialArgs


class Options(BaseModel):
    """Base of all option tables: frozen, unknown names refused, docstrings as descriptions."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


OptionsT = TypeVar("OptionsT", bound=Options)


class LoraArgs(Options):
    """Low-rank adapters (Hu et al. 2021): train few weights, merged into the backbone when saved."""

    rank: int = Field(0, ge=0, le=512)
    """Rank of the update; 0 trains the weights themselves."""

    alpha: int = Field(16, gt=0)
    """Scale of the update is alpha / rank."""

    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout in front of the adapters."""

    targets: tuple[str, ...] = ()
    """Modules that get adapters, by the end of their names; empty means every linear layer of the blocks."""


class TrainArgs(Options):
    """What all tasks share."""

    backbone: str = "minilm"
    """Catalog name ("minilm", "smollm2"), a local Hugging Face folder, or a trained model's folder."""

    pooling: Literal["auto", "mean", "cls", "last"] = "auto"
    """The vector the heads see; `auto` is the backbone's own: what its files say, else mean; last for decoders."""

    max_tokens: int = Field(128, ge=8, le=32_768)
    """Longer texts are cut to this many tokens, special ones included. Cost grows with it."""

    epochs: float = Field(4.0, gt=0, le=1000)
    """Passes over the training rows."""

    max_steps: int = Field(0, ge=0)
    """Stop after this many updates; 0 means by epochs."""

    batch_size: int = Field(32, ge=1, le=65_536)
    """Rows of one forward pass."""

    gradient_accumulation: int = Field(1, ge=1, le=4096)
    """Forward passes of one update: the batch the optimiser sees is `batch_size` times this."""

    learning_rate: float = Field(5e-5, gt=0, le=10)
    """Peak rate of the backbone. 2e-5 to 1e-4 for full tuning, 2e-4 to 1e-3 for adapters."""

    head_learning_rate: float = Field(0.0, ge=0, le=10)
    """Peak rate of the heads, which start from nothing; 0 means ten times the backbone's, at most 1e-3."""

    layer_decay: float = Field(1.0, gt=0, le=1)
    """Each layer below the top learns this much slower than the one above (Howard and Ruder 2018); 1 is off."""

    optimizer: Literal["adamw", "rmsprop", "sgd"] = "adamw"
    """AdamW (Loshchilov and Hutter 2019); RMSprop and SGD want other rates, about 10 times and 1000 times as high."""

    weight_decay: float = Field(0.01, ge=0, le=1)
    """Decoupled decay of weights; biases and layer norms have none."""

    schedule: Literal["linear", "cosine", "constant", "constant_with_warmup", "polynomial"] = "linear"
    """How the rate falls after the warm-up."""

    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of all updates in which the rate rises from 0."""

    clip: float = Field(1.0, ge=0)
    """Largest norm of the gradient; 0 is off."""

    dropout: float = Field(0.1, ge=0, lt=1)
    """Dropout in front of the heads."""

    freeze: Literal["none", "embeddings", "backbone"] | int = "none"
    """What stays as it is: nothing, word embeddings, the whole backbone, or embeddings and this many lower layers."""

    lora: LoraArgs = LoraArgs()
    """Adapters instead of full tuning."""

    adversarial: AdversarialArgs = AdversarialArgs()
    """Adversarial training; off by default."""

    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Arithmetic of the forward pass (weights stay fp32); `auto` is bf16 where the hardware has it, else fp32."""

    group_by_length: bool = True
    """Texts of like length share a batch: about a third faster on mixed lengths."""

    early_stopping: int = Field(0, ge=0)
    """Stop after this many evaluations without a better figure; 0 trains to the end."""

    evaluate_every: int = Field(0, ge=0)
    """Updates between evaluations; 0 means once an epoch. The best model so far is the one kept."""

    keep_best: bool = True
    """End with the best evaluated weights; false ends with the last ones."""

    checkpoint_every: int = Field(0, ge=0)
    """Updates between checkpoints; 0 means at every evaluation. A killed run goes on from the last one."""

    seed: int = Field(17, ge=0, lt=2**32)
    """Same seed, data, options and thread count: same weights, bit for bit on the CPU."""

    threads: int = Field(2, ge=1, le=256)
    """CPU threads. Part of what makes a run repeatable."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; asking for `cuda` where there is none is an error."""

    track: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = ("tensorboard",)
    """Where figures go beside the run folder's own `metrics.jsonl`; wandb and mlflow need the extra `tracking`."""

    log_every: int = Field(10, ge=1)
    """Updates between lines of `metrics.jsonl` and points of the curves."""


def load_options(
    kind: type[OptionsT], file: Path | None = None, overrides: Mapping[str, Any] | None = None
) -> OptionsT:
    """Read options from a TOML file, then from overrides by dotted name ("lora.rank": 8).

    :raises InputError: if the file cannot be read, a name is unknown or a value out of range; says which and why.
    """
    values: dict[str, Any] = {}
    if file is not None:
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{file} cannot be read as TOML: {error}.") from error
    for name, value in (overrides or {}).items():
        place = values
        *path, last = name.split(".")
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise InputError(f"{name!r}: {part!r} is no table of options.")
        place[last] = value
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise InputError(_explain(kind, error, file)) from error


def _explain(kind: type[Options], error: ValidationError, file: Path | None) -> str:
    lines = []
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            lines.append(f"There is no option {name!r}; there are {', '.join(kind.model_fields)}.")
        else:
            lines.append(f"Option {name} = {item['input']!r}: {item['msg']}.")
    where = f"{file}: " if file else ""
    return where + " ".join(lines)
