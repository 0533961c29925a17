"""Units, currencies, number words and months of English and Chinese, each under one name. Plain tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_PERIODS = {
    "second": "second seconds sec secs 秒 秒钟",
    "minute": "minute minutes min mins 分钟",
    "hour": "hour hours hr hrs 小时 个小时 钟头",
    "day": "day days 天",
    "week": "week weeks 周 星期 个星期 礼拜",
    "month": "month months 个月",
    "year": "year years yr yrs 年 周年",
}
_WORDS = {
    **_PERIODS,
    "workday": "workday workdays 个工作日 工作日",
    "night": "night nights 晚",
    "%": "% ％ percent",
    "point": "百分点 个百分点",
    "$": "dollar dollars usd 美元 美金",
    "€": "euro euros eur 欧元",
    "£": "pound pounds gbp sterling 英镑",
    "¥": "yuan rmb cny renminbi 元 块 块钱 人民币",
    "hk$": "hkd 港元 港币 港幣",
    "jpy": "yen jpy 日元",
    "penny": "pence penny p",
    "cent": "cent cents ¢",
    "kg": "kg kilogram kilograms kilo kilos 公斤 千克",
    "g": "gram grams 克",
    "mg": "mg 毫克",
    "tonne": "tonne tonnes ton tons 吨",
    "km": "km kilometre kilometres kilometer kilometers 公里 千米",
    "m": "metre metres meter meters 米",
    "cm": "cm centimetre centimetres centimeter centimeters 厘米",
    "mm": "mm millimetre millimetres 毫米",
    "mile": "mile miles 英里",
    "inch": "inch inches 英寸",
    "foot": "foot feet ft 英尺",
    "m2": "m² m2 平方米 平米",
    "litre": "litre litres liter liters 升",
    "kwh": "kwh 千瓦时 度电",
    "w": "watt watts 瓦",
    "kw": "kw 千瓦",
    "volt": "volt volts 伏",
    "amp": "amp amps ampere amperes 安",
    "kb": "kb",
    "mb": "mb",
    "gb": "gb",
    "tb": "tb",
    "mbps": "mbps mbit/s 兆",
    "gbps": "gbps gbit/s",
    "db": "db decibel decibels 分贝",
    "hz": "hz 赫兹",
    "°": "° °c ℃ degree degrees 摄氏度 度",
    "°f": "°f ℉ 华氏度",
    "person": "person persons people 人",
    "time": "time times 次 倍",
    "piece": "个",
    "unit": "台 件 套 部 把 只 块儿",
    "name": "名 位",
    "sheet": "张",
    "group": "组",
    "instalment": "instalment instalments installment installments 期",
    "age": "岁",
    "share": "份 股",
    "item": "条 项 款",
    "fold": "折",
    "hand": "枚 颗 支",
    "minutehand": "分",
}
_LETTERS = {
    "W": "w",
    "V": "volt",
    "A": "amp",
    "m": "m",
    "g": "g",
    "h": "hour",
    "s": "second",
    "L": "litre",
    "l": "litre",
}
"""Units whose case tells them from other things."""

UNITS: Mapping[str, str] = {
    **{word: unit for unit, words in _WORDS.items() for word in words.split()},
    "per cent": "%",
    "percentage point": "point",
    "percentage points": "point",
}
"""Unit by its lower-case spelling."""

CURRENCIES: Mapping[str, str] = {
    **{"us$": "$", "hk$": "hk$", "$": "$", "€": "€", "£": "£", "¥": "¥", "￥": "¥", "₩": "₩", "₹": "₹", "nt$": "nt$"},
    **{"usd": "$", "eur": "€", "gbp": "£", "cny": "¥", "rmb": "¥", "hkd": "hk$", "jpy": "jpy", "a$": "a$"},
}
"""Currency by what may stand before a number."""

SCALES: Mapping[str, int] = {
    **{"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12},
    **{"k": 1000, "bn": 10**9, "mn": 10**6, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8, "万亿": 10**12},
    **{"百万": 10**6, "千万": 10**7},
}

_UNITS_UP = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen
"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
ENGLISH_NUMBERS: Mapping[str, int] = {
    **{word: i for i, word in enumerate(_UNITS_UP.split())},
    **{word: 20 + 10 * i for i, word in enumerate(_TENS)},
    "dozen": 12,
}
ORDINALS: Mapping[str, int] = {
    word: i + 2
    for i, word in enumerate("second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split())  # noqa: SIM905
}
CHINESE_DIGITS: Mapping[str, int] = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
CHINESE_PLACES: Mapping[str, int] = {"十": 10, "百": 100, "千": 1000}

_MONTH_NAMES = "january february march april may june july august september october november december".split()  # noqa: SIM905
MONTHS: Mapping[str, int] = {
    **{name: i for i, name in enumerate(_MONTH_NAMES, start=1)},
    **{name[:3]: i for i, name in enumerate(_MONTH_NAMES, start=1)},
    "sept": 9,
}
_DAY_NAMES = "monday tuesday wednesday thursday friday saturday sunday".split()  # noqa: SIM905
WEEKDAYS: Mapping[str, int] = {
    **{name: i for i, name in enumerate(_DAY_NAMES, start=1)},
    **{f"{name}s": i for i, name in enumerate(_DAY_NAMES, start=1)},
    **{f"{lead}{c}": i for lead in ("周", "星期", "礼拜") for i, c in enumerate("一二三四五六日", start=1)},
    **{f"{lead}天": 7 for lead in ("星期", "礼拜")},
}
PERIOD_WORDS: Mapping[str, str] = {
    **{"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month", "yearly": "year", "annual": "year"},
    **{
        "annually": "year",
        "月费": "month",
        "月租": "month",
        "年费": "year",
        "年度": "year",
        "日租": "day",
        "周租": "week",
    },
}


def any_of(words: Iterable[str]) -> str:
    """A pattern for one of the words, the longest first; Latin ones must end where they end."""
    ordered = sorted(set(words), key=lambda word: (-len(word), word))
    return "|".join(re.escape(w) + (r"(?![A-Za-z])" if w[-1].isascii() and w[-1].isalpha() else "") for w in ordered)


PERIODS: Mapping[str, str] = {word: unit for unit, words in _PERIODS.items() for word in words.split()}
"""Stretches of time by their spelling."""
UNIT = f"(?i:{any_of(UNITS)})|(?:{any_of(_LETTERS)})"
"""Pattern of a unit behind a number."""


def unit_of(spelling: str) -> str:
    """The unit's one name; empty for an empty spelling."""
    return _LETTERS.get(spelling) or UNITS.get(spelling.lower(), "")


def chinese_number(text: str) -> int | None:
    """The value of a Chinese numeral such as 十五, 两百, 二〇二三 or 一万二千; None if it is not one."""
    if all(c in CHINESE_DIGITS for c in text):
        return int("".join(str(CHINESE_DIGITS[c]) for c in text)) if len(text) < 9 else None
    total, section, digit = 0, 0, 0
    for c in text[:20]:
        if c in CHINESE_DIGITS:
            digit = CHINESE_DIGITS[c]
        elif c in CHINESE_PLACES:
            section += (digit or 1) * CHINESE_PLACES[c]
            digit = 0
        elif c in "万亿":
            total = (total + section + digit) * (10**4 if c == "万" else 10**8)
            section = digit = 0
        else:
            return None
    return total + section + digit
