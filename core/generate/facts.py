"""Numbers with their units, dates, names and models of a text, each in one spelling, so that two texts can be compared.

"$50", "50 dollars" and "US$50.00" are one fact; "$50", "€50" and "50 days" are three; "three days" is "3 days" is 三天.
Knows characters of English and Chinese; no passages, no model. Linear in the length of the text.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from decimal import Decimal

from core.generate import dates
from core.generate.dates import Date
from core.generate.lexicon import FUNCTION_WORDS
from core.generate.units import (
    CURRENCIES,
    ENGLISH_NUMBERS,
    ORDINALS,
    PERIOD_WORDS,
    PERIODS,
    SCALES,
    UNIT,
    WEEKDAYS,
    any_of,
    chinese_number,
    unit_of,
)

_CHINESE_NUMERAL = re.compile(
    rf"(?P<lead>第|百分之)?(?P<value>[零〇一二三四五六七八九两十百千万亿]{{1,12}})(?P<unit>{UNIT}|号|日|月)?"
)
_SMALL = any_of(ENGLISH_NUMBERS)
_SPELLED = re.compile(
    rf"(?i:\b(?:(?P<a>an?)\s(?=hundred|thousand|million|dozen))?(?:{_SMALL}|hundred\b|thousand\b)"
    rf"(?:[\s-](?:and\s)?(?:{_SMALL}|hundred\b|thousand\b)){{0,8}})"
)
_NOT_A_NUMBER = re.compile(
    r"(?i:\b(?:no|any|some|every|each|this|that|which|the|other|older|newer|bigger|smaller|new|old)[\s-])$"
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_PERCENT = re.compile(r"百分之\s?(\d+(?:\.\d+)?)(?!\d)")
_LABEL = re.compile(r"(?<![A-Za-z])([A-Z][A-Za-z]+)[ -]$")
_MODEL = re.compile(r"[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+|\.\d+)*")
_COUNTED = re.compile(rf"\d[\d.,]*(?:-[a-z]+|st|nd|rd|th|am|pm|x|k|bn|mn|{UNIT})", re.ASCII)
_ADDRESS = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@[\w.-]{1,255}|https?://[^\s\"'<>）)]{1,500}|(?<!\w)www\.[^\s\"'<>）)]{1,500}"
)
_CLOCK = re.compile(
    r"(?<![\d.:])(\d{1,2})(?:[:.](\d\d))?\s?([ap])\.?m\b\.?|(?<![\d.:])(\d{1,2}):(\d\d)(?![:\d])|(?<!\d)(\d{1,2})点(?!数)(半)?",
    re.I,
)
_QUANTITY = re.compile(
    rf"(?:每(?P<each>{any_of(w for w in PERIODS if not w.isascii())}|月|日)[^\d\s，。,.]{{0,4}})?"
    rf"(?P<currency>(?i:{any_of(CURRENCIES)})\s?)?(?P<sign>(?<![\w)\]%])[-−])?(?P<value>\d+(?:[.,]\d+)*)"
    rf"(?P<scale>\s?(?i:{any_of(s for s in SCALES if s.isascii())})|(?<=\d)m(?=\b)(?<=[$€£]\dm)|\s?[百千万亿]{{1,2}})?"
    rf"(?:[\s-]?(?:(?P<work>(?i:business|working)[\s-])|(?i:calendar|full|consecutive|more|further|extra|additional)\s)?(?P<unit>{UNIT}))?"
    rf"(?:\s?(?:/|(?i:per|an?|each|every)\s|每)\s?(?P<per>(?i:{any_of(PERIODS)})|月|日))?"
)
_RANGE = re.compile(r"\s?(?:to|or|and|-|–|—|~|至|到|或)\s?[$€£¥]?$")
_CHINESE_PERIODS = any_of(w for w in PERIODS if not w.isascii())
_PERIOD = re.compile(
    rf"(?i:\b(?:per|an?|each|every)\s({any_of(PERIODS)}))|[每/]\s?({_CHINESE_PERIODS}|[月日])"
    rf"|(\b(?i:{any_of(w for w in PERIOD_WORDS if w.isascii())})|{any_of(w for w in PERIOD_WORDS if not w.isascii())})"
)
_WEEKDAY = re.compile(
    rf"(?i:\b(?:{any_of(w for w in WEEKDAYS if w.isascii())}))|{any_of(w for w in WEEKDAYS if not w.isascii())}"
)
_ORDINAL = re.compile(
    rf"(?<!per )(?<!a )(?<!\d )\b(?i:({any_of(ORDINALS)})|(\d{{1,4}})(?:st|nd|rd|th))\b|第\s?(\d{{1,4}})"
)
_PART = re.compile(r"(?i:\b(?:half|twice|double|triple|quarter|thrice)\b)|一半|双倍|翻倍|四分之|三分之")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as it is meant."""

    value: str
    unit: str = ""
    """One name a unit; empty where none stands beside the number."""
    per: str = ""
    """ "month" in "£3 a month"."""

    def __str__(self) -> str:
        return " ".join(part for part in (self.value, self.unit, self.per and f"per {self.per}") if part)


