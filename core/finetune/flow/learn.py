"""From a file to a trained and measured model: read, resolve, split, fit, evaluate, keep.

The same call again after a kill goes on; once the run is done it is measured again, not trained again. Knows the order
of things; publishing is `core.finetune.flow.publish`'s.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.finetune.args import TrainArgs
from core.finetune.flow.judge import judge_trained
from core.finetune.flow.measure import Measured
from core.finetune.flow.rows import Data, DataRequest, load_data
from core.finetune.flow.tasks import find_task
from core.finetune.runs import Run
from core.models.files import replace_text
from core.progress import Report, quiet

RECORD, REPORT, RELIABILITY = "training.json", "report.json", "reliability.png"

More = Callable[[Sequence[Any]], tuple[Sequence[Any], Mapping[str, Any]]]
"""Training rows to new rows made from them, and a report on how; called once a run."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a run is asked to do."""

    task: str
    data: DataRequest
    args: TrainArgs
    augment: int = 0
    """New rows wanted for every training row."""

    def identity(self, data: Data) -> dict[str, Any]:
        """What makes it this run and no other; the same again goes on with it."""
        return {
            "task": self.task,
            "options": self.args.model_dump(mode="json"),
            "data": data.identity(),
            "heads": [[head.name, head.kind] for head in self.data.reading.heads],
            "augment": self.augment,
        }


@dataclass(frozen=True, slots=True)
class Learned:
    """A finished run."""

    run: Run
    task: str
    record: Mapping[str, Any]
    """What training came to: "figures" of the held-out rows, "steps", "seconds", "base", "notes"."""
    measured: Measured | None
    """On the test rows; None where there are none."""
    data: Data
    trained: bool
    """Whether this call trained; False where the run was done before."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> Path:
        """The trained folder."""
        return self.run.model


def learn(
    request: Request,
    run: Run,
    *,
    cache: Path,
    restart: bool = False,
    data: Data | None = None,
    more: More | None = None,
    progress: Report = quiet,
) -> Learned:
    """Train as asked, or go on, or only measure what is trained.

    :param cache: where converted backbones are kept.
    :param restart: drop what an earlier run of this name left.
    :param data: as `load_data` gives it, where the caller has read it already.
    :param more: makes further training rows; needed where `request.augment` is above 0.
    :raises Conflict: if the run folder holds a run of other options or data, or another process works in it.
    :raises InputError: if the data cannot be learned from.
    :raises Diverged: if the loss is no number.
    :raises OutOfMemory: if a batch does not fit.
    :raises OSError: if the disk is full; what was complete before stays, nothing half-written is left.
    """
    task = find_task(request.task)
    data = data or load_data(request.task, request.data)
    if request.augment and more is None:
        raise InputError("Rows can only be added by a generator; none was given.")
    with run.hold(request.identity(data), restart=restart), _written():
        run.note_data(data.as_dict())
        fresh = not run.done
        if fresh:
            rows = data.rows + _added(run, data, more if request.augment else None)
            fitted = task.fit(
                rows,
                data.held,
                request.args,
                cache=cache,
                how=request.data.reading,
                folder=run.folder,
                progress=progress,
            )
            run.finish(lambda folder: _keep(fitted, folder, len(rows)))
            _tidy(run.folder)
        measured = measure_run(run, data, threads=request.args.threads)
        record = json.loads((run.model / RECORD).read_text(encoding="utf-8"))
    return Learned(run, request.task, record, measured, data, fresh)


def measure_run(run: Run, data: Data, *, threads: int = 2) -> Measured | None:
    """Measure a finished run on the test rows, and keep the report in its folder; None without rows."""
    if not data.test:
        return None
    measured = judge_trained(run.model, data.test, data.rows, threads=threads)
    if measured is None:
        return None
    values = {"test": data.test_fingerprint, "test_file": data.own_test, **measured.as_dict()}
    replace_text(run.folder / REPORT, json.dumps(values, indent=1, ensure_ascii=False) + "\n")
    measured.draw(run.folder / RELIABILITY)
    return measured


def _keep(fitted: Any, folder: Path, rows: int) -> None:
    """Write the trained folder with a record of its training."""
    fitted.save(folder)
    outcome, backbone = fitted.outcome, fitted.backbone
    record = {
        "rows": rows,
        "steps": outcome.steps,
        "seconds": round(outcome.seconds, 1),
        "loss": outcome.loss,
        "best_step": outcome.best_step,
        "figures": {name: value for name, value in fitted.figures.items() if isinstance(value, int | float | str)},
        "notes": list(fitted.notes),
        "base": {
            "name": backbone.described,
            "licence": backbone.licence,
            "architecture": backbone.architecture,
            "languages": list(backbone.languages),
        },
    }
    (folder / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _added(run: Run, data: Data, more: More | None) -> tuple[Any, ...]:
    """Rows made from the training rows; made once, so that a resumed run trains on the same."""
    from core.finetune.data import Labelled

    if more is None:
        return ()
    path = run.folder / "augmented.json"
    if not path.is_file():
        rows, report = more(data.rows)
        made = [{"text": r.text, "pair": r.pair, "labels": {k: list(v) for k, v in r.labels.items()}} for r in rows]
        replace_text(path, json.dumps({"report": dict(report), "rows": made}, ensure_ascii=False) + "\n")
    kept = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return tuple(Labelled(r["text"], {k: tuple(v) for k, v in r["labels"].items()}, r["pair"]) for r in kept)


@contextlib.contextmanager
def _written() -> Iterator[None]:
    """What safetensors says of a full disk, as Python says it."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        code = re.search(r"os error (\d+)", str(error))
        if code is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1]))) from error


def _tidy(folder: Path) -> None:
    """A finished run needs no checkpoints any more; they are three times its weights, twice."""
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    with contextlib.suppress(OSError):
        (folder / "best.safetensors").unlink(missing_ok=True)
