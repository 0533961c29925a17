"""All names of a gazetteer in one tree of words, so that a text is searched for all of them in one pass.

Knows words, spelling and capitals; knows nothing of what stands around a name. Words are runs of letters and digits,
every other sign is a word of its own (so is each Chinese character); blanks, hyphens and middle dots count for nothing:
"Coca Cola" is "Coca-Cola". A word boundary in Latin letters thus comes by itself: no name ends inside "Applebee".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from apps.finance_sentiment.entities.fold import fold, narrow
from apps.finance_sentiment.entities.names import Kind, Name, is_caseless, names_of, spelling_fits, spellings
from apps.finance_sentiment.gazetteer import Gazetteer

_WORD = re.compile(r"[a-z0-9]+|[^\s\-·a-z0-9]")
_LONGEST_PHRASE = 24  # words

Node = dict[str, Any]
"""Next word -> node; "" -> the names that end here."""


class Lexicon:
    """The names of a gazetteer, ready to be searched for. Not changed once made."""

    def __init__(self, gazetteer: Gazetteer) -> None:
        self.gazetteer = gazetteer
        self._root: Node = {}
        self.size = 0
        """Spellings in the tree."""
        for company in gazetteer:
            for name in names_of(company):
                self._put(name)
        first = sorted({word[0] for word in self._root if not _WORD.match(word) or not word[0].isascii()})
        signs = "".join(map(re.escape, first))
        self._starts = re.compile(rf"[a-z0-9]+|[{signs}]" if signs else r"[a-z0-9]+")

    def candidates(self, folded: str, text: str) -> Iterator[tuple[int, int, tuple[Name, ...]]]:
        """(start, end, names) of the longest names whose spelling fits, from left to right, none inside another.

        A phrase of kind NOT comes out alone, in the place of the names it holds.

        :param folded: `fold(text)`, perhaps with blanks for what must not be read.
        """
        after = 0
        caseless = is_caseless(text)
        for match in self._starts.finditer(folded):
            node = self._root.get(match[0])
            if node is None or match.start() < after:
                continue
            for end, names in _endings(folded, match.end(), node):
                surface = narrow(text[match.start() : end])
                fitting = {name.company.id: name for name in names if spelling_fits(name, surface, caseless)}
                if fitting:
                    yield match.start(), end, tuple(fitting.values())
                    after = end
                    break

    def _put(self, name: Name) -> None:
        for spelled in spellings(name.written):
            words = _WORD.findall(fold(spelled))
            if not 0 < len(words) <= _LONGEST_PHRASE:
                continue
            node = self._root
            for word in words:
                node = node.setdefault(word, {})
            there = node.get("", ())
            if any(other.company is name.company and other.written == name.written for other in there):
                continue
            both = (*there, name)  # a company's name that another one excludes is still that company's name
            node[""] = tuple(one for one in both if one.kind is not Kind.NOT) or both
            self.size += 1


def _endings(folded: str, start: int, node: Node) -> list[tuple[int, tuple[Name, ...]]]:
    """(end, names) for every name that goes on from here, the longest first."""
    found = []
    end = start
    while True:
        if "" in node:
            found.append((end, node[""]))
        if len(node) == 1 and "" in node:
            break
        word = _WORD.search(folded, end, end + 64)
        if word is None or (node := node.get(word[0], {})) == {} or word.start() - end > 3:
            break
        end = word.end()
    return found[::-1]
