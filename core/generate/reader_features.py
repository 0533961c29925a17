"""Numbers of a question and a sentence that tell whether the sentence answers, passage and document beside it.

Not one of them decides; `reader` learns how they go together. Knows words, numbers, dates and scores; no model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.generate.evidence import Passage
from core.generate.lexicon import FUNCTION_WORDS, KINDS, numbers
from core.generate.told import Facts, Told, months, pairs, years
from core.text import words
from core.types import FloatArray, IntArray

_PLAIN = (
    *("cover", "cover_near", "cover_passage", "missing", "missing_near", "missing_passage", "cosine"),
    *("pairs", "pairs_passage", "month", "month_near", "year", "year_near", "numbers_held"),
    *("date", "number", "new_number", *KINDS, "when_date", "much_number", "asks_month", "asks_year"),
    *("lexical", "dense", "title", "score", "rank", "gap", "start", "place", "count", "length", "asked_length"),
    *("first", "named", "about_words", "is_part", "parts", "percent", "money", "asks_percent", "asks_money"),
    *("asks_exchange", "exchange", "percent_fits", "money_fits", "exchange_fits", "new_names", "who_name"),
    *("number_distance", "date_distance", "new_words", "new_words_next", "cover_rest", "number_after"),
)
_AGAINST_ALL = ("cover", "cover_near", "cover_passage", "cosine", "pairs", "score")
_RANKED_ALL = ("cover", "cosine")
_AGAINST_PART = (
    *("cover", "cover_near", "cover_passage", "cosine", "pairs", "pairs_passage", "score", "cover_rest"),
    *("lexical", "dense"),
)
_RANKED_PART = ("cover", "cosine", "cover_rest")

NUMBERS = (
    *_PLAIN,
    *(f"{name}_against_all" for name in _AGAINST_ALL),
    *(f"{name}_rank_all" for name in _RANKED_ALL),
    *(f"{name}_against_part" for name in _AGAINST_PART),
    *(f"{name}_rank_part" for name in _RANKED_PART),
)
"""Names of the numbers, in their order."""

_ASKS_PERCENT = re.compile(
    r"percent|\brate\b|\bratio\b|return on|satisfaction|率|比例|百分|满意度|增长了多少", re.IGNORECASE
)
_ASKS_MONEY = re.compile(
    r"how much|\bvalue\b|amount|revenue|profit|liabilit|cash flow|total equity|invest(?:ed|ment)? (?:of|amount)"
    r"|dividend|资金|金额|价值|总资产|总负债|净利润|收入|股利|投资额|多少(?:美)?元",
    re.IGNORECASE,
)
_ASKS_EXCHANGE = re.compile(r"stock exchange|listing status|traded|where .*listed|交易所|上市", re.IGNORECASE)
_RARE = 4
"""Words of the question, the rarest, from which distances are measured."""
_FAR = 30.0


@dataclass(frozen=True, eq=False)
class Candidate:
    """A passage to be read."""

    passage: Passage
    title: str
    """Of its document."""
    facts: Facts
    similar: FloatArray
    """(sentences,) float32 cosine of each sentence to the question."""


@dataclass(frozen=True, eq=False)
class Reading:
    """A question and the passages to be read for it."""

    question: str
    language: str
    idf: dict[str, float]
    """By stemmed word of the question, those that only name a document left out."""
    parts: tuple[str, ...]
    """Titles the question names."""
    named: int
    """Documents whose title most of the question's words name."""
    candidates: Sequence[Candidate]
    """Best first by the retrievers' fused score."""


def number_rows(reading: Reading) -> tuple[FloatArray, IntArray]:
    """(n, len(NUMBERS)) float32 of all sentences of all candidates, and (n,) the candidate of each."""
    asked = _Asked(reading)
    rows = [row for rank, c in enumerate(reading.candidates) for row in _of_passage(asked, rank, c)]
    at = [i for i, c in enumerate(reading.candidates) for _ in c.facts.told]
    if not rows:
        return np.zeros((0, len(NUMBERS)), np.float32), np.zeros(0, np.int64)
    plain = np.array(rows, np.float32)
    places = np.array(at, np.int64)
    titles = [c.title for c in reading.candidates]
    part = np.array([titles.index(title) for title in titles])[places]
    columns = [plain]
    against = plain[:, _columns(_AGAINST_ALL)]
    columns.append(against - against.max(axis=0))
    ranked = plain[:, _columns(_RANKED_ALL)]
    columns.append(np.argsort(np.argsort(-ranked, axis=0, kind="stable"), axis=0).astype(np.float32))
    columns += _within(plain, part)
    return np.concatenate(columns, axis=1).astype(np.float32), places


def _columns(names: Sequence[str]) -> list[int]:
    return [_PLAIN.index(name) for name in names]


