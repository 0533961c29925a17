"""Encoders on torch: the reference that exports are compared with, and what training runs on.

Same contract as `core.backends.onnx`. Needs the extra `train`; servers do not import it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.backends.encoder import TOKEN_BUDGET_GPU, TokenEncoder
from core.errors import InputError, ProviderUnavailable
from core.models.config import read_pretrained
from core.settings import Provider
from core.types import FloatArray, TokenBatch


class PooledTransformer(torch.nn.Module):
    """A transformer with its pooling: what is exported as one graph."""

    def __init__(self, model: torch.nn.Module, pooling: str) -> None:
        super().__init__()
        self.model = model
        self.pooling = pooling

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, d) pooled and (n, t, d) by token, from (n, t) int64 ids and mask; not normalised.

        Left and right padding both work.
        """
        hidden: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        if self.pooling == "cls":
            first = attention_mask.argmax(dim=1)[:, None, None].expand(-1, 1, hidden.shape[-1])
            return hidden.gather(1, first)[:, 0], hidden
        keep = attention_mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * keep).sum(1) / keep.sum(1).clamp(min=1e-9), hidden


class TorchEncoder(TokenEncoder):
    """A Hugging Face or sentence-transformers folder on torch."""

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        languages: tuple[str, ...] = ("en",),
        provider: Provider = "cpu",
        precision: str = "fp32",
        attention: str = "sdpa",
    ) -> None:
        """Load the weights (safetensors only, no code from the folder).

        :param precision: "fp32", or "fp16" on CUDA.
        :param attention: "sdpa" is faster, "eager" exports to fusable graphs.
        :raises InputError: if the folder is no encoder this suite can run.
        :raises ProviderUnavailable: if CUDA was asked for and torch has none.
        """
        config = replace(read_pretrained(folder, name=name, languages=languages), precision=precision)
        super().__init__(config, folder / "tokenizer.json")
        if provider != "cpu" and not torch.cuda.is_available():
            raise ProviderUnavailable(f"provider={provider!r} was asked for, but this torch has no CUDA device.")
        self.folder = folder
        self.device = "cpu" if provider == "cpu" else "cuda"
        if self.device != "cpu":
            self.token_budget = TOKEN_BUDGET_GPU
        model = _load(folder, torch.float16 if precision == "fp16" else torch.float32, attention)
        self.heads = int(model.config.num_attention_heads)
        self.module = PooledTransformer(model, config.pooling).to(self.device).eval()

    def forward(self, batch: TokenBatch) -> FloatArray:
        """(n, d) float32, pooled, not normalised."""
        with torch.inference_mode():
            ids = torch.from_numpy(batch.input_ids).to(self.device)
            mask = torch.from_numpy(batch.attention_mask).to(self.device)
            return np.asarray(self.module(ids, mask)[0].float().cpu().numpy(), dtype=np.float32)


def _load(folder: Path, dtype: torch.dtype, attention: str) -> Any:
    from transformers import AutoModel
    from transformers.utils import logging as transformers_logging

    logging: Any = transformers_logging  # untyped
    logging.disable_progress_bar()
    level = logging.get_verbosity()
    logging.set_verbosity_error()  # an unused pooler in the file is no news
    try:
        return AutoModel.from_pretrained(
            str(folder),
            dtype=dtype,
            attn_implementation=attention,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
        )
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} holds no encoder that transformers can load: {error}") from error
    finally:
        logging.set_verbosity(level)
