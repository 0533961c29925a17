"""Smaller arithmetic for exported graphs: int8 for the CPU (dynamic or calibrated), fp16 for CUDA.

Knows ONNX files and the arrays they are fed; nothing of tokens or parity. Runs at preparation time, not in a server.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.backends.providers import load_onnxruntime
from core.errors import InputError
from core.export.rescale import even_channels, even_rows, largest_activations
from core.types import IntArray, TokenBatch

Feed = Mapping[str, IntArray]
"""What a graph is fed: (n, t) int64 by input name."""

_MULTIPLICATIONS = ["MatMul", "Attention", "Gemm"]
_SQUARES = ("Pow", "ReduceMean", "Sqrt", "Reciprocal")


def quantise(
    source: Path,
    target: Path,
    precision: str,
    batches: Sequence[TokenBatch | Feed] = (),
    *,
    even: bool = True,
    per_channel: bool = True,
    keep: Sequence[str] = (),
) -> None:
    """Write `source` (fp32 ONNX) in another precision.

    :param precision: "int8": weights of MatMul, Gemm and fused Attention as int8 per channel, activations as uint8
        with a range found anew in every run; "int8-static": the same with ranges measured once, on `batches`;
        "fp16": all weights and arithmetic, inputs and outputs stay as they are; "fp32": a copy.
    :param batches: what typical texts become. They show int8 the large channels (see `core.export.rescale`) and
        "int8-static" its ranges.
    :param even: int8 only: rescale rows before they are rounded. False is a little faster and much further off.
    :param per_channel: int8 only: a scale for every output channel of a weight. False is no faster and far off.
    :param keep: int8 only: multiplications whose names begin so stay in fp32; heads are small and decide.
    :raises InputError: for another precision, or "int8-static" without batches.
    """
    load_onnxruntime()
    if precision == "int8":
        _int8(source, target, batches, even=even, per_channel=per_channel, keep=keep)
    elif precision == "int8-static":
        if not batches:
            raise InputError("int8-static measures its ranges on typical texts; give some for calibration.")
        _int8_static(source, target, batches, keep=keep)
    elif precision == "fp16":
        _fp16(source, target)
    elif precision == "fp32":
        target.write_bytes(source.read_bytes())
    else:
        raise InputError(f"Precision {precision!r} is not one of int8, int8-static, fp16, fp32.")


def feed_of(batch: TokenBatch | Feed) -> dict[str, IntArray]:
    """A batch as the graph's inputs."""
    if isinstance(batch, TokenBatch):
        return {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
    return dict(batch)


def _int8(
    source: Path,
    target: Path,
    batches: Sequence[TokenBatch | Feed],
    *,
    even: bool,
    per_channel: bool,
    keep: Sequence[str],
) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(str(source))
    even_channels(model, largest_activations(model, [feed_of(batch) for batch in batches]))
    if even:
        even_rows(model)
    with _quiet():
        quantize_dynamic(
            model,
            target,
            op_types_to_quantize=_MULTIPLICATIONS,
            per_channel=per_channel,
            reduce_range=False,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_named(model, keep),
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )


def _int8_static(source: Path, target: Path, batches: Sequence[TokenBatch | Feed], *, keep: Sequence[str]) -> None:
    """Quantise and de-quantise nodes around every weighted multiplication, which onnxruntime joins when it loads.

    Every row is divided by its largest value first (`even_rows`), so that one range, [-1, 1], suits all of them: with
    ranges of the raw activations a transformer loses far more.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    feeds = [feed_of(batch) for batch in batches]
    model = onnx.load(str(source))
    even_channels(model, largest_activations(model, feeds))
    even_rows(model, normed=True)
    with tempfile.TemporaryDirectory(prefix="triptych-static-") as work, _quiet():
        evened = Path(work) / "evened.onnx"
        onnx.save(model, str(evened))
        quantize_static(
            evened,
            target,
            _Reader(feeds),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=_named(model, keep),
            extra_options={
                "MatMulConstBOnly": True,
                "OpTypesToExcludeOutputQuantization": ["MatMul", "Gemm"],
                "DefaultTensorType": onnx.TensorProto.FLOAT,
            },
        )


class _Reader:
    """Feeds the calibration, one batch after the other."""

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._left = iter(feeds)

    def get_next(self) -> Feed | None:
        """The next batch; None after the last."""
        return next(self._left, None)


def _fp16(source: Path, target: Path) -> None:
    """Halves, but for the squares inside RMS norms: those of a decoder's large activations are beyond 65,504."""
    import onnx
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    model = convert_float_to_float16(
        onnx.load(str(source)),
        keep_io_types=True,
        disable_shape_infer=True,
        op_block_list=[*DEFAULT_OP_BLOCK_LIST, *_SQUARES],
    )
    onnx.save(model, str(target))


def _named(model: Any, beginnings: Sequence[str]) -> list[str]:
    """Names of nodes that begin so, also as the quantiser calls them once it has parted a Gemm in two."""
    names = [node.name for node in model.graph.node if node.name.startswith(tuple(beginnings))]
    return [*names, *(f"{name}_MatMul" for name in names)]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser advises, for every file, a step that does not apply here."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