def _within(plain: FloatArray, part: IntArray) -> list[FloatArray]:
    """Against the best sentence of the same document, and the rank among its sentences."""
    values, ranked = plain[:, _columns(_AGAINST_PART)], plain[:, _columns(_RANKED_PART)]
    against, ranks = np.empty_like(values), np.empty_like(ranked)
    for one in np.unique(part):
        mine = part == one
        against[mine] = values[mine] - values[mine].max(axis=0)
        ranks[mine] = np.argsort(np.argsort(-ranked[mine], axis=0, kind="stable"), axis=0)
    return [against, ranks]


class _Asked:
    """The question's side, prepared once."""

    def __init__(self, reading: Reading) -> None:
        q, language = reading.question, reading.language
        self.reading, self.lower = reading, q.lower()
        self.idf, self.total = reading.idf, sum(reading.idf.values()) or 1.0
        self.pairs, self.months, self.years = pairs(q, language), months(q), years(q)
        self.numbers = frozenset(numbers(q))
        self.kinds = {name: float(bool(pattern.search(q))) for name, pattern in KINDS.items()}
        self.percent, self.money, self.exchange = (
            float(bool(p.search(q))) for p in (_ASKS_PERCENT, _ASKS_MONEY, _ASKS_EXCHANGE)
        )
        self.rare = sorted(self.idf, key=lambda term: -self.idf[term])[:_RARE]
        naming = {word for title in reading.parts for word in words(title, language, stem=True)}
        self.rest = {term: weight for term, weight in self.idf.items() if term not in naming}
        self.rest_total = sum(self.rest.values()) or 1.0
        self.top = reading.candidates[0].passage.score if reading.candidates else 0.0
        self.scale = 1.0 if language == "zh" else 4.0

    def cover(self, terms: frozenset[str]) -> float:
        return sum(weight for term, weight in self.idf.items() if term in terms) / self.total

    def missing(self, terms: frozenset[str]) -> float:
        return max((weight for term, weight in self.idf.items() if term not in terms), default=0.0)

    def shared(self, held: frozenset[str]) -> float:
        return len(self.pairs & held) / max(len(self.pairs), 1)

    def new_words(self, told: Told, about: frozenset[str]) -> int:
        return len(told.terms - self.idf.keys() - about - FUNCTION_WORDS)

    def distance(self, places: Sequence[int], hits: Sequence[int]) -> float:
        near = min((abs(a - b) for a in places for b in hits), default=_FAR * self.scale)
        return min(near / self.scale, _FAR)


def _of_passage(asked: _Asked, rank: int, candidate: Candidate) -> list[list[float]]:
    p, facts, told = candidate.passage, candidate.facts, candidate.facts.told
    reading, n = asked.reading, len(told)
    passage = asked.cover(facts.terms), asked.missing(facts.terms), asked.shared(facts.pairs)
    is_part = float(candidate.title in reading.parts)
    scores = (p.lexical, p.dense, p.title, p.score, rank, asked.top - p.score, p.start)
    rows = []
    for i, t in enumerate(told):
        near = frozenset[str]().union(*(s.terms for s in told[max(0, i - 1) : i + 2]))
        before_months = frozenset[str]().union(*(s.months for s in told[max(0, i - 1) : i + 1]))
        before_years = frozenset[str]().union(*(s.years for s in told[max(0, i - 2) : i + 1]))
        new, date = float(bool(t.numbers - asked.numbers)), float(bool(t.date_at))
        percent, money, exchange = t.values
        hits = [at for at in map(t.lower.find, asked.rare) if at >= 0]
        names = sum(name not in asked.lower for name in t.names)
        rows.append(
            [
                *(asked.cover(t.terms), asked.cover(near), passage[0]),
                *(asked.missing(t.terms), asked.missing(near), passage[1]),
                *(float(candidate.similar[i]), asked.shared(t.pairs), passage[2]),
                *(_held(asked.months, t.months), _held(asked.months, before_months)),
                *(_held(asked.years, t.years), _held(asked.years, before_years)),
                len(asked.numbers & t.numbers) / len(asked.numbers) if asked.numbers else -1.0,
                *(date, float(bool(t.numbers)), new, *asked.kinds.values()),
                *(asked.kinds["when"] * date, asked.kinds["how_much"] * new),
                *(len(asked.months), len(asked.years), *scores, i, n, len(t.text), len(reading.question)),
                *(float(i == 0), reading.named, len(facts.about), is_part, len(reading.parts)),
                *(percent, money, asked.percent, asked.money, asked.exchange, exchange),
                *(asked.percent * percent, asked.money * money, asked.exchange * exchange),
                *(names, asked.kinds["who"] * (names > 0)),
                *(asked.distance(t.number_at, hits), asked.distance(t.date_at, hits)),
                asked.new_words(t, facts.about),
                asked.new_words(told[i + 1], facts.about) if i + 1 < n else 0,
                sum(weight for term, weight in asked.rest.items() if term in t.terms) / asked.rest_total,
                float(bool(hits) and any(at > max(hits) for at in t.number_at)),
            ]
        )
    return rows


def _held(asked: frozenset[str], told: frozenset[str]) -> float:
    """1 or 0, whether one of those asked for is told; -1 where none is asked for."""
    return float(bool(asked & told)) if asked else -1.0
