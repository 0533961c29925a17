"""Fine-tuning the encoder of the intents: messages that mean the same come closer, others part.

`core.finetune.places` moves the encoder; here it goes through the ONNX exporter and is served like any other. Knows
texts and classes. Needs the extra `train`, imported when something is tuned; servers do not import it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.backends.onnx import OnnxEncoder
from core.backends.providers import resolve_precision
from core.export.encoder import export_encoder
from core.finetune.args import TrainArgs
from core.finetune.backbone import Backbone
from core.progress import Report, quiet
from core.settings import CoreSettings
from core.types import IntArray

NAME = "intents"
"""Name of a tuned encoder; its precision is added, as in "intents-int8"."""

FEW = TrainArgs(
    epochs=6,
    batch_size=32,
    learning_rate=5e-5,
    head_learning_rate=1e-3,
    max_tokens=96,
    freeze="embeddings",
    keep_best=False,
    track=(),
)
"""For a handful of examples an intent. Twice the rate and the epochs lose five points: what there is to learn from few
examples is learned soon."""

MANY = FEW.model_copy(update={"epochs": 4.0, "learning_rate": 1e-4})
"""For dozens of examples an intent."""


@dataclass(frozen=True, slots=True)
class Tuner:
    """Texts and their classes to an encoder tuned on them."""

    settings: CoreSettings
    args: TrainArgs
    progress: Report = quiet

    def __call__(self, texts: Sequence[str], classes: IntArray, k: int, folder: Path) -> OnnxEncoder:
        """Tune the encoder of the settings, export it into a folder, and open what was exported.

        :param texts: n texts, the names of the classes among them.
        :param classes: (n,) int64 in [0, k).
        :param folder: gets `model.onnx`, `tokenizer.json` and `encoder.json`.
        :raises InputError: if the settings' encoder is no transformer.
        :raises Diverged: if the loss is no number.
        :raises ParityFailed: if the export differs from torch.
        """
        from core.finetune.places import tune

        backbone = tune(
            self.settings.encoder, texts, classes, k, self.args, self.settings.home / "cache", self.progress
        )
        precision = resolve_precision(self.settings.precision, self.settings.provider)
        with tempfile.TemporaryDirectory(prefix="triptych-intents-") as work:
            plain = Path(work)
            backbone.model.save_pretrained(plain)
            backbone.tokenizer.save_pretrained(plain)
            _describe(backbone, plain, self.args)
            export_encoder(plain, {precision: folder}, name=NAME, languages=backbone.languages)
        return OnnxEncoder(folder, provider=self.settings.provider, threads=self.settings.threads)


def _describe(backbone: Backbone, folder: Path, args: TrainArgs) -> None:
    """Write the files that tell pooling and length, as sentence-transformers has them."""
    import json

    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": backbone.pooling}) + "\n", "utf-8")
    limit = {"max_seq_length": min(256, backbone.max_tokens)}
    (folder / "sentence_bert_config.json").write_text(json.dumps(limit) + "\n", "utf-8")
