"""Texts as names are looked up in them: without markup, in one case, one width and one Chinese script.

Knows characters, and keeps the place of each. `fold` gives as many characters as it takes, so a place in the folded
text is the same place in the text; what has to go (tags, entities, invisible characters) goes in `readable`, which
says where the rest came from. Neither costs more than linear time, whatever the text.
"""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass

from apps.finance_sentiment.entities.traditional import SIMPLIFIED

_INVISIBLE = "\u00ad\u034f\u061c\u115f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff"
_NOISE = re.compile(
    r"<(script|style)\b[^<>]{0,400}>.{0,5000}?</\1\s*>|<!--.{0,5000}?-->|<!\[CDATA\[|\]\]>"
    r"|</?[a-z][^<>]{0,400}>|&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,9});"
    rf"|[{_INVISIBLE}]+",
    re.I | re.S,
)
_SUSPECT = re.compile(rf"<[/!a-zA-Z]|&[#a-zA-Z]|\]\]>|[{_INVISIBLE}]")
_INLINE = re.compile(r"</?(?:a|abbr|b|em|font|i|ins|mark|s|small|span|strong|sub|sup|u)\b", re.I)
_ADDRESS = re.compile(
    r"(?:https?://|www\.)[!-;=?-~]{1,2000}|(?<![\w.+\-])[\w.+\-]{1,64}@[a-z0-9\-]{1,63}(?:\.[a-z0-9\-]{1,63}){1,5}",
    re.I | re.A,
)


def _table() -> dict[int, str]:
    """Character -> what stands for it, always one character. Capitals beyond ASCII become small ones here."""
    table = {ord(old): new for old, new in SIMPLIFIED.items()}
    table |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")  # half a character; libraries in Rust refuse it
    table |= {0xFF00 + c - 0x20: chr(c).lower() for c in range(0x21, 0x7F)}
    for code in (*range(0xC0, 0x250), *range(0x1E00, 0x1F00)):
        base = unicodedata.normalize("NFKD", chr(code))[0].lower()
        if base.isascii() and base.isalpha():
            table[code] = base
    singles = {"ø": "o", "Ø": "o", "đ": "d", "Đ": "d", "ł": "l", "Ł": "l", "ı": "i", "\u3000": " ", "\u00a0": " "}
    signs = {"'": "‘’‛′＇`´", '"': "“”„″＂", "-": "‐‑‒–—―−", "·": "•・‧∙⋅"}
    table |= {ord(old): new for old, new in singles.items()}
    table |= {ord(old): new for new, olds in signs.items() for old in olds}
    return table


_TABLE = _table()
_NARROW = {0xFF00 + c - 0x20: chr(c) for c in range(0x21, 0x7F)}


def fold(text: str) -> str:
    """The text in lower case, half width, without accents, in simplified characters and with plain quotes and dashes.

    >>> fold("ＡＴ＆Ｔ’s L’Oréal 騰訊")
    "at&t's l'oreal 腾讯"

    :returns: exactly as many characters as `text`.
    """
    return text.lower() if text.isascii() else text.translate(_TABLE).lower()


def narrow(text: str) -> str:
    """The text with full-width letters and signs in their usual width; capitals and accents stay."""
    return text if text.isascii() else text.translate(_NARROW)


@dataclass(frozen=True, slots=True)
class Readable:
    """A text without markup and invisible characters, and the way back."""

    text: str
    starts: tuple[int, ...] = (0,)
    """First character of each run in `text`."""
    origins: tuple[int, ...] = (0,)
    """First character of the same run in the original."""

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Where `text[start:end]`, not empty, stands in the original."""
        return self._place(start), self._place(end - 1) + 1

    def _place(self, position: int) -> int:
        i = bisect_right(self.starts, position) - 1
        return self.origins[i] + position - self.starts[i]


def readable(text: str) -> Readable:
    """What a reader would see of a text that may hold left-overs of HTML and invisible characters.

    Scripts, styles and comments go with all they hold; tags inside a line go, others leave a space; entities become
    their characters. Text that only looks like a tag ("EPS <b") stays.
    """
    if _SUSPECT.search(text) is None:
        return Readable(text)
    pieces: list[str] = []
    starts: list[int] = []
    origins: list[int] = []
    size = last = 0
    for match in (*_NOISE.finditer(text), None):
        begin, stop = match.span() if match else (len(text), len(text))
        for piece, origin in ((text[last:begin], last), (_instead(match[0]) if match else "", begin)):
            if piece:
                pieces.append(piece)
                starts.append(size)
                origins.append(origin)
                size += len(piece)
        last = stop
    return Readable("".join(pieces), tuple(starts) or (0,), tuple(origins) or (0,))


def _instead(noise: str) -> str:
    if noise[0] == "&":
        character = html.unescape(noise)
        return character if len(character) == 1 and not _SUSPECT.match(character) else " "
    if noise[0] != "<":
        return ""
    return "" if _INLINE.match(noise) or noise.startswith("<![") else " "


def without_addresses(folded: str) -> str:
    """The folded text with blanks for web and mail addresses: the company in "reuters.com/..." is not spoken of."""
    if "http" not in folded and "www." not in folded and "@" not in folded:
        return folded
    return _ADDRESS.sub(lambda match: " " * len(match[0]), folded)
