"""Closed-class words, question kinds, numbers and dates of English and Chinese. Plain tables; knows no model."""

from __future__ import annotations

import re

from core.text import words

_ENGLISH = """
a about all also am an and any are as at be because been being between both but by can could did do does doing each
every explain describe following for from give had has have having he her his how i if in into is it its just kindly let
like me more most my no nor not of off on only or other our out over please regarding respectively shall she should so
some such summarise summarize tell than that the their them then there these they this those through to too under until
up us very via was we were what when where which while who whom whose why will with would you your
don doesn isn aren can't don't doesn't didn't i'm i've it's what's there's wasn't won't
based according compare
"""

_CHINESE = """
的 了 和 是 在 于 与 及 或 什么 哪些
哪个 哪家 哪 多少 怎么 怎样 怎么样 如何 为什么 为何 何时
请 请问 请根据 根据 结合 总结 概括 比较 分别
有 进行 吗 呢 吧 啊 其 该 这 那 这个 那个 被
对 通过 以及 几 谁 哪里 是否 到 为 中 上 下 并
给出 说明 描述 由 从 等 一下 方面 我 你 您
我们 你们 他们 它 我的 你的 能 能否 可以 可 会 要
想 想要 需要 把 将 就 都 也 还 还是 一个 一些
吗 么 时候 里 后 前 内 才 给 让
"""

_IDENTIFIER = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{1,3}-?\d{1,4}(?![A-Za-z0-9])")

NUMBER = re.compile(r"\d+(?:[.,:]\d+)*%?")

_MONTHS = (
    "january|february|march|april|may|june|july|august|september|october|november|december|"
    "jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec"
)
DATE = re.compile(
    rf"\b(?:{_MONTHS})\b|\b(?:19|20)\d\d\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|\d\s*(?:am|pm|a\.m\.|p\.m\.)"
    r"|\d\s*(?:年|月|日|号|点|时|天|小时|周|工作日|个月)|(?:周|星期)[一二三四五六日天]|\b\d{1,2}:\d\d\b"
    r"|\b\d+\s*(?:business |working |calendar )?(?:minutes?|hours?|days?|weeks?|months?|years?)\b|每[天日周月年]",
    re.IGNORECASE,
)

KINDS: dict[str, re.Pattern[str]] = {
    "when": re.compile(
        r"\bwhen\b|\bwhat (?:date|year|month|time|day)\b|\bhow (?:long|soon|often)\b"
        r"|何时|什么时候|什么时间|几月|几号|几点|哪年|哪一年|哪天|日期|时间|多久|多长",
        re.IGNORECASE,
    ),
    "how_much": re.compile(
        r"\bhow (?:much|many|big|large|far|fast)\b|\bpercent"
        r"|\b(?:price|cost|fee|amount|number|total|rate|value|limit)\b"
        r"|多少|几[个家天次年件台名位]|金额|率|价格|费用|总额|多大|多高",
        re.IGNORECASE,
    ),
    "who": re.compile(r"\bwho(?:m|se)?\b|谁|哪位|何人", re.IGNORECASE),
    "where": re.compile(
        r"\bwhere\b|\bwhich (?:city|country|place|exchange|region)\b|哪里|何地|哪个城市|哪儿|地点|注册地|地址",
        re.IGNORECASE,
    ),
    "how_why": re.compile(
        r"\bwhy\b|\bhow (?:do|did|does|can|could|should|has|have|is|are|to)\b|为什么|为何|如何|怎么|怎样|原因",
        re.IGNORECASE,
    ),
    "summary": re.compile(r"\bsummar|\boverview\b|总结|概括|概述", re.IGNORECASE),
    "compare": re.compile(
        r"\bcompar|\bearlier\b|\blater\b|\bhigher\b|\blower\b|\bdifference\b|\bwhich company\b"
        r"|比较|更高|更早|更低|更多|哪家|区别|不同",
        re.IGNORECASE,
    ),
}
"""What a question asks for, by name."""


def _stems(text: str) -> frozenset[str]:
    return frozenset(words(text, stem=True))


FUNCTION_WORDS = _stems(_ENGLISH) | frozenset(_ENGLISH.split()) | frozenset(_CHINESE.split())
"""Words that do not tell what is asked, stemmed as `words(..., stem=True)` does."""


def content_words(text: str, language: str) -> list[str]:
    """Stemmed words of the text without function words, in order, repeats kept."""
    return [word for word in words(text, language, stem=True) if word not in FUNCTION_WORDS]


def numbers(text: str) -> list[str]:
    """Numbers of the text, thousands separators dropped, as in "1500", "3.5%", "2021"."""
    return [re.sub(r",(?=\d{3}(?!\d))", "", match).rstrip(".,:") for match in NUMBER.findall(text)]


def identifiers(text: str) -> frozenset[str]:
    """Codes and model names that one letter more or less makes another thing: "E12", "C-08", "GX9"; lower case."""
    return frozenset(match.lower().replace("-", "") for match in _IDENTIFIER.findall(text))
