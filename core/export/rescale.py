"""Two exact rewrites of a graph that make int8 arithmetic lose less: nothing changes in fp32.

Dynamic int8 quantisation takes one scale for a whole activation tensor, so a few large values cost all others their
precision. Channels are evened out against the weights before the multiplication (Xiao et al. 2023, "SmoothQuant",
eq. 4), and every token's row is divided by its largest value and multiplied back after it (Yao et al. 2022,
"ZeroQuant", section 4.1, token-wise quantisation). Knows ONNX graphs; nothing of tokenizers or parity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.backends.providers import load_onnxruntime
from core.types import FloatArray, IntArray, TokenBatch

_NORMS = {"LayerNormalization", "SkipLayerNormalization", "EmbedLayerNormalization"}
_RMS_WEIGHT = "norm.weight"
"""End of the name that transformers gives the weight of an RMS norm, which is traced into plain operators."""
_TINY = 1e-6
_EVENED = "/even_channels"


def largest_activations(model: Any, batches: Sequence[TokenBatch | Mapping[str, IntArray]]) -> dict[str, FloatArray]:
    """Largest absolute value of every channel that a quantised multiplication reads after a layer norm.

    :param model: an ONNX model proto; not changed.
    :returns: (k,) float32 by tensor name.
    """
    import onnx

    ort = load_onnxruntime()
    names = sorted({node.input[0] for node in _after_norm(model)})
    if not names:
        return {}
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(probe.SerializeToString(), options, providers=["CPUExecutionProvider"])
    largest: dict[str, FloatArray] = {}
    for batch in batches:
        feed = (
            {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
            if isinstance(batch, TokenBatch)
            else dict(batch)
        )
        real = feed["attention_mask"].astype(bool)
        for name, values in zip(names, session.run(names, feed), strict=True):
            top = np.abs(values[real]).max(axis=0)
            largest[name] = np.maximum(largest[name], top) if name in largest else top
    return largest


def even_channels(model: Any, largest: Mapping[str, FloatArray], alpha: float = 0.6) -> int:
    """Move the scale of large activation channels into the weights, in place.

    :param largest: from `largest_activations`.
    :param alpha: 0 leaves the activations as they are, 1 evens them out fully.
    :returns: how many multiplications were rewritten.
    """
    from onnx import helper, numpy_helper

    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = [node for node in _after_norm(model) if node.input[0] in largest]
    for source in dict.fromkeys(node.input[0] for node in nodes):  # query, key and value share one scale
        readers = [node for node in nodes if node.input[0] == source]
        matrices = [numpy_helper.to_array(weights[node.input[1]]) for node in readers]
        strongest = np.max([np.abs(matrix).max(axis=1) for matrix in matrices], axis=0)
        scale = np.maximum(largest[source], _TINY) ** alpha / np.maximum(strongest, _TINY) ** (1 - alpha)
        scale = (scale / np.exp(np.log(scale).mean())).astype(np.float32)
        inverse, evened = f"{source}/channel_scale", f"{source}{_EVENED}"
        model.graph.initializer.append(numpy_helper.from_array(1 / scale, inverse))
        _insert_before(model, readers[0], [helper.make_node("Mul", [source, inverse], [evened], name=evened)])
        for node, matrix in zip(readers, matrices, strict=True):
            weights[node.input[1]].CopyFrom(numpy_helper.from_array(matrix * scale[:, None], node.input[1]))
            node.input[0] = evened
    return len(nodes)


def even_rows(model: Any, *, normed: bool = False) -> int:
    """Divide every row by its largest absolute value before a multiplication, and multiply it back after, in place.

    Not after a layer norm, which has made the rows alike: there it takes a tenth of the time and gains nothing.

    :param normed: after a layer norm too; for ranges that are measured beforehand and must hold for every row.
    :returns: how many multiplications were rewritten.
    """
    from onnx import helper, numpy_helper

    alike = set() if normed else _normed(model)
    nodes = [node for node in _weighted(model) if node.op_type == "MatMul" and node.input[0] not in alike]
    if not nodes:
        return 0
    floor = "row_scale_floor"  # an all-zero row must not become 0 / 0
    model.graph.initializer.append(numpy_helper.from_array(np.array(_TINY, dtype=np.float32), floor))
    for source in dict.fromkeys(node.input[0] for node in nodes):
        readers = [node for node in nodes if node.input[0] == source]
        size, top, scale, even = (f"{source}/{part}" for part in ("abs", "top", "row_scale", "even_rows"))
        _insert_before(
            model,
            readers[0],
            [
                helper.make_node("Abs", [source], [size], name=size),
                helper.make_node("ReduceMax", [size], [top], name=top, axes=[-1], keepdims=1),
                helper.make_node("Max", [top, floor], [scale], name=scale),
                helper.make_node("Div", [source, scale], [even], name=even),
            ],
        )
        for node in readers:
            raw = f"{node.name}/raw"
            restored = helper.make_node("Mul", [raw, scale], [node.output[0]], name=f"{node.name}/restored")
            node.input[0], node.output[0] = even, raw
            model.graph.node.insert(_position(model, node) + 1, restored)
    return len(nodes)


def _weighted(model: Any) -> list[Any]:
    """Multiplications with a constant matrix."""
    matrices = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) == 2}
    return [node for node in model.graph.node if node.op_type in {"MatMul", "Attention"} and node.input[1] in matrices]


def _normed(model: Any) -> set[str]:
    """Outputs of layer norms and RMS norms, as they are or with channels evened."""
    weights = {t.name for t in model.graph.initializer if len(t.dims) == 1 and t.name.endswith(_RMS_WEIGHT)}
    return {
        output
        for node in model.graph.node
        if node.op_type in _NORMS
        or (node.op_type == "Mul" and (node.output[0].endswith(_EVENED) or not weights.isdisjoint(node.input)))
        for output in node.output
    }


def _after_norm(model: Any) -> list[Any]:
    normed = _normed(model)
    users = Counter(node.input[1] for node in _weighted(model))
    return [node for node in _weighted(model) if node.input[0] in normed and users[node.input[1]] == 1]


def _position(model: Any, node: Any) -> int:
    return next(i for i, each in enumerate(model.graph.node) if each.name == node.name)


def _insert_before(model: Any, node: Any, fresh: Sequence[Any]) -> None:
    position = _position(model, node)
    for offset, each in enumerate(fresh):
        model.graph.node.insert(position + offset, each)
