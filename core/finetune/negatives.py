"""Which texts belong together, and hard negatives: passages that look right to the encoder and belong to another query.

Knows pairs and vectors; the encoder is a function. Searches with FAISS, so that a corpus of a million passages is no
table of a million squares.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from pydantic import Field

from core.finetune.args import Options
from core.finetune.data import Pair
from core.types import FloatArray

_MOST_LINKED = 1000
"""Passages of one group for which the search looks further; where more are linked, fewer negatives are found."""

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


def linked(pairs: Sequence[Pair]) -> Mapping[str, int]:
    """Number of the group of every query and positive: those are of one group that the pairs link, directly (a query
    and its positive) or through others (two queries of one positive, two positives of one query, a positive that is
    another pair's query).
    """
    parent: dict[str, str] = {}

    def root(text: str) -> str:
        above = parent.setdefault(text, text)
        while above != parent[above]:
            parent[above] = parent[parent[above]]
            above = parent[above]
        parent[text] = above
        return above

    for pair in pairs:
        first, second = root(pair.query), root(pair.positive)
        parent[second] = first
    numbers: dict[str, int] = {}
    return {text: numbers.setdefault(root(text), len(numbers)) for text in list(parent)}


def usable(pairs: Sequence[Pair]) -> tuple[Sequence[Pair], tuple[str, ...]]:
    """The pairs that belong together, without negatives that other rows give the same query as positives; and a note
    if there were such negatives.
    """
    kept = _together(pairs)
    right: dict[str, set[str]] = {}
    for pair in kept:
        right.setdefault(pair.query, set()).add(pair.positive)
    clean = [replace(p, negatives=tuple(text for text in p.negatives if text not in right[p.query])) for p in kept]
    gone = sum(len(p.negatives) for p in kept) - sum(len(p.negatives) for p in clean)
    return clean, (f"{gone} negatives left out: other rows give them to the same query as positives",) if gone else ()


def _together(pairs: Sequence[Pair]) -> list[Pair]:
    return [pair for pair in pairs if pair.score is None or pair.score >= 0.5]


def mine(pairs: Sequence[Pair], encode: Encode, options: Mining) -> tuple[Sequence[Pair], tuple[str, ...]]:
    """The pairs with mined negatives behind their own, and notes for people.

    A passage that the pairs link with the query, directly or through others, is never a mined negative. Pairs for which
    fewer were found are filled up with passages from further down the list, as far as there are any.

    :returns: the pairs in the order given.
    """
    if options.count == 0:
        return pairs, ()
    import faiss

    kept = _together(pairs)
    passages = list(dict.fromkeys(text for pair in pairs for text in (pair.positive, *pair.negatives)))
    groups = linked(kept)
    largest = max(Counter(groups[text] for text in passages if text in groups).values(), default=0)
    vectors = encode(passages)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    queries = encode([pair.query for pair in kept])
    depth = min(len(passages), options.depth + options.skip + min(largest, _MOST_LINKED))
    scores, found = index.search(queries, depth)
    place = {text: i for i, text in enumerate(passages)}
    mined, short = [], 0
    for pair, row, near, query in zip(kept, scores, found, queries, strict=True):
        limit = options.margin * float(query @ vectors[place[pair.positive]])
        others = [(passages[i], float(s)) for i, s in zip(near.tolist(), row.tolist(), strict=True) if i >= 0]
        others = [(text, s) for text, s in others if groups.get(text) != groups[pair.query]][options.skip :]
        others = [(text, s) for text, s in others if text not in pair.negatives]
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
        notes.append(f"the corpus is small: some pairs have {width} negatives")
    return mined, tuple(notes)
