"""What a training would take, before it is begun: updates, tokens, weights, memory, time. Writes nothing.

Time is measured: a few updates of the real model on real rows. Memory is computed:

    bytes = 4 P                    weights, fp32
          + 4 T                    gradients of the trainable ones
          + m T                    moments: 8 for AdamW, 4 for RMSprop and SGD
          + b t L (34 h + 5 a t) e/2     activations: Korthikanti et al. 2022, "Reducing Activation Recomputation in
                                   Large Transformer Models", eq. 2, for 16 bits; e = 4 bytes in fp32, 2 in bf16 or fp16
          + 10 b t V               logits, their gradient and softmax, where words are predicted (chat, pretrain)

with P weights, T trainable ones, batch b, t tokens (the 95th percentile, for batches of like length are padded little),
L layers, hidden size h, a heads, vocabulary V. The process itself (torch, the interpreter) takes about 600 MB more.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.console import size
from core.errors import InputError
from core.finetune.args import TrainArgs
from core.finetune.flow.learn import Request
from core.finetune.flow.rows import Data
from core.finetune.flow.tasks import Task, find_task
from core.finetune.hardware import pick_device, pick_precision
from core.finetune.watch import Watcher, watched

SECONDS = 10.0
"""A probe ends after the update in which this is over."""

_ROWS, _SMALL, _FAST = 512, 8, 1.5
_MOMENTS = {"adamw": 8, "rmsprop": 4, "sgd": 4}


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a training would take."""

    rows: int
    updates: int
    tokens: Mapping[str, int]
    """Percentiles 50, 95 and 100 of the tokens of a row, cut to `max_tokens`."""
    parameters: int
    trainable: int
    memory: Mapping[str, int]
    """Bytes by part."""
    seconds_per_update: float
    seconds: float
    """Of the whole training with its evaluations; loading and export not counted."""
    device: str
    precision: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "rows": self.rows,
            "updates": self.updates,
            "tokens": dict(self.tokens),
            "parameters": self.parameters,
            "trainable": self.trainable,
            "memory": {**self.memory, "total": sum(self.memory.values())},
            "seconds_per_update": self.seconds_per_update,
            "seconds": self.seconds,
            "device": self.device,
            "precision": self.precision,
        }

    def table(self) -> list[tuple[str, str]]:
        """Name and value, for people."""
        parts = ", ".join(f"{name} {size(count)}" for name, count in self.memory.items())
        return [
            ("rows", f"{self.rows:,}"),
            ("updates", f"{self.updates:,}"),
            (
                "tokens of a row",
                f"{self.tokens['p50']} ({self.tokens['p95']} at the 95th percentile, {self.tokens['max']} at most)",
            ),
            ("weights", f"{self.parameters:,}, of which {self.trainable:,} learn"),
            ("memory, about", f"{size(sum(self.memory.values()))} ({parts})"),
            ("an update", f"{self.seconds_per_update:.2f} s on {self.device} in {self.precision}"),
            ("the whole, about", _duration(self.seconds)),
        ]


def estimate(request: Request, data: Data, *, cache: Path) -> Estimate:
    """Measure a few updates, and compute the rest. Takes some seconds; converted backbones are kept in `cache`.

    :raises InputError: if the data cannot be learned from.
    """
    task, args = find_task(request.task), request.args
    rows: Sequence[Any] = _sample(data.rows, _ROWS)
    small = min(args.batch_size, _SMALL)
    try:
        probe = _probe(task, request, rows, args, small, cache)
    except InputError:  # a sample may lack a label that the whole has
        rows = data.rows
        probe = _probe(task, request, rows, args, small, cache)
    per_batch = probe.seconds * args.batch_size / small
    if (
        small < args.batch_size and per_batch < _FAST
    ):  # small batches of small models flatter nobody: measure whole ones
        per_batch = _probe(task, request, rows, args, args.batch_size, cache).seconds
    share = len(probe.lengths) / len(rows)  # packing puts several rows into one
    count = max(1, round(share * len(data.rows)))
    batches = math.ceil(count / args.batch_size)
    each = math.ceil(batches / args.gradient_accumulation)
    updates = args.max_steps or max(1, math.ceil(each * args.epochs))
    update = per_batch * args.gradient_accumulation
    evaluations = math.ceil(updates / (args.evaluate_every or max(1, each))) if data.held else 0
    evaluating = evaluations * len(data.held) * share * per_batch / args.batch_size / 3  # forward alone is a third
    device = pick_device(args)
    precision = pick_precision(args, device == "cuda")
    return Estimate(
        rows=len(data.rows),
        updates=updates,
        tokens=_percentiles(probe.lengths),
        parameters=probe.parameters,
        trainable=probe.trainable,
        memory=memory(probe, args, precision, words=request.task in ("chat", "pretrain")),
        seconds_per_update=update,
        seconds=updates * update + evaluating,
        device=device,
        precision=precision,
    )