@dataclass(slots=True)
class Facts:
    """What a text states that must not be invented. Names are found by `names`."""

    quantities: set[Quantity] = field(default_factory=set)
    dates: set[Date] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    """Others with their kind: "weekday:1", "model:a5", "label:zone 3", "ordinal:2", "part:half", "address:..."."""
    periods: set[str] = field(default_factory=set)

    def missing_from(self, source: Facts) -> list[str]:
        """What the source does not state, in words; numbers first."""
        lost = sorted(str(q) for q in self.quantities if not _stated(q, source))
        lost += sorted("-".join(str(p) for p in d if p) for d in self.dates if not dates.stated(d, source.dates))
        return lost + sorted(self.words - source.words) + sorted(f"per {p}" for p in self.periods - source.periods)


def facts(text: str) -> Facts:
    """Everything of a text that can be checked word for word, names aside."""
    found = Facts()
    text = _PERCENT.sub(r"\1%", unicodedata.normalize("NFKC", _numerals(text)))
    text = _addresses(text, found)
    found.dates, text = dates.read(text)
    found.words |= {f"weekday:{WEEKDAYS[m[0].lower()]}" for m in _WEEKDAY.finditer(text)}
    found.words |= {f"part:{m[0].lower()}" for m in _PART.finditer(text)}
    found.periods |= {
        PERIOD_WORDS.get(w.lower()) or _period(w) for m in _PERIOD.finditer(text) for w in m.groups() if w
    }
    text = _spelled(text)
    for match in _ORDINAL.finditer(text):
        found.words.add(f"ordinal:{ORDINALS[match[1].lower()] if match[1] else int(match[2] or match[3])}")
    text = _ORDINAL.sub(" ", text)
    text = _models(text, found)
    text = _clock(text, found)
    _quantities(text, found)
    return found


def _stated(quantity: Quantity, source: Facts) -> bool:
    same = [q for q in source.quantities if q.value == quantity.value and q.unit == quantity.unit]
    return any(not quantity.per or not q.per or q.per == quantity.per for q in same)


def _addresses(text: str, found: Facts) -> str:
    def take(match: re.Match[str]) -> str:
        found.words.add(f"address:{match[0].lower().rstrip('.,;:')}")
        return " "

    return _ADDRESS.sub(take, text) if "@" in text or "://" in text or "www." in text else text


def _numerals(text: str) -> str:
    """Chinese numerals before a unit, or after 第 or 百分之, as digits."""

    def digits(match: re.Match[str]) -> str:
        lead, spelled, unit = match["lead"] or "", match["value"], match["unit"] or ""
        value = chinese_number(spelled) if lead or unit else None
        if value is None or (spelled == "一" and not lead and unit_of(unit) in _COUNTERS) or spelled in _SCALE_WORDS:
            return match[0]
        return f"{lead}{value}{unit}"

    return _CHINESE_NUMERAL.sub(digits, text)


_COUNTERS = frozenset("piece unit name sheet group item share hand time person point".split())  # noqa: SIM905
_SCALE_WORDS = frozenset("百千万亿")


