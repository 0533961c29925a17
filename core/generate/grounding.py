"""Proof that a written sentence says only what a passage says.

Every number, date and name of the sentence must stand in one passage, most of its words too, its polarity must be
that of the passage's nearest sentence, and the two must mean about the same. What cannot be proved is not said. Knows
text and vectors; the generator is somebody else's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.generate.evidence import Passage
from core.generate.lexicon import FUNCTION_WORDS, content_words, numbers
from core.text import sentences
from core.types import FloatArray

Encode = Callable[[Sequence[str]], FloatArray]
"""Texts to (n, d) float32, rows L2-normalised."""

_COVERED = 0.7
"""Share of the sentence's content words that its passage must hold."""
_SIMILAR = 0.62
"""Cosine to the passage's nearest sentence, at least."""
_NAME = re.compile(r"(?<![.!?:]\s)(?<!^)(?<![\"“(])\b[A-Z][\w&’'-]*(?:\s+[A-Z][\w&’'-]*)*")
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|neither|nor|cannot|without|unless|except)\b|n['’]t\b|不|没|无|未|非|勿|除外", re.IGNORECASE
)
_SPELLED = {
    w: str(i)
    for i, w in enumerate("zero one two three four five six seven eight nine ten eleven twelve".split())  # noqa: SIM905
}


@dataclass(frozen=True, slots=True)
class Proof:
    """Which passage proves a sentence, or why none does."""

    passage: int | None
    """Index of the passage; None if it is not proved."""
    start: int = 0
    """Offset of the passage's nearest sentence."""
    end: int = 0
    reason: str = ""
    """Why not: "number", "name", "words", "polarity", "meaning" or "empty"."""


def prove(sentence: str, passages: Sequence[Passage], encode: Encode) -> Proof:
    """Look for the passage that proves the sentence, in the order given; the last failure is the reason."""
    if not re.search(r"\w", sentence):
        return Proof(None, reason="empty")
    reason = "words"
    for i, passage in enumerate(passages):
        reason = _lacks(sentence, passage)
        if reason:
            continue
        spans = passage.spans or [(0, len(passage.text))]
        rows = encode([sentence, *(passage.text[a:b] for a, b in spans)])
        nearest = int((rows[1:] @ rows[0]).argmax())
        start, end = spans[nearest]
        if float(rows[1 + nearest] @ rows[0]) < _SIMILAR:
            reason = "meaning"
        elif _negated(sentence) != _negated(passage.text[start:end]):
            reason = "polarity"
        elif any(n not in numbers_of(passage.text[start:end] + " " + passage.context) for n in numbers_of(sentence)):
            reason = "number"
        else:
            return Proof(i, start, end)
    return Proof(None, reason=reason)


def unsupported(text: str, sources: Sequence[str]) -> list[str]:
    """Numbers and names of the text that stand in none of the sources; empty is what an answer must have."""
    joined = "\n".join(sources)
    known = numbers_of(joined)
    lowered = joined.lower()
    loose = [n for n in sorted(numbers_of(text)) if n not in known]
    for start, end in sentences(text):
        loose += [name for name in names_of(text[start:end]) if name.lower() not in lowered]
    return loose


def numbers_of(text: str) -> frozenset[str]:
    """Numbers of a text in one spelling: digits, without thousands separators; small ones in words count too."""
    spelled = {_SPELLED[w] for w in re.findall(r"[a-z]+", text.lower()) if w in _SPELLED}
    return frozenset(n.rstrip("%") for n in numbers(text)) | spelled


def names_of(sentence: str) -> list[str]:
    """Capitalised words inside a sentence, as in names of people, products, months and places."""
    found = [match[0] for match in _NAME.finditer(sentence)]
    return [name for name in found if name.lower() not in FUNCTION_WORDS and name not in ("I", "I'm", "OK")]


def _lacks(sentence: str, passage: Passage) -> str:
    whole = f"{passage.context}\n{passage.text}"
    digits = frozenset(n.rstrip("%") for n in numbers(sentence))
    if not digits <= numbers_of(whole):
        return "number"
    lowered = whole.lower()
    if any(name.lower() not in lowered for name in names_of(sentence)):
        return "name"
    asked = content_words(sentence, passage.language)
    if not asked:
        return "empty"
    held = sum(word in passage.terms for word in asked) / len(asked)
    return "" if held >= _COVERED else "words"


def _negated(text: str) -> bool:
    return bool(_NEGATION.search(text))
