"""Encoders with what self-supervised training puts on them: a masked-word head, a small decoder, dropout twins.

Knows tensors; nothing of texts or files. Each gives losses for a batch; only the backbone is kept afterwards. What is
put on is called `heads`, so that it learns at the heads' rate.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn
from torch.nn import functional as F

from core.backends.headed import pool
from core.errors import InputError
from core.finetune.losses import IGNORED

_PUBLISHED = {
    "dense.weight": ("cls.predictions.transform.dense.weight", "lm_head.dense.weight", "vocab_transform.weight"),
    "dense.bias": ("cls.predictions.transform.dense.bias", "lm_head.dense.bias", "vocab_transform.bias"),
    "norm.weight": (
        "cls.predictions.transform.LayerNorm.weight",
        "lm_head.layer_norm.weight",
        "vocab_layer_norm.weight",
    ),
    "norm.bias": ("cls.predictions.transform.LayerNorm.bias", "lm_head.layer_norm.bias", "vocab_layer_norm.bias"),
    "bias": ("cls.predictions.bias", "lm_head.bias", "vocab_projector.bias"),
}
"""Names of a masked-word head in published BERT, RoBERTa and DistilBERT files."""


class WordHead(nn.Module):
    """Vector to vocabulary: dense, GELU, layer norm, then the word embeddings and a bias, as BERT's."""

    def __init__(self, hidden: int, vocabulary: int) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, rows: torch.Tensor, embeddings: torch.Tensor) -> torch.Tensor:
        """(m, hidden) and (v, hidden) to (m, v) logits."""
        return F.linear(self.norm(F.gelu(self.dense(rows))), embeddings, self.bias)

    def load_published(self, folder: Path) -> bool:
        """Take the head that a published folder brings, if it does and fits; whether it did."""
        found: dict[str, torch.Tensor] = {}
        for path in sorted(folder.glob("*.safetensors")):
            with safe_open(str(path), framework="pt") as file:
                there = set(file.keys())
                for own, names in _PUBLISHED.items():
                    name = next((name for name in names if name in there), None)
                    if name is not None:
                        found[own] = file.get_tensor(name).float()
        shapes = {name: value.shape for name, value in self.state_dict().items()}
        if {name: value.shape for name, value in found.items()} != shapes:
            return False
        self.load_state_dict(found)
        return True


class _Pretrained(nn.Module):
    """A backbone and what is put on it."""

    def __init__(self, backbone: Any, pooling: str, heads: dict[str, nn.Module]) -> None:
        super().__init__()
        self.backbone, self.pooling = backbone, pooling
        self.heads = nn.ModuleDict(heads)

    @property
    def config(self) -> Any:
        """The backbone's configuration; `transformers.Trainer` looks for it."""
        return self.backbone.config

    def get_input_embeddings(self) -> nn.Module:
        """The backbone's word embeddings."""
        found: nn.Module = self.backbone.get_input_embeddings()
        return found

    def tokens(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """(n, t, hidden) vectors."""
        found: torch.Tensor = self.backbone(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return found

    def embeddings(self) -> torch.Tensor:
        """(v, hidden) weights of the word embeddings."""
        found: torch.Tensor = self.get_input_embeddings().weight  # type: ignore[assignment]
        return found


class MaskedModel(_Pretrained):
    """Says which words are hidden. The head runs over hidden tokens only."""

    def __init__(self, backbone: Any, pooling: str) -> None:
        size, hidden = backbone.get_input_embeddings().weight.shape
        super().__init__(backbone, pooling, {"words": WordHead(hidden, size)})

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(m,) float32 losses of the hidden tokens, in nats."""
        hidden = targets != IGNORED
        logits = self.heads["words"](self.tokens(input_ids, attention_mask)[hidden], self.embeddings())
        return F.cross_entropy(logits.float(), targets[hidden], reduction="none")


class DenoisingModel(_Pretrained):
    """Writes a text again from the vector of what was left of it: all it needs must be in that one vector.

    Wang et al. 2021, "TSDAE". Their decoder has the encoder's layers; this one has two, on the same word embeddings:
    it costs less, and a weak decoder leaves more to the vector.
    """

    def __init__(self, backbone: Any, pooling: str, positions: int, layers: int = 2) -> None:
        size, hidden = backbone.get_input_embeddings().weight.shape
        many = int(getattr(backbone.config, "num_attention_heads", 1))
        layer = nn.TransformerDecoderLayer(hidden, many, 2 * hidden, 0.1, F.gelu, batch_first=True, norm_first=True)
        heads = {
            "decoder": nn.TransformerDecoder(layer, layers),
            "places": nn.Embedding(positions, hidden),
            "words": WordHead(hidden, size),
        }
        super().__init__(backbone, pooling, heads)
        nn.init.normal_(heads["places"].weight, std=0.02)  # type: ignore[arg-type]

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(m,) float32 losses of the tokens after the first, in nats.

        :param input_ids: (n, t) int64, what is left of the texts.
        :param targets: (n, s) int64, the whole texts.
        """
        memory = pool(self.tokens(input_ids, attention_mask), attention_mask, self.pooling)[:, None]
        given = targets[:, :-1].clamp(min=0)
        places = torch.arange(given.shape[1], device=given.device)
        rows = self.get_input_embeddings()(given) + self.heads["places"](places)
        later = torch.ones(len(places), len(places), dtype=torch.bool, device=given.device).triu(1)
        written = self.heads["decoder"](rows, memory, tgt_mask=later, tgt_is_causal=False)
        wanted = targets[:, 1:]
        learned = wanted != IGNORED
        logits = self.heads["words"](written[learned], self.embeddings())
        return F.cross_entropy(logits.float(), wanted[learned], reduction="none")


class TwinModel(_Pretrained):
    """Tells a text, seen under another dropout, from the others of the batch.

    Gao et al. 2021, "SimCSE", eq. 4, unsupervised.
    """

    def __init__(self, backbone: Any, pooling: str, temperature: float) -> None:
        if not has_dropout(backbone):
            raise InputError(
                "objective = 'contrastive' compares a text with itself under two dropouts, and this backbone has none; "
                "take an encoder with dropout, or another objective."
            )
        super().__init__(backbone, pooling, {})
        self.temperature = temperature

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """(n,) float32 losses of the texts; log n for a vector that says nothing."""
        twice = self.tokens(input_ids.repeat(2, 1), attention_mask.repeat(2, 1))
        rows = F.normalize(pool(twice, attention_mask.repeat(2, 1), self.pooling).float(), dim=1)
        scores = rows[: len(input_ids)] @ rows[len(input_ids) :].T / self.temperature
        return F.cross_entropy(scores, torch.arange(len(scores), device=scores.device), reduction="none")


def has_dropout(backbone: nn.Module) -> bool:
    """Whether two passes in training mode differ."""
    if any(isinstance(module, nn.Dropout) and module.p > 0 for module in backbone.modules()):
        return True
    config: Any = backbone.config
    return not math.isclose(float(getattr(config, "attention_dropout", 0.0) or 0.0), 0.0)