def _spelled(text: str) -> str:
    def digits(match: re.Match[str]) -> str:
        spelled = match[0].lower()
        if spelled == "one" and (
            _NOT_A_NUMBER.search(text[max(0, match.start() - 12) : match.start()]) or _one(text, match)
        ):
            return match[0]
        return str(_value(re.split(r"[\s-]+", spelled)))

    return _SPELLED.sub(digits, text)


def _one(text: str, match: re.Match[str]) -> bool:
    """Whether "one" stands for a person or thing here: "one of", "one can", "one's", "one."."""
    return bool(
        re.match(r"\s(?:of|another|by|can|may|must|should|or)\b|['’]s|\s?[.,;:!?]|\s?$", text[match.end() :][:12])
    )


def _value(parts: list[str]) -> int:
    total = current = 0
    for part in parts:
        if part == "hundred":
            current = (current or 1) * 100
        elif part == "dozen":
            current = (current or 1) * 12
        elif part == "thousand":
            total, current = total + (current or 1) * 1000, 0
        else:
            current += ENGLISH_NUMBERS.get(part, 0)
    return total + current


def _models(text: str, found: Facts) -> str:
    def take(match: re.Match[str]) -> str:
        word = match[0]
        mixed = any(c.isdigit() for c in word) and any(c.isalpha() for c in word)
        if not mixed or _COUNTED.fullmatch(word):
            return word
        found.words.add(f"model:{word.lower()}")
        return " "

    return _MODEL.sub(take, text)


def _clock(text: str, found: Facts) -> str:
    def take(match: re.Match[str]) -> str:
        half, minutes, noon, hour, more, chinese, thirty = match.groups()
        at = int(half or hour or chinese)
        if noon:
            at = at % 12 + 12 * (noon.lower() == "p")
        found.quantities.add(Quantity(f"{at}:{minutes or more or ('30' if thirty else '00')}", "clock"))
        return " ; "

    return _CLOCK.sub(take, text)


def _quantities(text: str, found: Facts) -> None:
    read: list[Quantity] = []
    end, labelled = -1, False
    for match in _QUANTITY.finditer(text):
        currency = CURRENCIES.get((match["currency"] or "").strip().lower(), "")
        unit = currency or unit_of(match["unit"] or "")
        if match["work"] and unit == "day":
            unit = "workday"
        per = _period(match["per"] or match["each"] or "")
        sign = "-" if match["sign"] else ""
        value = sign + _figure(match["value"], (match["scale"] or "").strip().lower(), unit)
        if read and _RANGE.fullmatch(text, end, match.start()):
            before = read[-1]
            if not before.unit and unit and not currency and not labelled:  # "3 to 5 days": both are days
                read[-1] = Quantity(_figure(before.value, "", unit), unit, before.per or per)
            elif before.unit in CURRENCIES.values() and not unit:  # "$50-100"
                unit = before.unit
        label = None if unit else _LABEL.search(text, max(0, match.start() - 24), match.start())
        labelled = label is not None and label[1].lower() not in FUNCTION_WORDS
        if label and labelled:
            found.words.add(f"label:{label[1].lower()} {value}")
        read.append(Quantity(value, unit, per))
        end = match.end()
    for quantity in read:
        if not quantity.unit and _YEAR.fullmatch(quantity.value):
            found.dates.add((int(quantity.value), None, None))
        else:
            found.quantities.add(quantity)


def _figure(value: str, scale: str, unit: str) -> str:
    """A number in one spelling: no thousands separators, the scale multiplied in, no trailing zeros before a unit."""
    plain = re.sub(r",(?=\d{3}(?!\d))", "", value)
    if len(plain) > 24 or not re.fullmatch(r"\d+(?:\.\d+)?", plain):
        return plain + scale
    number = Decimal(plain)
    if scale:
        number *= 10**6 if scale == "m" else SCALES.get(scale, 1)
    if not scale and not unit:
        return plain
    return f"{number.normalize():f}"


def _period(word: str) -> str:
    return {"月": "month", "日": "day"}.get(word) or PERIODS.get(word.lower(), "")
