"""A small rating task for the tests."""

from __future__ import annotations

import json
from pathlib import Path

from core.evaluate.human import Item, Mode, RatingTask


def task(items: int = 6, systems: tuple[str, ...] = ("base", "tuned"), mode: Mode | None = None) -> RatingTask:
    made = tuple(
        Item(
            id=f"q{n}",
            prompt=f"Question {n}?",
            answers={name: f"Text {place} of question {n}." for place, name in enumerate(systems)},
        )
        for n in range(items)
    )
    return RatingTask("answers.jsonl", mode or ("pairwise" if len(systems) == 2 else "scale"), systems, made)


def write_task(path: Path, items: int = 4, systems: tuple[str, ...] = ("base", "tuned")) -> Path:
    rows = [
        {"id": item.id, "prompt": item.prompt, "answers": dict(item.answers)} for item in task(items, systems).items
    ]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path
