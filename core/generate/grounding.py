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
from core.generate.facts import facts
from core.generate.lexicon import content_words
from core.generate.names import haystack, named_in, names
from core.text import words
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
        (r"\b(?:before|earlier|until)\b|之前|以前|截至", r"\b(?:after|later|since)\b|之后|以后|起"),
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
_CLAUSES = re.compile(r"[,;，；、]|\b(?:and|but|while|whereas|or)\b|而|但|和|或")


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
            reason = _contradicts(sentence, passage.text[start:end], passage.context)
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
    loose = facts(text).missing_from(facts(joined))
    return loose + _strange(text, joined)


def _lacks(sentence: str, passage: Passage) -> str:
    """What the whole passage cannot prove, checked before anything is encoded."""
    whole = f"{passage.context}\n{passage.text}"
    if facts(sentence).missing_from(facts(whole)):
        return "number"
    if _strange(sentence, whole):
        return "name"
    said = content_words(sentence, passage.language)
    if not said:
        return "empty"
    held = sum(word in passage.terms for word in said) / len(said)
    return "" if held >= _COVERED else "words"


def _contradicts(sentence: str, proof: str, context: str) -> str:
    """Why the passage's sentence, with its headings, does not prove the written one; empty if it does."""
    known = f"{context}\n{proof}"
    if facts(sentence).missing_from(facts(known)) or _crossed(sentence, proof):
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


def _crossed(sentence: str, proof: str) -> bool:
    """Whether a number was taken from beside one thing and put beside another: "Easy £10 and Roam £15", "Roam is £10".

    Of two clauses with numbers of one unit, the sentence has the number of the one and words of the other only.
    """
    said = facts(sentence).quantities
    clauses = [(facts(c).quantities, set(content_words(c, "en"))) for c in _CLAUSES.split(proof) if c.strip()]
    told = [(quantities, own) for quantities, own in clauses if quantities]
    if len(told) < 2 or not said:
        return False
    mine = set(content_words(sentence, "en"))
    for quantities, own in told:
        for taken in quantities & said:
            for others, theirs in told:
                rival = {q for q in others if q.unit == taken.unit} - said
                if rival and taken not in others and mine & (theirs - own) and not mine & _words_only(own - theirs):
                    return True
    return False


def _words_only(terms: set[str]) -> set[str]:
    return {term for term in terms if not any(c.isdigit() for c in term)}
