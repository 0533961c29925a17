"""What every task ends with: a model in memory, ready to be saved, with the figures of its held-out rows.

Knows the trained folder; nothing of how the model came to be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.backends.headed import HeadedModel
from core.finetune.backbone import Backbone
from core.finetune.tokens import TokenRow, pad_rows
from core.finetune.trainer import Outcome
from core.types import FloatArray


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained model."""

    model: HeadedModel
    """In evaluation mode, adapters merged, on the CPU or where it was trained."""
    backbone: Backbone
    """What it was trained from; its tokenizer belongs to the model."""
    outcome: Outcome
    figures: Mapping[str, Any]
    """Of the held-out rows, by name; a classification report, a calibration..."""
    notes: tuple[str, ...] = field(default=())
    """What people should know, as "class x has 2 rows, too few to hold any out"."""

    def save(self, folder: Path) -> None:
        """Write the trained folder; see `core.backends.headed`."""
        self.model.save(folder, self.backbone.tokenizer)


def run_rows(
    model: HeadedModel, rows: Sequence[TokenRow], pad_id: int, *, batch_tokens: int = 4096
) -> dict[str, list[FloatArray]]:
    """Logits of every row by head, in the order given: (k,) each, (t, k) for a "token" head.

    :param batch_tokens: padded tokens of one forward pass at most.
    """
    out: dict[str, list[FloatArray]] = {h.name: [np.empty(0, np.float32)] * len(rows) for h in model.task.heads}
    kinds = {h.name: h.kind for h in model.task.heads}
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]["input_ids"]))
    device = next(model.parameters()).device
    start = 0
    while start < len(order):
        width = len(rows[order[start]]["input_ids"])
        chosen = order[start : start + max(1, batch_tokens // width)]
        batch = {k: v.to(device) for k, v in pad_rows([rows[i] for i in chosen], pad_id).items()}
        with torch.inference_mode():
            logits = model(**batch)
        for name, values in logits.items():
            found = values.float().cpu().numpy()
            for place, i in enumerate(chosen):
                n = len(rows[i]["input_ids"])
                out[name][i] = found[place, :n] if kinds[name] == "token" else found[place]
        start += len(chosen)
    return out
