"""Decoders on transformers and torch: any causal language model in a Hugging Face folder.

Knows torch and transformers, imported when a model is loaded; they belong to the extra `train`. No code from a model
folder is ever run. For serving prefer an export on `core.backends.genai`, which is several times faster on a CPU.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.backends.base import Sampling
from core.backends.chat import ChatTemplate
from core.backends.decoding import LocalGenerator, Step
from core.errors import ArtifactDamaged, ModelNotPrepared, ProviderUnavailable
from core.settings import Provider
from core.types import FloatArray

PREFILL_CHUNK = 256
"""Prompt tokens read at once; between chunks a reader may stop the generation."""


class TransformersGenerator(LocalGenerator):
    """A `core.backends.base.Generator` on a Hugging Face folder.

    :param folder: has `config.json`, `model.safetensors` and `tokenizer.json`.
    :param name: name without precision; "-fp32" or "-bf16" is added.
    :param provider: "cpu" computes in float32, "cuda" (also meant by "tensorrt") in bfloat16.
    :param threads: CPU threads of torch.
    :raises ModelNotPrepared: if the folder or torch is not there.
    :raises ArtifactDamaged: if its files cannot be loaded.
    :raises ProviderUnavailable: if CUDA was asked for and torch has none.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        provider: Provider = "cpu",
        threads: int = 2,
        languages: frozenset[str] = frozenset({"en"}),
    ) -> None:
        try:
            import torch
            import transformers
            from tokenizers import Tokenizer
        except ImportError as error:
            raise ModelNotPrepared(
                f"{folder} needs torch and transformers; `pip install triptych[train]`, or export it with "
                "`triptych models prepare` and serve the export"
            ) from error
        for file in ("config.json", "tokenizer.json"):
            if not (folder / file).is_file():
                raise ModelNotPrepared(f"{folder / file} is missing; a model folder needs it")
        device = "cpu" if provider == "cpu" else "cuda"
        if device == "cuda" and not torch.cuda.is_available():
            raise ProviderUnavailable("the generator was asked to run on CUDA and torch finds no GPU here")
        if device == "cpu":
            torch.set_num_threads(threads)
        dtype = torch.float32 if device == "cpu" else torch.bfloat16
        try:
            model: Any = transformers.AutoModelForCausalLM.from_pretrained(
                folder, dtype=dtype, local_files_only=True, use_safetensors=True, trust_remote_code=False
            )
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:
            raise ArtifactDamaged(f"{folder} cannot be loaded: {error}") from error
        self._torch = torch
        self._model = model.to(device).eval()
        self._device = device
        super().__init__(
            name=f"{name}-{'fp32' if device == 'cpu' else 'bf16'}",
            template=ChatTemplate.from_folder(folder),
            languages=languages,
            context_tokens=int(getattr(model.config, "max_position_embeddings", 2048)),
        )
        self._ends = _ends(model, self._tokenizer)

    @property
    def provider(self) -> str:
        """What computes: "cpu" or "cuda"."""
        return self._device

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, nothing added; control tokens in it are recognised."""
        return [int(i) for i in self._tokenizer.encode(text, add_special_tokens=False).ids]

    def steps(self, ids: list[int], limit: int, sampling: Sampling) -> Generator[Step, None, None]:
        """Read the prompt in chunks, then one token a step."""
        from tokenizers.decoders import DecodeStream

        torch = self._torch
        random = torch.Generator(device=self._device)
        if sampling.seed is None:
            random.seed()
        else:
            random.manual_seed(sampling.seed % 2**63)
        text = DecodeStream(skip_special_tokens=True)
        cache: Any = None
        pending = torch.tensor([ids], dtype=torch.int64, device=self._device)
        for start in range(0, len(ids), PREFILL_CHUNK):
            logits, cache = self._forward(pending[:, start : start + PREFILL_CHUNK], cache)
            yield Step("", tokens=0)
        for _ in range(limit):
            token = self._choose(logits, sampling, random)
            if token in self._ends:
                yield Step("", ended=True, token=token)
                return
            yield Step(text.step(self._tokenizer, token) or "", token=token)
            logits, cache = self._forward(torch.tensor([[token]], device=self._device), cache)

    def logits(self, ids: list[int], continuation: Sequence[int]) -> FloatArray:
        """(n, v) float32: scores before each continuation token."""
        torch = self._torch
        every = torch.tensor([[*ids, *continuation[:-1]]], dtype=torch.int64, device=self._device)
        with torch.inference_mode():
            out = self._model(input_ids=every, use_cache=False, logits_to_keep=len(continuation))
        return np.asarray(out.logits[0].float().cpu().numpy(), dtype=np.float32)

    def _forward(self, ids: Any, cache: Any) -> tuple[Any, Any]:
        with self._torch.inference_mode():
            out = self._model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return out.logits[0, -1].float(), out.past_key_values

    def _choose(self, logits: Any, sampling: Sampling, random: Any) -> int:
        torch = self._torch
        if sampling.temperature == 0:
            return int(logits.argmax())
        chances = torch.softmax(logits / sampling.temperature, dim=-1)
        ranked, order = chances.sort(descending=True)
        ranked[(ranked.cumsum(0) - ranked) >= sampling.top_p] = 0
        return int(order[torch.multinomial(ranked, 1, generator=random)])


def _ends(model: Any, tokenizer: Any) -> frozenset[int]:
    """Ids that end the assistant's turn, from the model's generation settings and the usual names."""
    found: set[int] = set()
    for config in (model.generation_config, model.config):
        value = getattr(config, "eos_token_id", None)
        found |= set(value) if isinstance(value, list) else {value} if value is not None else set()
    for token in ("<|im_end|>", "<|eot_id|>", "<end_of_turn>"):
        number = tokenizer.token_to_id(token)
        if number is not None:
            found.add(int(number))
    return frozenset(found)
