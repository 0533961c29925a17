"""Proof that a written sentence says only what a passage says.

Every number with its unit, date and name of the sentence must stand in the passage's nearest sentence or in its
headings, most of its words in the passage, its polarity and its comparisons must be those of that sentence, and the two
must mean about the same. What cannot be proved is not said. Knows text and vectors; the generator is somebody else's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.generate.evidence import Passage
from core.generate.facts import Quantity, facts
from core.generate.lexicon import content_words
from core.generate.names import haystack, named_in, names
from core.generate.units import ENGLISH_NUMBERS, MONTHS, UNITS
from core.text import sentences, words
from core.types import FloatArray

Encode = Callable[[Sequence[str]], FloatArray]
"""Texts to (n, d) float32, rows L2-normalised."""

_COVERED = 0.7
"""Share of the sentence's content words that its passage must hold."""
_SIMILAR = 0.62
"""Cosine to the passage's nearest sentence, at least."""
_BESIDE = 0.1
"""A sentence of the passage so much less like it than the nearest may still prove it, where that one lacks a fact."""
_LONGEST = 1000
"""Characters; a longer sentence is not proved."""
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|neither|nor|cannot|without|unless|except|nobody|nothing|hardly)\b|n['’]t\b"
    r"|不(?!同|仅|但|断|少于|超过|限于)|没|无(?!界|线|人)|未|非(?!常)|勿|除外",
    re.IGNORECASE,
)
_OPPOSITES = tuple(
    (re.compile(one, re.IGNORECASE), re.compile(other, re.IGNORECASE))
    for one, other in (
        (r"\b(?:before|earlier|until|within)\b|之前|以前|截至|以内|之内", r"\b(?:after|later|since)\b|之后|以后|起"),
        (
            r"\b(?:more than|at least|over|above|minimum|exceeds?)\b|至少|最少|以上|超过(?!不)|不少于",
            r"\b(?:less than|at most|under|below|maximum|up to|no more than)\b|最多|至多|以下|以内|不超过",
        ),
        (
            r"\b(?:increas|rose|rise|grew|grow|gain|higher)\w*\b|增长|上升|提高|增加",
            r"\b(?:decreas|fell|fall|declin|drop|lower|reduc)\w*\b|下降|减少|降低|下滑",
        ),
        (r"\b(?:free|no charge)\b|免费", r"\b(?:charged|costs?|fee)\b|收费|付费"),
        (
            r"\b(?:allowed|may|can|permitted|possible)\b|允许|可以",
            r"\b(?:forbidden|prohibited|impossible|refused?)\b|禁止|拒绝",
        ),
        (r"\binclud\w*\b|包括|包含", r"\bexclud\w*\b|不包括|不含"),
        (r"\bopen(?:s|ed)?\b|营业|开放", r"\bclos(?:ed|es)\b|休息|关闭"),
        (r"\b(?:accept|approv)\w*\b|接受|批准", r"\b(?:reject|refus|declin)\w*\b|拒绝|驳回"),
        (
            r"\b(?:best|most|highest|largest|fastest|cheapest|first)\b|最高|最大|最快",
            r"\b(?:worst|least|lowest|smallest|slowest|last)\b|最低|最小|最慢",
        ),
        (r"\b(?:always|all|every|any)\b|所有|全部|总是", r"\b(?:only|some|sometimes|few)\b|仅|只有|部分|有时"),
        (r"\b(?:required|must|mandatory)\b|必须", r"\b(?:optional|need not|voluntary)\b|可选|自愿"),
        (r"\bprofit\w*\b|盈利|利润", r"\bloss(?:es)?\b|亏损"),
        (r"\b(?:buy|bought|acquir)\w*\b|收购|买入", r"\b(?:sell|sold|sale)\b|出售|卖出"),
    )
)
"""Pairs of words that turn a statement round: one in the sentence and only the other in its proof is no proof."""
_MEASURES = frozenset(
    words(" ".join([*ENGLISH_NUMBERS, *UNITS, *MONTHS, "am pm hundred thousand million billion working"]), stem=True)
)
_NUMERALS = frozenset("零〇一二三四五六七八九两十百千万亿年月日天周期元块个点号第起")
_BREAKS = re.compile(r"[,;，；、。.!?！？\n](?!\d)|\b(?:and|but|while|whereas|or)\b|而|但|和|或")
_CLAUSES = re.compile(r"[,;，；、](?!\d)|\b(?:and|but|while|whereas|or)\b|而|但|和|或")


@dataclass(frozen=True, slots=True)
class Proof:
    """Which passage proves a sentence, or why none does."""

    passage: int | None
    """Index of the passage; None if it is not proved."""
    start: int = 0
    """Offset of the sentence of the passage that proves it."""
    end: int = 0
    reason: str = ""
    """Why not: "number" (dates too), "name", "words", "polarity", "meaning" or "empty"."""


