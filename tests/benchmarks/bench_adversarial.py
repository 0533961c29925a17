"""Adversarial training: what it costs on clean texts and brings on damaged ones, on several data sets.

    python -m tests.benchmarks.bench_adversarial --data DIR [--sets phrasebank,banking77] [--methods none,fgm,edits]
        [--threads 2] [--test-rows 800] [--work DIR]

DIR holds `finance/fpb_train.csv`, `finance/tfns_train.csv` and `customer_service/banking77_train.csv`; each is split
80/20 here. The same MiniLM, options and seeds for every method; only the switch differs. Damage is made by
`core.finetune.data.perturb`: typing errors inside words, words lost or turned, under seeds of its own. The method
`edits` trains with an editor of its own that never adds a foreign letter and never turns words, so "insert" and
"word-swap" are kinds of damage it has not seen. "worst of 5": a text counts only if it is right under five draws.
"damaged" is the mean over the single draws, "worst" over the others. `--work` keeps finished parts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from core.finetune.adversarial import AdversarialArgs
from core.finetune.classifier import ClassifierArgs, fit, predict
from core.finetune.data import Kind, Labelled, perturb_all
from tests.benchmarks._halves import halves
from tests.benchmarks._parts import part
from tests.benchmarks._results import table, write

FILES = {
    "phrasebank": "finance/fpb_train.csv",
    "tweets": "finance/tfns_train.csv",
    "banking77": "customer_service/banking77_train.csv",
}
OPTIONS: dict[str, dict[str, Any]] = {
    "phrasebank": {"epochs": 4},
    "tweets": {"epochs": 2},
    "banking77": {"epochs": 6, "learning_rate": 2e-4},
}
METHODS: dict[str, AdversarialArgs] = {
    "none": AdversarialArgs(),
    "fgm": AdversarialArgs(method="fgm", epsilon=1.0),
    "pgd": AdversarialArgs(method="pgd", epsilon=1.0, step_size=0.4, steps=3),
    "freelb": AdversarialArgs(method="freelb", epsilon=0.6, step_size=0.1, steps=2),
    "edits": AdversarialArgs(method="edits", edit_rate=0.3),
}
DAMAGE: dict[str, tuple[Kind, float, int]] = {
    "characters .2": ("characters", 0.2, 1),
    "characters .4": ("characters", 0.4, 1),
    "words .2": ("words", 0.2, 1),
    "words .4": ("words", 0.4, 1),
    "insert .4": ("insert", 0.4, 1),
    "word-swap .4": ("word-swap", 0.4, 1),
    "characters .4 worst of 5": ("characters", 0.4, 5),
    "words .4 worst of 5": ("words", 0.4, 5),
}
"""Kind, rate, and draws that must all be answered rightly."""
SEED = 901


def options(name: str, method: str, seed: int, threads: int) -> ClassifierArgs:
    """What all methods share, and the switch."""
    return ClassifierArgs.model_validate(
        {
            "learning_rate": 1e-4,
            "layer_decay": 0.9,
            "max_tokens": 96,
            "keep_best": False,
            "calibrate": False,
            "precision": "auto",
            "track": (),
            "threads": threads,
            "seed": seed,
            **OPTIONS[name],
            "adversarial": METHODS[method],
        }
    )


def measure(train: Sequence[Labelled], test: Sequence[Labelled], args: ClassifierArgs) -> dict[str, Any]:
    """Accuracy on the test half as it is and damaged, and what the training took."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as cache:
        fitted = fit(train, (), args, cache=Path(cache))
    found: dict[str, Any] = {"seconds": time.perf_counter() - started}
    (head,) = fitted.model.task.heads
    truth = np.array([head.labels.index(row.labels["label"][0]) for row in test])
    texts = [row.text for row in test]
    versions: dict[str, tuple[Kind, float, int]] = {"clean": ("characters", 0.0, 1), **DAMAGE}
    for name, (kind, rate, draws) in versions.items():
        right = np.ones(len(test), dtype=bool)
        for draw in range(draws):
            damaged = perturb_all(texts, kind, rate, seed=SEED + draw)
            logits = predict(fitted.model, fitted.backbone.tokenizer, damaged)[head.name]
            right &= logits.argmax(axis=1) == truth
        found[name] = float(right.mean())
    return found | {
        "damaged": mean(found[name] for name, (_, _, draws) in DAMAGE.items() if draws == 1),
        "worst": mean(found[name] for name, (_, _, draws) in DAMAGE.items() if draws > 1),
    }


def averaged(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Means over seeds."""
    return {key: mean(run[key] for run in runs) for key in runs[0]}


def main() -> None:
    """Print the table and write `results/adversarial.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default="phrasebank,banking77")
    parser.add_argument("--methods", default="none,fgm,freelb,edits")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--test-rows", type=int, default=800, help="rows of each test half that are judged")
    parser.add_argument("--work", type=Path)
    asked = parser.parse_args()
    rows = []
    for name in asked.sets.split(","):
        train, whole = halves(asked.data / FILES[name])
        test = whole[: asked.test_rows]
        for method in asked.methods.split(","):
            runs = []
            for seed in range(17, 17 + asked.seeds):
                args = options(name, method, seed, asked.threads)
                runs.append(part(asked.work, f"{name}-{method}-{seed}", lambda: measure(train, test, args)))  # noqa: B023
            rows.append({"set": name, "method": method, "seeds": len(runs), **averaged(runs)})
            print(table(rows[-1:]), flush=True)
    print(table(rows))
    gains = []
    for name in asked.sets.split(","):
        by = {row["method"]: row for row in rows if row["set"] == name}
        for method, row in by.items():
            if method != "none" and "none" in by:
                change = {key: row[key] - by["none"][key] for key in ("clean", "damaged", "worst", *DAMAGE)}
                gains.append({"set": name, "method": method, **change, "times": row["seconds"] / by["none"]["seconds"]})
    print("change against none\n" + table(gains))
    switches = {name: args.model_dump() for name, args in METHODS.items() if name in asked.methods.split(",")}
    write(
        "adversarial",
        {"accuracy": rows, "change": gains, "switches": switches},
        data=f"80/20 halves of the training files of {asked.sets}; {asked.test_rows} test rows of each",
    )


if __name__ == "__main__":
    main()
