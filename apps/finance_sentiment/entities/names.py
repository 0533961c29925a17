"""The ways to call a company, and whether the capitals of a text fit one.

Knows letters only; knows nothing of what stands around a name. "apple" is no company in a text that has capitals
elsewhere, "Gm" is none at all, "MICROSOFT" and "microsoft" are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from apps.finance_sentiment.entities.fold import fold
from apps.finance_sentiment.gazetteer import Company

_HAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
_INITIALS = re.compile(r"(?<=\b\w)\.\s?(?=\w\b|\s)")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Capitals that are words before they are tickers: as a bare ticker they say nothing.
_WORDS = _set(
    """
    able ally auto back ball band bank base best bill bold book born bros cake call camp care cars cash chef chip city
    clay coin coke cold cool core cost cube dash data deal deck dirt door down duck earn east easy edge elf else ever
    evil exit eyes fact fair fast fate fish five flag flex flow fold food form four free frog fuel full fund gain game
    gate gold good grab grid grow hall hard have hawk head hear heat help here high hold home hood hope huge idea info
    into iron jack jobs join jump keys kids kind king lake land last laws lead leaf life like line link live load loan
    long loop love luck main many mark mass maze mind mint more most move much must near neon news next nice node note
    nova oils once only open over pack park path pays peak pets pick pill pipe play plus pool port post puma pump pure
    race rail rare real rent rest ride ring road rock root rose ruby rule runs rush safe sage sail sale sand save seed
    self ship shoe shop show sign site skin slow snap snow soul spot spry star stay stem step such suns sure team tech
    teen tell term text than that then tile time tree trip true trust tune turn vale very vino visa wave well west what
    when wind wing wire wish with wolf wood word work yard year yelp zest zinc acre alto amber arch atom beat bird blue
    bolt bond boom boot box call cent chat click cloud crypto drive email enter event every focus fresh frost green
    house human level lucky magic media metal money motor music party peace plant power price prime pulse quick ready
    right river scale share sharp smart smile solar sound south space spark stone store story super sweet swift table
    think tiger today touch tower track trade train trend union value voice water watch white world write young
    """
)


class Kind(Enum):
    """What it takes for a name to count."""

    PLAIN = "plain"
    CONTEXT = "context"
    """The text must speak of a company."""
    BARE = "bare"
    """A ticker of four letters or more, in capitals where others are not."""
    NOT = "not"
    """A phrase that holds a name and means something else."""


@dataclass(frozen=True, slots=True)
class Name:
    """One way to call one company."""

    company: Company
    written: str
    """As the gazetteer has it."""
    kind: Kind
    han: bool
    """Whether it holds Chinese characters (or kana, hangul)."""
    small: bool = True
    """Whether it may stand in small letters where others are capitals."""
    likely: bool = False
    """Whether it is mostly the company, though it needs context."""


def names_of(company: Company) -> Iterator[Name]:
    """Every name of a company, the phrases that are none, and its tickers that may stand bare."""
    marked = {name.removeprefix("~") for name in company.needs_context}
    needy = {fold(name) for name in marked if not name.islower() or _HAN.search(name)}
    for written in company.names:
        kind = Kind.CONTEXT if fold(written) in needy else Kind.PLAIN
        likely = f"~{written}" in company.needs_context
        yield Name(company, written, kind, bool(_HAN.search(written)), fold(written) not in marked, likely)
    for phrase in company.exclude:
        yield Name(company, phrase, Kind.NOT, bool(_HAN.search(phrase)))
    for ticker in company.tickers:
        code = ticker.partition(":")[2]
        if len(code) >= 4 and code.isalpha() and code.lower() not in _WORDS and fold(code) not in needy:
            yield Name(company, code, Kind.BARE, han=False)


def spellings(written: str) -> Iterator[str]:
    """The ways to spell a name that need no entry of their own: "&" as "and", initials without their dots."""
    yield written
    if " & " in written:
        yield written.replace(" & ", " and ")
    if "." in written and (plain := _INITIALS.sub("", written + " ").strip()) != written:
        yield plain


def is_caseless(text: str) -> bool:
    """Whether capitals tell nothing: hardly any, or hardly anything else."""
    sample = text[:2000]
    capitals = sum(map(str.isupper, sample))
    small = sum(map(str.islower, sample))
    return not capitals or capitals > 2 * small


def spelling_fits(name: Name, surface: str, caseless: bool) -> bool:
    """Whether a run of the text, equal to the name but for capitals and blanks, may be it.

    In mixed text small letters do for names of five letters or more that are no ordinary words; a name that needs
    context passes in small letters too, for its context to be judged. Acronyms of up to three letters want capitals.

    :param caseless: whether the text's capitals tell nothing.
    """
    written = name.written
    if name.kind is Kind.NOT:
        return name.han or caseless or not (surface[0].islower() and written.islower() and _capital_later(surface))
    if name.han:
        return " " in written or not any(map(str.isspace, surface))
    if name.kind is Kind.BARE:
        return surface == written and not caseless
    letters = sum(map(str.isalpha, surface))
    if surface.islower() and surface != written:
        return name.small and _small_fits(name, letters, caseless)
    if surface == written or (surface.isupper() and letters >= 4):
        return True
    words = surface.split() if name.kind is Kind.CONTEXT else [surface]
    capitals = all(word[0].isupper() for word in words if word[0].isalpha())
    return capitals and (letters >= 4 or not written.isupper())


def _small_fits(name: Name, letters: int, caseless: bool) -> bool:
    if caseless or name.kind is Kind.CONTEXT:
        return letters >= 4
    return letters >= 5 and not name.written.isupper()


def _capital_later(surface: str) -> bool:
    return any(word[0].isupper() for word in surface.split()[1:])
