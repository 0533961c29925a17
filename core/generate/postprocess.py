"""Mend what small decoders do to text: loops, leaked roles, cut sentences, stray whitespace.

Knows characters in English and Chinese; knows nothing of models. Every rule only removes text: a mended answer is
never longer than what the decoder said, but for the mark of a cut.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.generate.stop import ROLE_STOPS

_LEAD = re.compile(r"^\s*(?:assistant|answer|ai|bot|助手|回答|答)\s*[:：]\s*", re.IGNORECASE)
_ROLE = re.compile("|".join(re.escape(stop) for stop in ROLE_STOPS))
_END = re.compile(r"[.!?。！？…][\"'”’」』）)\]]*(?:\[\d+\])*$")
_LAST_END = re.compile(r"[.!?。！？…][\"'”’」』）)\]]*(?:\s?\[\d+\])*(?=\s|$|(?<=[。！？])|(?<=[。！？][”’」』）]))")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|vs|mr|mrs|ms|dr|st|inc|ltd|co|approx)|\b[A-Z]|\s\d{1,2})\.$", re.IGNORECASE
)
_UNITS = re.compile(r"[^.!?。！？\n]+[.!?。！？\n]*\s*")
MARK = "…"


@dataclass(frozen=True, slots=True)
class Mended:
    """The text and what was done to it."""

    text: str
    repeated: bool = False
    """A loop was cut."""
    leaked: bool = False
    """Text after a role marker was removed."""
    cut: bool = False
    """The last sentence was unfinished; it was removed, or marked with "…" where nothing else was left."""


def mend(text: str, *, finished: bool = True) -> Mended:
    """All rules in order: roles, loops, whitespace, the unfinished sentence.

    :param finished: False where the token limit ended the text; then a sentence without its end is removed.
    """
    lead = _LEAD.match(text)
    body = text[lead.end() :] if lead else text
    marker = _ROLE.search(body)
    leaked = marker is not None
    if marker:
        body = body[: marker.start()]
    loop = loop_start(body)
    if loop is not None:
        body = body[:loop]
    body = tidy(body)
    cut = False
    if not finished or loop is not None:
        trimmed = trim_unfinished(body)
        cut, body = trimmed != body, trimmed
    return Mended(body, repeated=loop is not None, leaked=leaked or lead is not None, cut=cut)


def loop_start(text: str, *, copies: int = 3, shortest: int = 4) -> int | None:
    """Where a loop at the end of `text` begins to repeat itself: everything from there on says nothing new.

    Two signs: one unit of at least `shortest` characters stands `copies` times or more back to back up to the end
    (the last copy may be unfinished), or a whole sentence of 20 characters or more comes a third time.

    :returns: character offset of the second copy, or None. A row of dots, dashes or digits is no loop.
    """
    size = len(text)
    for unit in range(shortest, size // copies + 1):
        window = text[size - unit :]
        start = size - unit
        if text[start - unit : start] != window or not re.search(r"[^\W\d_]", window):
            continue
        while start >= unit and text[start - unit : start] == window:
            start -= unit
        whole = (size - start) // unit
        if whole >= copies:
            head = start
            while head > 0 and text[head - 1] == text[head - 1 + unit]:
                head -= 1
            return head + unit
    seen: dict[str, list[int]] = {}
    for match in _UNITS.finditer(text):
        key = match.group().strip().casefold()
        if len(key) >= 20 or (len(key) >= 8 and not key.isascii()):
            seen.setdefault(key, []).append(match.start())
            if len(seen[key]) == copies:
                return seen[key][1]
    return None


def trim_unfinished(text: str) -> str:
    """Without the words after the last sentence end; with "…" at the end where there is no sentence end at all."""
    text = text.rstrip()
    if not text or (_END.search(text) and not _ABBREVIATION.search(text)):
        return text
    ends = [m.end() for m in _LAST_END.finditer(text) if not _ABBREVIATION.search(text[: m.end()])]
    if ends:
        return text[: ends[-1]].rstrip()
    return text.rstrip(" ,;:，；：、-") + MARK


def tidy(text: str) -> str:
    """No spaces at line ends, at most one empty line in a row, single spaces inside lines, none at both ends."""
    lines = [re.sub(r"(?<=\S)[ \t\u00a0]+", " ", line).rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
