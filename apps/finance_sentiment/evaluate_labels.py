"""How good the labels are: trained on one file and measured on another, or the published model as it is."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from apps.finance_sentiment.examples import Example
from apps.finance_sentiment.model import FinanceModel, Task, by_name, family, frozen_encoders
from apps.finance_sentiment.schemas import SENTIMENTS
from apps.finance_sentiment.train import Tuning, plan_tuning, read, unique
from apps.finance_sentiment.train_heads import fit_tasks
from core.backends.base import Encoder
from core.errors import InputError
from core.evaluate.calibration import expected_calibration_error, multilabel_calibration_error
from core.evaluate.labels import accuracy, macro_f1, multilabel_f1
from core.progress import Report, quiet
from core.settings import CoreSettings
from core.text.language import detect_language

Figures = dict[str, float | int | None]


def evaluate(
    task: Task,
    test: Path,
    settings: CoreSettings,
    *,
    train: Path | None = None,
    mapping: Mapping[str, str] | None = None,
    tuning: Tuning = "auto",
    encoders: Sequence[Encoder] | None = None,
    progress: Report = quiet,
) -> Figures:
    """Measure a task on a labelled file; nothing is published.

    :param train: labelled texts to train on first; None measures the published model.
    :param mapping: what the labels of both files mean, for sentiments under other names.
    :param tuning: whether encoders are tuned; see `apps.finance_sentiment.train`.
    :param encoders: already loaded ones; None loads those of the settings.
    :returns: see `sentiment_figures` and `topic_figures`, with `train_seconds` (None where nothing was trained;
        encoding included), `texts_per_second`, `tuned` (1 where a tuned encoder is used), `rows` and `bad_rows`.
    :raises InputError: if a file is not usable.
    :raises ModelNotPrepared: if there is no file to train on and nothing is published.
    """
    asked = read(task, test, mapping=mapping)
    seconds: float | None = None
    bad = len(asked.problems)
    with tempfile.TemporaryDirectory(prefix="triptych-finance-") as work:
        if train is None:
            model = FinanceModel.load(settings, encoders=encoders)
        else:
            learned = read(task, train, mapping=mapping)
            bad += len(learned.problems)
            chosen = list(encoders) if encoders is not None else frozen_encoders(settings)
            plan = plan_tuning(settings, tuning, progress)
            trained = fit_tasks({task: unique(learned.rows)}, chosen, plan=plan, folder=Path(work), progress=progress)
            model, seconds = FinanceModel(trained.readings, by_name(chosen)), trained.seconds
        texts = [row.text for row in asked]
        start = time.perf_counter()
        homes = [family(detect_language(text)) for text in texts]
        (found,) = model.probabilities((task,), texts, homes)
        took = time.perf_counter() - start
    measure = sentiment_figures if task == "sentiment" else topic_figures
    return {
        **measure(asked.rows, model, homes, found),
        "train_seconds": seconds,
        "texts_per_second": len(texts) / max(took, 1e-9),
        "tuned": int(any(reading.tuned for (each, _), reading in model.readings.items() if each == task)),
        "rows": len(asked),
        "bad_rows": bad,
    }


def sentiment_figures(
    rows: Sequence[Example], model: FinanceModel, homes: Sequence[str], found: Sequence[np.ndarray]
) -> Figures:
    """`accuracy`, `macro_f1`, and `ece` of the likeliest sentiment."""
    place = {name: i for i, name in enumerate(SENTIMENTS)}
    truth = np.array([place[row.labels[0]] for row in rows], dtype=np.int64)  # type: ignore[index]
    probabilities = np.stack(list(found))
    said = probabilities.argmax(axis=1).astype(np.int64)
    return {
        "accuracy": accuracy(said, truth),
        "macro_f1": macro_f1(said, truth),
        "ece": expected_calibration_error(probabilities, truth),
    }


def topic_figures(
    rows: Sequence[Example], model: FinanceModel, homes: Sequence[str], found: Sequence[np.ndarray]
) -> Figures:
    """`micro_f1` and `macro_f1` over all topics of file and model, and `ece` of all their probabilities.

    A topic that only the file has can only count as missed.
    """
    names = sorted({label for row in rows for label in row.labels} | set(model.topics))
    if not names:
        raise InputError("The file has no topics to measure.")
    place = {name: i for i, name in enumerate(names)}
    shape = (len(rows), len(names))
    truth, said, probabilities = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_), np.zeros(shape, np.float32)
    for i, (row, home, each) in enumerate(zip(rows, homes, found, strict=True)):
        head = model.reading("topics", home).head
        columns = [place[label] for label in head.labels]
        truth[i, [place[label] for label in row.labels]] = True
        said[i, columns] = head.chosen(each[None])[0]
        probabilities[i, columns] = each
    micro, macro = multilabel_f1(said, truth)
    return {"micro_f1": micro, "macro_f1": macro, "ece": multilabel_calibration_error(probabilities, truth)}
