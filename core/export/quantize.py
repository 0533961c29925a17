"""Smaller arithmetic for exported encoders: dynamic int8 for the CPU, fp16 for CUDA.

Knows ONNX files; nothing of tokens or parity. Runs at preparation time, not in a server.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from core.backends.providers import load_onnxruntime
from core.errors import InputError
from core.export.rescale import even_channels, even_rows, largest_activations
from core.types import TokenBatch


def quantise(
    source: Path,
    target: Path,
    precision: str,
    batches: Sequence[TokenBatch] = (),
    *,
    even: bool = True,
    per_channel: bool = True,
) -> None:
    """Write `source` (fp32 ONNX) in another precision.

    :param precision: "int8": weights of MatMul and fused Attention as int8 per channel, activations as uint8 chosen
        per run; "fp16": all weights and arithmetic, inputs and outputs stay as they are; "fp32": a copy.
    :param batches: tokens of a few typical texts, which show int8 the large channels; see `core.export.rescale`.
    :param even: int8 only: rescale rows before they are rounded. False is a little faster and much further off.
    :param per_channel: int8 only: a scale for every output channel of a weight. False is no faster and far off.
    :raises InputError: for another precision.
    """
    load_onnxruntime()
    if precision == "int8":
        _int8(source, target, batches, even=even, per_channel=per_channel)
    elif precision == "fp16":
        _fp16(source, target)
    elif precision == "fp32":
        target.write_bytes(source.read_bytes())
    else:
        raise InputError(f"Precision {precision!r} is not one of int8, fp16, fp32.")


def _int8(source: Path, target: Path, batches: Sequence[TokenBatch], *, even: bool, per_channel: bool) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(str(source))
    even_channels(model, largest_activations(model, batches))
    if even:
        even_rows(model)
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises, for every file, a step that does not apply to dynamic quantisation
    try:
        quantize_dynamic(
            model,
            target,
            op_types_to_quantize=["MatMul", "Attention", "Gemm"],
            per_channel=per_channel,
            reduce_range=False,
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    finally:
        root.setLevel(level)


def _fp16(source: Path, target: Path) -> None:
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = convert_float_to_float16(onnx.load(str(source)), keep_io_types=True, disable_shape_infer=True)
    onnx.save(model, str(target))
