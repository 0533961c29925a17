"""What was retrieved for a question, laid out for judging, quoting and proving.

Knows words, sentences and similarities; knows nothing of stores, indexes or HTTP. Built once per question and read by
`features`, `quote` and `grounding`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from core.generate.lexicon import content_words
from core.text import sentences, words
from core.types import FloatArray

_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, eq=False)
class Passage:
    """A retrieved passage with its scores."""

    id: int
    document_id: str
    context: str
    """Title and headings."""
    text: str
    start: int
    """First character of the passage in its document."""
    lexical: float
    """BM25 divided by the highest score the question could reach, in [0, 1]."""
    dense: float
    """Cosine between question and passage, in [-1, 1]."""
    title: float
    """How much of the document's title the question names, idf-weighted, in [0, 1]."""
    score: float
    """The fused score it was ranked by."""
    language: str = "en"

    @cached_property
    def terms(self) -> frozenset[str]:
        """Stemmed words of context and text."""
        return frozenset(words(f"{self.context}\n{self.text}", self.language, stem=True))

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """Sentence offsets within `text`."""
        return sentences(self.text, self.language)


@dataclass(frozen=True, eq=False)
class Sentence:
    """A sentence of a retrieved passage."""

    passage: Passage
    start: int
    """Offset in the passage's text."""
    end: int
    similarity: float
    """Cosine to the question, in [-1, 1]."""

    @cached_property
    def text(self) -> str:
        """The sentence as it stands."""
        return self.passage.text[self.start : self.end]

    @cached_property
    def terms(self) -> frozenset[str]:
        """Stemmed words of the sentence and of its passage's context."""
        return frozenset(words(f"{self.passage.context}\n{self.text}", self.passage.language, stem=True))

    @cached_property
    def own_terms(self) -> frozenset[str]:
        """Stemmed words of the sentence alone."""
        return frozenset(words(self.text, self.passage.language, stem=True))


@dataclass(frozen=True, eq=False)
class Body:
    """A whole document as sets, to tell what it nowhere mentions."""

    terms: frozenset[str]
    text: str
    """Lower case, without white space for Chinese, single spaces otherwise."""

    @classmethod
    def of(cls, title: str, text: str, language: str) -> Body:
        """Prepare a document; worth caching."""
        return cls(frozenset(words(f"{title}\n{text}", language, stem=True)), squeeze(f"{title}\n{text}", language))


@dataclass(frozen=True, eq=False)
class Evidence:
    """A question and what was found for it, best first."""

    question: str
    language: str
    passages: Sequence[Passage]
    found: Sequence[Sentence]
    """Sentences of the best passages that were compared with the question."""
    idf: Callable[[str], float]
    """Of a stemmed word among all passages."""
    bodies: Sequence[Body] = ()
    """The documents the question names by title, or else the best passage's document."""
    named: int = 0
    """Documents whose title the question names."""
    named_terms: frozenset[str] = field(default_factory=frozenset)
    """Words of those titles: they tell which document is meant, not what is asked."""
    judged: FloatArray | None = None
    """Numbers for the answerability check, where a reader made them; None computes them from what is here."""

    @cached_property
    def terms(self) -> list[str]:
        """Stemmed words of the question that carry what is asked; never empty unless the question is."""
        every = list(dict.fromkeys(content_words(self.question, self.language)))
        asked = [word for word in every if word not in self.named_terms]
        return asked or every or list(dict.fromkeys(words(self.question, self.language, stem=True)))

    @cached_property
    def weights(self) -> FloatArray:
        """(n,) float32 idf of `terms`."""
        return np.array([self.idf(word) for word in self.terms], dtype=np.float32)

    def coverage(self, terms: frozenset[str]) -> float:
        """Share of the question's words, idf-weighted, that stand in `terms`; 0 for an empty question."""
        total = float(self.weights.sum())
        if total <= 0:
            return 0.0
        held = [float(w) for word, w in zip(self.terms, self.weights, strict=True) if word in terms]
        return sum(held) / total

    def rarest_missing(self, terms: frozenset[str]) -> float:
        """idf of the rarest word of the question that is not in `terms`; 0 if all are."""
        return max((float(w) for t, w in zip(self.terms, self.weights, strict=True) if t not in terms), default=0.0)


def squeeze(text: str, language: str) -> str:
    """Lower case; white space dropped in Chinese, single elsewhere."""
    return _SPACE.sub("" if language == "zh" else " ", text.lower()).strip()
