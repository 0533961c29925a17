"""Training of the intent classifier: a CSV of messages and labels to a published model, in seconds.

Knows files, encoders and the artifact store; the arithmetic is in `core.heads.fit`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apps.customer_service.data import Labelled, read_labelled
from apps.customer_service.intents import ARTIFACT, OUT_OF_SCOPE, IntentClassifier, embed, tokens
from apps.customer_service.settings import CustomerServiceSettings
from core.backends import load_encoder
from core.backends.base import Encoder
from core.errors import InputError, ModelNotPrepared
from core.heads.examples import Examples
from core.heads.fit import fit_mixture
from core.models.artifacts import Artifact, ArtifactStore
from core.progress import Report, quiet
from core.settings import CoreSettings


@dataclass(frozen=True, slots=True)
class Trained:
    """A classifier and what its training reached."""

    classifier: IntentClassifier
    held_out: dict[str, float]
    """See `core.heads.fit.Fitted`."""
    seconds: float
    """Wall time, encoding included."""


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


def fit_intents(rows: Sequence[Labelled], encoders: Sequence[Encoder]) -> Trained:
    """Fit a classifier on labelled messages.

    The name of a label, as in "card_arrival", counts as one more example of it: with five examples a label that is
    worth a point of accuracy or more. Texts that stand under two labels are kept under both.

    :raises InputError: if fewer than two labels beside "oos" have examples.
    """
    start = time.perf_counter()
    rows = list(dict.fromkeys(rows))
    labels = sorted({row.label for row in rows} - {OUT_OF_SCOPE})
    if len(labels) < 2:
        raise InputError(f"An intent classifier needs at least two labels beside {OUT_OF_SCOPE!r}; found {labels}.")
    strange = any(row.label == OUT_OF_SCOPE for row in rows)
    every = (*labels, OUT_OF_SCOPE) if strange else tuple(labels)
    place = {label: i for i, label in enumerate(every)}
    named = [(spoken, place[label]) for label in labels if (spoken := spoken_label(label))]
    texts = [*(row.text for row in rows), *(text for text, _ in named)]
    examples = Examples(
        rows=embed(encoders, texts),
        tokens=tokens(texts),
        classes=np.array([*(place[row.label] for row in rows), *(c for _, c in named)], dtype=np.int64),
        labels=every,
        stranger=place[OUT_OF_SCOPE] if strange else None,
        anchors=np.arange(len(rows), len(texts)) if named else None,
    )
    fitted = fit_mixture(examples)
    classifier = IntentClassifier(encoders, fitted.mixture, fitted.gate)
    return Trained(classifier, fitted.held_out, time.perf_counter() - start)


def spoken_label(label: str) -> str:
    """A label as words, "" where it has none.

    >>> spoken_label("Refund_not_showing_up?")
    'refund not showing up'
    >>> spoken_label("c-17")
    ''
    """
    kept = "".join(c if c.isalnum() else " " for c in label).lower().split()
    return " ".join(kept) if any(word.isalpha() and (len(word) > 2 or not word.isascii()) for word in kept) else ""


def train_intents(csv: Path, settings: CoreSettings, *, encoders: Sequence[Encoder] | None = None) -> dict[str, object]:
    """Fit the classifier on a file of `text,label` and publish it.

    :param encoders: already loaded ones; None loads those of the settings.
    :returns: what was published and what it reached on held-out rows of the file.
    :raises InputError: if the file is not usable; bad rows are left out and counted in `bad_rows`.
    """
    read = read_labelled(csv)
    trained = fit_intents(read.rows, encoders if encoders is not None else intent_encoders(settings))
    classifier = trained.classifier

    def build(folder: Path) -> dict[str, object]:
        classifier.save(folder)
        return {
            "metadata": {"held_out": trained.held_out, "rows": len(read.rows), "threshold": classifier.gate.threshold}
        }

    source = {"file": csv.name, "rows": len(read.rows)}
    artifact = ArtifactStore(settings.models_folder).publish(ARTIFACT, build, kind="classifier", source=source)
    return {
        "name": artifact.name,
        "version": artifact.version,
        "labels": len(classifier.labels),
        "rows": len(read.rows),
        "bad_rows": len(read.problems),
        "problems": [str(problem) for problem in read.problems[:10]],
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
    return IntentClassifier.load(artifact.folder, encoders)


def prepare(settings: CustomerServiceSettings, *, force: bool = False, progress: Report = quiet) -> Artifact:
    """What the bot fits for itself once: its answerability checks. Called by `triptych models prepare`."""
    from apps.customer_service.train_checks import prepare_checks

    return prepare_checks(settings, force=force, progress=progress)
