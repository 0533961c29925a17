"""Heads from torch to ONNX: every kind, both architectures, every precision."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from core.backends.headed import HeadedModel
from core.backends.headed_onnx import OnnxHeads
from core.errors import InputError, ParityFailed
from core.export.headed import PRECISIONS, export_headed
from core.export.heads_parity import compare_heads
from core.models.artifacts import ALLOWED
from core.models.task import Head, TextPooling
from tests.core.export.conftest import MULTI, SCORE, SINGLE, TOKEN, Make

SAMPLES = ("how do i close my account ?", "the fee is charged twice", "如何销户？", "", "anna bell works in paris") * 12
PAIRS = tuple(zip(SAMPLES, reversed(SAMPLES), strict=True))


@pytest.mark.parametrize(
    ("architecture", "heads", "pooling"),
    [
        ("encoder", (SINGLE, MULTI), "mean"),
        ("encoder", (SINGLE,), "cls"),
        ("encoder", (TOKEN,), "mean"),
        ("encoder", (SCORE,), "mean"),
        ("decoder", (SINGLE, MULTI), "last"),
        ("decoder", (TOKEN,), "last"),
        ("decoder", (SCORE,), "last"),
    ],
)
def test_every_head_on_both_architectures_keeps_parity_on_both_sides_of_padding(
    headed: Make, tmp_path: Path, architecture: str, heads: tuple[Head, ...], pooling: TextPooling
) -> None:
    folder = headed(architecture, *heads, pooling=pooling)
    samples = PAIRS if heads == (SCORE,) else SAMPLES
    targets = {precision: tmp_path / precision for precision in ("fp32", "fp16")}
    reports = export_headed(folder, targets, name="tiny", samples=samples)
    for precision, bound in (("fp32", 1e-4), ("fp16", 1e-2)):
        report = reports[precision]
        assert report.max_difference <= bound and report.passed
        assert report.answers >= len(samples) and report.agreement >= 0.99
        assert {case.case for case in report.cases} >= {"batch 32, left-padded", "mixed lengths, left-padded"}
        assert all(case.largest_logit > 1e-3 for case in report.cases)
    assert OnnxHeads(targets["fp32"]).name == "tiny-fp32"
    assert all(file.name.endswith(ALLOWED) for file in targets["fp16"].iterdir())


def test_both_kinds_of_int8_hold_int8_weights_and_leave_the_heads_alone(headed: Make, tmp_path: Path) -> None:
    folder = headed("encoder", SINGLE, MULTI)
    targets = {precision: tmp_path / precision for precision in ("int8", "int8-static")}
    reports = export_headed(folder, targets, samples=SAMPLES, calibration=SAMPLES[:8])
    kinds = {}
    for precision, target in targets.items():
        graph = onnx.load(str(target / "model.onnx")).graph
        kinds[precision] = {node.op_type for node in graph.node}
        small = [tensor.name for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.INT8]
        assert small and not [name for name in small if "heads" in name]
        assert reports[precision].to_dict()["accuracy_lost"] <= 0.01
    assert "MatMulInteger" in kinds["int8"] and "DynamicQuantizeLinear" in kinds["int8"]
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds["int8-static"]
    assert "DynamicQuantizeLinear" not in kinds["int8-static"], "its ranges were measured beforehand"


def test_a_decoder_is_exported_in_int8_too(headed: Make, tmp_path: Path) -> None:
    folder = headed("decoder", SINGLE, pooling="last")
    targets = {precision: tmp_path / precision for precision in ("int8", "int8-static")}
    reports = export_headed(folder, targets, calibration=SAMPLES[:8])
    assert all(report.passed and report.max_difference > 0 for report in reports.values())


def test_the_report_is_plain_data(headed: Make, tmp_path: Path) -> None:
    report = export_headed(headed("encoder", SINGLE), {"fp32": tmp_path / "a"})["fp32"]
    told = json.loads(json.dumps(report.to_dict()))
    assert told["passed"] is True and told["precision"] == "fp32" and len(told["cases"]) == 8
    assert told["answers"] == 0 and told["agreement"] == 1


def test_one_precision_that_fails_leaves_nothing_of_any(
    headed: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import core.export.heads_parity as proof

    strict = proof.HeadTolerance(max_difference=0, mean_difference=0, accuracy_lost=1)
    monkeypatch.setattr(proof, "TOLERANCES", {**proof.TOLERANCES, "int8": strict})
    targets = {precision: tmp_path / precision for precision in ("fp32", "int8")}
    with pytest.raises(ParityFailed, match=r"int8 export differs.*not published.*Try a higher precision"):
        export_headed(headed("encoder", SINGLE), targets)
    assert not any(target.exists() for target in targets.values())


def test_an_export_that_ignores_the_mask_or_gives_nan_is_caught(headed: Make, tmp_path: Path) -> None:
    folder = headed("encoder", SINGLE)
    export_headed(folder, {"fp32": tmp_path / "a"})
    served = OnnxHeads(tmp_path / "a")
    rows = served.tokenizer.rows(["the fee", "how do i close my account ?"])
    batches = {"left": served.tokenizer.pad(rows, left=True)}
    heads = served.task.heads

    def careless(feed: object) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
        assert isinstance(feed, dict)
        return served.forward({**feed, "attention_mask": np.ones_like(feed["attention_mask"])})

    caught = compare_heads(heads, served.forward, careless, batches, [], "fp32")
    assert not caught.passed and "left, head label" in caught.failures[0]
    with pytest.raises(ParityFailed, match="left, head label"):
        caught.require()
    broken = compare_heads(
        heads, served.forward, lambda f: {"label": served.forward(f)["label"] * np.nan}, batches, [], "int8"
    )
    assert len(broken.failures) == 2


def test_answers_that_change_are_counted_and_refused(headed: Make, tmp_path: Path) -> None:
    export_headed(headed("encoder", SINGLE, MULTI), {"fp32": tmp_path / "a"})
    served = OnnxHeads(tmp_path / "a")
    feeds = [served.tokenizer.pad(served.tokenizer.rows(SAMPLES))]

    def turned(feed: object) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
        assert isinstance(feed, dict)
        return {name: -rows for name, rows in served.forward(feed).items()}

    report = compare_heads(served.task.heads, served.forward, turned, {}, feeds, "int8")
    assert report.answers == 2 * len(SAMPLES) and report.agreement < 0.5
    assert report.accuracy_lost > 0.05 and "expected accuracy lost" in report.failures[0]


def test_what_cannot_be_exported_is_named(headed: Make, tmp_path: Path) -> None:
    folder = headed("encoder", SINGLE)
    with pytest.raises(InputError, match="no int4 export of heads; there are fp32"):
        export_headed(folder, {"int4": tmp_path / "x"})
    with pytest.raises(InputError, match="give some for calibration"):
        export_headed(folder, {"int8-static": tmp_path / "x"})
    with pytest.raises(InputError, match="reads single texts"):
        export_headed(folder, {"fp32": tmp_path / "x"}, samples=[("a", "b")])
    with pytest.raises(InputError, match="reads pairs of texts"):
        export_headed(headed("encoder", SCORE), {"fp32": tmp_path / "x"}, samples=["a"])
    bare = tmp_path / "bare"
    shutil.copytree(folder, bare)
    told = json.loads((bare / "task.json").read_text())
    (bare / "task.json").write_text(json.dumps({**told, "task": "embedder"}))
    with pytest.raises(InputError, match="embedder without heads"):
        export_headed(bare, {"fp32": tmp_path / "x"})
    assert not (tmp_path / "x").exists() and set(PRECISIONS) == {"fp32", "fp16", "int8", "int8-static"}


def test_exporting_leaves_the_model_as_it_was(headed: Make, tmp_path: Path) -> None:
    folder = headed("encoder", SINGLE)
    before = HeadedModel.load(folder)
    export_headed(folder, {"int8": tmp_path / "a"})
    after = HeadedModel.load(folder)
    for (name, old), new in zip(before.state_dict().items(), after.state_dict().values(), strict=True):
        assert torch.equal(old, new), name
