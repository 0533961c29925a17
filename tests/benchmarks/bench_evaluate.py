"""The app's own evaluations on the shared benchmark files, kept together in one result.

    python -m tests.benchmarks.bench_evaluate --data DIR [WORD...] [--write]

Runs `triptych customer-service evaluate ...` as a user would; WORDs choose rows whose name contains one. Splits of
training files are made here: 80/20, stratified, seed 17. Prints a line a row and one JSON object last; `--write` keeps
it as `results/evaluate.json`, rows that were not run kept from before.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks._results import RESULTS, write


def halves(path: Path, folder: Path) -> tuple[Path, Path]:
    """Training and test part of a labelled CSV."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    groups: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        groups[row["label"]].append(row)
    train, test = [], []
    for _, members in sorted(groups.items()):
        random.Random(17).shuffle(members)
        cut = int(len(members) * 0.2)
        test += members[:cut]
        train += members[cut:]
    found = folder / f"{path.stem}.train.csv", folder / f"{path.stem}.test.csv"
    for out, part in zip(found, (train, test), strict=True):
        save(out, part)
    return found


def save(path: Path, rows: list[dict[str, str]]) -> None:
    """Write rows as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def unseen(test: Path, trains: list[Path]) -> Path:
    """The test part without texts that stand in a training file."""
    known = {plain(r["text"]) for t in trains for r in csv.DictReader(t.open(encoding="utf-8", newline=""))}
    with test.open(encoding="utf-8", newline="") as file:
        kept = [row for row in csv.DictReader(file) if plain(row["text"]) not in known]
    out = test.with_name("unseen.csv")
    save(out, kept)
    return out


def plain(text: str) -> str:
    """Lower case, single spaces."""
    return " ".join(text.lower().split())


def rows(data: Path, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Name and arguments of each evaluation."""
    base = data / "customer_service"
    train, test = halves(base / "banking77_train.csv", folder)
    yield "intents banking77", ["intents", "--train", str(train), "--test", str(test)]
    shots = [base / f"banking77_train_{n}shot.csv" for n in (10, 5)]
    fresh = unseen(test, shots)
    for n, path in zip((10, 5), shots, strict=True):
        yield f"intents banking77 {n}-shot", ["intents", "--train", str(path), "--test", str(fresh)]
    clinc = [str(base / f"clinc150_{part}.csv") for part in ("train", "val")]
    yield "intents clinc150", ["intents", "--train", clinc[0], "--test", clinc[1]]
    yield (
        "faq covid",
        ["faq", "--faq", str(base / "covid_faq.csv"), "--queries", str(base / "covid_faq_queries_dev.csv")],
    )
    for language in ("en", "zh"):
        files = [str(base / f"rag_{language}_{part}.jsonl") for part in ("docs", "dev")]
        yield f"rag {language}", ["rag", "--docs", files[0], "--questions", files[1], "--off-topic", str(test)]


def main() -> int:
    """Run, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    kept = RESULTS / "evaluate.json"
    found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))["figures"] if kept.exists() else {}
    command = str(Path(sys.executable).with_name("triptych"))
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, words in rows(arguments.data, Path(folder)):
            if arguments.words and not any(word in name for word in arguments.words):
                continue
            started = time.perf_counter()
            done = subprocess.run(
                [command, "customer-service", "evaluate", *words], capture_output=True, text=True, check=False
            )
            failed += done.returncode != 0
            if done.returncode == 0:
                found[name] = json.loads(done.stdout.strip().splitlines()[-1])
            said = json.dumps(found.get(name)) if done.returncode == 0 else done.stderr.strip()[-300:]
            print(f"{name} [{time.perf_counter() - started:.0f} s] {said}", flush=True)
    if arguments.write:
        write("evaluate", found, data="Banking77, CLINC150, COVID FAQ, company reports en and zh")
    else:
        print(json.dumps(found))
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
