"""How good the intent classifier is: trained on one file, measured on another."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from apps.customer_service.data import Labelled, read_labelled
from apps.customer_service.intents import OUT_OF_SCOPE, Intent
from apps.customer_service.settings import Tuning
from apps.customer_service.train import fit_intents, intent_encoders, plan_tuning
from core.backends.base import Encoder
from core.evaluate.calibration import calibration_error
from core.evaluate.labels import accuracy, auroc, macro_f1
from core.progress import Report, quiet
from core.settings import CoreSettings


def evaluate_intents(
    train: Path,
    test: Path,
    settings: CoreSettings,
    *,
    encoders: Sequence[Encoder] | None = None,
    tuning: Tuning = "off",
    progress: Report = quiet,
) -> dict[str, float | int | None]:
    """Train on one file and measure on the other; nothing is published.

    :param train: columns text and label; the label "oos" is out of scope.
    :param test: likewise; a label that is not in `train` can only count as an error.
    :param encoders: already loaded ones; None loads those of the settings.
    :param tuning: see `CustomerServiceSettings.tuning`.
    :returns: the figures; see `intent_figures`, with `train_seconds` (encoding included), `texts_per_second`, and
        `tuned`, 1 where a tuned encoder was used.
    :raises InputError: if a file is not usable.
    :raises Unavailable: if tuning was asked for and the extra `train` is not installed.
    """
    learned, asked = read_labelled(train), read_labelled(test)
    plan = plan_tuning(learned.rows, settings, tuning, progress)
    chosen = encoders if encoders is not None else intent_encoders(settings)
    with tempfile.TemporaryDirectory(prefix="triptych-intents-") as work:
        trained = fit_intents(learned.rows, chosen, plan=plan, folder=Path(work))
    start = time.perf_counter()
    found = trained.classifier.classify([row.text for row in asked.rows])
    seconds = time.perf_counter() - start
    return {
        **intent_figures(asked.rows, found),
        "train_seconds": trained.seconds,
        "texts_per_second": len(found) / max(seconds, 1e-9),
        "tuned": int(trained.classifier.tuned),
        "bad_rows": len(learned.problems) + len(asked.problems),
    }


def intent_figures(rows: Sequence[Labelled], found: Sequence[Intent]) -> dict[str, float | int | None]:
    """Figures of what was found for labelled messages.

    `accuracy` and `macro_f1` are over all rows, "oos" right when rejected; where no row is "oos" there is nothing to
    reject, and they are those of the nearest intent, as such sets are published. `in_scope_accuracy` is over the rows
    that are not "oos", a rejection is an error, always; `oos_recall` and `oos_precision` are those of rejecting;
    `auroc` is of the probability of being in scope; `ece` is of the probability of the label given. What does not
    apply, as where no row is "oos", is None.

    :raises InputError: if there are no rows.
    """
    names = sorted({row.label for row in rows} | {name for intent in found for name in (intent.label, intent.nearest)})
    place = {name: i for i, name in enumerate(names)}
    labels = np.array([place[row.label] for row in rows], dtype=np.int64)
    predicted = np.array([place[intent.label] for intent in found], dtype=np.int64)
    strange = np.array([row.label == OUT_OF_SCOPE for row in rows], dtype=np.bool_)
    rejected = np.array([intent.label == OUT_OF_SCOPE for intent in found], dtype=np.bool_)
    right = predicted == labels
    chosen = predicted if strange.any() else np.array([place[intent.nearest] for intent in found], dtype=np.int64)
    both = bool(strange.any() and not strange.all())
    in_scope = np.array([intent.in_scope for intent in found], dtype=np.float64)
    return {
        "accuracy": accuracy(chosen, labels),
        "macro_f1": macro_f1(chosen, labels),
        "in_scope_accuracy": float(right[~strange].mean()) if not strange.all() else None,
        "oos_recall": float(rejected[strange].mean()) if strange.any() else None,
        "oos_precision": float(strange[rejected].mean()) if strange.any() and rejected.any() else None,
        "auroc": auroc(in_scope, ~strange) if both else None,
        "ece": calibration_error(np.array([intent.probability for intent in found], dtype=np.float64), right),
        "rows": len(rows),
        "rejected": int(rejected.sum()),
    }
