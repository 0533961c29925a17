"""The same task on an encoder and on a generative model: MiniLM beside SmolLM2, quality and cost.

    python -m tests.benchmarks.bench_backbones --data DIR [--rows 1200] [--epochs 3] [--threads 2]

Both are fine-tuned as classifiers by the one trainer on PhraseBank, on the same rows, and judged on the same held-out
fifth: MiniLM whole, SmolLM2 with adapters (whole, its optimiser alone would take 1.6 GB).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from core.evaluate.labels import accuracy, macro_f1
from core.finetune.classifier import ClassifierArgs, fit, predict
from core.finetune.data import read_labelled, split
from core.settings import CoreSettings
from tests.benchmarks._results import table, write

RECIPES: dict[str, dict[str, Any]] = {
    "minilm": {"learning_rate": 1e-4},
    "smollm2": {"learning_rate": 5e-4, "lora": {"rank": 16, "alpha": 32}},
}


def main() -> None:
    """Train both, measure, write `results/backbones.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1200)
    parser.add_argument("--epochs", type=float, default=3.0)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    whole = read_labelled(given.data / "finance" / "fpb_train.csv").rows
    halves = split(whole, 0.2, seed=17)
    train = split(halves.train, 1 - given.rows / len(halves.train), seed=17).train
    rows = [measure(name, train, halves.held, given) for name in RECIPES]
    print(table(rows))
    figures = {row["backbone"]: {k: v for k, v in row.items() if k != "backbone"} for row in rows}
    figures |= {"rows": len(train), "held": len(halves.held), "epochs": given.epochs}
    write("backbones", figures, data="PhraseBank training file, own 80/20 split, 3 labels")


def measure(name: str, train: Any, held: Any, given: argparse.Namespace) -> dict[str, Any]:
    """One backbone: trained on `train` to the last epoch, judged once on `held`."""
    args = ClassifierArgs(
        backbone=name,
        epochs=given.epochs,
        batch_size=16,
        max_tokens=96,
        threads=given.threads,
        track=(),
        **RECIPES[name],
    )
    start = time.perf_counter()
    fitted = fit(train, (), args, cache=CoreSettings().home / "cache")
    seconds = time.perf_counter() - start
    head = fitted.model.task.head()
    truth = [head.labels.index(row.label()) for row in held]
    start = time.perf_counter()
    logits = predict(fitted.model, fitted.backbone.tokenizer, [row.text for row in held])[head.name]
    spent = time.perf_counter() - start
    said = logits.argmax(axis=1)
    wanted = np.array(truth, dtype=np.int64)
    weights = sum(p.numel() for p in fitted.model.parameters())
    return {
        "backbone": name,
        "accuracy": accuracy(said, wanted),
        "macro_f1": macro_f1(said, wanted),
        "train_seconds": round(seconds, 1),
        "texts_per_second_torch": round(len(held) / spent, 1),
        "million_weights": round(weights / 1e6, 1),
        "megabytes_fp32": round(weights * 4 / 1e6),
    }


if __name__ == "__main__":
    main()
