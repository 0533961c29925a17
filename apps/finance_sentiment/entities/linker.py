"""Finds the companies that a text names, and how much it is about each.

Knows texts and a gazetteer; knows nothing of sentiment or stores. One pass over the text finds tickers and names, the
longest first from the left; those that are beyond doubt stand, and help to judge those that need context. A Chinese
name of two characters must not cut a word in two (中行 in 其中行业): rjieba tells the words around it.

Relevance of a company, in (0, 1]: `place * (1 + share) / 2`. `place` is that of its most telling mention: 1 in the
title, .8 in the first sentence of the body behind it (1 where there is no title), then falling with the position from
.6 to .2; places where the company only judges others (`roles`) count .4 of that. `share` is its part of the weights
`place * (1 + log2(count))` of all companies in the text. One company in the title has 1, two have .75 each; the tenth
of a list of tags about .55; one far down in a long text .2.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from apps.finance_sentiment.entities.context import Page, is_anothers, judge
from apps.finance_sentiment.entities.fold import Readable, fold, readable, without_addresses
from apps.finance_sentiment.entities.lexicon import Lexicon
from apps.finance_sentiment.entities.names import Kind, Name, is_caseless
from apps.finance_sentiment.entities.roles import passes_on
from apps.finance_sentiment.entities.tickers import find_tickers
from apps.finance_sentiment.gazetteer import Company, Gazetteer, shipped
from apps.finance_sentiment.schemas import Incoming, Mention
from core.text.segment import sentences

LONGEST = 50_000
"""Characters of a text that are read; what comes later is not searched."""
JUDGE = 0.4
"""Weight of a place where a company speaks of others."""
MOST = 1_000
"""Mentions that are taken from one text."""

_INDUSTRY = ("行业", "产业", "企业", "业")
_NO_INDUSTRY = ("业绩", "业务", "业内")


class Span(NamedTuple):
    """A mention before relevance is known; places in the readable text."""

    start: int
    end: int
    company: Company


class Linker:
    """Finds the companies of one gazetteer. Holds no state of texts, so threads may share it."""

    def __init__(self, gazetteer: Gazetteer | None = None) -> None:
        """:param gazetteer: None takes the shipped companies."""
        self.gazetteer = shipped() if gazetteer is None else gazetteer
        self._lexicon = Lexicon(self.gazetteer)

    def find(self, text: Incoming) -> tuple[Mention, ...]:
        """The companies a text names, each once, at its most telling place; the most relevant first.

        Places are in `text.text`, of which the first 50,000 characters are read. Of a company named twice in the same
        kind of place, the first mention is taken.
        """
        best: dict[str, tuple[float, Mention]] = {}
        for place, mention in self._found(text):
            if mention.entity not in best or place > best[mention.entity][0]:
                best[mention.entity] = (place, mention)
        return tuple(sorted((m for _, m in best.values()), key=lambda m: (-m.relevance, m.start)))

    def find_all(self, text: Incoming) -> tuple[Mention, ...]:
        """Every mention in the order of the text, each with the relevance of its company."""
        return tuple(mention for _, mention in self._found(text))

    def _found(self, text: Incoming) -> list[tuple[float, Mention]]:
        whole = text.text[:LONGEST] if len(text.title) + len(text.body) < 2 * LONGEST else _beginning(text)
        seen = readable(whole)
        spans = self.spans(seen.text)
        if not spans:
            return []
        title = min(len(text.title), LONGEST) if text.body else 0
        places = _places(spans, seen, whole, title)
        relevance = _relevance(spans, places)
        found = []
        for span, place in zip(spans, places, strict=True):
            start, end = seen.original(span.start, span.end)
            id = span.company.id
            found.append((place, Mention(id, whole[start:end], start, end, relevance[id])))
        return found

    def spans(self, text: str) -> list[Span]:
        """Every mention in a text without markup, in order; none inside another."""
        folded = without_addresses(fold(text))
        page = Page(text, folded, is_caseless(text))
        sure: list[Span] = []
        doubtful: list[tuple[int, int, tuple[Name, ...]]] = []
        ends: dict[int, set[str]] = defaultdict(set)
        for start, end, names in self._lexicon.candidates(folded, text):
            if len(sure) + len(doubtful) >= MOST:
                break
            if names[0].kind is Kind.NOT or not _stands_alone(page, start, end, names[0]):
                continue
            for name in names:
                ends[end].add(name.company.id)
            if len(names) == 1 and names[0].kind is not Kind.CONTEXT:
                sure.append(Span(start, end, names[0].company))
            else:
                doubtful.append((start, end, names))
        tickers = [Span(*place) for place in find_tickers(folded, text, self.gazetteer, _named(folded, ends))][:MOST]
        for span in (*sure, *tickers):
            _note(page, span, 2)
        _weigh(page, doubtful, sure)
        taken = {i for span in tickers for i in range(span.start, span.end)}
        kept = [span for span in sure if span.start not in taken and span.end - 1 not in taken]
        return sorted([*tickers, *kept], key=lambda span: span[:2])


def _beginning(text: Incoming) -> str:
    """The first characters of a huge text, without putting the whole together."""
    return Incoming(text.id, text.source, text.received_at, text.title[:LONGEST], text.body[:LONGEST]).text[:LONGEST]


def _note(page: Page, span: Span, points: int) -> None:
    if points > 1:
        page.certain.add(span.company.id)
    page.starts[span.start] = page.ends[span.end] = points


def _weigh(page: Page, doubtful: Iterable[tuple[int, int, tuple[Name, ...]]], sure: list[Span]) -> None:
    """Move the doubtful names that are companies to the sure ones; twice, as each helps its neighbours in a list."""
    waiting = list(doubtful)
    for start, end, names in waiting:
        if page.text[start].isupper() or names[0].likely:
            page.starts.setdefault(start, 1)
            page.ends.setdefault(end, 1)
    for _ in range(2):
        left = []
        for start, end, names in waiting:
            name = _chosen(page, names, start, end)
            if name is None:
                left.append((start, end, names))
            else:
                sure.append(Span(start, end, name.company))
                _note(page, sure[-1], 2)
        if not left or len(left) == len(waiting):
            return
        waiting = left


def _chosen(page: Page, names: tuple[Name, ...], start: int, end: int) -> Name | None:
    """The company that a doubtful name is; of several that share it, one that the text names otherwise comes first."""
    ranked = sorted(names, key=lambda name: name.company.id not in page.certain)
    return next((name for name in ranked if judge(page, name, start, end)), None)


def _stands_alone(page: Page, start: int, end: int, name: Name) -> bool:
    """Whether a name is not part of another ticker or, in Chinese, of other words or another name."""
    folded = page.folded
    if not name.han:
        return folded[start - 1 : start] != "$"
    if end - start < 4 and is_anothers(page, name.company, end):
        return False
    if folded.startswith("中国", start) and folded.startswith(_INDUSTRY, end):
        return folded.startswith(_NO_INDUSTRY, end)
    return end - start > 2 or not _cuts_a_word(folded, start, end)


def _cuts_a_word(folded: str, start: int, end: int) -> bool:
    first = max(0, start - 8)
    place = first
    for word in _words(folded[first : end + 8]):
        stop = place + len(word)
        if place < start < stop or start < place < end < stop:
            return True
        if place >= end:
            break
        place = stop
    return False


def _words(text: str) -> list[str]:
    import rjieba

    cut: list[str] = rjieba.cut(text, False)
    return cut


def _named(folded: str, ends: dict[int, set[str]]) -> Callable[[Company, int], bool]:
    def named(company: Company, place: int) -> bool:
        while place and folded[place - 1] in " \t(（[【a":
            if place in ends and company.id in ends[place]:
                return True
            place -= 1
        return company.id in ends.get(place, ())

    return named


def _places(spans: list[Span], seen: Readable, whole: str, title: int) -> list[float]:
    """How telling the place of each mention is: 1 in the title, .8 in the first sentence, then .6 to .2."""
    opening = title + 1 if title else 0
    ahead = sentences(whole[opening : opening + 600])
    first = opening + (ahead[0][1] if ahead else 0)
    rest = max(1, len(whole) - first)
    folded = fold(seen.text)
    found = []
    for span in spans:
        start, _ = seen.original(span.start, span.end)
        if start < title:
            found.append(1.0)
        elif start < first:
            found.append(0.8 if title else 1.0)
        else:
            found.append(0.6 - 0.4 * (start - first) / rest)
        if passes_on(folded, span.start, span.end):
            found[-1] *= JUDGE
    return found


def _relevance(spans: list[Span], places: list[float]) -> dict[str, float]:
    best: dict[str, float] = defaultdict(float)
    count: dict[str, int] = defaultdict(int)
    for span, place in zip(spans, places, strict=True):
        best[span.company.id] = max(best[span.company.id], place)
        count[span.company.id] += 1
    weights = {id: place * (1 + math.log2(count[id])) for id, place in best.items()}
    total = sum(weights.values())
    return {id: round(best[id] * (1 + weights[id] / total) / 2, 4) for id in best}
