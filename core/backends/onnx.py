"""Encoders on onnxruntime: int8 and fp32 on the CPU, fp16 on CUDA. Needs neither torch nor transformers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.backends.encoder import TOKEN_BUDGET_GPU, TokenEncoder
from core.backends.providers import ProviderOptions, create_session, memory, run
from core.models.config import EncoderConfig
from core.settings import Provider
from core.types import FloatArray, TokenBatch

MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"


class OnnxEncoder(TokenEncoder):
    """An exported encoder: `model.onnx` (pooling in the graph), `tokenizer.json`, `encoder.json`."""

    def __init__(
        self,
        folder: Path,
        *,
        provider: Provider = "cpu",
        threads: int = 2,
        spin: bool = False,
        options: ProviderOptions | None = None,
    ) -> None:
        """Open an exported encoder.

        :param folder: a published version; see `core.models.artifacts`.
        :param threads: CPU threads of one forward pass.
        :param spin: see `core.backends.providers.create_session`.
        :param options: of a GPU provider.
        :raises ArtifactDamaged: if a file is missing or unreadable.
        :raises ProviderUnavailable: if another provider than asked would run.
        """
        super().__init__(EncoderConfig.load(folder), folder / TOKENIZER_FILE)
        self._session = create_session(folder / MODEL_FILE, provider, threads, spin=spin, options=options)
        self._memory = memory(provider)
        if provider != "cpu":
            self.token_budget = TOKEN_BUDGET_GPU

    def forward(self, batch: TokenBatch) -> FloatArray:
        """(n, d) float32, pooled, not normalised."""
        feed = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
        (rows,) = run(self._session, ["embedding"], feed, self._memory)
        return np.asarray(rows, dtype=np.float32)

    @property
    def reads_tokens(self) -> bool:
        """Whether the export also gives a vector for every token."""
        return any(output.name == "tokens" for output in self._session.get_outputs())

    def forward_tokens(self, batch: TokenBatch) -> FloatArray:
        """(n, t, d) float32, not normalised; padding rows hold anything. Only where `reads_tokens`."""
        feed = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
        (rows,) = run(self._session, ["tokens"], feed, self._memory)
        return np.asarray(rows, dtype=np.float32)
