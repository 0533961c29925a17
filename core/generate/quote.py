"""Which sentences to quote: the best one, what it needs to be understood, and others that add to it.

A quote is always a run of the document's own characters: whole sentences, whole lines of a table, whole short lists,
and what follows a sentence that names the thing asked about but does not yet say it. Knows evidence and offsets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.generate.evidence import Evidence, Passage, Sentence
from core.generate.lexicon import DATE, FUNCTION_WORDS, KINDS, numbers
from core.generate.names import names
from core.generate.units import MONTHS

_ENOUGH = 0.82
"""A further sentence is quoted if it scores at least this share of the best."""
_LIST_LINES = 8
"""Lines of a list that are quoted whole."""
_ROOM = {"zh": 130}
_ROOM_ELSE = 320
"""Characters up to which a quote may grow by the sentences that follow it."""
_ENDS = (".", "!", "。", "！", ";", "；", ":", "：", ",", "，")
_ITEM = re.compile(r"[-*•+] |\(?\d{1,2}[.)] ?(?!\d)|[（(]?[一二三四五六七八九十]{1,2}[）)、]")
_NUMBERED = re.compile(r"([a-z]{3,})[ -](\d+)(?![\d.,])")
_OTHER = 0.4
"""Against a sentence about another number of the same thing."""
_UNDER = 0.8
"""Share of a heading's similarity that what stands under it has too."""
_RANK, _KIND, _SHORT = 0.15, 0.2, 0.15
"""Weight of the passage's rank; of being the kind of thing that is asked for; and against a fragment."""


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
    candidates, headings = _under_headings(evidence)
    if not candidates:
        return []
    scores = [_score(evidence, s, h) for s, h in zip(candidates, headings, strict=True)]
    order = sorted(range(len(candidates)), key=lambda i: (-scores[i], i))
    best = candidates[order[0]]
    chosen = [best]
    covered = set(best.terms)
    for i in order[1:]:
        sentence = candidates[i]
        if len(chosen) >= limit or scores[i] < _ENOUGH * scores[order[0]]:
            break
        if any(t in sentence.own_terms and t not in covered for t in evidence.terms):
            chosen.append(sentence)
            covered |= sentence.terms
    quotes = [_whole(evidence, s) for s in chosen]
    quotes[0] = _followed(evidence, quotes[0], limit - len(chosen))
    return [_unmarked(quote) for quote in _merged(quotes)]


def _unmarked(quote: Quote) -> Quote:
    """A single list item without its dash; lists of several keep theirs."""
    text = quote.text
    item = text[2:].lstrip()
    if text[:2] in ("- ", "* ", "• ") and item and "\n" not in text:
        return Quote(quote.passage, quote.end - len(item), quote.end)
    return quote


def _under_headings(evidence: Evidence) -> tuple[list[Sentence], list[Sentence | None]]:
    """The sentences that are no headings, each with the heading it stands under in its passage's text."""
    kept: list[Sentence] = []
    headings: list[Sentence | None] = []
    above: Sentence | None = None
    for sentence in evidence.found:
        if above is not None and above.passage is not sentence.passage:
            above = None
        if _is_heading(sentence.passage, (sentence.start, sentence.end)):
            above = sentence
        else:
            kept.append(sentence)
            headings.append(above)
    return (kept, headings) if kept else (list(evidence.found), [None] * len(evidence.found))


def _score(evidence: Evidence, sentence: Sentence, heading: Sentence | None) -> float:
    rank = next((i for i, p in enumerate(evidence.passages) if p is sentence.passage), 9)
    cover, similar = evidence.coverage(sentence.terms), sentence.similarity
    if heading is not None:
        cover = max(cover, evidence.coverage(sentence.terms | heading.own_terms))
        similar = max(similar, _UNDER * heading.similarity)
    score = cover + similar + _RANK / (1 + rank) + _KIND * (_says(evidence, sentence.text) is True)
    score -= _OTHER * _about_another(evidence.question, sentence.text)
    return score - (_SHORT if len(sentence.own_terms) < 3 else 0.0)


def _about_another(question: str, text: str) -> bool:
    """Whether the text is about another one of the numbered things asked about: "Zone 4" for "Zone 3"."""
    asked = set(_NUMBERED.findall(question.lower()))
    if not asked:
        return False
    told = set(_NUMBERED.findall(text.lower()))
    kinds = {kind for kind, _ in asked if kind not in FUNCTION_WORDS}
    return not asked & told and any(kind in kinds for kind, _ in told)


