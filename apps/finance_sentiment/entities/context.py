"""Whether a text speaks of a company where it uses a word that is also something else.

Knows what stands around a name: the words of finance, the company's own context words, other companies, titles and
other parts of names. Adds up points for and against; two are enough for a capitalised name, more are wanted where
capitals tell nothing (see `judge`). The points are written beside the rules; they were set by reading, not fitted.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cache

from apps.finance_sentiment.entities import words
from apps.finance_sentiment.entities.fold import fold
from apps.finance_sentiment.entities.names import Name
from apps.finance_sentiment.entities.tickers import spells_out
from apps.finance_sentiment.gazetteer import Company

NEAR = 150
"""Characters on each side in which context words are looked for."""
_SENTENCE_END = re.compile(r"[.!?](?=\s)|[。！？;；\n]")
_NEXT = re.compile(r"(?P<own>'s?)?(?P<gap>[ \t]*)(?P<word>[a-z0-9]+|[^\sa-z0-9])?")
_ATTRIBUTE = re.compile(r"-(?:owned|backed|made|branded|led|parent|supplier|maker)")
_LAST_WORD = re.compile(r"([a-z0-9'.]+)[ \t]+$")
_WORD = re.compile(r"[A-Za-z]{4,}")
_OTHER_TICKER = re.compile(
    r"(?:\s+[A-Z][A-Za-z&.,]*){0,3}\s*[(（]\s*(?:[A-Za-z]{3,8}\s*[:：]\s*)(?P<listed>[A-Z.]{1,6})\s*[)）]"
    r"|[\u4e00-\u9fff]{0,2}[(（](?P<mainland>\d{6})(?:\.S[HZ])?[)）]"
)
_LISTED_AROUND = re.compile(r"(?:,|、|和|与|及|/|&| and| or|;)\s*$")
_LISTED_AFTER = re.compile(r"\s*(?:,|、|和|与|及|/|&|and\s|or\s)\s*(?:and\s|or\s)?")


@dataclass(slots=True)
class Page:
    """A text as the judge sees it."""

    text: str
    """What can be read."""
    folded: str
    caseless: bool
    certain: set[str] = field(default_factory=set)
    """Companies the text names beyond doubt."""
    starts: dict[int, int] = field(default_factory=dict)
    """First character of every name found so far -> points that it lends a neighbour in a list."""
    ends: dict[int, int] = field(default_factory=dict)
    """One past its last character -> the same."""

    def sentence(self, start: int, end: int) -> tuple[int, int]:
        """Bounds of the sentence around a place, at most 300 characters on either side."""
        first = max(0, start - 300)
        for match in _SENTENCE_END.finditer(self.text, first, start):
            first = match.end()
        stop = _SENTENCE_END.search(self.text, end, end + 300)
        return first, stop.start() if stop else min(len(self.text), end + 300)


def is_anothers(page: Page, company: Company, end: int) -> bool:
    """Whether a ticker in brackets behind a name says that the name is another company's: 平安电工（001359）."""
    match = _OTHER_TICKER.match(page.text, end)
    return match is not None and not _is_own(company, match)


def judge(page: Page, name: Name, start: int, end: int) -> bool:
    """Whether `page.text[start:end]`, spelled like a name that needs context, is the company.

    Two points are needed; three in a text without capitals or all in capitals; four for small letters where others are
    capitals. Chinese names need two.
    """
    if is_anothers(page, name.company, end):
        return False
    if name.han:
        return _chinese(page, name.company, start, end) + name.likely >= 2
    surface = page.text[start:end]
    if page.folded[start - 1 : start] == "(" and name.company.id not in page.certain:
        spelled_out = page.folded[max(0, start - 80) : start - 1]
        if spells_out(spelled_out, page.folded[start:end]):
            return False
    needed = 3 if page.caseless else 4 if surface.islower() else 2
    return _latin(page, name.company, start, end) + name.likely >= needed


def _is_own(company: Company, match: re.Match[str]) -> bool:
    code = match["listed"] or match["mainland"]
    return any(ticker.partition(":")[2] == code for ticker in company.tickers)


def _latin(page: Page, company: Company, start: int, end: int) -> int:
    first, last = page.sentence(start, end)
    opens = not page.text[first:start].strip("\"'“‘( \t")
    telling = not page.caseless and not _is_title(page.text[first:start] + page.text[end:last])
    points = 3 if company.id in page.certain else 0
    if telling and not opens and page.text[start].isupper():
        points += 1
    points += _after(page, company, end, telling)
    points += _before(page, start, first, telling)
    points += _beside(page, start, end)
    points += _topic(page, company, start, end, (first, last), most=2 if telling else 1)
    return points


