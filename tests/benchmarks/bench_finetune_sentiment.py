"""Sentiment on Financial PhraseBank, one step more with every rung: what each is worth and what it costs.

    python -m tests.benchmarks.bench_finetune_sentiment --data DIR [--seeds 3] [--threads 2] [--work DIR] [--rungs a,b]

DIR holds `finance/fpb_train.csv`, `finance/tfns_train.csv` and `finance/tweets_2020.csv`. PhraseBank is split 80/20,
stratified; a tenth of the training half calibrates. Nothing was chosen on the test half. MiniLM (22 million weights),
the options of the shipped recipe `sentiment`. `--work` keeps finished parts: stop it, call it again.

    plain         the recipe's data and epochs, default rates, cross entropy
    rates         the recipe's learning rates: higher, falling with depth
    tweets first  trained on labelled finance tweets before (their label names match)
    adversarial   and typing errors in the words with the largest gradient
    calibration   and the temperature fitted on the held-out tenth
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

import numpy as np

import core.finetune
from core.evaluate.calibration import expected_calibration_error, softmax
from core.evaluate.labels import accuracy, macro_f1
from core.finetune.adversarial import AdversarialArgs
from core.finetune.args import load_options
from core.finetune.classifier import ClassifierArgs, fit, predict
from core.finetune.data import Labelled, split
from tests.benchmarks._halves import halves
from tests.benchmarks._parts import part
from tests.benchmarks._results import table, write

RECIPE = Path(core.finetune.__file__).parent / "recipes" / "sentiment.toml"
ADVERSARIAL = AdversarialArgs(method="edits", edit_rate=0.3)
RUNGS = ("plain", "rates", "tweets first", "adversarial")


def recipe(rung: str, seed: int, threads: int) -> ClassifierArgs:
    """The shipped recipe, with less or more."""
    whole = load_options(ClassifierArgs, RECIPE)
    same: dict[str, Any] = {"seed": seed, "threads": threads, "track": ()}
    if rung == "plain":
        plain = ClassifierArgs(epochs=whole.epochs, max_tokens=whole.max_tokens, keep_best=False)
        return plain.model_copy(update=same)
    if rung == "adversarial":
        same["adversarial"] = ADVERSARIAL
    return whole.model_copy(update=same)


def tweets_first(data: Path, args: ClassifierArgs, folder: Path) -> float:
    """Train a classifier of finance tweets into a folder; seconds."""
    started = time.perf_counter()
    rows, _ = halves(data / "finance/tfns_train.csv")
    plain = args.model_copy(update={"epochs": 2.0, "adversarial": AdversarialArgs()})
    fit(rows, (), plain, cache=folder / "cache").save(folder / "model")
    return time.perf_counter() - started


def measure(rung: str, data: Path, seed: int, threads: int) -> dict[str, float]:
    """One training: figures on the test half, before and after calibration."""
    train, test = halves(data / "finance/fpb_train.csv")
    kept = split(train, 0.1, seed=seed)
    args = recipe(rung, seed, threads)
    with tempfile.TemporaryDirectory() as scratch:
        before = 0.0
        if rung in {"tweets first", "adversarial"}:
            before = tweets_first(data, args, Path(scratch))
            args = args.model_copy(update={"backbone": str(Path(scratch) / "model")})
        started = time.perf_counter()
        fitted = fit(kept.train, kept.held, args, cache=Path(scratch) / "cache")
        seconds = time.perf_counter() - started
        started = time.perf_counter()
        (head,) = fitted.model.task.heads
        logits = predict(fitted.model, fitted.backbone.tokenizer, [row.text for row in test])[head.name]
    truth = truths(test, head.labels)
    said = logits.argmax(axis=1)
    return {
        "accuracy": accuracy(said, truth),
        "macro_f1": macro_f1(said, truth),
        "ece": expected_calibration_error(softmax(logits), truth),
        "ece_calibrated": expected_calibration_error(softmax(logits, head.temperature), truth),
        "temperature": head.temperature,
        "seconds": seconds,
        "seconds_before": before,
        "texts_per_second": len(test) / (time.perf_counter() - started),
    }


def truths(rows: Sequence[Labelled], labels: Sequence[str]) -> Any:
    """(n,) int64 class indices."""
    return np.array([labels.index(row.labels["label"][0]) for row in rows])


def main() -> None:
    """Print the ladder and write `results/finetune_sentiment.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--rungs", default=",".join(RUNGS))
    asked = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for rung in asked.rungs.split(","):
        runs = []
        for seed in range(17, 17 + asked.seeds):
            name = f"{rung.replace(' ', '-')}-{seed}"
            runs.append(part(asked.work, name, lambda: measure(rung, asked.data, seed, asked.threads)))  # noqa: B023
        means = {key: mean(run[key] for run in runs) for key in runs[0]}
        after = means.pop("ece_calibrated"), means.pop("temperature")
        rows.append({"rung": rung, "seeds": len(runs), "accuracy_sd": pstdev(r["accuracy"] for r in runs), **means})
        if rung == asked.rungs.split(",")[-1]:
            rows.append({**rows[-1], "rung": "calibration", "ece": after[0], "temperature": after[1]})
        print(table(rows[-1:]), flush=True)
    print(table(rows))
    write("finetune_sentiment", {"ladder": rows}, data="Financial PhraseBank's training file, 80/20; finance tweets")


if __name__ == "__main__":
    main()
