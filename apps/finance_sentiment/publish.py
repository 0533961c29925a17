"""Fitted heads to a published version.

Knows readings and the artifact store.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from apps.finance_sentiment.model import ARTIFACTS, Task
from apps.finance_sentiment.train_heads import Trained
from core.errors import ArtifactDamaged, ModelNotPrepared
from core.models.artifacts import Artifact, ArtifactStore


def publish(
    task: Task, trained: Trained, store: ArtifactStore, source: Mapping[str, object], tuned: Path | None = None
) -> Artifact:
    """Put the readings of a task in force; families of languages that they lack are taken over from the version before.

    :param tuned: folder of the tuned encoders, as `fit_tasks` was given it.
    """
    readings = trained.of(task)

    def build(folder: Path) -> Mapping[str, object]:
        try:
            before = store.resolve(ARTIFACTS[task])
        except (ModelNotPrepared, ArtifactDamaged):
            before = None
        for part in sorted(before.folder.iterdir()) if before is not None else ():
            if part.is_dir() and part.name not in readings:
                shutil.copytree(part, folder / part.name)
        for home, reading in readings.items():
            if reading.tuned and tuned is not None:
                shutil.copytree(tuned / home, folder / home)
            else:
                (folder / home).mkdir()
            reading.save(folder / home)
        mine = {name: value for name, value in trained.held_out.items() if name.startswith(task)}
        weights = {name: value for name, value in trained.weights.items() if name.startswith(task)}
        return {"metadata": {"held_out": mine, "weights": weights}}

    return store.publish(ARTIFACTS[task], build, kind="classifier", source=dict(source))
