"""The one trainer: `transformers.Trainer` with our batches, optimisers, adversary, checkpoints and evaluation.

A task gives rows of tensors, an objective and an evaluator; everything else is here. Repeatable under a seed, resumable
after a kill at any step with the same weights bit for bit on the CPU. Knows tensors; nothing of labels or files.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainingArguments

from core.finetune import checkpoints, watch
from core.finetune.adversarial import Adversary, Editor
from core.finetune.args import TrainArgs
from core.finetune.batches import Batches
from core.finetune.evaluation import Best, Schedule
from core.finetune.hardware import Diverged, OutOfMemory, explained, pick_device, pick_precision, repeatable
from core.finetune.optimize import build_optimizer
from core.finetune.tracking import Progress, Trackers
from core.progress import Report, quiet

Batch = Mapping[str, Any]
Collate = Callable[[Sequence[Any]], dict[str, Any]]
Objective = Callable[[nn.Module, Batch], torch.Tensor]
"""The mean loss of a batch, a scalar with a graph."""
Evaluator = Callable[[], Mapping[str, float]]
"""Figures on held-out rows; "score" is the one to make greatest. Called with the model in evaluation mode."""


@dataclass(frozen=True)
class Job:
    """What a task asks the trainer to do."""

    model: nn.Module
    rows: Sequence[Any]
    """Anything `collate` takes; `lengths` gives each row's tokens."""
    lengths: Sequence[int]
    collate: Collate
    objective: Objective
    evaluator: Evaluator | None = None
    editor: Editor | None = None
    keys: Sequence[Hashable] | None = None
    """Rows of one key go into different batches where that is possible."""
    starts_epoch: Callable[[int], None] | None = None
    """Told the epoch before its first batch is collated: whatever `collate` draws must hang on seed, epoch and row,
    for a resumed run begins in the middle."""
    embedded: nn.Module | None = None
    """The module whose word embeddings an adversary perturbs; None is `model.backbone`, or the model."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a training came to."""

    steps: int
    seconds: float
    """Of this process; a resumed run counts from the resume."""
    loss: float
    """Mean over the updates of this process; where there were none any more, the last that was logged."""
    best_step: int | None
    figures: Mapping[str, float]
    """Of the weights that were kept; empty without an evaluator."""


def train(job: Job, args: TrainArgs, folder: Path | None = None, *, progress: Report = quiet) -> Outcome:
    """Train `job.model` in place, from the last checkpoint under `folder` if there is one.

    A training that had come to its end, by its updates or by early stopping, gets its weights back and no update more.

    :param folder: run folder for checkpoints, figures and curves; None keeps nothing and cannot resume.
    :raises Diverged: if the loss is no number.
    :raises OutOfMemory: if a batch does not fit; says what to lower.
    :raises ProviderUnavailable: if CUDA was asked for and there is none.
    :raises OSError: if the disk is full; the last complete checkpoint stays.
    """
    with tempfile.TemporaryDirectory(prefix="triptych-train-") as scratch, repeatable(args):
        place = folder or Path(scratch)
        place.mkdir(parents=True, exist_ok=True)
        saved = checkpoints.newest(place / "checkpoints")
        trainer = _SuiteTrainer(job, args, place, progress=progress, keep=folder is not None)
        watch.present().began(job.model, job.lengths, updates(len(job.rows), args))
        start = time.monotonic()
        with explained(args):
            result = trainer.train(resume_from_checkpoint=str(saved) if saved else None)
        figures = trainer.finish()
        best = trainer.best.step if args.keep_best else None
        loss = trainer.last_loss() if trainer.was_over else float(result.training_loss)
        return Outcome(trainer.state.global_step, time.monotonic() - start, loss, best, figures)


def updates(rows: int, args: TrainArgs) -> int:
    """Optimiser updates of a whole training."""
    batches = math.ceil(rows / args.batch_size)
    each = math.ceil(batches / args.gradient_accumulation)
    return args.max_steps or max(1, math.ceil(each * args.epochs))


