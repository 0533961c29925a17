"""Decoders from training weights to onnxruntime-genai, and the proof that the export says the same.

Knows GGUF files, Hugging Face folders and the model builder, which runs in a process of its own because it prints
thousands of lines and keeps torch's memory. Needs the extra `train`; serving never imports this.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import io
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from core.errors import InputError, ModelError, ParityFailed

DecoderPrecision = Literal["int4", "int8", "fp16", "fp32"]
DecoderProvider = Literal["cpu", "cuda"]

VALID = {"cpu": ("int4", "int8", "fp32"), "cuda": ("int4", "int8", "fp16", "fp32")}
"""What the model builder makes for each provider."""

PERPLEXITY_LIMIT = {"fp32": 1.001, "fp16": 1.02, "int8": 1.05, "int4": 1.5}
"""Highest perplexity of the export over that of the source, by precision; above it the export is refused."""

RECIPES: dict[str, tuple[str, ...]] = {
    "int4": ("algo_config=k_quant", "matmul_mixed_precision=last_matmul:int8,mixed_layers:int8"),
}
"""Builder options by precision. Four bits everywhere cost a small decoder far too much; with the output head and the
most sensitive layers in eight it keeps nine tenths of the speed and loses half as much."""

_SECONDS = 1800
_MARK = "source.json"


def export_decoder(
    source: Path,
    out: Path,
    *,
    precision: DecoderPrecision = "int4",
    provider: DecoderProvider = "cpu",
    name: str = "",
    languages: Sequence[str] = (),
    cache: Path | None = None,
    cuda_graph: bool = False,
) -> None:
    """Write a folder that `core.backends.genai` serves.

    The output head is computed for the last prompt token only (`prune_lm_head`), which makes long prompts faster and
    saves four bytes for each prompt token and vocabulary entry.

    :param source: a `.gguf` file, a folder with one, or a Hugging Face folder with safetensors.
    :param out: made if missing; must be empty. Nothing is left in it if the export fails.
    :param name: what the generator will be called; empty means the folder's name.
    :param languages: ISO 639-1 codes it writes well, kept beside the weights.
    :param cache: where converted GGUF weights are kept for the next export; None forgets them.
    :param cuda_graph: only for CUDA: record the launches of one step and replay them. A small decoder spends most of
        a step on launching.
    :raises InputError: if the source is no model, `out` is not empty, or the precision is not made for the provider.
    :raises ModelError: if the model builder fails; the end of its log is in the message.
    """
    if precision not in VALID[provider]:
        raise InputError(f"no {precision} decoder for {provider}; there are {', '.join(VALID[provider])}")
    if cuda_graph and provider != "cuda":
        raise InputError(f"CUDA graphs are for provider cuda, not {provider}; leave cuda_graph off.")
    if out.exists() and any(out.iterdir()):
        raise InputError(f"{out} is not empty; give a new folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".decoder-", dir=out.parent) as scratch:
        folder = hf_folder(source, cache or Path(scratch) / "hf")
        built = Path(scratch) / "built"
        graph = ("enable_cuda_graph=true",) if cuda_graph else ()
        _build(folder, built, Path(scratch) / "cache", precision, provider, graph)
        description = {
            "name": name,
            "precision": precision,
            "provider": provider,
            "languages": " ".join(languages),
            "builder": f"onnxruntime-genai {_version('onnxruntime-genai-cuda', 'onnxruntime-genai')}",
        }
        (built / "decoder.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
        out.mkdir(exist_ok=True)
        for file in sorted(built.iterdir()):
            shutil.move(file, out / file.name)


def hf_folder(source: Path, cache: Path) -> Path:
    """The Hugging Face folder of a source: itself, or converted from GGUF into a folder under `cache` and kept there.

    :raises InputError: if there is neither a `.gguf` file nor `config.json` with safetensors.
    """
    if source.is_dir() and (source / "config.json").is_file() and any(source.glob("*.safetensors")):
        return source
    found = [source] if source.suffix == ".gguf" and source.is_file() else sorted(source.glob("*.gguf"))
    if not found:
        raise InputError(f"{source} is no decoder: it has neither a .gguf file nor config.json with safetensors")
    if len(found) > 1:
        raise InputError(f"{source} has {len(found)} GGUF files; name one of {', '.join(p.name for p in found)}")
    with found[0].open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    folder = cache / f"{found[0].stem}-{digest[:12]}"
    if not (folder / _MARK).is_file():
        _convert(found[0], folder, digest)
    return folder


def _convert(gguf: Path, folder: Path, digest: str) -> None:
    """GGUF to float32 safetensors, tokenizer and chat template; about 20 s for 135 million weights."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".gguf-", dir=folder.parent) as scratch:
        try:
            # one of its bars heeds no switch, only where stderr goes
            with contextlib.redirect_stderr(io.StringIO()):
                model, tokenizer = _read_gguf(gguf)
        except Exception as error:
            raise InputError(f"{gguf} cannot be read as a decoder: {type(error).__name__}: {error}") from error
        tokenizer.model_max_length = model.config.max_position_embeddings
        model.save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        (Path(scratch) / _MARK).write_text(json.dumps({"file": gguf.name, "sha256": digest}) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(scratch, folder, copy_function=shutil.move)


def _no_bars() -> None:
    """Keep transformers' progress bars out of ours."""
    from transformers.utils import logging

    quiet: Any = logging  # untyped
    quiet.disable_progress_bar()


def _read_gguf(gguf: Path) -> tuple[Any, Any]:
    import torch
    import transformers

    _no_bars()
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        quantization_config=transformers.GgufConfig(dequantize=True),
        dtype=torch.float32,
        local_files_only=True,
    )
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, local_files_only=True)
    return model, tokenizer


