"""Where the figures of a run go: a progress bar, `metrics.jsonl`, curves as a picture, TensorBoard, W&B, MLflow.

Knows steps and numbers; nothing of models. The trackers are transformers' own integrations.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from core.errors import Unavailable
from core.finetune.args import TrainArgs
from core.progress import Report

METRICS, CURVES = "metrics.jsonl", "curves.png"


class Progress(TrainerCallback):
    """Updates done, for a progress bar with rate and time to go."""

    def __init__(self, report: Report, total: int) -> None:
        self.report, self.total = report, total

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """After an update."""
        self.report("updates", state.global_step, self.total)


class Trackers(TrainerCallback):
    """`metrics.jsonl` in the run folder, and the trackers that were asked for."""

    def __init__(self, args: TrainArgs, folder: Path) -> None:
        self.folder, self.name = folder, folder.name
        self.others = [_tracker(name, folder) for name in args.track]

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """A resumed run goes on after its last checkpoint; what came later is written again."""
        path = self.folder / METRICS
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        kept = [line for line in lines if _step(line) is not None and (_step(line) or 0) <= state.global_step]
        path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        self._pass_on("on_train_begin", args, state, control, more)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
        """Write a line."""
        figures = {key: value for key, value in (logs or {}).items() if isinstance(value, int | float)}
        if "train_runtime" not in figures:
            with (self.folder / METRICS).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": state.global_step, "epoch": state.epoch, **figures}) + "\n")
        self._pass_on("on_log", args, state, control, {"logs": logs, **more})

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Draw the curves and close the trackers."""
        draw_curves(self.folder)
        self._pass_on("on_train_end", args, state, control, more)

    def _pass_on(self, event: str, args: Any, state: Any, control: Any, more: Any) -> None:
        for tracker in self.others:
            getattr(tracker, event)(args, state, control, **more)


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """The lines of a run's `metrics.jsonl`; half-written ones are left out."""
    path = folder / METRICS
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines if _step(line) is not None]


def draw_curves(folder: Path) -> Path | None:
    """Loss, learning rate and every evaluated figure over the updates, as `curves.png`; None without figures."""
    rows = read_metrics(folder)
    names = sorted({key for row in rows for key in row if key.startswith("eval_")})
    panels = [name for name in ("loss", "learning_rate", *names) if any(name in row for row in rows)]
    if not panels:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    across = min(3, len(panels))
    down = -(-len(panels) // across)
    figure = Figure(figsize=(4.2 * across, 2.8 * down), layout="constrained")
    FigureCanvasAgg(figure)
    for i, name in enumerate(panels):
        points = [(row["step"], row[name]) for row in rows if name in row]
        axes = figure.add_subplot(down, across, i + 1)
        axes.plot([x for x, _ in points], [y for _, y in points], marker="." if len(points) < 40 else "", linewidth=1.2)
        axes.set_title(name.removeprefix("eval_").replace("_", " "), fontsize=10)
        axes.set_xlabel("updates", fontsize=8)
        axes.grid(alpha=0.3)
        axes.tick_params(labelsize=8)
    path = folder / CURVES
    figure.savefig(path, dpi=110, metadata={"Software": ""})
    return path


def _step(line: str) -> int | None:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return None


def _tracker(name: str, folder: Path) -> Any:
    integrations: Any = importlib.import_module("transformers.integrations")  # untyped

    kind: Any = {
        "tensorboard": "TensorBoardCallback",
        "wandb": "WandbCallback",
        "mlflow": "MLflowCallback",
    }[name]
    try:
        if name == "tensorboard":
            from torch.utils.tensorboard import SummaryWriter

            return integrations.TensorBoardCallback(SummaryWriter(log_dir=str(folder / "tensorboard")))
        return getattr(integrations, kind)()
    except (ImportError, RuntimeError) as error:
        raise Unavailable(
            f"track = {name!r} needs a package that is not here: `pip install 'triptych[tracking]'` ({error})."
        ) from error
