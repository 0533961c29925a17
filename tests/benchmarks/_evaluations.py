"""Which evaluations each app is held to, and how the shared files without a public test half are split."""

from __future__ import annotations

import csv
import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

Row = dict[str, Any]

DATA = {
    "customer-service": "Banking77, CLINC150, COVID FAQ, company reports en and zh",
    "finance": "Financial PhraseBank, finance tweets, Chinese posts, risk events and news topics, NAB tweet counts",
}
"""What was measured on, in words."""


def halves(path: Path, folder: Path) -> tuple[Path, Path]:
    """Training and test part of a labelled CSV or JSONL file: 80/20 within each (first) label."""
    with path.open(encoding="utf-8", newline="") as file:
        rows: list[Row] = list(csv.DictReader(file)) if path.suffix == ".csv" else [json.loads(line) for line in file]
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["label"] if "label" in row else row["labels"][0]].append(row)
    train, test = [], []
    for _, members in sorted(groups.items()):
        random.Random(17).shuffle(members)
        cut = int(len(members) * 0.2)
        test += members[:cut]
        train += members[cut:]
    for part in (train, test):
        random.Random(3).shuffle(part)
    found = folder / f"{path.stem}.train{path.suffix}", folder / f"{path.stem}.test{path.suffix}"
    for out, part in zip(found, (train, test), strict=True):
        save(out, part)
    return found


def save(path: Path, rows: list[Row]) -> None:
    """Write rows as CSV or JSONL, by the suffix."""
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            return
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


def customer_service(data: Path, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Name and arguments of each evaluation of the bot."""
    base = data / "customer_service"
    train, test = halves(base / "banking77_train.csv", folder)
    verb = ["evaluate", "intents", "--train"]
    yield "intents banking77", [*verb, str(train), "--test", str(test)]
    shots = [base / f"banking77_train_{n}shot.csv" for n in (10, 5)]
    fresh = unseen(test, shots)
    for n, path in zip((10, 5), shots, strict=True):
        yield f"intents banking77 {n}-shot", [*verb, str(path), "--test", str(fresh)]
    clinc = [str(base / f"clinc150_{part}.csv") for part in ("train", "val")]
    yield "intents clinc150", [*verb, clinc[0], "--test", clinc[1]]
    queries = str(base / "covid_faq_queries_dev.csv")
    yield "faq covid", ["evaluate", "faq", "--faq", str(base / "covid_faq.csv"), "--queries", queries]
    for language in ("en", "zh"):
        files = [str(base / f"rag_{language}_{part}.jsonl") for part in ("docs", "dev")]
        yield (
            f"rag {language}",
            ["evaluate", "rag", "--docs", files[0], "--questions", files[1], "--off-topic", str(test)],
        )


def finance(data: Path, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Name and arguments of each evaluation of the monitor."""
    base = data / "finance"
    for name in ("fpb_train", "tfns_train", "finfe_zh_train"):
        train, test = halves(base / f"{name}.csv", folder)
        yield f"sentiment shipped {name}", ["evaluate", "sentiment", "--test", str(test)]
        yield f"sentiment {name}", ["evaluate", "sentiment", "--train", str(train), "--test", str(test)]
    for name in ("finese_zh_train", "finnl_zh_train"):
        train, test = halves(base / f"{name}.jsonl", folder)
        yield f"topics {name}", ["evaluate", "topics", "--train", str(train), "--test", str(test)]
    series = base / "nab_tweets"
    yield "surge", ["backtest", "counts", "--series", str(series), "--windows", str(series / "windows.json")]


ROWS: Mapping[str, Callable[[Path, Path], Iterator[tuple[str, list[str]]]]] = {
    "customer-service": customer_service,
    "finance": finance,
}