def prove(sentence: str, passages: Sequence[Passage], encode: Encode) -> Proof:
    """Look for the passage that proves the sentence, in the order given; the last failure is the reason."""
    if not re.search(r"[^\W_]", sentence):
        return Proof(None, reason="empty")
    reason = "words"
    if len(sentence) > _LONGEST:
        return Proof(None, reason=reason)
    for i, passage in enumerate(passages):
        reason = _lacks(sentence, passage)
        if reason:
            continue
        spans = passage.spans or [(0, len(passage.text))]
        rows = encode([sentence, *(passage.text[a:b] for a, b in spans)])
        likeness = rows[1:] @ rows[0]
        order = likeness.argsort(kind="stable")[::-1].tolist()
        least = max(_SIMILAR, float(likeness[order[0]]) - _BESIDE)
        near = [k for k in order if likeness[k] >= least]
        reason = "" if near else "meaning"
        first = ""
        for k in near:
            start, end = spans[k]
            reason = _contradicts(sentence, passage, passage.text[start:end])
            if not reason:
                return Proof(i, start, end)
            first = first or reason
            if reason == "polarity":
                break  # what is nearest says the contrary
        reason = first or reason
    return Proof(None, reason=reason)


def unsupported(text: str, sources: Sequence[str]) -> list[str]:
    """Numbers, dates and names of the text that stand in none of the sources; empty is what an answer must have."""
    joined = "\n".join(sources)
    own = "\n".join(text[a:b] for a, b in sentences(text) if not _verbatim(text[a:b], joined))
    if not own:
        return []
    return facts(own).missing_from(facts(joined)) + _strange(own, joined)


def _lacks(sentence: str, passage: Passage) -> str:
    """What the whole passage cannot prove, checked before anything is encoded."""
    if named_in(sentence, haystack(passage.context)):
        return "empty"  # a title says what the passage is about, not what is so
    whole = f"{passage.context}\n{passage.text}"
    if facts(sentence).missing_from(facts(whole)):
        return "number"
    if _strange(sentence, whole):
        return "name"
    said = content_words(sentence, passage.language)
    if not said:
        return "empty"
    plain = [word for word in said if not _measure(word)]
    held = sum(word in passage.terms for word in plain)
    return "" if held >= _COVERED * len(plain) else "words"


def _contradicts(sentence: str, passage: Passage, proof: str) -> str:
    """Why the passage's sentence, with its headings, does not prove the written one; empty if it does."""
    known = f"{passage.context}\n{proof}"
    if facts(sentence).missing_from(facts(known)) or _crossed(sentence, passage, proof):
        return "number"
    if any(not named_in(name, haystack(known)) for name in names(sentence).inside):
        return "name"
    if bool(_NEGATION.search(sentence)) != bool(_NEGATION.search(proof)):
        return "polarity"
    for one, other in _OPPOSITES:
        said, told = (
            (bool(one.search(sentence)), bool(other.search(sentence))),
            (
                bool(one.search(proof)),
                bool(other.search(proof)),
            ),
        )
        if said in ((True, False), (False, True)) and told == said[::-1]:
            return "polarity"
    return ""


def _verbatim(sentence: str, source: str) -> bool:
    """Whether the source has the sentence word for word, not as a part of longer words or numbers."""
    at = source.find(sentence)
    if at < 0:
        return False
    around = source[at - 1 : at] + sentence[:1], sentence[-1:] + source[at + len(sentence) :][:1]
    return not any(len(pair) == 2 and (pair.isalnum() and pair.isascii()) for pair in around)


def _strange(text: str, source: str) -> list[str]:
    """Names of the text that the source does not have; a word that only opens a sentence may differ in its ending."""
    known = haystack(source)
    found = names(text)
    loose = [name for name in found.inside if not named_in(name, known)]
    unsure = [word for word in found.opening if not named_in(word, known)]
    if unsure:
        stems = frozenset(words(source, stem=True))
        loose += [word for word in unsure if not set(words(word, stem=True)) <= stems]
    return loose


def _measure(word: str) -> bool:
    """Whether a stemmed word is a number, a unit or a month: such are proved as facts, however they are spelled."""
    return word in _MEASURES or any(c.isdigit() for c in word) or all(c in _NUMERALS for c in word)


def _crossed(sentence: str, passage: Passage, proof: str) -> bool:
    """Whether a number was taken from beside one thing and put beside another: "Easy £10, Roam £15", "Roam is £10".

    A clause of the proof has the sentence's number, another clause of the passage a different number of that unit, and
    the sentence names what only the other is about, by capitalised words where both have them.
    """
    said = facts(sentence).quantities
    if not said:
        return False
    own = [clause for clause in map(_clause, _CLAUSES.split(proof)) if clause.quantities & said]
    rivals = [c for c in map(_clause, _BREAKS.split(passage.text)) if c.quantities]
    mine = _clause(sentence)
    context = _clause(passage.context)
    for clause in own:
        for rival in rivals:
            units = {q.unit for q in clause.quantities & said}
            if not any(q.unit in units for q in rival.quantities - said) or rival.quantities & said & clause.quantities:
                continue
            for sets in ("labels", "names", "terms"):
                here, there = (
                    getattr(clause, sets) - getattr(context, sets),
                    getattr(rival, sets) - getattr(context, sets),
                )
                asked = getattr(mine, sets)
                if here - there and there - here and asked & (there - here) and not asked & (here - there):
                    return True
    return False


@dataclass(frozen=True, slots=True)
class _Clause:
    quantities: frozenset[Quantity]
    labels: frozenset[str]
    names: frozenset[str]
    terms: frozenset[str]


def _clause(text: str) -> _Clause:
    found, stated = names(text), facts(text)
    sure = " ".join(found.inside).lower().split()
    return _Clause(
        frozenset(stated.quantities),
        frozenset(stated.words),
        (frozenset(sure) | stated.words) or frozenset(word.lower() for word in found.opening),
        frozenset(word for word in content_words(text, "en") if not _measure(word)),
    )
