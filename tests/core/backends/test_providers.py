"""Options of every provider in onnxruntime's own names, and no silent fallback to the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.backends.onnx import OnnxEncoder
from core.backends.providers import (
    ProviderOptions,
    create_session,
    load_onnxruntime,
    memory,
    provider_chain,
    run,
    run_bound,
)
from core.errors import ProviderUnavailable
from tests.core.backends import tiny_encoder


def test_the_cpu_takes_no_options_and_stands_alone() -> None:
    assert provider_chain("cpu", ProviderOptions(half=True, cuda_graph=True)) == [("CPUExecutionProvider", {})]


def test_cuda_computes_fp32_in_fp32_and_graphs_are_asked_for_by_name() -> None:
    chain = provider_chain("cuda")
    assert [name for name, _ in chain] == ["CUDAExecutionProvider", "CPUExecutionProvider"]
    assert chain[0][1]["use_tf32"] == "0" and "enable_cuda_graph" not in chain[0][1]
    assert provider_chain("cuda", ProviderOptions(cuda_graph=True))[0][1]["enable_cuda_graph"] == "1"


def test_tensorrt_keeps_its_engines_and_builds_one_for_all_shapes(tmp_path: Path) -> None:
    shapes = {"input_ids": ((1, 1), (32, 64), (256, 512)), "attention_mask": ((1, 1), (32, 64), (256, 512))}
    asked = ProviderOptions(half=True, engines=tmp_path, shapes=shapes, cuda_graph=True)
    chain = provider_chain("tensorrt", asked)
    assert [name for name, _ in chain] == [
        "TensorrtExecutionProvider",
        "CUDAExecutionProvider",
        "CPUExecutionProvider",
    ]
    options = chain[0][1]
    assert options["trt_fp16_enable"] == options["trt_engine_cache_enable"] == options["trt_cuda_graph_enable"] == "1"
    assert options["trt_engine_cache_path"] == options["trt_timing_cache_path"] == str(tmp_path)
    assert options["trt_profile_opt_shapes"] == "input_ids:32x64,attention_mask:32x64"
    assert options["trt_profile_max_shapes"] == "input_ids:256x512,attention_mask:256x512"
    plain = provider_chain("tensorrt")[0][1]
    assert plain["trt_fp16_enable"] == "0" and not any("cache" in name or "profile" in name for name in plain)


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_gpu_that_is_not_there_is_an_error_never_the_cpu(provider: str) -> None:
    if load_onnxruntime().get_device() == "GPU" and Path("/dev/nvidia0").exists():
        pytest.skip("there is a GPU here")
    model = tiny_encoder.exported()["fp32"] / "model.onnx"
    with pytest.raises(ProviderUnavailable, match=f"provider='{provider}' was asked for"):
        create_session(model, provider)  # type: ignore[arg-type]


def test_bound_inputs_and_outputs_give_the_same_numbers() -> None:
    folder = tiny_encoder.exported()["fp32"]
    batch = OnnxEncoder(folder).prepare(["i lost my card", "what is the fee"])
    feed = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
    session = create_session(folder / "model.onnx", threads=1)
    for name in (["embedding"], ["tokens", "embedding"]):
        for plain, bound in zip(run(session, name, feed), run_bound(session, name, feed, "cpu"), strict=True):
            np.testing.assert_array_equal(plain, bound)
    assert (memory("cpu"), memory("cuda"), memory("tensorrt")) == ("cpu", "cuda", "cuda")
