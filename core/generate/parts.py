"""Which documents a question names by their titles: "compare Acme Ltd. with Borealis" has two parts.

Knows titles as strings; what to look up for each part is the caller's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_SUFFIX = re.compile(
    r"(?:,? (?:inc|ltd|co|llc|corp|corporation|holdings|group|company)\.?)+$|股份有限公司$|有限公司$|集团$|公司$",
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s+")
_LEAST = 5
"""Letters that a title of one English word needs to be looked for without its "Ltd."."""


def parts_of(question: str, titles: Iterable[str]) -> list[str]:
    """The titles that stand in the question, whole or without their "Ltd." or 有限公司; longest first.

    What one title took is not read again: "Acme Solar Ltd." does not also name "Acme Solar".

    >>> parts_of("Who leads Acme Solar and Borealis Ltd.?", ["Acme", "Acme Solar Inc.", "Borealis Ltd."])
    ['Borealis Ltd.', 'Acme Solar Inc.']
    """
    names: dict[str, str] = {}
    for title in sorted({title for title in titles if title.strip()}):
        names.setdefault(_flat(title), title)
    for name, title in list(names.items()):
        short = _SUFFIX.sub("", name)
        if len(short.split()) > 1 or not short.isascii() or len(short) > _LEAST:
            names.setdefault(short, title)
    left, found = _flat(question), list[str]()
    for name in sorted((name for name in names if len(name) > 2), key=lambda name: (-len(name), name)):
        left = _take(name, names[name], left, found)
    return found


def _take(name: str, title: str, text: str, found: list[str]) -> str:
    """The text without the name; the title is noted if it stood there as whole words."""
    edge = r"(?<![a-z0-9])", r"(?![a-z0-9])"
    pattern = (edge[0] if name[:1].isascii() else "") + re.escape(name) + (edge[1] if name[-1:].isalnum() else "")
    left = re.sub(pattern, "\0", text)
    if left != text and title not in found:
        found.append(title)
    return left


def _flat(text: str) -> str:
    return _SPACE.sub(" ", text.lower()).strip()
