"""Sessions of onnxruntime on the provider that was asked for, or an error: never a silent fallback.

Knows providers, their options, threads and environment switches of onnxruntime; nothing of models.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import ArtifactDamaged, ProviderUnavailable

if TYPE_CHECKING:
    from core.settings import Precision, Provider
    from core.types import IntArray

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}

Chain = list[tuple[str, dict[str, str]]]
"""Providers in order of preference, each with its options."""


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """What may be set for a GPU provider; the CPU ignores all of it. `CUDA_VISIBLE_DEVICES` chooses the GPU."""

    half: bool = False
    """TensorRT may compute in fp16 whatever the graph says. A graph exported in fp16 does not need it."""
    engines: Path | None = None
    """Folder where TensorRT keeps the engines it builds, which takes minutes. None builds them at every start."""
    shapes: Mapping[str, tuple[Sequence[int], Sequence[int], Sequence[int]]] = field(default_factory=dict)
    """Smallest, usual and largest shape of each input, by its name: TensorRT then builds one engine for all of them,
    instead of a new one whenever a larger batch comes."""
    cuda_graph: bool = False
    """Record the launches of a run and replay them. Only for graphs whose shapes never change: decoders get it through
    onnxruntime-genai (`core.export.decoder`), encoders do not."""


def provider_chain(provider: Provider, options: ProviderOptions | None = None) -> Chain:
    """The providers to ask for, with options in onnxruntime's own names.

    CUDA computes fp32 in fp32: its default, TF32, has a mantissa of 10 bits and fails parity. Behind TensorRT stands
    CUDA and behind both the CPU, for operators that the first one lacks; whether the first one runs at all is checked
    by `create_session`.
    """
    asked = options or ProviderOptions()
    chain: Chain = [(PROVIDERS["cpu"], {})]
    if provider == "cpu":
        return chain
    cuda = {"use_tf32": "0", "arena_extend_strategy": "kSameAsRequested"}
    if asked.cuda_graph:
        cuda["enable_cuda_graph"] = "1"
    chain.insert(0, (PROVIDERS["cuda"], cuda))
    if provider == "tensorrt":
        chain.insert(0, (PROVIDERS["tensorrt"], _tensorrt(asked)))
    return chain


def _tensorrt(asked: ProviderOptions) -> dict[str, str]:
    options = {"trt_fp16_enable": _switch(asked.half)}
    if asked.cuda_graph:
        options["trt_cuda_graph_enable"] = "1"
    if asked.engines is not None:
        folder = str(asked.engines)
        options |= {"trt_engine_cache_enable": "1", "trt_engine_cache_path": folder}
        options |= {"trt_timing_cache_enable": "1", "trt_timing_cache_path": folder}
    if asked.shapes:
        for i, kind in enumerate(("min", "opt", "max")):
            shapes = (f"{name}:{'x'.join(map(str, each[i]))}" for name, each in asked.shapes.items())
            options[f"trt_profile_{kind}_shapes"] = ",".join(shapes)
    return options


def _switch(on: bool) -> str:
    return "1" if on else "0"


def load_onnxruntime() -> Any:
    """The onnxruntime module, with its telemetry off."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def resolve_precision(precision: Precision, provider: Provider) -> str:
    """ "int8" on the CPU and "fp16" on a GPU where the setting says "auto"."""
    if precision != "auto":
        return precision
    return "int8" if provider == "cpu" else "fp16"


def create_session(
    path: Path,
    provider: Provider = "cpu",
    threads: int = 2,
    *,
    spin: bool = False,
    options: ProviderOptions | None = None,
) -> Any:
    """Open a model.

    :param threads: CPU threads of one run.
    :param spin: threads wait for work in a loop. A little faster alone; with a second busy process on the same
        cores about ten times slower, so it is off.
    :param options: what a GPU provider shall do; the defaults suit encoders.
    :raises ProviderUnavailable: if onnxruntime would run it on another provider than asked.
    :raises ArtifactDamaged: if the file is no model.
    """
    ort = load_onnxruntime()
    wanted = PROVIDERS[provider]
    built_in = ort.get_available_providers()
    if wanted not in built_in:
        raise ProviderUnavailable(
            f"provider={provider!r} was asked for, but this onnxruntime has {', '.join(built_in)}. "
            "Install onnxruntime-gpu, or set TRIPTYCH_PROVIDER=cpu."
        )
    if provider != "cpu":
        ort.preload_dlls()
    session_options = ort.SessionOptions()
    session_options.intra_op_num_threads = threads
    session_options.inter_op_num_threads = 1
    session_options.enable_mem_pattern = False  # plans memory anew for every shape; texts come in all lengths
    session_options.log_severity_level = 3
    session_options.add_session_config_entry("session.intra_op.allow_spinning", _switch(spin))
    if options is not None and options.engines is not None and provider == "tensorrt":
        options.engines.mkdir(parents=True, exist_ok=True)
    try:
        session = ort.InferenceSession(str(path), session_options, providers=provider_chain(provider, options))
    except Exception as error:
        if provider != "cpu":
            raise ProviderUnavailable(_advice(provider, str(error))) from error
        raise ArtifactDamaged(f"onnxruntime cannot open {path}: {error}") from error
    running = session.get_providers()[0]
    if running != wanted:
        raise ProviderUnavailable(_advice(provider, f"onnxruntime would run on {running}"))
    return session


def run(session: Any, names: Sequence[str], feed: Mapping[str, IntArray], device: str = "cpu") -> list[Any]:
    """The named outputs as numpy arrays.

    On a GPU inputs and outputs are bound to its memory (IOBinding): one copy each way, and what was not asked for is
    never copied back.

    :param device: "cpu" or "cuda"; TensorRT computes in CUDA's memory.
    """
    if device == "cpu":
        return list(session.run(list(names), dict(feed)))
    return run_bound(session, names, feed, device)


def run_bound(session: Any, names: Sequence[str], feed: Mapping[str, IntArray], device: str) -> list[Any]:
    """As `run`, with inputs and outputs bound to the memory of a device."""
    ort = load_onnxruntime()
    binding = session.io_binding()
    held = [ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value), device, 0) for value in feed.values()]
    for name, value in zip(feed, held, strict=True):
        binding.bind_ortvalue_input(name, value)
    for name in names:
        binding.bind_output(name, device)
    session.run_with_iobinding(binding)
    return list(binding.copy_outputs_to_cpu())


def memory(provider: Provider) -> str:
    """Where a provider keeps its values: "cpu" or "cuda"."""
    return "cpu" if provider == "cpu" else "cuda"


def _advice(provider: str, reason: str) -> str:
    return (
        f"provider={provider!r} was asked for and cannot be had: {reason.splitlines()[0][:300]}. "
        "Check the driver with `nvidia-smi` and `triptych doctor`, or set TRIPTYCH_PROVIDER=cpu."
    )
