"""The halves that fine-tuning benchmarks train and measure on: 80/20, stratified, the same on every machine."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from core.finetune.data import Labelled, read_labelled


def halves(path: Path, share: float = 0.2, seed: int = 17) -> tuple[list[Labelled], list[Labelled]]:
    """Training and test half of a labelled file: of every label, `share` of its rows is for the test."""
    groups: dict[str, list[Labelled]] = {}
    for row in read_labelled(path).rows:
        groups.setdefault(row.labels["label"][0], []).append(row)
    train: list[Labelled] = []
    test: list[Labelled] = []
    for _, members in sorted(groups.items()):
        random.Random(seed).shuffle(members)
        cut = int(len(members) * share)
        test += members[:cut]
        train += members[cut:]
    return shuffled(train), shuffled(test)


def shuffled(rows: Sequence[Labelled]) -> list[Labelled]:
    """The rows in an order of their own, always the same."""
    return random.Random(3).sample(list(rows), len(rows))
