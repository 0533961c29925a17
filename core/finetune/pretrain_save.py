"""The folder of a pre-trained backbone: weights, tokenizer, and the pooling it was opened with.

Knows files; nothing of training. sentence-transformers keeps pooling beside the weights; those files come along, so
that the next task pools as the last one did.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from core.backends.headed import BACKBONE
from core.finetune.backbone import Backbone
from core.models.config import read_pretrained

_KEPT = (
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
    "2_Normalize/config.json",
)


def save_pretrained(model: Any, backbone: Backbone, folder: Path) -> None:
    """Write `backbone/`: weights (tied ones once), tokenizer, chat template, the pooling files of its source.

    Where a pooling was asked for that is not the source's own, the file says the one asked for.
    """
    target = folder / BACKBONE
    target.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(target)
    backbone.tokenizer.save_pretrained(target)
    for name in _KEPT:
        source = backbone.folder / name
        if source.is_file():
            (target / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(source, target / name)
    asked = backbone.pooling
    own = read_pretrained(target, name=target.name).pooling if backbone.architecture == "encoder" else asked
    if asked not in (own, "last"):
        mode = "pooling_mode_cls_token" if asked == "cls" else "pooling_mode_mean_tokens"
        values = {"word_embedding_dimension": int(model.config.hidden_size), mode: True}
        (target / "1_Pooling").mkdir(exist_ok=True)
        (target / "1_Pooling" / "config.json").write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