def _says(evidence: Evidence, text: str) -> bool | None:
    """Whether the text has what the question asks for: a date, a number, a name; None where that cannot be told."""
    question = evidence.question
    if KINDS["when"].search(question):
        return bool(DATE.search(text))
    if KINDS["how_much"].search(question):
        asked = frozenset(numbers(question))
        return any(n not in asked for n in numbers(text))
    if KINDS["who"].search(question):
        known = question.lower()
        found = (name.lower() for name in names(text).inside)
        return any(name not in known and name not in MONTHS for name in found)
    return None


def _followed(evidence: Evidence, quote: Quote, more: int) -> Quote:
    """The quote with the sentences of its line that follow, while there is room and something may be missing."""
    passage, spans = quote.passage, quote.passage.spans
    last = next((i for i, (_, end) in enumerate(spans) if end == quote.end), len(spans))
    room = _ROOM.get(passage.language, _ROOM_ELSE)
    end = first = quote.end
    while more > 0 and last + 1 < len(spans):
        start, following = spans[last + 1]
        same = "\n" not in passage.text[end:start]
        if (
            not same
            or following - quote.start > room
            or (end > first and _says(evidence, passage.text[quote.start : end]))
        ):
            break
        end, last, more = following, last + 1, more - 1
    return Quote(passage, quote.start, end)


def _whole(evidence: Evidence, sentence: Sentence) -> Quote:
    """The sentence, with its list where it opens one or is a step of one, past a heading, to its full stop."""
    passage, spans = sentence.passage, sentence.passage.spans
    first = last = spans.index((sentence.start, sentence.end))
    if _is_heading(passage, spans[first]) or sentence.text.endswith((":", "：")):
        last = _list_end(passage, first + 1) if _is_item(passage, first + 1) else min(first + 2, len(spans) - 1)
    elif KINDS["how_why"].search(evidence.question) and _is_item(passage, first):
        while first > 0 and _is_item(passage, first - 1) and last - first < _LIST_LINES:
            first -= 1
        last = _list_end(passage, first)
    while first > 0 and passage.text[spans[first - 1][1] - 1] in ";；" and _one_line(passage, first - 1):
        first -= 1
    while last + 1 < len(spans) and passage.text[spans[last][1] - 1] in ";；" and _one_line(passage, last):
        last += 1
    return Quote(passage, spans[first][0], spans[last][1])


def _list_end(passage: Passage, first: int) -> int:
    last = first
    while _is_item(passage, last + 1) and last - first + 1 < _LIST_LINES:
        last += 1
    return last


def _one_line(passage: Passage, i: int) -> bool:
    """Whether no line ends between this sentence and the next."""
    return "\n" not in passage.text[passage.spans[i][1] : passage.spans[i + 1][0]]


def _is_heading(passage: Passage, span: tuple[int, int]) -> bool:
    """Whether it is a title: a short line by itself that ends no sentence and is neither an item nor a row."""
    text = passage.text[span[0] : span[1]]
    if len(text) > 100 or "\n" in text or text.endswith(_ENDS):
        return False
    alone = (span[0] == 0 or passage.text[span[0] - 1] == "\n") and passage.text[span[1] : span[1] + 1] in ("", "\n")
    if text in (line.strip() for line in passage.context.split(" > ")):
        return alone
    apart = passage.text[span[1] : span[1] + 2] in ("", "\n\n") and passage.text[max(0, span[0] - 2) : span[0]] in (
        "",
        "\n\n",
    )
    return alone and apart and not _ITEM.match(text) and not re.search(r"[:：;|=\d]", text)


def _is_item(passage: Passage, i: int) -> bool:
    if not 0 <= i < len(passage.spans):
        return False
    start, end = passage.spans[i]
    return bool(_ITEM.match(passage.text[start:end]))


def _merged(quotes: Sequence[Quote]) -> list[Quote]:
    """Neighbouring or overlapping quotes of one passage become one; the order of first appearance stays."""
    merged: list[Quote] = []
    for quote in quotes:
        joined = quote
        place = len(merged)
        for i in range(len(merged) - 1, -1, -1):
            other = merged[i]
            gap = max(joined.start, other.start) - min(joined.end, other.end)
            if joined.passage is other.passage and gap <= 2:
                joined = Quote(joined.passage, min(joined.start, other.start), max(joined.end, other.end))
                place = i
                del merged[i]
        merged.insert(place, joined)
    return merged
