"""Sessions of onnxruntime on the provider that was asked for, or an error: never a silent fallback.

Knows providers, threads and environment switches of onnxruntime; nothing of models.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ArtifactDamaged, ProviderUnavailable

if TYPE_CHECKING:
    from core.settings import Precision, Provider

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}


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


def create_session(path: Path, provider: Provider = "cpu", threads: int = 2, *, spin: bool = False) -> Any:
    """Open a model.

    :param threads: CPU threads of one run.
    :param spin: threads wait for work in a loop. A little faster alone; with a second busy process on the same
        cores about ten times slower, so it is off.
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
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # plans memory anew for every shape; texts come in all lengths
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spin else "0")
    chain = [wanted] if provider == "cpu" else [wanted, "CPUExecutionProvider"]
    if provider == "tensorrt":
        chain.insert(1, PROVIDERS["cuda"])
    try:
        session = ort.InferenceSession(str(path), options, providers=chain)
    except Exception as error:
        if provider != "cpu":
            raise ProviderUnavailable(_advice(provider, str(error))) from error
        raise ArtifactDamaged(f"onnxruntime cannot open {path}: {error}") from error
    running = session.get_providers()[0]
    if running != wanted:
        raise ProviderUnavailable(_advice(provider, f"onnxruntime would run on {running}"))
    return session


def _advice(provider: str, reason: str) -> str:
    return (
        f"provider={provider!r} was asked for and cannot be had: {reason.splitlines()[0][:300]}. "
        "Check the driver with `nvidia-smi` and `triptych doctor`, or set TRIPTYCH_PROVIDER=cpu."
    )
