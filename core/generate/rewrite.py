"""Follow-up questions made to stand alone: "and for Gold?" after a question about Silver.

Rules and word vectors, so that it costs milliseconds and cannot invent: the result is made of words the person wrote.
Knows text and an encoder; nothing of stores or models of language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from core.generate.lexicon import FUNCTION_WORDS, KINDS
from core.text import words
from core.types import FloatArray

Encode = Callable[[Sequence[str]], FloatArray]

_LEAD = re.compile(
    r"^\s*(?:(?:ok(?:ay)?|thanks|thank you|great|and|so|but|also|then|hmm|right|got it)[\s,.!…-]+)*"
    r"(?:(?:what|how) about|and|what if (?:it(?:'s| is))?"
    r"|(?:is it |is that )?the same (?:for|with|on)|same (?:for|question for)|for|with|on)\s+",
    re.IGNORECASE,
)
_CHINESE_LEAD = re.compile(r"^\s*(?:那么|那|如果是|换成|还有|另外|要是|好的|谢谢|嗯|，|,|。)+(?:对于|对|是|在)?")
_CHINESE_TAIL = re.compile(r"(?:又)?(?:呢|怎么样|如何|也一样吗|也是吗|的话|是多少|多少)*[呢吗?？。!！]*\s*$")
_POINTS_BACK = re.compile(
    r"\b(?:it|its|they|them|their|that|this|those|these|one|ones|there|he|she|his|her|him|then)\b"
    r"|它|他|她|这个|那个|这款|那款|该|其|这些|那些|这里|那里|上述|刚才",
    re.IGNORECASE,
)
_SHORT = 6
"""A question with fewer content-bearing words may lean on the one before."""
_ALIKE = 0.45
"""Cosine from which on two phrases count as of one kind."""


def standalone(question: str, history: Sequence[str], language: str, encode: Encode) -> str:
    """The question in words that need no conversation; unchanged where it already stands alone.

    :param history: the person's earlier questions, oldest first, already standing alone.
    """
    if not history:
        return question
    before = history[-1]
    fragment = _fragment(question, language)
    if fragment is not None:
        return _replaced(before, fragment, language, encode)
    if _leans(question, language):
        return (
            f"{before.rstrip(' ?？。.!！')} - {question}"
            if language != "zh"
            else f"{before.rstrip(' ?？。')}，{question}"
        )
    return question


def _fragment(question: str, language: str) -> str | None:
    """What a follow-up names, where naming is all it does; None otherwise."""
    if language == "zh":
        led = _CHINESE_LEAD.match(question)
        rest = question[led.end() :] if led else question
        tail = _CHINESE_TAIL.search(rest)
        core = (rest[: tail.start()] if tail else rest).strip("，, 的")
        asks = any(pattern.search(core) for pattern in KINDS.values())
        if core and len(core) <= 12 and not asks and (led or (tail and "呢" in tail[0])):
            return core
        return None
    led = _LEAD.match(question)
    if not led:
        return None
    core = question[led.end() :].strip(" ?.!,")
    asks = any(pattern.search(core) for name, pattern in KINDS.items() if name != "how_much")
    content = [w for w in words(core, language) if w not in FUNCTION_WORDS]
    verb = re.search(r"\b(?:do|does|did|is|are|was|were|can|could|will|would|should|have|has)\b", core, re.IGNORECASE)
    return core if content and len(content) <= 6 and not asks and not verb else None


def _leans(question: str, language: str) -> bool:
    content = [w for w in words(question, language) if w not in FUNCTION_WORDS]
    if _POINTS_BACK.search(question):
        return len(content) <= (10 if language == "zh" else 7)
    return len(content) < (3 if language == "zh" else 2) or (len(content) < _SHORT and bool(_bare(question)))


def _bare(question: str) -> bool:
    """A question that opens like a continuation."""
    return bool(re.match(r"^\s*(?:(?:and|but|so|also|then)\b|那|还有|另外)", question, re.IGNORECASE))


def _replaced(before: str, fragment: str, language: str, encode: Encode) -> str:
    """The earlier question with the phrase that is most like the fragment replaced; else both, one after the other."""
    candidates = _phrases(before, language)
    plain = re.sub(r"^(?:the|a|an|your|my|on|in|for|with|to)\s+", "", fragment, flags=re.IGNORECASE)
    if candidates:
        rows = encode([plain, *(text for _, _, text in candidates)])
        likeness = rows[1:] @ rows[0]
        bonus = [0.12 * (_looks(text) == _looks(plain)) for _, _, text in candidates]
        best = max(range(len(candidates)), key=lambda i: float(likeness[i]) + bonus[i])
        if float(likeness[best]) + bonus[best] >= _ALIKE:
            start, end, _ = candidates[best]
            return f"{before[:start]}{plain}{before[end:]}"
    return f"{before.rstrip(' ?？。.')}，{fragment}" if language == "zh" else f"{before.rstrip(' ?.')} - {fragment}"


def _phrases(text: str, language: str) -> list[tuple[int, int, str]]:
    """Runs of one to three content words, with their places."""
    if language == "zh":
        import rjieba

        places, at = [], 0
        for token in rjieba.cut(text):
            start = text.find(token, at)
            at = start + len(token)
            if token.strip() and token not in FUNCTION_WORDS and token[0].isalnum():
                places.append((start, at))
    else:
        places = [m.span() for m in re.finditer(r"[\w'&-]+", text) if m[0].lower() not in FUNCTION_WORDS]
    runs = []
    for i in range(len(places)):
        for j in range(i, min(i + 3, len(places))):
            gap = text[places[i][0] : places[j][1]]
            if j == i or (places[j][0] - places[j - 1][1] <= 1):
                runs.append((places[i][0], places[j][1], gap))
            else:
                break
    return runs


def _looks(text: str) -> tuple[bool, bool]:
    return text[:1].isupper(), any(c.isdigit() for c in text)
