"""How good the monitor's labels are. `triptych finance evaluate sentiment|topics` prints what these return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from apps.finance_sentiment.evaluate_labels import Figures, evaluate
from apps.finance_sentiment.train import Tuning
from core.backends.base import Encoder
from core.progress import Report, quiet
from core.settings import CoreSettings

__all__ = ["Figures", "evaluate_sentiment", "evaluate_topics"]


def evaluate_sentiment(
    test: Path,
    settings: CoreSettings,
    *,
    train: Path | None = None,
    mapping: Mapping[str, str] | None = None,
    tuning: Tuning = "auto",
    encoders: Sequence[Encoder] | None = None,
    progress: Report = quiet,
) -> Figures:
    """`accuracy`, `macro_f1`, `ece`, `train_seconds`, `texts_per_second`, `rows`, `bad_rows`; see `evaluate`."""
    return evaluate(
        "sentiment", test, settings, train=train, mapping=mapping, tuning=tuning, encoders=encoders, progress=progress
    )


def evaluate_topics(
    test: Path,
    settings: CoreSettings,
    *,
    train: Path | None = None,
    tuning: Tuning = "auto",
    encoders: Sequence[Encoder] | None = None,
    progress: Report = quiet,
) -> Figures:
    """`micro_f1`, `macro_f1`, `ece`, `train_seconds`, `texts_per_second`, `rows`, `bad_rows`; see `evaluate`."""
    return evaluate("topics", test, settings, train=train, tuning=tuning, encoders=encoders, progress=progress)
