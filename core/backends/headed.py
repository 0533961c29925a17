"""A transformer backbone with task heads on torch: what fine-tuning trains and what exports are compared with.

Encoder and decoder backbones alike: the heads see one vector a text (mean, first or last real token) or one a token.
Knows tensors and the trained folder (`backbone/`, `heads.safetensors`, `task.json`); nothing of optimisers, rows or
ONNX. Needs the extra `train`; servers do not import it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from core.errors import ArtifactDamaged, InputError
from core.models.task import Head, TaskConfig

BACKBONE = "backbone"
HEADS_FILE = "heads.safetensors"


class TaskHead(nn.Module):
    """Dropout and one linear layer, as BERT's; `logits = W dropout(x) + b`."""

    def __init__(self, hidden: int, outputs: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(hidden, outputs)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(..., hidden) to (..., outputs)."""
        found: torch.Tensor = self.linear(self.dropout(rows.to(self.linear.weight.dtype)))
        return found


class HeadedModel(nn.Module):
    """A backbone and its heads; each head gives logits under its own name."""

    def __init__(self, backbone: nn.Module, config: TaskConfig, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.backbone = backbone
        self.task = config
        hidden = int(backbone.config.hidden_size)  # type: ignore[union-attr,arg-type]
        self.heads = nn.ModuleDict({head.name: TaskHead(hidden, len(head.labels), dropout) for head in config.heads})

    @property
    def config(self) -> Any:
        """The backbone's configuration; `transformers.Trainer` looks for it."""
        return self.backbone.config

    def get_input_embeddings(self) -> nn.Module:
        """The backbone's word embeddings."""
        found: nn.Module = self.backbone.get_input_embeddings()  # type: ignore[operator]
        return found

    def hidden(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(n, t, hidden) vectors by token, from (n, t) int64 ids and mask."""
        more = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        if self.task.architecture == "decoder":  # padding may stand on either side
            more["position_ids"] = (attention_mask.cumsum(1) - 1).clamp(min=0)
            more["use_cache"] = False  # type: ignore[assignment]
        found: torch.Tensor = self.backbone(
            input_ids=input_ids, attention_mask=attention_mask, **more
        ).last_hidden_state
        return found

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """Logits by head: (n, k), or (n, t, k) for a "token" head."""
        tokens = self.hidden(input_ids, attention_mask, token_type_ids)
        rows = pool(tokens, attention_mask, self.task.pooling)
        return {head.name: self.heads[head.name](tokens if head.kind == "token" else rows) for head in self.task.heads}

    def save(self, folder: Path, tokenizer: Any) -> None:
        """Write the trained folder; adapters must have been merged."""
        folder.mkdir(parents=True, exist_ok=True)
        quiet_transformers()
        self.backbone.save_pretrained(folder / BACKBONE)  # type: ignore[operator]
        tokenizer.save_pretrained(folder / BACKBONE)
        if self.task.heads:
            tensors = {name: value.detach().cpu().contiguous() for name, value in self.heads.state_dict().items()}
            save_file(tensors, str(folder / HEADS_FILE))
        self.task.save(folder)

    @classmethod
    def load(cls, folder: Path, *, dtype: torch.dtype = torch.float32, attention: str = "sdpa") -> HeadedModel:
        """Read what `save` wrote, in evaluation mode.

        :param attention: "sdpa" is faster, "eager" exports to fusable graphs.
        :raises ArtifactDamaged: if a file is missing or unreadable.
        """
        config = TaskConfig.load(folder)
        model = cls(load_backbone(folder / BACKBONE, dtype=dtype, attention=attention), config)
        if config.heads:
            model.heads.load_state_dict(_tensors(folder / HEADS_FILE, config.heads))
            model.heads.to(dtype)
        return model.eval()


def pool(tokens: torch.Tensor, attention_mask: torch.Tensor, pooling: str) -> torch.Tensor:
    """(n, hidden) rows from (n, t, hidden); left and right padding both work.

    :param pooling: "mean" over real tokens, "cls" the first real one, "last" the last real one.
    """
    if pooling == "mean":
        keep = attention_mask.unsqueeze(-1).to(tokens.dtype)
        return (tokens * keep).sum(1) / keep.sum(1).clamp(min=1e-9)
    if pooling == "cls":
        place = attention_mask.argmax(dim=1)
    else:
        places = torch.arange(attention_mask.shape[1], device=attention_mask.device)
        place = (attention_mask * (places + 1)).argmax(dim=1)
    return tokens.gather(1, place[:, None, None].expand(-1, 1, tokens.shape[-1]))[:, 0]


def load_backbone(
    folder: Path, *, dtype: torch.dtype = torch.float32, attention: str = "sdpa", causal: bool = False
) -> Any:
    """Open a Hugging Face folder: safetensors only, no code from the folder, no network.

    :param causal: with its language-model head (`AutoModelForCausalLM`).
    :raises InputError: if transformers cannot open it.
    """
    from transformers import AutoModel, AutoModelForCausalLM

    logging = quiet_transformers()
    level = logging.get_verbosity()
    logging.set_verbosity_error()  # an unused pooler in the file is no news
    loader: Any = AutoModelForCausalLM if causal else AutoModel
    try:
        return loader.from_pretrained(
            str(folder),
            dtype=dtype,
            attn_implementation=attention,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"{folder} holds no model that transformers can load: {error}") from error
    finally:
        logging.set_verbosity(level)


def quiet_transformers() -> Any:
    """Keep the library's progress bars out of ours; its logging module."""
    from transformers.utils import logging as transformers_logging

    logging: Any = transformers_logging  # untyped
    logging.disable_progress_bar()
    return logging


def _tensors(path: Path, heads: tuple[Head, ...]) -> Mapping[str, torch.Tensor]:
    try:
        found: Mapping[str, torch.Tensor] = load_file(str(path))
        for head in heads:
            rows = found[f"{head.name}.linear.weight"].shape[0]
            if rows != len(head.labels):
                raise ValueError(f"{head.name} has {rows} outputs for {len(head.labels)} labels")
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ArtifactDamaged(f"{path} holds no readable heads ({error}); train the model again.") from error
    return found
