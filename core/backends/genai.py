"""Decoders on onnxruntime-genai, on the CPU or on CUDA.

Knows the runtime and its folder (`genai_config.json`); knows nothing of torch or transformers. The runtime is
imported when a model is loaded, with its telemetry off.
"""

from __future__ import annotations

import json
import os
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

TOP_K = 1000
"""Sampling draws from so many of the likeliest tokens. The runtime's own "all tokens" (0) ignores a small top_p."""


class GenaiGenerator(LocalGenerator):
    """A `core.backends.base.Generator` on a folder that the model builder wrote.

    :param folder: has `genai_config.json`, the ONNX files and `tokenizer.json`.
    :param name: name and precision, as in "smollm2-int4".
    :param provider: "cuda" (also meant by "tensorrt", which is for encoders) or "cpu".
    :param threads: CPU threads of one forward pass.
    :param spin: whether idle threads spin between operators: faster alone, slower beside another busy model.
    :raises ModelNotPrepared: if the folder is not there.
    :raises ArtifactDamaged: if its files cannot be loaded.
    :raises ProviderUnavailable: if CUDA was asked for and cannot run here.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        provider: Provider = "cpu",
        threads: int = 2,
        languages: frozenset[str] = frozenset({"en"}),
        spin: bool = True,
    ) -> None:
        path = folder / "genai_config.json"
        if not path.is_file():
            raise ModelNotPrepared(f"{path} is missing; run `triptych models prepare`")
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
            context = int(config["model"]["context_length"])
            self._vocabulary = int(config["model"]["vocab_size"])
        except (ValueError, KeyError, TypeError) as error:
            raise ArtifactDamaged(f"{path} is not a genai configuration: {error}") from error
        super().__init__(
            name=name, template=ChatTemplate.from_folder(folder), languages=languages, context_tokens=context
        )
        self._og = runtime()
        self._model = self._load(folder, provider, threads, spin)
        self._tokenizer = self._og.Tokenizer(self._model)
        self._ends = frozenset(int(i) for i in self._tokenizer.eos_token_ids)

    @property
    def provider(self) -> str:
        """What computes: "cpu" or "cuda"."""
        return str(self._model.device_type).lower()

    def _load(self, folder: Path, provider: Provider, threads: int, spin: bool) -> Any:
        config = self._og.Config(str(folder))
        options: dict[str, Any] = {"intra_op_num_threads": threads, "session.intra_op.allow_spinning": str(int(spin))}
        config.overlay(json.dumps({"model": {"decoder": {"session_options": options}}}))
        config.clear_providers()
        wanted = "cpu" if provider == "cpu" else "cuda"
        if wanted == "cuda":
            config.append_provider("cuda")
            for option, value in _cuda_options(folder).items():
                config.set_provider_option("cuda", option, value)
        try:
            model = self._og.Model(config)
        except Exception as error:
            if wanted == "cuda" and _is_about_cuda(str(error)):
                raise ProviderUnavailable(
                    f"the generator was asked to run on CUDA and cannot: {error}. "
                    "Install the CUDA 13 libraries or set TRIPTYCH_PROVIDER=cpu"
                ) from error
            raise ArtifactDamaged(
                f"{folder} cannot be loaded: {error}. Run `triptych models prepare` to export it again"
            ) from error
        got = str(model.device_type).lower()
        if got != wanted:
            raise ProviderUnavailable(f"the generator was asked to run on {wanted} and would run on {got}")
        return model

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, nothing added; control tokens in it are recognised."""
        return [int(i) for i in self._tokenizer.encode(text)] if text else []

    def steps(self, ids: list[int], limit: int, sampling: Sampling) -> Generator[Step, None, None]:
        """Read the prompt in chunks, then one token a step."""
        params = self._og.GeneratorParams(self._model)
        params.set_search_options(max_length=len(ids) + limit, **self._search(sampling))
        generator = self._og.Generator(self._model, params)
        text = self._tokenizer.create_stream()
        tokens = np.asarray(ids, dtype=np.int32)
        for start in range(0, len(ids), PREFILL_CHUNK):
            generator.append_tokens(tokens[start : start + PREFILL_CHUNK])
            yield Step("", tokens=0)
        for _ in range(limit):
            generator.generate_next_token()
            token = int(generator.get_next_tokens()[0])
            if token in self._ends:
                yield Step("", ended=True, token=token)
                return
            yield Step(text.decode(token), token=token)

    def logits(self, ids: list[int], continuation: Sequence[int]) -> FloatArray:
        """(n, v) float32: scores before each continuation token."""
        params = self._og.GeneratorParams(self._model)
        params.set_search_options(max_length=len(ids) + len(continuation) + 1)
        generator = self._og.Generator(self._model, params)
        rows = []
        for part in [ids, *([token] for token in continuation[:-1])]:
            generator.append_tokens(np.asarray(part, dtype=np.int32))
            rows.append(generator.get_logits()[0, -1])
        return np.asarray(rows, dtype=np.float32)

    def _search(self, sampling: Sampling) -> dict[str, Any]:
        if sampling.temperature == 0:
            return {"do_sample": False}
        options: dict[str, Any] = {
            "do_sample": True,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": min(TOP_K, self._vocabulary),
        }
        if sampling.seed is not None:
            options["random_seed"] = sampling.seed % 2**31
        return options


def runtime() -> Any:
    """The onnxruntime-genai module, telemetry off."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime_genai

    return onnxruntime_genai


def _cuda_options(folder: Path) -> dict[str, str]:
    """Options that the export was built for, such as CUDA graphs, from `genai_config.json`."""
    config = json.loads((folder / "genai_config.json").read_text(encoding="utf-8"))
    decoder = config.get("model", {}).get("decoder", {})
    listed = decoder.get("session_options", {}).get("provider_options", [])
    return {str(key): str(value) for each in listed for key, value in dict(each.get("cuda", {})).items()}


def _is_about_cuda(message: str) -> bool:
    return any(word in message.lower() for word in ("cuda", "cublas", "cudnn", "gpu", "execution provider"))
