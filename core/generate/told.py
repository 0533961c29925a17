"""What the sentences of a passage hold, prepared once: words, numbers, dates, names, and where they stand.

Knows characters and words; no question, no model. Read by `reader_features` and `silence`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from core.generate.evidence import Passage, squeeze
from core.generate.lexicon import DATE, numbers
from core.generate.names import names
from core.text import words

YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_MONTH = re.compile(
    r"\b(?:january|february|march|april|may|june|july|august|september|october|november|december)\b|(?<!\d)1?\d月",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d+")
_PERCENT = re.compile(r"%|percent|百分之")
_MONEY = re.compile(
    r"[$¥€£]|\b(?:million|billion|thousand|dollars|euros|pounds)\b|\d\s*(?:万|亿|千)?(?:元|美元|人民币)|\d(?:万|亿)",
    re.IGNORECASE,
)
_EXCHANGE = re.compile(r"exchange|nasdaq|nyse|\blse\b|交易所|主板|股票代码|创业板", re.IGNORECASE)
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, eq=False)
class Told:
    """One sentence."""

    text: str
    language: str

    @cached_property
    def lower(self) -> str:
        """The sentence in lower case."""
        return self.text.lower()

    @cached_property
    def terms(self) -> frozenset[str]:
        """Stemmed words."""
        return frozenset(words(self.text, self.language, stem=True))

    @cached_property
    def pairs(self) -> frozenset[str]:
        """Neighbouring words, in Chinese neighbouring characters."""
        return pairs(self.text, self.language)

    @cached_property
    def numbers(self) -> frozenset[str]:
        """As `lexicon.numbers` writes them."""
        return frozenset(numbers(self.text))

    @cached_property
    def months(self) -> frozenset[str]:
        """Named months."""
        return months(self.text)

    @cached_property
    def years(self) -> frozenset[str]:
        """Years from 1900 to 2099."""
        return years(self.text)

    @cached_property
    def names(self) -> frozenset[str]:
        """Names inside the sentence, lower case."""
        return frozenset(name.lower() for name in names(self.text).inside)

    @cached_property
    def number_at(self) -> tuple[int, ...]:
        """Where numbers stand that are no years and no parts of Chinese dates."""
        return tuple(
            m.start()
            for m in _DIGITS.finditer(self.text)
            if not YEAR.fullmatch(m[0]) and self.text[m.end() : m.end() + 1] not in tuple("年月")
        )

    @cached_property
    def date_at(self) -> tuple[int, ...]:
        """Where dates, times and durations stand."""
        return tuple(m.start() for m in DATE.finditer(self.text))

    @cached_property
    def values(self) -> tuple[bool, bool, bool]:
        """Whether it has a percentage, an amount of money, a stock exchange."""
        return tuple(bool(p.search(self.text)) for p in (_PERCENT, _MONEY, _EXCHANGE))  # type: ignore[return-value]


@dataclass(frozen=True, eq=False)
class Facts:
    """A passage's sentences; worth caching."""

    about: frozenset[str]
    """Stemmed words of title and headings."""
    told: tuple[Told, ...]

    @classmethod
    def of(cls, passage: Passage) -> Facts:
        """Cut a passage; each fact is found when it is first asked for."""
        about = frozenset(words(passage.context, passage.language, stem=True))
        return cls(about, tuple(Told(passage.text[a:b], passage.language) for a, b in passage.spans))

    @cached_property
    def terms(self) -> frozenset[str]:
        """All words, title and headings included."""
        return self.about.union(*(t.terms for t in self.told))

    @cached_property
    def pairs(self) -> frozenset[str]:
        """All pairs of its sentences."""
        return frozenset[str]().union(*(t.pairs for t in self.told))


def pairs(text: str, language: str) -> frozenset[str]:
    """Neighbouring words of a text, in Chinese neighbouring characters.

    >>> sorted(pairs("The early fee", "en"))
    ['early fee', 'the early']
    """
    flat = squeeze(text, language)
    if language == "zh":
        return frozenset(flat[i : i + 2] for i in range(len(flat) - 1))
    return joined(_WORD.findall(flat))


def joined(parts: Iterable[str], between: str = " ") -> frozenset[str]:
    """Neighbouring parts joined."""
    each = list(parts)
    return frozenset(f"{a}{between}{b}" for a, b in pairwise(each))


def months(text: str) -> frozenset[str]:
    """Named months, lower case."""
    return frozenset(m.lower() for m in _MONTH.findall(text))


def years(text: str) -> frozenset[str]:
    """Years from 1900 to 2099."""
    return frozenset(YEAR.findall(text))
