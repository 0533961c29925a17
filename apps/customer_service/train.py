"""Training of the intent classifier: a CSV of messages and labels to a published model.

Seconds with the encoders as they are, minutes where one is tuned on the messages first. Knows files, encoders and the
artifact store; the fitting is in `train_intents`, the tuning in `tune`.
"""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from apps.customer_service.checks import CHECK
from apps.customer_service.data import Labelled, read_labelled
from apps.customer_service.intents import ARTIFACT, OUT_OF_SCOPE, TUNED_FOLDER, IntentClassifier
from apps.customer_service.settings import CustomerServiceSettings, Tuning
from apps.customer_service.train_intents import Plan, Trained, fit_intents, spoken_label
from core.backends import load_encoder
from core.backends.base import Encoder
from core.errors import ModelNotPrepared, Unavailable
from core.models.artifacts import Artifact, ArtifactStore
from core.models.catalog import find
from core.progress import Report, quiet
from core.settings import CoreSettings

__all__ = [
    "Plan",
    "Trained",
    "fit_intents",
    "intent_encoders",
    "load_intents",
    "plan_tuning",
    "prepare",
    "spoken_label",
    "train_intents",
]

PREPARED = (CHECK,)
"""Published names of what `prepare` makes."""

FEW = 25
"""Examples an intent, in the middle, up to which they are few."""


def intent_encoders(settings: CoreSettings) -> list[Encoder]:
    """The encoders of the classifier: the English one, and the multilingual one where it is prepared.

    :raises ModelNotPrepared: if neither is prepared.
    """
    found, reason = [], ""
    for name in dict.fromkeys((settings.encoder, settings.multilingual_encoder)):
        try:
            found.append(load_encoder(settings, name))
        except ModelNotPrepared as error:
            reason = reason or str(error)
    if not found:
        raise ModelNotPrepared(reason)
    return found


def plan_tuning(
    rows: Sequence[Labelled], settings: CoreSettings, tuning: Tuning, progress: Report = quiet
) -> Plan | None:
    """How to tune for these rows; None for not at all.

    :param tuning: see `CustomerServiceSettings.tuning`.
    :raises Unavailable: if tuning was asked for and the extra `train` is not installed.
    :raises InputError: if it was asked for and the settings' encoder is no transformer.
    """
    if tuning == "off":
        return None
    lacking = [name for name in ("torch", "transformers", "onnx") if importlib.util.find_spec(name) is None]
    fit = not lacking and find(settings.encoder).architecture != "use"
    if not fit and tuning == "auto":
        return None
    if lacking:
        raise Unavailable(f"tuning = {tuning!r} needs {lacking[0]}: pip install 'triptych[train]', or tuning = 'off'.")
    from apps.customer_service import tune

    counts = np.unique([row.label for row in rows if row.label != OUT_OF_SCOPE], return_counts=True)[1]
    few = tuning == "contrastive" or (tuning == "auto" and float(np.median(counts)) <= FEW)
    return Plan(tune.Tuner(settings, tune.FEW if few else tune.MANY, progress), few, always=tuning != "auto")


def train_intents(
    csv: Path,
    settings: CoreSettings,
    *,
    encoders: Sequence[Encoder] | None = None,
    tuning: Tuning = "off",
    progress: Report = quiet,
) -> dict[str, object]:
    """Fit the classifier on a file of `text,label` and publish it, a tuned encoder inside.

    :param encoders: already loaded ones; None loads those of the settings.
    :param tuning: see `CustomerServiceSettings.tuning`.
    :returns: what was published and what it reached on held-out rows of the file.
    :raises InputError: if the file is not usable; bad rows are left out and counted in `bad_rows`.
    :raises Unavailable: if tuning was asked for and the extra `train` is not installed.
    """
    table = read_labelled(csv)
    plan = plan_tuning(table.rows, settings, tuning, progress)
    with tempfile.TemporaryDirectory(prefix="triptych-intents-") as work:
        chosen = encoders if encoders is not None else intent_encoders(settings)
        trained = fit_intents(table.rows, chosen, plan=plan, folder=Path(work))
        classifier = trained.classifier

        def build(folder: Path) -> dict[str, object]:
            classifier.save(folder)
            if classifier.tuned:
                shutil.copytree(work, folder / TUNED_FOLDER)
            told = {"held_out": trained.held_out, "rows": len(table.rows), "threshold": classifier.gate.threshold}
            return {"metadata": {**told, "tuned": classifier.tuned}}

        source = {"file": csv.name, "rows": len(table.rows)}
        artifact = ArtifactStore(settings.models_folder).publish(ARTIFACT, build, kind="classifier", source=source)
    return {
        "name": artifact.name,
        "version": artifact.version,
        "labels": len(classifier.labels),
        "rows": len(table.rows),
        "bad_rows": len(table.problems),
        "problems": [str(problem) for problem in table.problems[:10]],
        "tuned": classifier.tuned,
        "held_out": trained.held_out,
        "train_seconds": trained.seconds,
    }


def load_intents(settings: CoreSettings, encoders: Sequence[Encoder]) -> IntentClassifier | None:
    """The published classifier, or None where none was trained.

    :raises ArtifactDamaged: if a file differs from its manifest.
    :raises InputError: if it was trained with other encoders.
    """
    try:
        artifact = ArtifactStore(settings.models_folder).resolve(ARTIFACT)
    except ModelNotPrepared:
        return None

    def open_tuned(folder: Path) -> Encoder:
        from core.backends.onnx import OnnxEncoder

        return OnnxEncoder(folder, provider=settings.provider, threads=settings.threads)

    return IntentClassifier.load(artifact.folder, encoders, open_tuned=open_tuned)


def prepare(
    settings: CustomerServiceSettings, *, force: bool = False, named: bool = False, progress: Report = quiet
) -> Artifact:
    """What the bot fits for itself once: its answerability checks. Called by `triptych models prepare`.

    :param named: the checks were asked for by their name, one of `PREPARED`; else a company's own stay.
    """
    from apps.customer_service.train_checks import prepare_checks

    return prepare_checks(settings, force=force, named=named, progress=progress)
