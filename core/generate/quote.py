"""Which sentences to quote: the best one, what it needs to be understood, and others that add to it.

Knows evidence and offsets. A quote is always a run of the document's own characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.generate.evidence import Evidence, Passage, Sentence
from core.generate.lexicon import KINDS

_ENOUGH = 0.82
"""A further sentence is quoted if it scores at least this share of the best."""
_LIST_LINES = 8
"""Lines of a list that are quoted whole."""


@dataclass(frozen=True, eq=False)
class Quote:
    """A run of sentences of one passage."""

    passage: Passage
    start: int
    """First character in the passage's text."""
    end: int

    @property
    def text(self) -> str:
        """The document's own words."""
        return self.passage.text[self.start : self.end]


def choose(evidence: Evidence, *, limit: int = 3) -> list[Quote]:
    """Quotes that answer best, in the order to show them; empty where nothing was found.

    :param limit: sentences in all, lists counted once.
    """
    if not evidence.found:
        return []
    scored = sorted(
        ((_score(evidence, s), i) for i, s in enumerate(evidence.found)), key=lambda pair: (-pair[0], pair[1])
    )
    best_score, best = scored[0][0], evidence.found[scored[0][1]]
    chosen = [best]
    covered = set(best.terms)
    for score, i in scored[1:]:
        if len(chosen) >= limit or score < _ENOUGH * best_score:
            break
        sentence = evidence.found[i]
        adds = any(t in sentence.own_terms and t not in covered for t in evidence.terms)
        if adds or (sentence.passage is best.passage and _next_to(sentence, chosen)):
            chosen.append(sentence)
            covered |= sentence.terms
    return _merged([_whole(evidence, s) for s in chosen])


def _score(evidence: Evidence, sentence: Sentence) -> float:
    rank = next((i for i, p in enumerate(evidence.passages) if p is sentence.passage), 9)
    short = 0.15 if len(sentence.own_terms) < 4 else 0.0
    return evidence.coverage(sentence.terms) + sentence.similarity + 0.25 / (1 + rank) - short


def _next_to(sentence: Sentence, chosen: Sequence[Sentence]) -> bool:
    spans = sentence.passage.spans
    at = spans.index((sentence.start, sentence.end))
    places = [spans.index((s.start, s.end)) for s in chosen if s.passage is sentence.passage]
    return any(abs(at - place) == 1 for place in places)


def _whole(evidence: Evidence, sentence: Sentence) -> Quote:
    """The sentence, with its list where it opens one or is a step of one, and past a bare heading."""
    passage, spans = sentence.passage, sentence.passage.spans
    first = last = spans.index((sentence.start, sentence.end))
    how = bool(KINDS["how_why"].search(evidence.question))
    if _is_heading(passage, spans[first]) or sentence.text.rstrip().endswith((":", "：")):
        reach = _LIST_LINES if _is_item(passage, spans, first + 1) else 1
        while last + 1 < len(spans) and last - first < reach:
            last += 1
            if reach > 1 and last + 1 < len(spans) and not _is_item(passage, spans, last + 1):
                break
    elif how and _is_item(passage, spans, first):
        while first > 0 and _is_item(passage, spans, first - 1):
            first -= 1
        while last + 1 < len(spans) and _is_item(passage, spans, last + 1) and last - first < _LIST_LINES:
            last += 1
    return Quote(passage, spans[first][0], spans[last][1])


def _is_heading(passage: Passage, span: tuple[int, int]) -> bool:
    text = passage.text[span[0] : span[1]]
    return (
        len(text) < 80 and not text.endswith((".", "!", "?", "。", "！", "？", ";", "；")) and text in passage.context
    )


def _is_item(passage: Passage, spans: Sequence[tuple[int, int]], i: int) -> bool:
    if not 0 <= i < len(spans):
        return False
    text = passage.text[spans[i][0] : spans[i][1]].lstrip()
    return text[:2] in ("- ", "* ", "• ") or (text[:1].isdigit() and text[:4].find(".") in (1, 2))


def _merged(quotes: Sequence[Quote]) -> list[Quote]:
    """Neighbouring or overlapping quotes of one passage become one; the order of first appearance stays."""
    merged: list[Quote] = []
    for quote in quotes:
        for i, other in enumerate(merged):
            gap = max(quote.start, other.start) - min(quote.end, other.end)
            if quote.passage is other.passage and gap <= 2:
                merged[i] = Quote(quote.passage, min(quote.start, other.start), max(quote.end, other.end))
                break
        else:
            merged.append(quote)
    return merged
