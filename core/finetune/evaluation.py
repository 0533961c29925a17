"""When a run evaluates, saves and stops, and which weights it keeps.

Knows steps, figures and weights; nothing of what the figures mean: "score" is made greatest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import TrainerCallback

from core.finetune.args import TrainArgs
from core.models.files import replace_text

_WEIGHTS, _HISTORY = "best.safetensors", "evaluations.json"


class Best:
    """The best weights so far, and the history that early stopping reads."""

    def __init__(self, folder: Path, args: TrainArgs) -> None:
        self.folder, self.args = folder, args
        self.history: list[tuple[int, dict[str, float]]] = []

    @property
    def step(self) -> int | None:
        """The update with the greatest score, the first of equals; None before an evaluation."""
        return max(self.history, key=lambda entry: (entry[1]["score"], -entry[0]))[0] if self.history else None

    @property
    def figures(self) -> Mapping[str, float]:
        """Of the weights that are kept: the best ones, or the last."""
        if not self.history:
            return {}
        kept = self.step if self.args.keep_best else self.history[-1][0]
        return next(figures for step, figures in self.history if step == kept)

    @property
    def stale(self) -> int:
        """Evaluations since the best one."""
        steps = [step for step, _ in self.history]
        return len(steps) - 1 - steps.index(self.step) if self.step is not None else 0

    @property
    def stops(self) -> bool:
        """Whether enough evaluations brought nothing for early stopping."""
        return bool(self.args.early_stopping) and self.stale >= self.args.early_stopping

    def consider(self, step: int, figures: Mapping[str, float], model: torch.nn.Module) -> None:
        """Take note of an evaluation; keep the weights if they are the best."""
        self.history = [entry for entry in self.history if entry[0] < step] + [(step, dict(figures))]
        if self.step == step and self.args.keep_best:
            tensors = {n: p.detach().cpu().contiguous() for n, p in model.named_parameters() if p.requires_grad}
            fresh = self.folder / f".{_WEIGHTS}"
            save_file(tensors, str(fresh))
            fresh.replace(self.folder / _WEIGHTS)
        replace_text(self.folder / _HISTORY, json.dumps(self.history) + "\n")

    def restore(self, model: torch.nn.Module) -> None:
        """Put the best weights back."""
        tensors = load_file(str(self.folder / _WEIGHTS))
        with torch.no_grad():
            for name, value in model.named_parameters():
                if name in tensors:
                    value.copy_(tensors[name])

    def rewind(self, step: int) -> None:
        """Forget what came after a checkpoint; going on comes to it again, and to the same weights."""
        path = self.folder / _HISTORY
        if path.is_file():
            known = json.loads(path.read_text(encoding="utf-8"))
            self.history = [(int(at), figures) for at, figures in known if int(at) <= step]


class Schedule(TrainerCallback):
    """Tells the trainer after which updates to evaluate, save and stop."""

    def __init__(
        self, args: TrainArgs, total: int, each_epoch: int, best: Best, *, evaluates: bool, saves: bool
    ) -> None:
        self.args, self.total, self.best = args, total, best
        self.evaluates, self.saves = evaluates, saves
        self.evaluate_every = args.evaluate_every or max(1, each_epoch)
        self.save_every = args.checkpoint_every or self.evaluate_every

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """After an update. Where an evaluation may be the end, the loss up to it is logged with it."""
        step, last = state.global_step, state.global_step >= self.total
        control.should_evaluate = self.evaluates and (step % self.evaluate_every == 0 or last)
        may_stop = bool(self.args.early_stopping) and control.should_evaluate
        control.should_log = step % self.args.log_every == 0 or last or may_stop
        control.should_save = self.saves and (step % self.save_every == 0 or last)
        return control

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Nothing happens at the end of an epoch that did not at its last update."""
        control.should_evaluate = control.should_save = control.should_log = False
        return control

    def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Stop early once enough evaluations brought nothing."""
        if self.best.stops:
            control.should_training_stop = True
        return control
