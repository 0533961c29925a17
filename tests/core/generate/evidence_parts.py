"""Small pieces of evidence, made by hand over the shipped fake encoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.backends.fake import FakeEncoder
from core.generate.evidence import Body, Evidence, Passage, Sentence

ENCODER = FakeEncoder(256)


def passage(text: str, *, context: str = "", language: str = "en", number: int = 1, score: float = 1.0) -> Passage:
    return Passage(number, f"d{number}", context, text, 0, 0.5, 0.5, 0.0, score, language)


def evidence(question: str, passages: Sequence[Passage], language: str = "en") -> Evidence:
    vector = ENCODER.encode([question])[0]
    found = [
        Sentence(p, start, end, float(ENCODER.encode([p.text[start:end]])[0] @ vector))
        for p in passages
        for start, end in p.spans
    ]
    bodies = [Body.of(p.context, p.text, p.language) for p in passages[:1]]
    return Evidence(question, language, passages, found, lambda word: 1.0 + 0.01 * (len(word) % 7), bodies)


def rows(n: int, f: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random rows, and labels that the first column mostly tells."""
    draw = np.random.default_rng(seed)
    found = draw.normal(size=(n, f)).astype(np.float32)
    labels = (found[:, 0] + 0.5 * draw.normal(size=n) > 0).astype(np.int64)
    labels[:2] = (0, 1)
    return found, labels
