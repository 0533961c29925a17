"""Hard negatives: passages that look right to the encoder and belong to another query.

Knows pairs and vectors; the encoder is a function. Searches with FAISS, so that a corpus of a million passages is no
table of a million squares.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from pydantic import Field

from core.finetune.args import Options
from core.finetune.data import Pair
from core.types import FloatArray

Encode = Callable[[Sequence[str]], FloatArray]


class Mining(Options):
    """How hard negatives are found."""

    count: int = Field(0, ge=0, le=64)
    """Negatives mined for every pair; 0 mines none."""

    skip: int = Field(0, ge=0, le=1000)
    """Nearest passages left out: in corpora with unlabelled positives the very nearest are often right answers."""

    margin: float = Field(0.95, gt=0, le=1)
    """A negative's cosine is at most this share of the positive's (Moreira et al. 2024, NV-Retriever, TopK-PercPos)."""

    depth: int = Field(50, ge=1, le=10_000)
    """Nearest passages looked at."""


def mine(pairs: Sequence[Pair], encode: Encode, options: Mining) -> tuple[Sequence[Pair], tuple[str, ...]]:
    """The pairs with mined negatives behind their own, and notes for people.

    A passage that is a positive of the same query, or of the same text, is never a negative. Pairs for which fewer
    were found are filled up with passages from further down the list, so that every pair has as many.

    :returns: the pairs in the order given.
    """
    if options.count == 0:
        return pairs, ()
    import faiss

    kept = [pair for pair in pairs if pair.score is None or pair.score >= 0.5]
    passages = list(dict.fromkeys(text for pair in pairs for text in (pair.positive, *pair.negatives)))
    own: dict[str, set[str]] = {}
    for pair in kept:
        own.setdefault(pair.query, set()).add(pair.positive)
    vectors = encode(passages)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    queries = encode([pair.query for pair in kept])
    depth = min(len(passages), options.depth + options.skip + max(map(len, own.values()), default=0))
    scores, found = index.search(queries, depth)
    place = {text: i for i, text in enumerate(passages)}
    mined, short = [], 0
    for pair, row, near, query in zip(kept, scores, found, queries, strict=True):
        limit = options.margin * float(query @ vectors[place[pair.positive]])
        others = [(passages[i], float(s)) for i, s in zip(near.tolist(), row.tolist(), strict=True) if i >= 0]
        others = [(text, s) for text, s in others if text not in own[pair.query] and text != pair.query][options.skip :]
        good = [text for text, s in others if s <= limit][: options.count]
        if len(good) < options.count:
            short += 1
            rest = [text for text, _ in reversed(others) if text not in good]
            good += rest[: options.count - len(good)]
        mined.append(replace(pair, negatives=(*pair.negatives, *good)))
    width = min((len(pair.negatives) for pair in mined), default=0)
    notes = [f"{options.count} hard negatives mined for each of {len(mined)} pairs among {len(passages)} passages"]
    if short:
        notes.append(f"{short} pairs had fewer below the margin and were filled up")
    if width < options.count:
        notes.append(f"the corpus is small: {width} negatives a pair are used")
    return mined, tuple(notes)