class _SuiteTrainer(Trainer):
    def __init__(self, job: Job, args: TrainArgs, folder: Path, *, progress: Report, keep: bool) -> None:
        device = pick_device(args)
        precision = pick_precision(args, device == "cuda")
        total = updates(len(job.rows), args)
        self.job, self.suite, self.folder, self.keep, self.total = job, args, folder, keep, total
        self.was_over = False
        """Whether the checkpoint this process began with was the end of the training."""
        self.best = Best(folder, args)
        self.adversary = Adversary(job.embedded or _backbone(job.model), args.adversarial, editor=job.editor)
        each_epoch = math.ceil(math.ceil(len(job.rows) / args.batch_size) / args.gradient_accumulation)
        callbacks: list[TrainerCallback] = [
            Schedule(args, total, each_epoch, self.best, evaluates=job.evaluator is not None, saves=keep),
            Progress(progress, total),
            *([Trackers(args, folder)] if keep else []),
        ]
        super().__init__(
            model=job.model,
            args=TrainingArguments(
                output_dir=str(folder / "checkpoints"),
                per_device_train_batch_size=args.batch_size,
                gradient_accumulation_steps=args.gradient_accumulation,
                num_train_epochs=args.epochs,
                max_steps=args.max_steps or -1,
                lr_scheduler_type=args.schedule,
                warmup_steps=math.ceil(args.warmup * total),
                learning_rate=args.learning_rate,
                max_grad_norm=args.clip,
                bf16=precision == "bf16",
                fp16=precision == "fp16",
                use_cpu=device == "cpu",
                seed=args.seed,
                logging_steps=args.log_every,
                logging_nan_inf_filter=False,
                save_strategy="no",
                eval_strategy="no",
                report_to="none",
                disable_tqdm=True,
                remove_unused_columns=False,
                dataloader_pin_memory=device == "cuda",
            ),
            train_dataset=_Rows(job.rows),
            data_collator=job.collate,
            callbacks=callbacks,
            optimizers=(build_optimizer(job.model, args), None),
        )
        from transformers.trainer_callback import PrinterCallback, ProgressCallback

        self.remove_callback(PrinterCallback)
        self.remove_callback(ProgressCallback)

    def get_train_dataloader(self) -> Any:
        """Batches that depend on seed and epoch alone."""
        batches = Batches(
            self.job.lengths,
            self.suite.batch_size,
            self.suite.seed,
            self.suite.group_by_length,
            self.job.keys,
            self.job.starts_epoch,
        )
        loader: Any = DataLoader(_Rows(self.job.rows), batch_sampler=batches, collate_fn=self.job.collate)
        return self.accelerator.prepare(loader)

    def _run_epoch(self, *args: Any, **more: Any) -> None:
        """Nothing where a resumed training has had its last update: the loop itself looks only after one more."""
        if self.was_over:
            self.control.should_training_stop = True
        else:
            super()._run_epoch(*args, **more)  # type: ignore[no-untyped-call]

    def training_step(self, model: nn.Module, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """Forward and backward of one batch, the adversary's passes included."""
        model.train()
        inputs = self._prepare_inputs(inputs)

        def loss_of(batch: Batch) -> torch.Tensor:
            with self.compute_loss_context_manager():
                return self.job.objective(model, batch)

        def backward(loss: torch.Tensor) -> None:
            self.accelerator.backward(loss / self.current_gradient_accumulation_steps)

        loss = self.adversary.step(loss_of, inputs, backward)
        if not torch.isfinite(loss):
            raise Diverged(
                f"The loss is {float(loss)} after {self.state.global_step} updates. Lower learning_rate "
                f"({self.suite.learning_rate:g}) or set precision = 'fp32'; the run folder keeps the checkpoint before."
            )
        return loss / self.current_gradient_accumulation_steps

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Figures of the task's evaluator; the best weights so far are kept."""
        if self.job.evaluator is None:
            return {}
        self.job.model.eval()
        with torch.no_grad():
            figures = dict(self.job.evaluator())
        self.job.model.train()
        self.best.consider(self.state.global_step, figures, self.job.model)
        named = {f"eval_{name}": value for name, value in figures.items()}
        self.log(named)
        watch.present().evaluated(self.state.global_step, figures)
        return named

    def finish(self) -> Mapping[str, float]:
        """Put the weights to keep in place; their figures."""
        if self.suite.keep_best and self.best.step is not None:
            self.best.restore(self.job.model)
        self.job.model.eval()
        return self.best.figures

    def last_loss(self) -> float:
        """The loss that was logged last, in this process or before; 0 where none was."""
        return next((float(entry["loss"]) for entry in reversed(self.state.log_history) if "loss" in entry), 0.0)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        checkpoints.save(self, self.folder / "checkpoints")

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        checkpoints.load_weights(self.job.model, Path(resume_from_checkpoint))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            checkpoints.load_optimizer(self, Path(checkpoint))
            self.best.rewind(self.state.global_step)
            self.was_over = self.state.global_step >= self.total or self.best.stops

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            checkpoints.load_random(Path(checkpoint))

    def _load_scaler(self, checkpoint: str | None) -> None:
        """Gradient scaling of fp16 starts anew."""


def _backbone(model: nn.Module) -> nn.Module:
    inner = getattr(model, "backbone", model)
    return inner if isinstance(inner, nn.Module) else model


class _Rows(torch.utils.data.Dataset[Any]):
    def __init__(self, rows: Sequence[Any]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        return self.rows[index]


__all__ = ["Diverged", "Job", "OutOfMemory", "Outcome", "pick_device", "pick_precision", "train", "updates"]
