"""Exports beside torch: parity, speed, and what each precision costs on a real task.

    python -m tests.benchmarks.bench_export --data DIR [--model FOLDER] [--provider cpu|cuda]
        [--only heads,embedder,decoder] [--threads 2] [--rounds 20] [--tokens 16] [--parts FOLDER]

The classifier is trained on nine tenths of Banking77's training file (or is `--model`, a trained folder that never saw
the held-out tenth) and measured on the rest. `--provider cuda` compares ONNX fp16 with torch fp16 and torch.compile at
batch 1, 32 and 256, and decoders with and without CUDA graphs at batch 1, 8 and 32. `--parts` keeps finished parts.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.backends.headed_onnx import OnnxHeads
from core.backends.onnx import OnnxEncoder
from core.export.decoder import check_parity, decoder_parity, export_decoder, hf_folder
from core.export.encoder import export_encoder
from core.export.headed import PRECISIONS, export_headed
from core.export.speed import Speed, System, check_device, decoder_speed, picture, race, torch_heads
from core.finetune.data import Labelled, read_labelled, split
from core.models.catalog import find
from tests.benchmarks._parts import part
from tests.benchmarks._results import RESULTS, table, write

ASKED = ("close my account", "change my address", "pay a bill late", "lose my card", "get a refund")
PROMPTS = [
    f"{begin} {what}{end}"
    for begin, end in (
        ("How do I", "?"),
        ("What happens if I", " abroad?"),
        ("Write one sentence about how to", "."),
        ("Is it free to", " on a Sunday?"),
        ("Give me two reasons to", "."),
        ("Who can help me to", "?"),
        ("Explain to a child how to", "."),
        ("Which papers do I need to", "?"),
        ("Can my son", " for me?"),
        ("How long does it take to", "?"),
    )
    for what in ASKED
]
"""Fifty prompts for greedy tokens."""


def halves(data: Path) -> tuple[Sequence[Labelled], Sequence[Labelled]]:
    """Nine tenths to train on and a stratified tenth to measure on."""
    found = split(read_labelled(data / "customer_service" / "banking77_train.csv").rows, 0.1, seed=17)
    return found.train, found.held


def trained(data: Path, folder: Path, threads: int) -> Path:
    """A MiniLM classifier, three epochs; one that lies in the folder already is taken."""
    if (folder / "model" / "task.json").is_file():
        return folder / "model"
    from core.finetune.classifier import ClassifierArgs, fit

    args = ClassifierArgs(
        max_tokens=64, epochs=3, learning_rate=1e-4, freeze="embeddings", keep_best=False, threads=threads, track=()
    )
    train, _ = halves(data)
    inner = split(train, 0.05, seed=5)  # the temperature is fitted on rows of its own
    fit(inner.train, inner.held, args, cache=folder / "cache").save(folder / "model")
    return folder / "model"


def kinds(train: Sequence[Labelled]) -> dict[str, list[str]]:
    """Short questions, and long texts of several of them."""
    short = [row.text for row in train[::31]][:256]
    return {"short": short, "long": [" ".join(short[i : i + 8]) for i in range(0, 248, 8)]}


def heads(given: argparse.Namespace, work: Path) -> dict[str, Any]:
    """The classifier in every precision: parity, accuracy on held-out rows, speed against torch."""
    train, held = halves(given.data)
    folder = given.model or trained(given.data, given.parts or work, given.threads)
    texts, truth = [row.text for row in held], [row.label() for row in held]
    gpu = given.provider == "cuda"
    targets = {precision: work / precision for precision in (("fp32", "fp16") if gpu else PRECISIONS)}
    calibration = [row.text for row in train[:: max(1, len(train) // 128)]]
    reports = export_headed(folder, targets, name="intents", samples=texts[:300], calibration=calibration)
    systems: dict[str, System] = {}
    accuracy: dict[str, float] = {}
    proof = []
    for precision, target in targets.items():
        model = OnnxHeads(target, provider=given.provider, threads=given.threads)
        said = model.logits(texts)["label"].argmax(axis=1)
        labels = model.task.head("label").labels
        name = f"ONNX {precision}"
        accuracy[name] = float(np.mean([labels[i] == true for i, true in zip(said, truth, strict=True)]))
        systems[name] = lambda several, of=model: of.logits(several, batch_size=len(several))  # type: ignore[misc]
        report = reports[precision]
        proof.append(
            {
                "precision": precision,
                "provider": model.provider,
                "max_difference": report.max_difference,
                "agreement": report.agreement,
                "accuracy": round(accuracy[name], 5),
                "points_lost": round(100 * (accuracy["ONNX fp32"] - accuracy[name]), 3),
                "megabytes": round((target / "model.onnx").stat().st_size / 1e6, 1),
            }
        )
    device = "cuda" if gpu else "cpu"
    for half in (False, True) if gpu else (False,):
        dtype = "fp16" if half else "fp32"
        systems[f"torch {dtype}"] = torch_heads(folder, device=device, half=half)
        systems[f"torch.compile {dtype}"] = torch_heads(folder, device=device, half=half, compiled=True)
    batches = (1, 32, 256) if gpu else (1, 32)
    rows = race(systems, kinds(train), batches=batches, rounds=given.rounds, seconds=30)
    return {
        "held_out_rows": len(held),
        "precisions": proof,
        "accuracy": accuracy,
        "speed": [row.as_dict() for row in rows],
    }


def embedder(given: argparse.Namespace, work: Path) -> dict[str, Any]:
    """MiniLM with pooling against sentence-transformers."""
    from sentence_transformers import SentenceTransformer

    gpu = given.provider == "cuda"
    source = find("minilm").folder
    targets = {precision: work / precision for precision in (("fp32", "fp16") if gpu else ("fp32", "int8"))}
    reports = export_encoder(source, targets, name="minilm")
    model = SentenceTransformer(str(source), device="cuda" if gpu else "cpu")
    systems: dict[str, System] = {
        "sentence-transformers fp32": lambda several: model.encode(
            list(several), batch_size=len(several), normalize_embeddings=True, show_progress_bar=False
        )
    }
    for precision, target in targets.items():
        encoder = OnnxEncoder(target, provider=given.provider, threads=given.threads)
        systems[f"ONNX {precision}"] = lambda several, of=encoder: of.encode(several, batch_size=len(several))  # type: ignore[misc]
    train, _ = halves(given.data)
    rows = race(systems, kinds(train), batches=(1, 32, 256) if gpu else (1, 32), rounds=given.rounds, seconds=30)
    proof = {precision: max(case.max_difference for case in report.cases) for precision, report in reports.items()}
    return {"max_difference": proof, "speed": [row.as_dict() for row in rows]}


def decoder(given: argparse.Namespace, work: Path) -> dict[str, Any]:
    """SmolLM2: greedy tokens of fifty prompts against transformers, tokens a second by precision."""
    gpu = given.provider == "cuda"
    weights = hf_folder(find("smollm2").folder, work / "hf")
    rows = []
    for precision in ("fp32", "fp16", "int4") if gpu else ("fp32", "int8", "int4"):
        for graph in (False, True) if gpu else (False,):
            folder = work / f"{precision}-{graph}"
            export_decoder(weights, folder, precision=precision, provider=given.provider, cuda_graph=graph)
            row: dict[str, Any] = {"precision": precision, "cuda_graph": graph}
            prompts = PROMPTS if precision == "fp32" else PROMPTS[::5]
            report = decoder_parity(
                weights, folder, prompts, tokens=given.tokens, threads=given.threads, provider=given.provider
            )
            check_parity(report)
            shown = ("prompts", "greedy_equal", "perplexity_ratio", "max_logit_difference")
            row |= {key: report[key] for key in shown}
            for batch in (1, 8, 32) if gpu else (1, 8):
                several = [PROMPTS[i % len(PROMPTS)] for i in range(batch)]
                row[f"tokens_per_second_{batch}"] = decoder_speed(
                    folder, several, provider=given.provider, threads=given.threads
                )
            rows.append(row)
    return {"rows": rows}


PARTS = {"heads": heads, "embedder": embedder, "decoder": decoder}


def main() -> None:
    """Measure, print, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with customer_service/banking77_train.csv")
    parser.add_argument("--model", type=Path, help="a trained classifier's folder instead of training one")
    parser.add_argument("--provider", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, by comma")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--tokens", type=int, default=16, help="greedy tokens of each prompt")
    parser.add_argument("--parts", type=Path, help="folder that keeps finished parts")
    given = parser.parse_args()
    import torch

    check_device(given.provider)
    torch.set_num_threads(given.threads)
    figures: dict[str, Any] = {"provider": given.provider, "threads": given.threads}
    suffix = "" if given.provider == "cpu" else f"-{given.provider}"
    for name in given.only.split(","):
        with tempfile.TemporaryDirectory() as work:
            measure = PARTS[name]
            found = part(given.parts, f"{name}{suffix}", lambda of=measure, at=work: of(given, Path(at)))  # type: ignore[misc]
        figures[name] = found
        for key in ("precisions", "rows", "speed"):
            if key in found:
                print(f"\n{name}\n{table(found[key])}")
        if "speed" in found:
            RESULTS.mkdir(exist_ok=True)
            rows = [Speed(**row) for row in found["speed"]]
            where = RESULTS / f"export{suffix}-{name}.png"
            picture(rows, where, title=f"{name}, {given.provider}", losses=found.get("accuracy"))
    write(
        f"export{suffix}", figures, data="Banking77 training file, a stratified tenth held out; fifty written prompts"
    )


if __name__ == "__main__":
    main()
