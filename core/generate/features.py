"""Numbers that tell whether passages answer a question, beyond being similar to it.

A passage about the right company that does not say the asked thing is as similar as one that does; what differs is
which words of the question are nowhere near it. Knows the evidence, no model.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.generate.evidence import Evidence, Sentence, squeeze
from core.generate.lexicon import DATE, FUNCTION_WORDS, KINDS, numbers
from core.text import words
from core.types import FloatArray

FEATURES = (
    *("cover_top", "cover_best", "cover_union", "cover_document", "cover_sentence", "cover_sentences"),
    *("missing_top", "missing_best", "missing_document", "missing_union", "missing_count", "terms"),
    *("dense_top", "dense_best", "sentence_best", "sentences_mean", "gap_second", "gap_fifth", "score", "lexical"),
    *("title", "named", "pairs_best", "triples_best", "pairs_document", "triples_document", "pairs_sentence"),
    *("phrases_document", "numbers", "numbers_sentence", "numbers_passages", *KINDS, "new_number"),
    *("when_without_date", "how_much_without_number", "cover_chosen", "similarity_chosen"),
)
"""Names of the features, in their order."""

_PASSAGES = 4


def features(evidence: Evidence) -> FloatArray:
    """(len(FEATURES),) float32. All zero where nothing was retrieved."""
    row = np.zeros(len(FEATURES), dtype=np.float32)
    if not evidence.passages or not evidence.terms:
        return row
    top = list(evidence.passages[:_PASSAGES])
    best, covers = _chosen(evidence)
    asked = _asked_numbers(evidence)
    kinds = [float(bool(pattern.search(evidence.question))) for pattern in KINDS.values()]
    chosen_text = best.text if best else ""
    new = any(n not in asked for n in numbers(chosen_text))
    ranked = sorted(covers, reverse=True) or [0.0]
    similar = sorted((s.similarity for s in evidence.found), reverse=True) or [0.0]
    scores = [p.score for p in evidence.passages]
    union = frozenset().union(*(p.terms for p in top))
    document = frozenset().union(*(b.terms for b in evidence.bodies)) if evidence.bodies else union
    named_kinds = dict(zip(KINDS, kinds, strict=True))
    row[:] = [
        evidence.coverage(top[0].terms),
        max(evidence.coverage(p.terms) for p in top),
        evidence.coverage(union),
        evidence.coverage(document),
        ranked[0],
        float(np.mean(ranked[:3])),
        evidence.rarest_missing(top[0].terms),
        min(evidence.rarest_missing(p.terms) for p in top),
        evidence.rarest_missing(document),
        evidence.rarest_missing(union),
        sum(term not in document for term in evidence.terms),
        min(len(evidence.terms), 24),
        top[0].dense,
        max(p.dense for p in evidence.passages),
        similar[0],
        float(np.mean(similar[:3])),
        scores[0] - scores[min(1, len(scores) - 1)],
        scores[0] - scores[min(4, len(scores) - 1)],
        scores[0],
        top[0].lexical,
        max(p.title for p in evidence.passages),
        evidence.named,
        *_phrases(evidence),
        len(asked),
        _held(asked, [chosen_text]),
        _held(asked, [p.text for p in top[:2]]),
        *kinds,
        float(new),
        float(bool(named_kinds["when"]) and not DATE.search(chosen_text)),
        float(bool(named_kinds["how_much"]) and not new),
        evidence.coverage(best.terms) if best else 0.0,
        best.similarity if best else 0.0,
    ]
    return row


def _chosen(evidence: Evidence) -> tuple[Sentence | None, list[float]]:
    covers = [evidence.coverage(s.terms) for s in evidence.found]
    if not covers:
        return None, covers
    combined = [cover + s.similarity for cover, s in zip(covers, evidence.found, strict=True)]
    return evidence.found[int(np.argmax(combined))], covers


def _asked_numbers(evidence: Evidence) -> frozenset[str]:
    return frozenset(numbers(evidence.question))


def _held(asked: frozenset[str], texts: Sequence[str]) -> float:
    """Share of the question's numbers that stand in one of the texts; 1 if it has none."""
    if not asked:
        return 1.0
    present = {n for text in texts for n in numbers(text)}
    return len(asked & present) / len(asked)


def _phrases(evidence: Evidence) -> tuple[float, float, float, float, float, float]:
    """Shares of the question's word pairs and triples (characters in Chinese) found in passages and document."""
    pieces = _pieces(evidence)
    pairs = [gram for piece in pieces for gram in _grams(piece, 2)]
    triples = [gram for piece in pieces for gram in _grams(piece, 3)]
    passages = [squeeze(f"{p.context}\n{p.text}", evidence.language) for p in evidence.passages[:_PASSAGES]]
    bodies = [b.text for b in evidence.bodies] or passages
    found = [squeeze(s.text, evidence.language) for s in evidence.found]
    joined = [_join(piece) for piece in pieces if len(piece) > 1]
    return (
        max((_share(pairs, [text]) for text in passages), default=0.5),
        max((_share(triples, [text]) for text in passages), default=0.5),
        _share(pairs, bodies),
        _share(triples, bodies),
        max((_share(pairs, [text]) for text in found), default=0.5),
        _share(joined, bodies),
    )


def _pieces(evidence: Evidence) -> list[list[str]]:
    """The question cut at function words and named titles: lists of words, or of characters in Chinese."""
    if evidence.language == "zh":
        text = squeeze(evidence.question, "zh")
        # Whole words decide where to cut; the pieces between are compared character by character.
        pieces: list[list[str]] = [[]]
        position = 0
        for word in _plain_words(text):
            place = text.find(word, position)
            if place < 0:
                continue
            position = place + len(word)
            if word in FUNCTION_WORDS or word in evidence.named_terms:
                pieces.append([])
            else:
                pieces[-1].extend(word)
        return [piece for piece in pieces if len(piece) > 1]
    cut: list[list[str]] = [[]]
    for word in words(evidence.question, evidence.language):
        if word in FUNCTION_WORDS or word in evidence.named_terms:
            cut.append([])
        else:
            cut[-1].append(word)
    return [piece for piece in cut if piece]


def _plain_words(text: str) -> list[str]:
    import rjieba

    return [word for word in rjieba.cut(text) if word.strip() and (word[0].isalnum())]


def _grams(piece: list[str], n: int) -> list[str]:
    return [_join(piece[i : i + n]) for i in range(len(piece) - n + 1)]


def _join(parts: list[str]) -> str:
    return ("" if all(len(p) == 1 and not p.isascii() for p in parts) else " ").join(parts)


def _share(grams: list[str], texts: Sequence[str]) -> float:
    """Share of the grams that stand in one of the texts; 0.5, neither for nor against, where there are none."""
    if not grams:
        return 0.5
    return sum(any(gram in text for text in texts) for gram in grams) / len(grams)
