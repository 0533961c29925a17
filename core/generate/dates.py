"""Dates of English and Chinese texts: "22 May 2026", "May 22nd", "11 to 22 July", 2026年5月22日, "in May", 2026-05-22.

Knows characters only. What a text leaves out stays open: "May 2026" is any day of it.
"""

from __future__ import annotations

import re

from core.generate.units import MONTHS, any_of

Date = tuple[int | None, int | None, int | None]
"""Year, month, day; None where the text does not say."""


_MONTH = f"(?i:{any_of(MONTHS)})"
_DAY = r"(?<![\d.,:/])(\d{1,2})(?i:st|nd|rd|th)?"
_YEAR = r"((?:19|20)\d\d)(?!\d)"
_DATES = (
    re.compile(
        rf"{_DAY}\s?(?:to|until|and|-|–|—)\s?(\d{{1,2}})(?i:st|nd|rd|th)?\s(?:of\s)?({_MONTH})(?:\.?,?\s{_YEAR})?"
    ),
    re.compile(rf"{_DAY}[\s-](?:of\s)?({_MONTH})(?:\.?,?[\s-]{_YEAR})?"),
    re.compile(rf"\b({_MONTH})\.?\s(\d{{1,2}})(?i:st|nd|rd|th)?(?![\d:]|,\d)(?:,?\s{_YEAR})?"),
    re.compile(rf"\b({_MONTH})\.?,?\s(?:of\s)?{_YEAR}"),
    re.compile(rf"(?<!\d){_YEAR}[-/.](\d{{1,2}})[-/.](\d{{1,2}})(?!\d)"),
    re.compile(rf"(?<!\d)(?:{_YEAR}\s?年\s?)?(\d{{1,2}})\s?月(?:\s?(\d{{1,2}})\s?[日号])?"),
    re.compile(rf"(?<!\d){_YEAR}\s?年"),
)
_MONTH_ALONE = re.compile(
    rf"\b(?:(?P<after>(?i:in|by|until|till|since|from|of|last|next|early|late|mid|before|after|during))[\s-])?(?P<month>{_MONTH})"
)


def read(text: str) -> tuple[set[Date], str]:
    """The dates of a text, and the text without them."""
    found: set[Date] = set()

    def take(match: re.Match[str]) -> str:
        found.update(_parts(match))
        return " ; "

    for pattern in _DATES:
        text = pattern.sub(take, text)
    for match in _MONTH_ALONE.finditer(text):
        name = match["month"]
        ambiguous = len(name) < 4 or name.lower() == "march"
        if match["after"] or not ambiguous or (name[0].isupper() and name.lower() == "march"):
            found.add((None, MONTHS[name.lower()], None))
    return found, text


def _parts(match: re.Match[str]) -> set[Date]:
    groups = [g for g in match.groups() if g]
    months = [MONTHS[g.lower()] for g in groups if g.lower() in MONTHS]
    figures = [int(g) for g in groups if g.isdigit()]
    year = next((n for n in figures if n > 31), None)
    small = [n for n in figures if n <= 31]
    if months:
        return {(year, months[0], day) for day in small} or {(year, months[0], None)}
    return {(year, small[0] if small else None, small[1] if len(small) > 1 else None)}


def stated(date: Date, known: set[Date]) -> bool:
    """Whether the known dates say this one, or its day and its year apart."""
    if any(all(a is None or a == b for a, b in zip(date, other, strict=True)) for other in known):
        return True
    year, month, day = date
    years = {y for y, _, _ in known}
    return year in years and month is not None and (None, month, day) in known
