from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from core.backends.onnx import OnnxEncoder
from core.backends.torch import TorchEncoder
from core.errors import InputError, ParityFailed
from core.export.encoder import export_encoder, fuse, parity_batches, to_onnx
from core.export.parity import TEXTS, Forward, cases, compare, pad
from core.export.quantize import quantise
from core.export.rescale import even_channels, even_rows, largest_activations
from core.types import FloatArray, TokenBatch
from tests.core.backends import tiny_encoder


@pytest.fixture(scope="module")
def torch_encoder() -> TorchEncoder:
    return TorchEncoder(tiny_encoder.source(), name="tiny", attention="eager")


@pytest.fixture(scope="module")
def graph(torch_encoder: TorchEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graph")
    to_onnx(torch_encoder, folder / "plain.onnx")
    return folder / "plain.onnx"


def forward_of(graph: Path, folder: Path) -> Forward:
    for file in tiny_encoder.exported()["fp32"].iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "model.onnx").write_bytes(graph.read_bytes())
    return OnnxEncoder(folder).forward


def test_every_precision_was_proved_on_both_sides_of_padding(torch_encoder: TorchEncoder) -> None:
    batches = parity_batches(torch_encoder)
    assert {"batch 1", "batch 32, left-padded", "batch 32, right-padded", "empty text", "maximum length"} <= set(
        batches
    )
    assert batches["maximum length"].input_ids.shape == (1, tiny_encoder.MAX_TOKENS)
    for precision, folder in tiny_encoder.exported().items():
        report = compare(torch_encoder.forward, OnnxEncoder(folder).forward, batches, precision)
        assert report.passed, report.failures


def test_rewrites_for_int8_change_nothing_in_fp32(torch_encoder: TorchEncoder, graph: Path, tmp_path: Path) -> None:
    model = onnx.load(str(graph))
    seen = largest_activations(model, [torch_encoder.prepare(TEXTS)])
    assert even_channels(model, seen) == 8, "query, key, value and the first feed-forward layer, two of each"
    assert even_rows(model) == 4, "the output of attention and the second feed-forward layer, two of each"
    onnx.save(model, str(tmp_path / "rewritten.onnx"))
    batches = parity_batches(torch_encoder)
    assert compare(torch_encoder.forward, forward_of(tmp_path / "rewritten.onnx", tmp_path), batches, "fp32").passed


def test_int8_holds_int8_weights(graph: Path, tmp_path: Path) -> None:
    quantise(graph, tmp_path / "small.onnx", "int8")
    kinds = {node.op_type for node in onnx.load(str(tmp_path / "small.onnx")).graph.node}
    assert "MatMulInteger" in kinds
    with pytest.raises(InputError, match="int8, int8-static, fp16, fp32"):
        quantise(graph, tmp_path / "x.onnx", "int2")


def test_the_fused_graph_for_cuda_keeps_parity_on_both_sides_of_padding(
    torch_encoder: TorchEncoder, graph: Path, tmp_path: Path
) -> None:
    fused = fuse(graph, tmp_path / "fused.onnx", heads=4, hidden=tiny_encoder.DIMENSION)
    assert fused["Attention"] == 2
    batches = parity_batches(torch_encoder)
    report = compare(torch_encoder.forward, forward_of(tmp_path / "fused.onnx", tmp_path), batches, "fp32")
    assert report.passed, report.failures


def test_an_export_that_ignores_the_mask_is_caught(torch_encoder: TorchEncoder) -> None:
    def careless(batch: TokenBatch) -> FloatArray:
        return torch_encoder.forward(TokenBatch(batch.input_ids, np.ones_like(batch.attention_mask)))

    report = compare(torch_encoder.forward, careless, parity_batches(torch_encoder), "int8")
    assert not report.passed
    with pytest.raises(ParityFailed, match="left-padded"):
        report.require()


def test_an_export_that_gives_nan_is_caught(torch_encoder: TorchEncoder) -> None:
    batches = parity_batches(torch_encoder)
    report = compare(torch_encoder.forward, lambda b: torch_encoder.forward(b) * np.nan, batches, "int8")
    assert len(report.failures) == 3 * len(batches)


def test_the_report_is_plain_data(torch_encoder: TorchEncoder) -> None:
    report = compare(torch_encoder.forward, torch_encoder.forward, parity_batches(torch_encoder), "fp16").to_dict()
    assert report["passed"] is True and report["precision"] == "fp16" and len(report["cases"]) == 8


def test_padding_keeps_tokens_on_the_side_asked_for() -> None:
    left = pad([[5, 6, 7], [8]], 0, left=True)
    assert left.input_ids.tolist() == [[5, 6, 7], [0, 0, 8]] and left.attention_mask.tolist() == [[1, 1, 1], [0, 0, 1]]
    made = cases([[1, 5, 2], [1, 2]], [1, 2], [1, *range(5, 20), 2], 0)
    assert made["mixed lengths, left-padded"].input_ids.shape == (4, 17)
    assert made["batch 32, left-padded"].input_ids.shape == (32, 3)


def test_a_fine_tuned_encoder_saved_by_transformers_is_exported_with_its_pooling(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    from transformers import AutoModel, AutoTokenizer

    backbone = tmp_path / "backbone"
    model = AutoModel.from_pretrained(tiny_encoder)
    model.embeddings.word_embeddings.weight.data.mul_(1.5)
    model.save_pretrained(backbone)
    AutoTokenizer.from_pretrained(tiny_encoder).save_pretrained(backbone)
    targets = {precision: tmp_path / precision for precision in ("fp32", "fp16", "int8")}
    assert all(report.passed for report in export_encoder(backbone, targets, name="mine").values())
    shutil.copytree(tiny_encoder / "1_Pooling", backbone / "1_Pooling")
    (backbone / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    assert export_encoder(backbone, {"fp32": tmp_path / "cls"}, name="mine")["fp32"].passed
    texts = ["how do i close my account ?", ""]
    mean, cls = (OnnxEncoder(tmp_path / name).encode(texts) for name in ("fp32", "cls"))
    assert np.abs(mean - cls).max() > 1e-3, "the pooling files are heeded"
