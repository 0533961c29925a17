"""Files of rows for the tests of whole runs, and options that train a tiny model in a second."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from core.finetune.classifier import ClassifierArgs
from core.finetune.flow.learn import Request
from core.finetune.flow.rows import DataRequest
from core.finetune.flow.tasks import Reading
from tests.core.finetune.rows import labelled, pairs

TINY: dict[str, Any] = {"threads": 1, "device": "cpu", "precision": "fp32", "track": ()}


def write_csv(path: Path, heads: list[str], rows: list[list[object]]) -> Path:
    """A CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([heads, *rows])
    return path


def labelled_csv(path: Path, n: int = 60, seed: int = 0) -> Path:
    """Columns text, label."""
    return write_csv(
        path, ["text", "label"], [[f"{row.text} {i}", row.label()] for i, row in enumerate(labelled(n, seed))]
    )


def pairs_jsonl(path: Path, n: int = 24) -> Path:
    """Keys query, positive, negatives."""
    rows = [
        {"query": f"{p.query} {i}", "positive": p.positive, "negatives": list(p.negatives)}
        for i, p in enumerate(pairs(n))
    ]
    return write_jsonl(path, rows)


def tagged_jsonl(path: Path, n: int = 24) -> Path:
    """Keys words, tags."""
    names, places = ("Anna", "Tom", "Bell", "Reed"), ("Paris", "London")
    rows = [
        {
            "words": [names[i % 4], "works", "in", places[i % 2], str(i)],
            "tags": ["B-PER", "O", "O", "B-LOC", "O"],
        }
        for i in range(n)
    ]
    return write_jsonl(path, rows)


def chats_jsonl(path: Path, n: int = 16) -> Path:
    """Keys question, answer."""
    return write_jsonl(
        path, [{"question": f"where is my card {i} ?", "answer": "please ask at the desk ."} for i in range(n)]
    )


def texts_jsonl(path: Path, n: int = 24) -> Path:
    """Key text."""
    return write_jsonl(
        path, [{"text": f"the shares of Nova rose on monday , {row.text} {i}"} for i, row in enumerate(labelled(n))]
    )


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A JSONL file."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def request(backbone: Path, train: Path, test: Path | None = None, **more: Any) -> Request:
    """A classifier that learns the rows of `labelled_csv`."""
    data = DataRequest(train, test, Reading(), more.pop("held_out", 0.2))
    options: dict[str, Any] = {"epochs": 10.0, "batch_size": 8, "learning_rate": 3e-3, **TINY, **more}
    return Request("classifier", data, ClassifierArgs(backbone=str(backbone), **options))
