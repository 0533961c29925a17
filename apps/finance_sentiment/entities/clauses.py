"""The words of a text that speak of each company, where it names several: "A beats, B misses".

Knows places and the marks and words that part clauses; knows nothing of grammar. The rule:

1. A sentence is cut at commas, semicolons, colons, dashes and bars; at "while", "whereas", "but", "although",
   "though", "yet", "however", 而, 但, 却, 然而, 不过, 反观, 相比之下; and where a company follows "and", "as", "after",
   "vs", 和, 与, 及 and more than names stands before that in the piece ("A beats and B misses", but "A and B beat").
2. A piece that holds names and little else ("Apple, Microsoft and") belongs with the piece behind it, so that a list
   shares what is said of it; at the end of a sentence, with the one before.
3. A piece that names no company goes with the piece before it ("A beats, shares jump"); before the first company, with
   the piece behind it.
4. A sentence that names no company goes with the sentence before if that spoke of a single one. Pronouns are not
   resolved beyond that.
5. A company that only judges others (`roles`) is left out of a sentence that names another.

A company that is nowhere more than a judge of others has no words: it is missing from the result.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from apps.finance_sentiment.entities.fold import fold
from apps.finance_sentiment.entities.roles import passes_on
from apps.finance_sentiment.schemas import Mention
from core.text.segment import sentences

LONGEST = 50_000
"""Characters of a text that are looked at."""

_CUT = re.compile(
    r",(?!\d)|(?<=[\u3400-\u9fff%]),|:(?=\s|[\u3400-\u9fff])|[;、]|\s-+\s|[【】|]"
    r"|(?<![a-z])(?:while|whereas|but|although|though|yet|however)(?![a-z])"
    r"|(?:然而|不过|反观|相比之下|而(?!且|后|已|言)|但是?|却)"
)
_SOFT_CUT = re.compile(r"(?<![a-z])(?:and|as|after|vs\.?|versus)\s+(?:the\s|shares of\s|rival\s|that of\s)?$|[和与及]$")
_EMPTY = re.compile(
    r"(?:the|a|an|and|or|of|in|at|by|for|shares?|stocks?|stock|both|also|like|as|including|such|inc|corp|corporation|plc|"
    r"ltd|limited|co|company|group|holdings|with|vs|versus|ag|sa|se|nv|oyj|rivals?|fellow|ex|us|等|和|与|及|以及|还有|公司|"
    r"集团|股份|控股|股价|方面|其中|另外|而|但|但是|却|然而|不过|while|whereas|but|although|though|yet|however|[a-z]|nyse|nasdaq|hk|sh|sz|us)"
)
_LEADING = re.compile(r"(?:and|as|while|whereas|but|although|though|yet|而|但是?|却)(?![a-z])\s*", re.I)
_MARKS = " \n,:;，：；、-–—|"
_WORDS = re.compile(r"[a-z]+|[\u3400-\u9fff]+|[+\-]?\d[\d.,]*%?")

Piece = tuple[int, int]


def clauses(text: str, mentions: Iterable[Mention]) -> dict[str, str]:
    """For each company the words that speak of it, in the order of the text; by the rule of the module.

    >>> clauses("Apple beats, Nokia misses.", linker.find_all(...))
    {"US:AAPL": "Apple beats", "FI:NOKIA": "Nokia misses."}

    :param text: the text the mentions were found in (`Incoming.text`).
    :param mentions: every mention, as `Linker.find_all` gives them; places outside the text are left out.
    """
    text = text[:LONGEST]
    known = sorted((m for m in mentions if 0 <= m.start < m.end <= len(text)), key=lambda m: m.start)
    ids = {mention.entity for mention in known}
    if len(ids) < 2:
        return dict.fromkeys(ids, text)
    folded = fold(text)
    judging = {m for m in known if passes_on(folded, m.start, m.end)}
    found: dict[str, list[str]] = defaultdict(list)
    before: frozenset[str] = frozenset()
    i = 0
    for start, end in sentences(text):
        here: list[Mention] = []
        while i < len(known) and known[i].start < end:
            here.append(known[i])
            i += 1
        subjects = [m for m in here if m not in judging] or here
        if not subjects:
            if len(before) == 1:
                found[next(iter(before))].append(text[start:end])
            continue
        groups = _groups(folded, start, end, subjects)
        for entities, (first, last) in groups:
            for entity in sorted(entities):
                found[entity].append(_without_lead(text[first:last].strip(_MARKS)))
        before = frozenset(m.entity for m in subjects)
    only_judges = ids - {m.entity for m in known if m not in judging}
    left_out = set() if only_judges == ids else only_judges
    return {id: " ".join(filter(None, parts)) for id, parts in found.items() if id not in left_out}


def _without_lead(clause: str) -> str:
    lead = _LEADING.match(clause)
    return clause[lead.end() :] if lead else clause


def _groups(folded: str, start: int, end: int, here: Sequence[Mention]) -> list[tuple[frozenset[str], Piece]]:
    """The pieces of a sentence with the companies each speaks of."""
    if len({mention.entity for mention in here}) == 1:
        return [(frozenset({here[0].entity}), (start, end))]
    joined: list[tuple[set[str], int, int]] = []
    bare_until: list[bool] = []
    for first, last in _pieces(folded, start, end, here):
        inside = [m for m in here if first <= m.start < last]
        bare = bool(inside) and _is_bare(folded, first, last, inside)
        if joined and (not inside or bare_until[-1]):
            entities, begun, _ = joined[-1]
            joined[-1] = (entities | {m.entity for m in inside}, begun, last)
            bare_until[-1] = bare_until[-1] and (bare or not (inside or _says(folded, first, last)))
        elif joined and not joined[-1][0]:
            joined[-1] = ({m.entity for m in inside}, joined[-1][1], last)
            bare_until[-1] = bare
        else:
            joined.append(({m.entity for m in inside}, first, last))
            bare_until.append(bare)
    if len(joined) > 1 and bare_until[-1]:
        entities, _, last = joined.pop()
        joined[-1] = (joined[-1][0] | entities, joined[-1][1], last)
    return [(frozenset(entities), (first, last)) for entities, first, last in joined]


def _pieces(folded: str, start: int, end: int, here: Sequence[Mention]) -> list[Piece]:
    taken = [(m.start, m.end) for m in here]
    cuts = {
        match.start() if match[0][0].isalpha() or match[0] in "【" else match.end()
        for match in _CUT.finditer(folded, start, end)
        if not any(first < match.end() and match.start() < last for first, last in taken)
    }
    for earlier, mention in pairwise(here):
        soft = _SOFT_CUT.search(folded, earlier.end, mention.start)
        if soft and earlier.entity != mention.entity:
            begun = max((cut for cut in cuts if cut <= soft.start()), default=start)
            inside = [m for m in here if begun <= m.start < soft.start()]
            if inside and not _is_bare(folded, begun, soft.start(), inside):
                cuts.add(soft.start())
    places = [start, *sorted(cut for cut in cuts if start < cut < end), end]
    return [(a, b) for a, b in pairwise(places) if folded[a:b].strip(" ,;:、-|【】")]


def _is_bare(folded: str, first: int, last: int, inside: Sequence[Mention]) -> bool:
    """Whether a piece holds names and nothing that is said of them."""
    rest, place = [], first
    for mention in inside:
        rest.append(folded[place : mention.start])
        place = max(place, mention.end)
    rest.append(folded[place:last])
    return not any(_says(part, 0, len(part)) for part in rest)


def _says(folded: str, first: int, last: int) -> bool:
    return any(_EMPTY.fullmatch(word) is None for word in _WORDS.findall(folded, first, last))
