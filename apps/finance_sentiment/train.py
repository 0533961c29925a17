"""Training on the desk's own labels: a file of texts to a published head.

Minutes with tuning, seconds without. The languages that the file has get a head of their own, the others keep theirs.
`triptych models rollback finance-sentiment` (or `finance-topics`) goes back to the version before, in the end to the
shipped one. Knows files, encoders and the artifact store; the fitting is in `train_heads`, the tuning in `tune`.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from apps.finance_sentiment.examples import Example, read_sentiment, read_topics
from apps.finance_sentiment.model import ARTIFACTS, Task, frozen_encoders
from apps.finance_sentiment.publish import publish
from apps.finance_sentiment.shipped import prepare
from apps.finance_sentiment.train_heads import Plan, fit_tasks
from core.backends.base import Encoder
from core.errors import Unavailable
from core.finetune.data import Rows
from core.models.artifacts import ArtifactStore
from core.progress import Report, quiet
from core.settings import CoreSettings

__all__ = ["PREPARED", "Tuning", "plan_tuning", "prepare", "read", "train"]

PREPARED = tuple(ARTIFACTS.values())
"""Names of what `prepare` makes."""

Tuning = Literal["auto", "off", "full"]
"""Whether encoders are tuned on the texts: where it helps and can be done, never, or always."""


def read(task: Task, path: Path, *, mapping: Mapping[str, str] | None = None, strict: bool = False) -> Rows[Example]:
    """The labelled texts of a file; see `examples`."""
    if task == "sentiment":
        return read_sentiment(path, mapping=mapping, strict=strict)
    return read_topics(path, strict=strict)


def plan_tuning(settings: CoreSettings, tuning: Tuning, progress: Report = quiet) -> Plan | None:
    """How to tune; None for not at all.

    :raises Unavailable: if tuning was asked for and the extra `train` is not installed.
    """
    if tuning == "off":
        return None
    lacking = [name for name in ("torch", "transformers", "onnx") if importlib.util.find_spec(name) is None]
    if lacking and tuning == "auto":
        return None
    if lacking:
        raise Unavailable(f"tuning = {tuning!r} needs {lacking[0]}: pip install 'triptych[train]', or tuning = 'off'.")
    from apps.finance_sentiment.tune import Tuner

    return Plan(Tuner(settings, progress), always=tuning == "full")


def train(
    task: Task,
    path: Path,
    settings: CoreSettings,
    *,
    mapping: Mapping[str, str] | None = None,
    strict: bool = False,
    tuning: Tuning = "auto",
    encoders: Sequence[Encoder] | None = None,
    progress: Report = quiet,
) -> dict[str, object]:
    """Fit the head of a task on a file and publish it, a tuned encoder inside.

    :param mapping: what the labels of the file mean, for sentiments under other names.
    :param strict: refuse the file if a row is wrong.
    :param encoders: already loaded ones; None loads those of the settings.
    :returns: what was published and what it reached on rows held out of the file.
    :raises InputError: if the file is not usable; bad rows are left out and counted in `bad_rows`.
    :raises Unavailable: if tuning was asked for and the extra `train` is not installed.
    """
    table = read(task, path, mapping=mapping, strict=strict)
    plan = plan_tuning(settings, tuning, progress)
    chosen = encoders if encoders is not None else frozen_encoders(settings)
    with tempfile.TemporaryDirectory(prefix="triptych-finance-") as work:
        trained = fit_tasks({task: unique(table.rows)}, chosen, plan=plan, folder=Path(work), progress=progress)
        source = {"file": path.name, "rows": len(table)}
        artifact = publish(task, trained, ArtifactStore(settings.models_folder), source, Path(work))
    readings = trained.of(task)
    return {
        "name": artifact.name,
        "version": artifact.version,
        "rows": len(table),
        "bad_rows": len(table.problems),
        "problems": [str(problem) for problem in table.problems[:10]],
        "labels": sorted({label for reading in readings.values() for label in reading.head.labels}),
        "languages": sorted(readings),
        "tuned": sorted(home for home, reading in readings.items() if reading.tuned),
        "held_out": trained.held_out,
        "weights": trained.weights,
        "train_seconds": trained.seconds,
    }


def unique(rows: Sequence[Example]) -> list[Example]:
    """The rows without those that say the same again, in order; the same text under two labels stays twice."""
    return list({(row.text, row.labels): row for row in rows}.values())
