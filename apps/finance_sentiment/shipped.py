"""The shipped heads, fitted on the samples once: by `triptych models prepare`.

They are the first versions of `finance-sentiment` and `finance-topics`. A head that a desk trained stays in force
whatever becomes of the samples.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.finance_sentiment.examples import FILES, SAMPLES, Example, read_samples
from apps.finance_sentiment.model import ARTIFACTS, Task, frozen_encoders
from apps.finance_sentiment.publish import publish
from apps.finance_sentiment.train_heads import Plan, Trained, Tune, fit_tasks
from core.backends.base import Encoder
from core.errors import ModelError
from core.models.artifacts import Artifact, ArtifactStore
from core.progress import Report, quiet
from core.settings import CoreSettings

_VERSION = 3
"""Raised when the fit changes, so that the shipped heads are made again."""

_SHIPPED = "shipped samples"
_JUDGED = 7  # every seventh sample is kept back, to weigh the opinions by
TASKS: tuple[Task, ...] = ("sentiment", "topics")


def prepare(
    settings: CoreSettings, *, force: bool = False, named: bool = False, progress: Report = quiet
) -> list[Artifact]:
    """Fit and publish the shipped heads, unless those published came from the same samples and encoders.

    A head that the desk trained is left alone.

    :param force: fit again what is published and sound.
    :param named: the heads were asked for by name: the desk's own are replaced too.
    :raises ModelNotPrepared: if the encoders are not prepared.
    """
    store = ArtifactStore(settings.models_folder)
    origin = _origin(settings)
    current = {task: _current(store, task) for task in TASKS}
    stale = [task for task, found in current.items() if _stale(found, origin, force, named)]
    done = {task: found for task, found in current.items() if found is not None and task not in stale}
    if stale:
        with tempfile.TemporaryDirectory(prefix="triptych-finance-") as work:
            trained = fit_shipped(settings, frozen_encoders(settings), Path(work), progress=progress)
            for task in stale:
                done[task] = publish(task, trained, store, origin, Path(work))
                store.prune(ARTIFACTS[task], keep=2)
    return [done[task] for task in TASKS]


def fit_shipped(
    settings: CoreSettings,
    encoders: Sequence[Encoder],
    folder: Path,
    *,
    tune: Tune | None = None,
    samples: Path = SAMPLES,
    progress: Report = quiet,
) -> Trained:
    """The heads of both tasks, from the samples of all languages; one tuned encoder serves both in English.

    The Chinese samples are too few for theirs: tuned it is no better on other texts, and a worse judge of topics.

    :param folder: gets the folders of the tuned encoders.
    :param tune: what tunes; None takes `tune.Tuner`.
    """
    found = [sample for language in FILES for sample in read_samples(language, samples)]
    if tune is None:
        from apps.finance_sentiment.tune import Tuner

        tune = Tuner(settings, progress)
    return fit_tasks(
        {
            "sentiment": [Example(sample.text, (sample.sentiment,)) for sample in found],
            "topics": [Example(sample.text, tuple(sorted(sample.topics))) for sample in found],
        },
        encoders,
        plan=Plan(tune, always=True, again=False, homes=("en",), share=_JUDGED),
        folder=folder,
        progress=progress,
    )


def _stale(found: Artifact | None, origin: dict[str, Any], force: bool, named: bool) -> bool:
    if found is None or named:
        return True
    return not _is_own(found) and (force or not _same(found, origin))


def _same(artifact: Artifact, origin: dict[str, Any]) -> bool:
    return origin.items() <= dict(artifact.manifest.source).items()


def _current(store: ArtifactStore, task: Task) -> Artifact | None:
    try:
        return store.resolve(ARTIFACTS[task])
    except ModelError:
        return None  # missing or damaged: made again


def _is_own(artifact: Artifact) -> bool:
    return artifact.manifest.source.get("file") != _SHIPPED


def _origin(settings: CoreSettings) -> dict[str, Any]:
    digest = hashlib.sha256()
    for names in FILES.values():
        for name in names:
            path = SAMPLES / name
            digest.update(path.read_bytes() if path.is_file() else b"")
    encoders = [settings.encoder, settings.multilingual_encoder]
    return {"file": _SHIPPED, "samples": digest.hexdigest(), "encoders": encoders, "fit": _VERSION}
