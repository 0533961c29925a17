"""Personal data out of a text, before it is logged or kept for training: placeholders for what can be told by its form.

Knows the forms of e-mail addresses, phone numbers (international, North American, Chinese), payment cards, Chinese
resident ids and IBANs, and checks their check digits. Names and postal addresses have no form and are not found. Dates,
amounts, product and order numbers stay: a rule that would take them is too wide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_GAP = r"[ \-\u2010-\u2013]?"

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9_.+\-])[A-Za-z0-9_](?:[A-Za-z0-9._%+\-]{0,62}[A-Za-z0-9_%+\-])?@(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.){1,8}"
    r"[A-Za-z]{2,24}(?![A-Za-z0-9])"
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?![A-Za-z0-9])")
_CN_ID = re.compile(
    r"(?<![A-Za-z0-9])[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?![A-Za-z0-9])"
)
_CARD = re.compile(rf"(?<![\dA-Za-z.])[2-6](?:{_GAP}\d){{12,18}}(?![\dA-Za-z]|[.,]\d)")

_ORDER_BEFORE = re.compile(
    r"(?:\b(?:order|invoice|ticket|case|reference|ref|sku|item|part|model|product|tracking|serial|transaction|purchase|"
    r"booking|confirmation|policy|version|id)\b[\s#:.\-]*(?:number|no|num|nr|id|code)?[\s#:.\-]*(?:is\s+)?"
    r"|(?:订单|订单号|单号|编号|型号|货号|流水号|工单)[号码]?\s*[:：是为]?\s*|#)$",
    re.I,
)
_CALL_BEFORE = re.compile(
    r"(?:\b(?:phone|tel|telephone|call|mobile|cell|fax|whatsapp|text|sms|dial|reach (?:me|us) (?:at|on))\b[\s.:#]*"
    r"(?:number|no|me|us|at|on|is|:|\s|\.)*|(?:电话|手机|手机号|座机|致电|拨打|联系方式)[号码]*\s*[:：是为]?\s*)$",
    re.I,
)

# Each group is one way to write a phone number; digits are counted afterwards.
_PHONE = re.compile(
    r"(?<![A-Za-z0-9_+/$€£¥])(?<!\d\.)(?:"
    r"(?P<international>(?:\+|(?<!\d[ \-])00(?=[1-9]\d{0,2}[ \-(]))"
    r"[1-9]\d{0,2}(?:[ \-.]?\(\d{1,4}\))?(?:[ \-.]?\d{1,5}){2,6})"
    r"|(?P<american>(?:1[ \-.])?(?:\([2-9]\d{2}\)[ ]?|[2-9]\d{2}[ \-.])[2-9]\d{2}[ \-.]\d{4})"
    r"|(?P<mobile>1[3-9]\d(?:[ \-]?\d{4}){2})"
    r"|(?P<landline>\(?0(?:10|2\d|[3-9]\d{2})(?:\)[ ]?|[ \-])\d{3,4}[ \-]?\d{4})"
    r"|(?P<service>[48]00[ \-]\d{3}[ \-]\d{4}|[48]00[ \-]\d{4}[ \-]\d{3}|95\d{3}(?=\s*(?:客服|热线)))"
    r"|(?P<national>(?<!\d[ \-])0\d{2,4}[ ]\d{3,4}[ ]\d{3,4})"
    r"|(?P<bare>\d{7,12})"
    r")(?![A-Za-z0-9_%]|[./\-]\d|,\d{3}(?!\d))"
)


@dataclass(frozen=True, slots=True)
class PersonalData:
    """One finding: `text[start:end]`."""

    kind: str
    """"EMAIL", "IBAN", "CN_ID", "CARD" or "PHONE"."""
    start: int
    end: int


def redact(text: str) -> str:
    """Text with personal data as [EMAIL], [PHONE], [CARD], [CN_ID] and [IBAN]. Redacting twice changes nothing more."""
    found = find_personal_data(text)
    if not found:
        return text
    pieces, position = [], 0
    for item in found:
        pieces += [text[position : item.start], f"[{item.kind}]"]
        position = item.end
    return "".join([*pieces, text[position:]])


def find_personal_data(text: str) -> list[PersonalData]:
    """Findings in order, without overlap; where two kinds fit, the one with a check digit wins."""
    digits = sum(map(text.count, "0123456789"))
    if digits < 5 and "@" not in text:
        return []
    taken: list[PersonalData] = []
    for kind, finder in _FINDERS:
        if kind != "EMAIL" and digits < 5:
            continue
        taken += [
            PersonalData(kind, start, end)
            for start, end in finder(text)
            if all(end <= other.start or start >= other.end for other in taken)
        ]
    return sorted(taken, key=lambda item: item.start)


def luhn(digits: str) -> bool:
    """Whether a string of digits has a right check digit after ISO/IEC 7812-1 (Luhn)."""
    total = 0
    for i, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if i % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def resident_id(value: str) -> bool:
    """Whether 18 characters have the right check character of a Chinese resident id (GB 11643-1999, MOD 11-2)."""
    total = sum(int(digit) * (2 ** (17 - i) % 11) for i, digit in enumerate(value[:17]))
    return "10X98765432"[total % 11] == value[17].upper()


def iban(value: str) -> bool:
    """Whether letters and digits, without spaces, have the right check digits of an IBAN (ISO 13616, MOD 97-10)."""
    if not 15 <= len(value) <= 34:
        return False
    moved = value[4:] + value[:4]
    return int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


def _emails(text: str) -> Iterator[tuple[int, int]]:
    if "@" in text:
        yield from (match.span() for match in _EMAIL.finditer(text))


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    for match in _IBAN.finditer(text):
        # Capital words or numbers may follow: the longest beginning with right check digits counts.
        groups = list(re.finditer(r"\S+", match[0]))
        for group in reversed(groups):
            if iban(match[0][: group.end()].replace(" ", "")):
                yield match.start(), match.start() + group.end()
                break


def _resident_ids(text: str) -> Iterator[tuple[int, int]]:
    yield from (match.span() for match in _CN_ID.finditer(text) if resident_id(match[0]))


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if _issued(digits) and luhn(digits) and len(set(digits)) > 1:
            yield match.span()


def _issued(digits: str) -> bool:
    """Whether prefix and length are those of a card network, so that order numbers that pass Luhn by chance stay."""
    n, two, four = len(digits), int(digits[:2]), int(digits[:4])
    return (
        (digits[0] == "4" and n in (13, 16, 19))
        or (n == 16 and (51 <= two <= 55 or 2221 <= four <= 2720))
        or (n == 15 and two in (34, 37))
        or (n == 14 and (two in (36, 38, 39) or 300 <= int(digits[:3]) <= 305))
        or (
            16 <= n <= 19
            and (two in (62, 65, 81) or four == 6011 or 644 <= int(digits[:3]) <= 649 or 3528 <= four <= 3589)
        )
    )


def _phones(text: str) -> Iterator[tuple[int, int]]:
    for match in _PHONE.finditer(text):
        digits = sum(c.isdigit() for c in match[0])
        before = text[max(0, match.start() - 40) : match.start()]
        kind = match.lastgroup
        if kind == "bare":
            fits = bool(_CALL_BEFORE.search(before))
        elif kind == "international":
            fits = 8 <= digits <= 15
        else:
            fits = not _ORDER_BEFORE.search(before)
        if fits:
            yield match.span()


_FINDERS: tuple[tuple[str, Callable[[str], Iterator[tuple[int, int]]]], ...] = (
    ("EMAIL", _emails),
    ("IBAN", _ibans),
    ("CN_ID", _resident_ids),
    ("CARD", _cards),
    ("PHONE", _phones),
)
