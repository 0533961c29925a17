"""How a text is read by its words and by its characters, beside its embedding.

Knows text only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from apps.finance_sentiment.marks import marks
from core.heads.grams import Tokens
from core.text.segment import words

LONGEST = 2_000
"""Characters of a text that are read; a longer one is read sentence by sentence (`sentences`)."""

GRAMS = {"en": ((1, 2), (3, 5)), "zh": ((1, 2), (1, 4))}
"""Shortest and longest gram by family of language: of words, of characters."""

_LINK = re.compile(r"https?://\S+|www\.\S+")
_SPACE = re.compile(r"\s+")


def views(texts: Sequence[str]) -> tuple[list[Tokens], list[Tokens]]:
    """Words, with a word for every comparison of figures; and texts to be read by their characters."""
    plain = [plainly(text) for text in texts]
    return [words(text) + marks(text) for text in plain], list(plain)


def plainly(text: str) -> str:
    """Lower case, one kind of every letter, links and repeated white space gone."""
    text = text[:LONGEST]
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return _SPACE.sub(" ", _LINK.sub(" ", text.lower())).strip()
