"""The multilingual encoder on torch, as transformers opens it: what fine-tuning trains where MiniLM knows no word.

Word-piece embeddings, kept in bytes as they came, three convolution branches (windows of 2, 3 and 5 pieces), a sum over
the text and a few dense layers; the forward pass is that of `core.export.use`, which serves the encoder as it is.
Trained are the convolutions and all above them: three million weights, so that minutes do. Every position is given the
vector of the whole text: any pooling gives it back, and heads stand on it as on a transformer's. Knows tensors; nothing
of tasks. Needs the extra `train`; servers do not import it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

WINDOWS = ((2, 0), (3, 1), (5, 2))
"""Length of a convolution window and how much of it lies to the left."""

_SCALE = 4.0  # of the text's vector: heads learn faster than from rows of length 1
_EPSILON = 1e-12


class WindowedConfig(PretrainedConfig):  # type: ignore[no-untyped-call]
    """Sizes; the defaults are the multilingual encoder's."""

    model_type = "triptych-windowed"

    def __init__(
        self,
        vocab_size: int = 128_010,
        width: int = 512,
        branch: int = 256,
        inner: int = 320,
        blocks: int = 17,
        max_position_embeddings: int = 512,
        **more: Any,
    ) -> None:
        """Take the sizes.

        :param width: of an embedding, and of each of the two halves of the text's vector.
        :param branch: of a convolution branch.
        :param inner: of the dense layers.
        :param blocks: scales of the embedding table; piece i has scale i % blocks.
        """
        self.width, self.branch, self.inner, self.blocks = width, branch, inner, blocks
        self.max_position_embeddings = max_position_embeddings
        self.hidden_size = 2 * width
        self.vocab_size = vocab_size
        super().__init__(**more)


class Pieces(nn.Module):
    """Embeddings in bytes: `byte * scale + low`, not trained."""

    table: torch.Tensor
    scale: torch.Tensor
    low: torch.Tensor

    def __init__(self, config: WindowedConfig) -> None:
        super().__init__()
        self.blocks = config.blocks
        self.register_buffer("table", torch.zeros(config.vocab_size, config.width, dtype=torch.uint8))
        self.register_buffer("scale", torch.ones(config.blocks))
        self.register_buffer("low", torch.zeros(config.blocks))

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """(n, t, width) float32 from (n, t) int64."""
        block = input_ids % self.blocks
        found: torch.Tensor = F.embedding(input_ids, self.table).float()
        return found * self.scale[block].unsqueeze(-1) + self.low[block].unsqueeze(-1)


class Branch(nn.Module):
    """Two convolutions over windows of one length, each added to what it reads."""

    def __init__(self, config: WindowedConfig, length: int, left: int) -> None:
        super().__init__()
        self.length, self.left = length, left
        self.first = nn.Linear(length * config.branch, config.branch)
        self.second = nn.Linear(length * config.branch, config.branch)

    def forward(self, x: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
        """(n, t, branch) from (n, t, branch) and the (n, t, 1) mask."""
        hidden = (F.relu(self.first(self._windows(x))) + x) * kept
        found: torch.Tensor = F.relu(self.second(self._windows(hidden))) + hidden
        return found

    def _windows(self, x: torch.Tensor) -> torch.Tensor:
        """(n, t, length * branch): each position beside its neighbours, zeros beyond the ends."""
        t = x.shape[1]
        padded = F.pad(x, (0, 0, self.left, self.length - 1 - self.left))
        return torch.cat([padded[:, i : i + t] for i in range(self.length)], dim=-1)


class WindowedModel(PreTrainedModel):  # type: ignore[no-untyped-call]
    """Token ids to the vector of the text: its embedding beside the sum it is made of, 2 * width numbers."""

    config_class = WindowedConfig
    base_model_prefix = "windowed"
    _supports_sdpa = True  # it has no attention that could lack it

    def __init__(self, config: WindowedConfig) -> None:
        super().__init__(config)
        width, branch, inner = config.width, config.branch, config.inner
        self.embeddings = Pieces(config)
        self.projection = nn.Linear(width, len(WINDOWS) * branch)
        self.norm = nn.LayerNorm(len(WINDOWS) * branch, eps=_EPSILON)
        self.branches = nn.ModuleList([Branch(config, length, left) for length, left in WINDOWS])
        self.whole = nn.LayerNorm(width + len(WINDOWS) * branch, eps=_EPSILON)
        self.sum = nn.Linear(width + len(WINDOWS) * branch, width)
        self.down = nn.Linear(width, inner, bias=False)
        self.down_again = nn.Linear(inner, inner, bias=False)
        self.across = nn.Linear(width, inner, bias=False)
        self.up = nn.Linear(inner, width, bias=False)
        self.last = nn.Linear(width, width, bias=False)
        self.last_across = nn.Linear(inner, width, bias=False)
        self.post_init()  # type: ignore[no-untyped-call]

    def get_input_embeddings(self) -> nn.Module:
        """The table of pieces."""
        return self.embeddings

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None, **more: Any
    ) -> BaseModelOutput:
        """`last_hidden_state` is (n, t, 2 * width), the same at every position.

        :param input_ids: (n, t) int64.
        :param attention_mask: (n, t) int64; padding may be on either side.
        """
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        embedded, summed = self._sum(input_ids, mask)
        vector = torch.cat([embedded, F.normalize(summed, dim=1)], dim=1) * _SCALE
        return BaseModelOutput(last_hidden_state=vector.unsqueeze(1).expand(-1, input_ids.shape[1], -1))

    def embed(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """(n, width) embedding of each text, not normalised, as the published encoder gives it."""
        return self._sum(input_ids, attention_mask)[0]

    def _sum(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        kept = attention_mask.unsqueeze(-1).to(torch.float32)
        pieces = self.embeddings(input_ids)
        normed = self.norm(self.projection(pieces)) * kept
        read = [branch(x, kept) for branch, x in zip(self.branches, normed.chunk(len(WINDOWS), -1), strict=True)]
        tokens = self.whole(torch.cat([pieces, *read], dim=-1)) * kept
        length = attention_mask.sum(1, keepdim=True).to(torch.float32).clamp(min=1.0)
        weight, bias = self.sum.weight, self.sum.bias
        summed = (F.linear(tokens.sum(1), weight) + length * bias) / length.sqrt()
        low = F.relu(self.down(summed))
        middle = F.relu(self.across(summed) + self.down_again(low))
        return torch.tanh(self.last_across(middle) + self.last(F.relu(self.up(middle)))), summed


def register() -> None:
    """Let `AutoModel` open folders of this kind. Cheap, and may be called often."""
    AutoConfig.register(WindowedConfig.model_type, WindowedConfig, exist_ok=True)
    AutoModel.register(WindowedConfig, WindowedModel, exist_ok=True)