def _build(folder: Path, out: Path, cache: Path, precision: str, provider: str, more: Sequence[str]) -> None:
    command = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", str(folder), "-o", str(out)]
    command += ["-p", precision, "-e", provider, "-c", str(cache)]
    command += ["--extra_options", "prune_lm_head=true", *RECIPES.get(precision, ()), *more]
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"the model builder did not finish {folder} within {_SECONDS} s") from error
    if done.returncode or not (out / "genai_config.json").is_file():
        log = "\n".join((done.stdout + "\n" + done.stderr).replace("\r", "\n").strip().splitlines()[-12:])
        raise ModelError(f"the model builder failed on {folder} (exit code {done.returncode}):\n{log}")


def decoder_parity(
    hf_folder: Path,
    genai_folder: Path,
    prompts: Sequence[str],
    *,
    tokens: int = 32,
    threads: int = 2,
    provider: DecoderProvider = "cpu",
) -> dict[str, Any]:
    """Compare an export with transformers in float32 on the same token ids.

    Greedy texts of a quantised decoder may part at any near tie, so they are compared up to the first difference;
    perplexity is of the text that transformers itself wrote, given the prompt: 1 / (geometric mean probability).

    :param prompts: what a user would say; each is put into the model's chat template.
    :param tokens: greedy tokens for each prompt.
    :param threads: CPU threads of both.
    :param provider: what runs the export; transformers computes on the CPU.
    :returns: `first_token_agreement` and `greedy_equal` (shares of prompts), `common_tokens` (mean length of the common
        beginning), `perplexity`, `perplexity_exported`, `perplexity_ratio`, `max_logit_difference` (after the prompt),
        `tokenizers_equal`, `precision`, `prompts`, `tokens`.
    :raises InputError: if there is no prompt.
    """
    if not prompts:
        raise InputError("no prompts to compare on")
    from core.backends.genai import GenaiGenerator
    from core.backends.generators import describe
    from core.backends.hf import TransformersGenerator
    from core.types import Message

    _no_bars()
    reference = TransformersGenerator(hf_folder, name="source", threads=threads)
    exported = GenaiGenerator(genai_folder, name="export", provider=provider, threads=threads)
    first = equal = common = 0
    source_losses: list[float] = []
    export_losses: list[float] = []
    worst = 0.0
    same_ids = True
    for prompt in prompts:
        rendered = exported.template.render([Message("user", prompt)])
        ids = reference.encode(rendered)
        same_ids &= ids == exported.encode(rendered)
        greedy = reference.greedy(ids, tokens)
        other = exported.greedy(ids, len(greedy))
        shared = next((i for i, (a, b) in enumerate(zip(greedy, other, strict=False)) if a != b), len(other))
        first += shared > 0
        equal += shared == len(greedy)
        common += shared
        wanted = reference.logits(ids, greedy)
        found = exported.logits(ids, greedy)
        worst = max(worst, float(np.abs(_centred(wanted[0]) - _centred(found[0])).max()))
        source_losses += _losses(wanted, greedy)
        export_losses += _losses(found, greedy)
    count = len(prompts)
    perplexity, exported_perplexity = math.exp(np.mean(source_losses)), math.exp(np.mean(export_losses))
    return {
        "precision": describe(genai_folder).get("precision", ""),
        "prompts": count,
        "tokens": len(source_losses),
        "tokenizers_equal": same_ids,
        "first_token_agreement": first / count,
        "greedy_equal": equal / count,
        "common_tokens": common / count,
        "perplexity": round(perplexity, 4),
        "perplexity_exported": round(exported_perplexity, 4),
        "perplexity_ratio": round(exported_perplexity / perplexity, 4),
        "max_logit_difference": round(worst, 5),
    }


def check_parity(report: dict[str, Any]) -> None:
    """Refuse an export that says something else than its source.

    float32 must give the same greedy tokens; every precision must keep perplexity within `PERPLEXITY_LIMIT`.

    :raises ParityFailed: with the figure and its limit.
    """
    precision = str(report["precision"])
    limit = PERPLEXITY_LIMIT.get(precision, PERPLEXITY_LIMIT["int4"])
    if not report["tokenizers_equal"]:
        raise ParityFailed("the export's tokenizer gives other ids than the source's; nothing is published")
    if report["perplexity_ratio"] > limit:
        raise ParityFailed(
            f"perplexity of the {precision} export is {report['perplexity_ratio']} times its source's, over {limit}; "
            "nothing is published. Try a higher precision"
        )
    if precision == "fp32" and report["greedy_equal"] < 1:
        raise ParityFailed(f"only {report['greedy_equal']:.0%} of the fp32 export's greedy texts equal the source's")


def _centred(row: Any) -> Any:
    """Logits less their mean: a shift of all of them changes nothing."""
    return row - row.mean()


def _losses(rows: Any, ids: Sequence[int]) -> list[float]:
    """Negative log-likelihood of each id under its row of logits, in nats."""
    rows = rows.astype(np.float64)
    top = rows.max(axis=-1, keepdims=True)
    logs = np.log(np.exp(rows - top).sum(axis=-1)) + top[:, 0]
    return [float(total - row[i]) for total, row, i in zip(logs, rows, ids, strict=True)]


def _version(*distributions: str) -> str:
    for name in distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"
