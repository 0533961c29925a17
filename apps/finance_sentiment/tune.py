"""Fine-tuning of encoders on labelled texts: MiniLM for English, the multilingual encoder for everything else.

One encoder may learn sentiment and topics at once, a head for each. Knows texts, targets and label names; the training
is `core.finetune.classifier`'s, the export `core.export.headed`'s. Needs the extra `train`, imported when something is
tuned; servers do not import it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.finance_sentiment.train_heads import Lesson
from core.backends.headed_onnx import OnnxHeads
from core.backends.providers import resolve_precision
from core.export.headed import export_headed
from core.export.use_hf import windowed_folder
from core.finetune.classifier import ClassifierArgs, fit, predict
from core.finetune.data import HeadColumn, Labelled
from core.finetune.fitted import Fitted
from core.models.catalog import find
from core.progress import Report, quiet
from core.settings import CoreSettings
from core.types import FloatArray

_COMMON: Mapping[str, Any] = {
    "batch_size": 32,
    "freeze": "embeddings",
    "keep_best": False,
    "calibrate": False,
    "track": (),
}
TRANSFORMER = ClassifierArgs(epochs=4, learning_rate=8e-5, head_learning_rate=1e-3, max_tokens=128, **_COMMON)
"""For MiniLM and its like."""

WINDOWED = ClassifierArgs(epochs=5, learning_rate=7e-4, head_learning_rate=2e-3, max_tokens=256, dropout=0.2, **_COMMON)
"""For the multilingual encoder, which is no transformer: what learns are convolutions."""

_UNKNOWN = -8.0  # logit of a label that the training rows lack
_SAMPLES = 100


class Tuned:
    """An encoder tuned on some texts, on torch."""

    def __init__(self, fitted: Fitted, lessons: Mapping[str, Lesson], settings: CoreSettings) -> None:
        self._fitted, self._lessons, self._settings = fitted, lessons, settings

    def logits(self, texts: Sequence[str]) -> dict[str, FloatArray]:
        """(n, k) float32 by task, in the order of its names."""
        found = predict(self._fitted.model, self._fitted.backbone.tokenizer, texts)
        out = {}
        for task, rows in found.items():
            names = self._lessons[task].names
            out[task] = np.full((len(texts), len(names)), _UNKNOWN, dtype=np.float32)
            out[task][:, [names.index(label) for label in self._fitted.model.task.head(task).labels]] = rows
        return out

    def export(self, folder: Path, name: str, texts: Sequence[str]) -> OnnxHeads:
        """Write the served folder, compared with torch, and open it.

        :param texts: typical ones.
        :raises ParityFailed: if the export differs from torch.
        """
        precision = resolve_precision(self._settings.precision, self._settings.provider)
        sample = [text for text in texts[:: max(1, len(texts) // _SAMPLES)] if text.strip()]
        with tempfile.TemporaryDirectory(prefix="triptych-finance-") as work:
            self._fitted.save(Path(work))
            export_headed(Path(work), {precision: folder}, name=name, samples=sample, calibration=sample)
        return OnnxHeads(folder, provider=self._settings.provider, threads=self._settings.threads)


@dataclass(frozen=True, slots=True)
class Tuner:
    """Labelled texts to a tuned encoder."""

    settings: CoreSettings
    progress: Report = quiet
    transformer: ClassifierArgs = TRANSFORMER
    windowed: ClassifierArgs = WINDOWED

    def __call__(self, home: str, texts: Sequence[str], lessons: Mapping[str, Lesson]) -> Tuned:
        """Tune the encoder of a family of languages.

        :param home: "en" takes the English encoder of the settings, any other the multilingual one.
        :param lessons: by task; each head needs two labels with texts.
        :raises InputError: if a head has fewer than two labels.
        :raises Diverged: if the loss is no number.
        """
        rows = [Labelled(text, {task: each.said(i) for task, each in lessons.items()}) for i, text in enumerate(texts)]
        heads = [HeadColumn(task, task, lesson.kind) for task, lesson in lessons.items()]
        name = self.settings.encoder if home == "en" else self.settings.multilingual_encoder
        args, cache = self.transformer, self.settings.home / "cache"
        if find(name).architecture == "use":
            args, name = self.windowed, str(windowed_folder(find(name).folder, cache / "hf"))
        args = args.model_copy(update={"backbone": name, "threads": self.settings.threads})
        fitted = fit(rows, (), args, cache=cache, heads=heads, progress=self.progress)
        return Tuned(fitted, lessons, self.settings)
