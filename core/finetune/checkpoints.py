"""Checkpoints of a run: whole or not there, and without pickle.

    checkpoints/00000120/state.safetensors   trainable weights, optimiser moments, torch's random state
    checkpoints/00000120/state.json          step, schedule, Python's and numpy's random states

A folder is written under another name, synced and renamed, so that a kill at any moment leaves the one before.
Knows a `transformers.Trainer`'s parts; nothing of tasks.
"""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from core.errors import ArtifactDamaged
from core.models.files import sync_folder, sync_tree

TRAINER_STATE = "trainer_state.json"
_TENSORS, _VALUES = "state.safetensors", "state.json"
_HALF = ".half-"


def newest(folder: Path) -> Path | None:
    """The last complete checkpoint under a folder; what a killed save left is removed."""
    if not folder.is_dir():
        return None
    for half in folder.glob(f"{_HALF}*"):
        shutil.rmtree(half, ignore_errors=True)
    found = sorted(path for path in folder.iterdir() if path.name.isdigit())
    return found[-1] if found else None


def save(trainer: Any, folder: Path, *, keep: int = 2) -> Path:
    """Write a checkpoint of a trainer's present state, then drop all but the newest `keep`.

    :raises OSError: if the disk is full; the older checkpoints stay.
    """
    step = int(trainer.state.global_step)
    work, target = folder / f"{_HALF}{step}", folder / f"{step:08d}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        tensors = {f"model.{name}": value.detach() for name, value in _trained(trainer.model)}
        moments, groups = _optimizer_state(trainer.optimizer)
        tensors |= moments | {"rng.torch": torch.random.get_rng_state()}
        if torch.cuda.is_available():
            tensors["rng.cuda"] = torch.cuda.get_rng_state()
        save_file({name: value.cpu().contiguous() for name, value in tensors.items()}, str(work / _TENSORS))
        kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
        values = {
            "step": step,
            "groups": groups,
            "schedule": {k: v for k, v in trainer.lr_scheduler.state_dict().items() if _plain(v)},
            "python": random.getstate(),
            "numpy": [kind, np.asarray(keys).tolist(), position, has_gauss, gauss],
        }
        (work / _VALUES).write_text(json.dumps(values), encoding="utf-8")
        trainer.state.save_to_json(str(work / TRAINER_STATE))
        sync_tree(work)
        shutil.rmtree(target, ignore_errors=True)
        work.rename(target)
        sync_folder(folder)
    except (OSError, SafetensorError):
        shutil.rmtree(work, ignore_errors=True)
        raise
    for old in sorted(path for path in folder.iterdir() if path.name.isdigit())[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def load_weights(model: torch.nn.Module, checkpoint: Path) -> None:
    """Put a checkpoint's weights into the model they came from.

    :raises ArtifactDamaged: if the checkpoint is unreadable or of another model.
    """
    tensors, _ = _read(checkpoint)
    with torch.no_grad():
        for name, value in _trained(model):
            try:
                value.copy_(tensors[f"model.{name}"])
            except (KeyError, RuntimeError) as error:
                raise ArtifactDamaged(f"{checkpoint} is of another model ({error}); start the run anew.") from error


def load_optimizer(trainer: Any, checkpoint: Path) -> None:
    """Put a checkpoint's moments and schedule back."""
    tensors, values = _read(checkpoint)
    state: dict[int, dict[str, Any]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            state.setdefault(int(index), {})[key] = value
    trainer.optimizer.load_state_dict({"state": state, "param_groups": values["groups"]})
    trainer.lr_scheduler.load_state_dict(values["schedule"])


def load_random(checkpoint: Path) -> None:
    """Put the random states back: Python, numpy, torch."""
    tensors, values = _read(checkpoint)
    version, internal, gauss = values["python"]
    random.setstate((version, tuple(internal), gauss))
    kind, keys, position, has_gauss, cached = values["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), position, has_gauss, cached))
    torch.random.set_rng_state(tensors["rng.torch"])
    if "rng.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["rng.cuda"])


def _trained(model: torch.nn.Module) -> list[tuple[str, torch.Tensor]]:
    """Weights that training changes; tied ones once."""
    return [(name, value) for name, value in model.named_parameters() if value.requires_grad]


def _optimizer_state(optimizer: Any) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]]]:
    whole = getattr(optimizer, "optimizer", optimizer).state_dict()
    tensors = {
        f"optimizer.{index}.{key}": value if isinstance(value, torch.Tensor) else torch.tensor(value)
        for index, entry in whole["state"].items()
        for key, value in entry.items()
        if value is not None
    }
    return tensors, [{key: value for key, value in group.items() if _plain(value)} for group in whole["param_groups"]]


def _plain(value: Any) -> bool:
    try:
        json.dumps(value)
    except TypeError:
        return False
    return True


def _read(checkpoint: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    try:
        return load_file(str(checkpoint / _TENSORS)), json.loads((checkpoint / _VALUES).read_text(encoding="utf-8"))
    except (OSError, ValueError, SafetensorError) as error:
        raise ArtifactDamaged(
            f"{checkpoint} is unreadable ({error}); remove it to go on from the one before."
        ) from error
