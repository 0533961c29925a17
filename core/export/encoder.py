"""Transformer encoders from torch to ONNX, pooling included, compared with torch before anyone sees them.

The CPU runs the graph as it was traced: with attention, layer norm and GELU fused into onnxruntime's own operators it
is a fifth slower there (tests/benchmarks/results/encoder.json). CUDA gets the fused graph where it keeps parity; the
fusions know BERT-like models only. Needs the extra `train`.
"""

from __future__ import annotations

import contextlib
import io
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.backends.onnx import MODEL_FILE, TOKENIZER_FILE, OnnxEncoder
from core.backends.providers import load_onnxruntime
from core.backends.torch import TorchEncoder
from core.export.parity import TEXTS, Forward, ParityReport, cases, compare
from core.export.quantize import quantise
from core.types import TokenBatch

_OPSET = 17


def export_encoder(
    folder: Path, targets: Mapping[str, Path], *, name: str, languages: tuple[str, ...] = ("en",)
) -> dict[str, ParityReport]:
    """Export a Hugging Face or sentence-transformers folder in one or more precisions.

    :param folder: has `config.json`, `tokenizer.json` and `model.safetensors`.
    :param targets: output folder by precision ("fp32", "int8", "fp16"); each gets `model.onnx`, `tokenizer.json` and
        `encoder.json`.
    :returns: the parity report of each precision, all passed.
    :raises InputError: if the folder is no encoder this suite can run.
    :raises ParityFailed: if an export differs from torch; its files stay in the output folder for a look.
    """
    source = TorchEncoder(folder, name=name, languages=languages, attention="eager")
    batches = parity_batches(source)
    reference = _remember(source, batches)
    typical = [source.prepare(TEXTS)]
    reports = {}
    with tempfile.TemporaryDirectory(prefix="triptych-export-") as work:
        plain = Path(work) / "plain.onnx"
        to_onnx(source, plain)
        for precision, target in targets.items():
            target.mkdir(parents=True, exist_ok=True)
            graph = _graph_for_cuda(source, plain, batches, reference) if precision == "fp16" else plain
            quantise(graph, target / MODEL_FILE, precision, typical)
            shutil.copyfile(folder / TOKENIZER_FILE, target / TOKENIZER_FILE)
            replace(source.config, precision=precision).save(target)
            reports[precision] = compare(reference, OnnxEncoder(target).forward, batches, precision).require()
    return reports


def parity_batches(encoder: TorchEncoder) -> dict[str, TokenBatch]:
    """The batches of `core.export.parity` in this encoder's tokens."""
    rows = encoder.token_ids(TEXTS)
    (empty,) = encoder.token_ids([""])
    (longest,) = encoder.token_ids([" ".join(TEXTS * 64)])
    return cases(rows, empty, longest, encoder.config.pad_id)


def _remember(source: TorchEncoder, batches: Mapping[str, TokenBatch]) -> Forward:
    """Torch's answers to the parity batches, computed once for all precisions."""
    answers = {id(batch): source.forward(batch) for batch in batches.values()}
    return lambda batch: answers[id(batch)]


def _graph_for_cuda(source: TorchEncoder, plain: Path, batches: Mapping[str, TokenBatch], reference: Forward) -> Path:
    """The fused graph, or the plain one where fusing changes what comes out."""
    fused = plain.parent / MODEL_FILE
    fuse(plain, fused, heads=source.heads, hidden=source.dimension)
    source.config.save(plain.parent)
    shutil.copyfile(source.folder / TOKENIZER_FILE, plain.parent / TOKENIZER_FILE)
    keeps = compare(reference, OnnxEncoder(plain.parent).forward, batches, "fp32").passed
    return fused if keeps else plain


def to_onnx(source: TorchEncoder, path: Path) -> None:
    """Write the torch encoder with its pooling as one ONNX file, batch and length dynamic.

    The TorchScript exporter is used on purpose: it takes 3 s instead of 17, and onnxruntime's optimizer knows its
    patterns, which it does not in the graphs of the newer exporter. The sample is padded left and right.
    """
    import torch

    ids = torch.from_numpy(np.resize(source.token_ids(TEXTS[:1])[0], (3, 12)))
    mask = torch.ones(3, 12, dtype=torch.int64)
    mask[1, :5] = 0
    mask[2, 8:] = 0
    dynamic = {0: "n", 1: "t"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            source.module,
            (ids, mask),
            str(path),
            dynamo=False,
            opset_version=_OPSET,
            input_names=["input_ids", "attention_mask"],
            output_names=["embedding", "tokens"],
            dynamic_axes={"input_ids": dynamic, "attention_mask": dynamic, "embedding": {0: "n"}, "tokens": dynamic},
        )


def fuse(source: Path, target: Path, *, heads: int, hidden: int) -> dict[str, int]:
    """Write the graph with attention, layer norm and GELU fused into onnxruntime's own operators.

    :returns: how many of each were fused.
    """
    load_onnxruntime()
    from onnxruntime.transformers.fusion_options import FusionOptions
    from onnxruntime.transformers.optimizer import optimize_model

    options = FusionOptions("bert")
    options.use_raw_attention_mask(True)  # the default turns the mask into a length: wrong when padded on the left
    with _quiet():
        model = optimize_model(
            str(source),
            model_type="bert",
            num_heads=heads,
            hidden_size=hidden,
            optimization_options=options,
            opt_level=0,
        )
        model.save_model_to_file(str(target))
    return {name: count for name, count in model.get_fused_operator_statistics().items() if count}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the optimizer's progress lines out of ours."""
    logger = logging.getLogger("onnxruntime.transformers")
    root = logging.getLogger()
    levels = logger.level, root.level
    logger.setLevel(logging.ERROR)
    root.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(levels[0])
        root.setLevel(levels[1])
