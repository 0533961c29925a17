"""What figures say without a verb: "sales were EUR 42 mn (47 mn)" fell, "a loss of 0.7m, 2.9m a year ago" got better.

Pairs of figures that a text compares become words of their own ("#up", "#down", "#same"), so that a model on words can
learn what they mean; beside a loss they turn round. Knows numbers in English and Chinese texts; no model.
"""

from __future__ import annotations

import re
from itertools import pairwise

_SCALES = {
    "k": 1e3, "thousand": 1e3, "m": 1e6, "mn": 1e6, "mln": 1e6, "million": 1e6, "millions": 1e6, "meur": 1e6,
    "b": 1e9, "bn": 1e9, "bln": 1e9, "billion": 1e9, "billions": 1e9, "trn": 1e12, "trillion": 1e12,
    "万": 1e4, "百万": 1e6, "千万": 1e7, "亿": 1e8, "万亿": 1e12,
}  # fmt: skip
_NUMBER = re.compile(
    r"(?<![a-z0-9_.,])(?P<sign>-\s?)?(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"\s?(?P<scale>万亿|千万|百万|亿|万|(?:k|thousand|mn|mln|m|millions?|meur|bn|bln|b|billions?|trn|trillion)\b)?"
    r"\s?(?P<percent>%|pct\b|percent\b|per\s?cent\b)?",
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_NEW_OLD = re.compile(
    r"\b(?:from|compared|compare|versus|vs|against|while|year[- ]ago|year[- ]earlier|corresponding|comparison|than)\b"
    r"|[(]|上年|去年|上期|同期|此前|由"
)
_OLD_NEW = re.compile(r"\bto\b|至|到|升至|降至")
_FROM = re.compile(r"(?:\bfrom|由|从)\D{0,30}$")
_LOSS = re.compile(r"\bloss(?:es)?\b|\bdeficit\b|\bnegative\b|亏损|赤字")
_PROFIT = re.compile(r"\bprofits?\b|\bpositive\b|\bearnings\b|盈利|利润")
_FAR = 90
_CURRENCY = re.compile(r"eur\b|euros?\b|€|us\$|usd\b|dollars?\b|\$|gbp\b|pounds?\b|£|sek\b|dkk\b|nok\b|¥|元|港元")
_ONE_NAME = {"euro": "eur", "euros": "eur", "€": "eur", "us$": "usd", "$": "usd", "dollar": "usd", "dollars": "usd"}
_BESIDE = 8  # characters in which a figure's currency stands
_STOP = re.compile(r"[;。；]|\.\s")
_NEAR = 0.004


def marks(text: str) -> list[str]:
    """Words for the comparisons of figures in a text, in order.

    :param text: lower case.

    >>> marks("sales totalled eur 42.3 mn, down from eur 47.0 mn")
    ['#down']
    >>> marks("operating loss was eur 0.7 mn ( eur 2.9 mn )")
    ['#up', '#less-loss']
    """
    found = []
    numbers = [m for m in _NUMBER.finditer(text) if not (_YEAR.fullmatch(m[0].strip()))]
    for first, second in pairwise(numbers):
        between = text[first.end() : second.start()]
        if len(between) > _FAR or _STOP.search(between) or bool(first["percent"]) != bool(second["percent"]):
            continue
        ahead = text[max(0, first.start() - 60) : first.start()]
        if _converted(text, first, between):
            continue
        if _OLD_NEW.search(between) and _FROM.search(ahead):
            old, new = _values(first, second)
        elif _NEW_OLD.search(between):
            new, old = _values(first, second)
        else:
            continue
        found += _words(new, old, ahead, between)
    return found


def _converted(text: str, first: re.Match[str], between: str) -> bool:
    """Whether the second figure is the first one in another currency: "39.8 mln euro ( $ 56.8 mln )"."""
    before, _, inside = between.partition("(")
    if not inside and "(" not in between:
        return False
    mine = text[max(0, first.start() - _BESIDE) : first.start()] + " " + before
    own, other = ({_ONE_NAME.get(c, c) for c in _CURRENCY.findall(part)} for part in (mine, inside))
    return bool(other) and not own & other


def _words(new: float, old: float, ahead: str, between: str) -> list[str]:
    lost, gained = _LOSS.search(ahead), _LOSS.search(between)
    if gained and not lost:
        return ["#up", "#turned-profit"]
    if lost and _PROFIT.search(between) and not gained:
        return ["#down", "#turned-loss"]
    if not 0.02 <= abs(new) / max(abs(old), 1e-9) <= 50:
        return []  # of different things
    if abs(new - old) <= _NEAR * abs(old):
        return ["#same"]
    rose = new > old
    if lost:
        return ["#down", "#more-loss"] if rose else ["#up", "#less-loss"]
    return ["#up"] if rose else ["#down"]


def _values(first: re.Match[str], second: re.Match[str]) -> tuple[float, float]:
    """Both values; a scale that only one of them names holds for both."""
    scales = [first["scale"] or second["scale"], second["scale"] or first["scale"]]
    a, b = (
        float(m["digits"].replace(",", "")) * (-1 if m["sign"] else 1) * _SCALES.get(scale or "", 1.0)
        for m, scale in zip((first, second), scales, strict=True)
    )
    return a, b
