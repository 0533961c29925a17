"""Rows that a tiny model can learn in a few steps."""

from __future__ import annotations

import random

from core.finetune.data import Labelled, Pair

WORDS = {
    "card": ("i lost my card", "a new card please", "my card is red", "the card was lost"),
    "transfer": ("where is my transfer", "the transfer was not received", "transfer is slow", "no transfer on monday"),
    "pin": ("change my pin please", "my pin is slow", "a new pin", "i lost my pin and need help"),
}
ENDS = ("", " please", " thanks", " !", " can you help me ?", " since may", " on monday", " hello")


def labelled(n: int = 48, seed: int = 0) -> list[Labelled]:
    """Texts of three labels, told apart by one word."""
    chosen = random.Random(seed)
    names = sorted(WORDS)
    return [
        Labelled(chosen.choice(WORDS[names[i % 3]]) + chosen.choice(ENDS), {"label": (names[i % 3],)}, line=i + 1)
        for i in range(n)
    ]


def pairs(n: int = 24, seed: int = 0) -> list[Pair]:
    """A question with the passage of its topic, and one of another topic."""
    chosen = random.Random(seed)
    names = sorted(WORDS)
    found = []
    for i in range(n):
        topic, other = names[i % 3], names[(i + 1) % 3]
        query = f"the {topic} ?" + chosen.choice(ENDS)
        right = chosen.choice(WORDS[topic]) + chosen.choice(ENDS)
        found.append(Pair(query, right, (chosen.choice(WORDS[other]),), line=i + 1))
    return found
