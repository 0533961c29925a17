"""Names in a text: capitalised words, and in Chinese what the word cutter takes for people, places and firms.

Knows characters and closed-class words; no passages, no model. Linear in the length of the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from core.generate.lexicon import FUNCTION_WORDS
from core.generate.units import MONTHS, WEEKDAYS

_LATIN = "A-Za-z\u00c0-\u024f"
_WORD = re.compile(rf"[{_LATIN}0-9](?:[{_LATIN}0-9_&-]*[{_LATIN}0-9])?(?:['’](?!s\b)[{_LATIN}]+)?|\n|[^\w\s]")
_PIECE = re.compile(r"[^\W_a-z0-9à-ɏ]+|[a-z0-9à-ɏ]+")
_POSSESSIVE = re.compile(r"['’]s\b")
_CHINESE = re.compile("[\u4e00-\u9fff]")
_QUOTED = re.compile(r"[「『《“]([^「」『』《》“”\n]{1,40})[」』》”]")
_STARTS = frozenset('.!?:;"“”‘(（[*-•\n。！？：；')
_PROPER = frozenset(("nr", "nrt", "nrfg", "ns", "nt", "nz"))
"""Tags of people, places, organisations and other proper names."""
_OPENERS = """
yes no however therefore please also additionally furthermore moreover according customers note i ok okay there
once after before during while since although because unless both either neither many most some several few each
instead otherwise thus hence finally next later currently usually normally
"""
_COMMON = frozenset(_OPENERS.split())

_DATED = (frozenset(MONTHS) | frozenset(WEEKDAYS)) - {"may", "march"}
"""Words that are facts of their own kind."""


@dataclass(slots=True)
class Names:
    """Names of a text, repeats kept, in order."""

    inside: list[str] = field(default_factory=list)
    """Runs of capitalised words, and proper names in Chinese."""
    opening: list[str] = field(default_factory=list)
    """Capitalised words that open a sentence, line or quotation: they may be no names."""


def names(text: str) -> Names:
    """The names of a text of one or more sentences."""
    found = Names()
    run: list[str] = []
    chinese = bool(_CHINESE.search(text))
    opens, end = True, -2
    for match in _WORD.finditer(text):
        word = match[0]
        dated = len(word) > 3 and word.lower() in _DATED
        if dated or not word[0].isalnum() or any(c.isdigit() for c in word):  # signs, numbers, models, dates
            _close(run, found)
            opens = word in _STARTS or (opens and (dated or word.isdigit()))
            continue
        if match.start() != end + 1 or text[end] not in " \u00a0":
            _close(run, found)
        if not (chinese and len(word) > 1) and word.islower():
            _close(run, found)
        elif opens:
            _close(run, found)
            if word.lower() not in FUNCTION_WORDS and word.lower() not in _COMMON:
                found.opening.append(word)
        else:
            run.append(word)
        opens, end = False, match.end()
    _close(run, found)
    if chinese:
        found.inside += _proper(text)
    return found


def named_in(name: str, haystack: str) -> bool:
    """Whether the name stands in a text prepared by `haystack`, as whole words."""
    if _CHINESE.search(name):
        return _flat(name).replace(" ", "") in haystack.replace(" ", "")
    return _flat(name) in haystack


def haystack(text: str) -> str:
    """Words of a text in lower case between single spaces, for `named_in`."""
    return _flat(text)


def _flat(text: str) -> str:
    return f" {' '.join(_PIECE.findall(_POSSESSIVE.sub('', text.lower())))} "


def _close(run: list[str], found: Names) -> None:
    first, last = 0, len(run)
    while first < last and run[first].lower() in FUNCTION_WORDS:
        first += 1
    while last > first and run[last - 1].lower() in FUNCTION_WORDS:
        last -= 1
    if last > first:
        found.inside.append(" ".join(run[first:last]))
    run.clear()


def _proper(text: str) -> list[str]:
    import rjieba

    tagged = [word for word, tag in rjieba.tag(text) if tag in _PROPER and _CHINESE.search(word)]
    return tagged + [m[1] for m in _QUOTED.finditer(text) if _CHINESE.search(m[1])]