class _Probe(Watcher):
    """Notes what is trained, and when updates ended."""

    def __init__(self) -> None:
        self.lengths: Sequence[int] = ()
        self.parameters = self.trainable = 0
        self.config: Any = None
        self.times: list[float] = []

    def began(self, model: Any, lengths: Sequence[int], total: int) -> None:
        """Count the weights."""
        self.lengths = list(lengths)
        weights = list(model.parameters())
        self.parameters = sum(p.numel() for p in weights)
        self.trainable = sum(p.numel() for p in weights if p.requires_grad)
        self.config = next(
            (m.config for m in model.modules() if hasattr(getattr(m, "config", None), "num_hidden_layers")), None
        )
        self.times = [time.monotonic()]

    def report(self, stage: str, done: int, total: int | None, /) -> None:
        """Take the time of an update."""
        if stage == "updates":
            self.times.append(time.monotonic())
            if self.times[-1] - self.times[0] > SECONDS / 2:
                raise _Enough

    @property
    def seconds(self) -> float:
        """Of one update: the first one, which also warms up, does not count where there are more."""
        steps = np.diff(self.times)
        return float(steps[1:].mean() if len(steps) > 1 else steps.mean())


class _Enough(Exception):
    """The probe has seen what it needs."""


def _probe(task: Task, request: Request, rows: Sequence[Any], args: TrainArgs, batch: int, cache: Path) -> _Probe:
    probe = _Probe()
    short = args.model_copy(
        update={"batch_size": batch, "gradient_accumulation": 1, "max_steps": 4, "evaluate_every": 0, "track": ()}
    )
    with watched(probe), contextlib.suppress(_Enough):
        task.fit(rows, (), short, cache=cache, how=request.data.reading, progress=probe.report)
    return probe


def memory(probe: Any, args: TrainArgs, precision: str, *, words: bool) -> dict[str, int]:
    """Bytes by part; the formula is this module's."""
    parts = {
        "weights": 4 * probe.parameters,
        "gradients": 4 * probe.trainable,
        "moments": _MOMENTS[args.optimizer] * probe.trainable,
    }
    config = probe.config
    if config is None:
        return parts
    tokens = _percentiles(probe.lengths)["p95"]
    width, layers = int(config.hidden_size), int(config.num_hidden_layers)
    heads = int(getattr(config, "num_attention_heads", 0))
    each = 4 if precision == "fp32" else 2
    parts["activations"] = args.batch_size * tokens * layers * (34 * width + 5 * heads * tokens) * each // 2
    if words:
        parts["logits"] = 10 * args.batch_size * tokens * int(config.vocab_size)
    return parts


def _sample(rows: Sequence[Any], most: int) -> list[Any]:
    """Rows at even steps, and one of every answer."""
    if len(rows) <= most:
        return list(rows)
    first: dict[str, int] = {}
    for i, row in enumerate(rows):
        for answer in row.strata:
            first.setdefault(answer, i)
    chosen = {*first.values(), *range(0, len(rows), -(-len(rows) // most))}
    return [rows[i] for i in sorted(chosen)]


def _percentiles(lengths: Sequence[int]) -> dict[str, int]:
    p50, p95, top = (int(value) for value in np.percentile(lengths, (50, 95, 100), method="nearest"))
    return {"p50": p50, "p95": p95, "max": top}


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.1f} hours"
