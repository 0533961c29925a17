"""Tickers in a text: $AAPL, (NASDAQ: AAPL), AAPL.O, 0700.HK, SH600519, （600519）, 股票代码：600519.

Knows the ways tickers are written and the codes of a gazetteer. Short capitals alone are no ticker: "IT", "ALL" and
"NOW" count with a dollar sign, an exchange, or brackets behind the company's own name. Bare tickers of four letters
and more are names of the lexicon.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from apps.finance_sentiment.exchanges import EXCHANGES, code_of, exchange_of
from apps.finance_sentiment.gazetteer import Company, Gazetteer

_NAMED = "|".join(sorted((name for name in EXCHANGES if len(name) > 2 or name in ("hk", "sh", "sz")), key=len)[::-1])
_TICKERS = re.compile(
    r"(?<![\w$])\$(?P<cash>[a-z]{1,6}(?:[.\-][a-z]{1,2})?|(?<=\$)[034689]\d{5})(?![a-z0-9])"
    r"|(?<![\w$#])#(?P<tag>[a-z]{3,5})(?![a-z0-9])"
    rf"|(?<![a-z0-9])(?P<exchange>{_NAMED})(?:股票代码|股份代号|代码)?\s?[:：]\s?"
    r"(?P<listed>[a-z]{1,6}(?:[.\-][a-z]{1,2})?|\d{3,6})(?![a-z0-9])"
    r"|(?<![a-z0-9.])(?P<numbered>\d{3,6})\.(?P<suffix>hk|sh|ss|sz|bj|tw|ks|t)(?![a-z0-9])"
    r"|[(<\[（【]\s?(?P<quoted>[a-z]{1,6})\.(?P<ric>o|oq|n|us|l|pa|de|hk)\s?[)>\]）】]"
    r"|(?<![a-z0-9])(?P<bloomberg>[a-z]{1,5}|\d{1,6})\s(?P<country>us|hk|ch|ln|jp)\sequity(?![a-z])"
    r"|(?<![a-z0-9])(?P<mainland>sh|sz|bj)\.?(?P<digits>\d{6})(?!\d)"
    r"|(?:代码|代号|港股)\s?[:：是为]?\s?(?P<told>\d{4,6})(?!\d)"
    r"|[(\[（【]\s?(?P<bracketed>[a-z]{1,6}(?:[.\-][a-z])?|\d{4,6})\s?[)\]）】]"
    r"|(?<![\w.,:/\-])(?P<bare>0\d{4})(?![\w.,:/%\-])"
    r"|(?<=[\u4e00-\u9fffa])(?P<behind>\d{6})(?!\d)"
)
_SIGNS = re.compile(r"[$#:：.(\[（【<]|equity|代码|代号|港股|\d{5}|s[hz]\d")
_SUFFIXES = {"hk": "HK", "sh": "CN", "ss": "CN", "sz": "CN", "bj": "CN", "tw": "TW", "ks": "KR", "t": "JP"}
_RICS = {"o": "US", "oq": "US", "n": "US", "us": "US", "l": "GB", "pa": "FR", "de": "DE", "hk": "HK"}
_COUNTRIES = {"us": "US", "hk": "HK", "ch": "CN", "ln": "GB", "jp": "JP"}
_CASH_ORDER = ("US", "CA", "HK", "CN", "GB", "DE", "FR", "NL", "CH", "JP", "AU", "IN")
_UNITS = frozenset({"m", "b", "k", "mm", "mn", "bn", "t"})
_CAPITALIZED = re.compile(r"[a-z0-9]+")
_SMALL_WORDS = frozenset({"of", "and", "the", "for", "in", "on", "to", "a"})

Place = tuple[int, int, Company]
"""start, end, company."""
Ends = Callable[[Company, int], bool]
"""Whether a name of the company ends at a place of the text, blanks aside."""


def find_tickers(folded: str, text: str, gazetteer: Gazetteer, named: Ends) -> Iterator[Place]:
    """The tickers of known companies, from left to right; the place is that of the code, with its "$" or "#".

    :param folded: `fold(text)`.
    :param named: tells whether a company's name ends at a place.
    """
    if _SIGNS.search(folded) is None:
        return
    for match in _TICKERS.finditer(folded):
        group = match.lastgroup or ""
        group = {"suffix": "numbered", "ric": "quoted", "country": "bloomberg", "digits": "mainland"}.get(group, group)
        group = "listed" if group == "exchange" else group
        kind, start, end = _place(match, group)
        company = _company(match, kind, folded, text, gazetteer, named)
        if company is not None:
            yield start, end, company


def _place(match: re.Match[str], group: str) -> tuple[str, int, int]:
    start, end = match.span(group)
    if group in ("cash", "tag"):
        return group, start - 1, end
    if group in ("numbered", "quoted", "bloomberg"):
        return group, start, match.end({"numbered": "suffix", "quoted": "ric", "bloomberg": "country"}[group])
    if group == "mainland":
        return group, start, match.end("digits")
    return group, start, end


def _company(
    match: re.Match[str], kind: str, folded: str, text: str, gazetteer: Gazetteer, named: Ends
) -> Company | None:
    code = match[kind]
    surface = text[match.start(kind) : match.end(kind)]
    ticker = ""
    if kind == "cash":
        small = surface.islower() and len(code) < 3
        unit = code in _UNITS and folded[: match.start()].endswith(("(", "in ", "us"))
        markets = () if small or unit else _CASH_ORDER
        known = (gazetteer.by_ticker(f"{market}:{code_of(market, code)}") for market in markets)
        return next(filter(None, known), None)
    if kind == "tag":
        ticker = f"US:{code.upper()}" if surface.isupper() else ""
    elif kind == "listed":
        ticker = _of_exchange(match["exchange"], code, surface)
    elif kind == "numbered":
        ticker = _of_suffix(match["suffix"], code)
    elif kind == "quoted":
        ticker = f"{_RICS[match['ric']]}:{code_of(_RICS[match['ric']], code)}" if surface.isupper() else ""
    elif kind == "bloomberg":
        ticker = f"{_COUNTRIES[match['country']]}:{code_of(_COUNTRIES[match['country']], code)}"
    elif kind == "mainland":
        digits = match["digits"]
        ticker = f"CN:{digits}" if exchange_of(digits) == code else ""
    elif code.isdigit():
        return _by_number(kind, code, folded, match.start(), gazetteer, named)
    elif surface.isupper():
        return _by_letters(code, folded, match.start(), gazetteer, named)
    return gazetteer.by_ticker(ticker)


def _of_exchange(exchange: str, code: str, surface: str) -> str:
    """NASDAQ: AAPL. Letters want capitals; a mainland code must be one of the exchange."""
    market = EXCHANGES[exchange]
    elsewhere = market == "CN" and exchange in ("sh", "sz", "sse", "szse") and exchange_of(code) not in exchange
    return "" if elsewhere or (code.isalpha() and not surface.isupper()) else f"{market}:{code_of(market, code)}"


def _of_suffix(suffix: str, code: str) -> str:
    """0700.HK. 000001.SH is an index, 000001.SZ a bank."""
    market = _SUFFIXES[suffix]
    elsewhere = market == "CN" and exchange_of(code) != ("sh" if suffix == "ss" else suffix)
    return "" if elsewhere else f"{market}:{code_of(market, code)}"


def _by_number(kind: str, code: str, folded: str, start: int, gazetteer: Gazetteer, named: Ends) -> Company | None:
    """Digits that no exchange stands beside: six are a mainland code, fewer one of Hong Kong."""
    market = "CN" if len(code) == 6 else "HK"
    company = gazetteer.by_ticker(f"{market}:{code_of(market, code)}")
    if company is None or folded[:start].endswith("指数"):
        return None
    sure = kind == "told" or (kind == "bare" and _is_chinese(folded))
    sure = sure or (kind == "bracketed" and (len(code) == 6 or code[0] == "0"))
    return company if sure or named(company, start) else None


def _by_letters(code: str, folded: str, start: int, gazetteer: Gazetteer, named: Ends) -> Company | None:
    """Letters in brackets: behind the company's name, or four and more that abbreviate nothing."""
    company = gazetteer.by_ticker(f"US:{code.upper()}")
    if company is None or named(company, start):
        return company
    return company if len(code) >= 4 and not spells_out(folded[max(0, start - 80) : start], code) else None


def spells_out(before: str, code: str) -> bool:
    """Whether the words before a bracket begin with the letters in it: "customer relationship management (CRM)"."""
    initials = "".join(w[0] for w in _CAPITALIZED.findall(before) if w not in _SMALL_WORDS)
    return initials.endswith(code) or initials.endswith(code[:-1])


def _is_chinese(folded: str) -> bool:
    return any("\u4e00" <= c <= "\u9fff" for c in folded[:400])