def _after(page: Page, company: Company, end: int, telling: bool) -> int:
    """Points of what follows: forms and nouns of finance 3, possessives and verbs of business 2, another name -2."""
    folded = page.folded
    if folded[end : end + 1] == "-":
        return 1 if _ATTRIBUTE.match(folded, end) else -2
    match = _NEXT.match(folded, end)
    word = (match and match["word"]) or ""
    if match is None or not word:
        return 0
    place, own = match.start("word"), bool(match["own"])
    capital = page.text[place].isupper()
    if word in words.LEGAL and not own:
        points = 3 if page.caseless or capital else 0
    elif word in words.NOUNS and (match["gap"] or own):
        points = 3
    elif own or word in words.VERBS:
        points = 2
    elif word in words.AUXILIARIES:
        points = 1
    elif telling and capital and word.isalpha() and word not in words.PLACES:
        points = 0 if _topical(company, folded[place : place + 30]) else -2
    else:
        points = 0
    return points


def _before(page: Page, start: int, first: int, telling: bool) -> int:
    """Points of what comes before: roles and kinds 2, deeds 1, an article or first name -2, another's name -3."""
    begun = max(first, start - 40)
    before = page.folded[begun:start]
    match = _LAST_WORD.search(before)
    word = match[1].strip("'.") if match else ""
    if before.endswith(("'s ", "s' ")) or start in page.ends:
        points = -3
    elif words.ROLES.search(before) or words.KINDS.search(before):
        points = 2
    elif words.DEEDS.search(before):
        points = 1
    elif word in words.DETERMINERS:
        points = -2
    elif match and telling and word.isalpha() and word not in words.BEFORE_NAMES:
        named = begun + match.end(1) in page.ends
        points = -2 if page.text[begun + match.start(1)].isupper() and not named else 0
    else:
        points = 0
    return points


def _beside(page: Page, start: int, end: int) -> int:
    """Points of a neighbour in a list: "Walmart, Target and Gap", 苹果、微软."""
    before = _LISTED_AROUND.search(page.folded, max(0, start - 6), start)
    if before is not None:
        stop = before.start()
        while page.folded[stop - 1 : stop] == " ":
            stop -= 1
        if stop in page.ends:
            return page.ends[stop]
    after = _LISTED_AFTER.match(page.folded, end)
    return page.starts.get(after.end(), 0) if after else 0


def _topic(page: Page, company: Company, start: int, end: int, sentence: tuple[int, int], *, most: int) -> int:
    """Points of the company's context words: one each in the sentence, one in all around it, -3 for one against."""
    speaking, against = _patterns(company)
    first, last = max(sentence[0], start - NEAR), min(sentence[1], end + NEAR)
    here = page.folded[first:start] + "\n" + page.folded[end:last]
    if against is not None and against.search(here):
        return -3
    if speaking is None:
        return 0
    found = {match[0] for match in speaking.finditer(here)}
    if not found and speaking.search(page.folded, max(0, start - NEAR), min(len(page.folded), end + NEAR)):
        return 1
    return min(len(found), most)


def _topical(company: Company, ahead: str) -> bool:
    speaking, _ = _patterns(company)
    return speaking is not None and speaking.match(ahead) is not None


@cache
def _patterns(company: Company) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
    """What finds the words for a company, and those against it, in a folded text."""
    speaking = [fold(word) for word in company.context if not word.startswith("-")]
    against = [fold(word[1:]) for word in company.context if word.startswith("-")]
    return _any_of(speaking), _any_of(against)


def _any_of(found: Collection[str]) -> re.Pattern[str] | None:
    """A Latin word stands alone, a plural s aside; a Chinese one may stand inside others."""
    parts = [
        rf"(?<![a-z0-9]){re.escape(word)}s?(?![a-z0-9])" if word.isascii() else re.escape(word)
        for word in sorted(found, key=len, reverse=True)
        if word
    ]
    return re.compile("|".join(parts)) if parts else None


def _is_title(rest: str) -> bool:
    """Whether the words around a name are capitalised as in a headline, so that capitals tell nothing."""
    found = _WORD.findall(rest)
    return len(found) >= 2 and sum(word[0].isupper() for word in found) >= 0.6 * len(found)


def _chinese(page: Page, company: Company, start: int, end: int) -> int:
    points = 3 if company.id in page.certain else 0
    first, last = page.sentence(start, end)
    first, last = max(first, start - 40), min(last, end + 40)
    points += 3 if words.ZH_AFTER.match(page.folded, end) else 0
    points += 2 if words.ZH_SPEAKS.match(page.folded, end) and not page.text[first:start].strip(' 【“"(（') else 0
    points += 2 if words.ZH_BEFORE.search(page.folded[max(first, start - 8) : start]) else 0
    points += _beside(page, start, end)
    around = page.folded[first:start] + "\n" + page.folded[end:last]
    points += 1 if words.ZH_FINANCE.search(around) else 0
    speaking, against = _patterns(company)
    if against is not None and against.search(around):
        points -= 3
    if speaking is not None:
        if speaking.search(around):
            points += 2
        elif speaking.search(page.folded, max(0, start - NEAR), end + NEAR):
            points += 1
    return points
