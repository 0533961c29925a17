"""Tickers in the one form that is used here: market and code, as in "US:AAPL", "HK:0700", "CN:600519".

Knows the names of exchanges and the forms that tickers are written in; knows no company.
"""

from __future__ import annotations

import re

from core.errors import InputError

_MARKETS = {
    "US": "us nasdaq nasdaqgs nasdaqgm nasdaqcm nasd nasq nas nyse nysearca nysemkt nyseamerican amex otc otcmkts "
    "otcqx otcpk pink 纳斯达克 纽交所 纽约证券交易所 纽证所 美股",
    "HK": "hk hkex hkse sehk hkg xhkg 港交所 香港交易所 港股 香港联交所 联交所",
    "CN": "cn sh sz bj sse szse bse sha she shse xshg xshe ss 上交所 深交所 北交所 上海证券交易所 深圳证券交易所",
    "GB": "gb uk lse lon ln 伦交所",
    "FR": "fr epa par",
    "DE": "de etr fra xetra ger",
    "CH": "ch swx six vtx",
    "NL": "nl ams",
    "ES": "es bme mce",
    "IT": "it bit mil",
    "DK": "dk cph",
    "SE": "se sto",
    "FI": "fi hel",
    "NO": "no osl",
    "IE": "ie isx",
    "BE": "be ebr",
    "JP": "jp tyo tse xtks jpx",
    "KR": "kr krx kospi kosdaq ks kq",
    "TW": "tw twse tpe tpex",
    "IN": "in nse ns bo",
    "AU": "au asx",
    "CA": "ca tsx tsxv",
    "BR": "br bvmf",
    "SA": "sa tadawul",
    "SG": "sg sgx",
    "MX": "mx bmv",
    "IL": "il tlv tase",
    "LU": "lu lux",
    "ZA": "za jse",
    "AT": "at vie",
    "PT": "pt eli",
    "PL": "pl wse gpw",
    "TR": "tr bist",
    "RU": "ru moex",
    "AE": "ae adx dfm",
    "NZ": "nz nzx",
    "TH": "th bkk set",
    "ID": "id idx",
    "MY": "my klse",
    "PH": "ph pse",
    "VN": "vn hose",
    "AR": "ar bcba",
    "CL": "cl bcs",
}
EXCHANGES: dict[str, str] = {name: market for market, names in _MARKETS.items() for name in names.split()}
"""Name of an exchange or country, folded -> market."""

_PREFIXED = re.compile(r"([^\s:：]{2,16})\s*[:：]\s*([A-Z0-9][A-Z0-9.&\-]{0,19})")
_SUFFIXED = re.compile(r"([A-Z0-9]{1,6})\.([A-Z]{2})")


def code_of(market: str, code: str) -> str:
    """A code as its market writes it: Hong Kong's in four digits at least, letters in capitals.

    >>> code_of("HK", "00700"), code_of("US", "brk.b")
    ('0700', 'BRK.B')
    """
    code = code.upper()
    return code.lstrip("0").zfill(4) if market == "HK" and code.isdigit() else code


def ticker_of(text: str) -> str:
    """Market and code of a ticker as people write it: "US:AAPL", "NASDAQ: AAPL", "0700.HK", "SH:600519".

    :raises InputError: if it names no market, or one that is not known.
    """
    plain = text.strip()
    prefixed = _PREFIXED.fullmatch(plain.upper())
    suffixed = None if prefixed else _SUFFIXED.fullmatch(plain.upper())
    if prefixed:
        name, code = prefixed[1], prefixed[2]
    elif suffixed:
        name, code = suffixed[2], suffixed[1]
    else:
        raise InputError(f"{text!r:.60} is no ticker. Write market and code, as in US:AAPL, HK:0700 or CN:600519.")
    market = EXCHANGES.get(name.lower())
    if market is None:
        raise InputError(f"{text!r:.60} names no market that is known. Write one such as US, HK, CN, GB or JP.")
    return f"{market}:{code_of(market, code)}"


def exchange_of(code: str) -> str:
    """Exchange of a mainland code by its first digit: "sh", "sz", "bj", or "" where it is none."""
    if len(code) != 6 or not code.isdigit():
        return ""
    if code.startswith("92"):
        return "bj"
    return {"6": "sh", "9": "sh", "0": "sz", "2": "sz", "3": "sz", "4": "bj", "8": "bj"}.get(code[0], "")
