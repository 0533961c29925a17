"""Follow-up questions made to stand alone: "and for Gold?" after a question about Silver.

Rules and word vectors, so that it costs milliseconds and cannot invent: the result is made of words the person wrote.
A question that names what it is about stays as it is, whatever was said before. Knows text and an encoder; nothing of
stores or models of language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from core.generate.lexicon import FUNCTION_WORDS, KINDS
from core.text import words
from core.types import FloatArray

Encode = Callable[[Sequence[str]], FloatArray]

_LONGEST = 300
"""Characters; a longer question is taken to stand alone, and a longer one before it is not rewritten from."""

_POLITE = r"(?:(?:ok(?:ay)?|thanks|thank you|great|and|so|but|also|then|hmm|right|got it)\b[\s,.!…-]*)*"
_OPENING = re.compile(rf"^\s*{_POLITE}", re.IGNORECASE)
_CONTINUES = re.compile(r"^\s*(?:(?:and|but|so|also|then)\b|那|还有|另外|要是|如果|没有.{1,6}的话)", re.IGNORECASE)
_LEAD = re.compile(
    rf"^\s*{_POLITE}(?:(?:what|how) about|what if (?:it(?:'s| is))?"
    r"|(?:is (?:it|that) )?(?:the )?same (?:\w+ )?(?:for|with|on|if)"
    r"|(?:for|with|on|to|in)(?! (?:which|what|whom|how)\b))\s+",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"^(?:(?:the|a|an|your|my|on|in|for|with|to|at)\s+)+", re.IGNORECASE)
_CLAUSE = re.compile(
    r"[,;]|\b(?:do|does|did|is|are|was|were|am|can|could|will|would|should|have|has|if|i|i'm|it|it's|you|they|he|she"
    r"|ones?|for|with|without|from|who|whom|what|which|when|where|why|how)\b",
    re.IGNORECASE,
)
_HOW = re.compile(r"^how \w+", re.IGNORECASE)
_PRONOUN = re.compile(r"\b(?:it|its|they|them|their|he|she|his|her|him)\b", re.IGNORECASE)
_POINTER = re.compile(
    r"\b(?:is|are|was|for|with|about|of|from|does|did|get|use|like|than) (?:that|this|these|those)\b(?! one'?s)"
    r"|^(?:that|this|these|those)\b|\b(?:the|that|this) (?:\w+ ){0,2}ones?\b|\b(?:from|in|over) there\b"
    r"|(?<!is)(?<!are)(?<!was)(?<!were)(?<!be)(?<!anyone)(?<!somebody)(?<!hi)(?<!hello) there(?= on\b|\W*$)",
    re.IGNORECASE,
)
_DUMMY = re.compile(r"\bit (?:\w+ ){1,3}(?:to|that)\b|\b(?:is|was) it (?:possible|true)\b", re.IGNORECASE)
_CHINESE_LEAD = re.compile(
    r"^\s*(?:那么|那(?![个家款些里边位种次])|如果是|如果|换成|还有|另外|要是|好的|谢谢|嗯|，|,|。)+(?:对于|对|是|在)?"
)
_CHINESE_TAIL = re.compile(r"(?P<open>又是什么|又是多少|又怎么样|也一样吗|也是吗|呢)[？?。!！\s]*$|[？?。!！\s]+$")
_CHINESE_TOPIC = re.compile(r"^\s*(?:那么|那)?([^，,？?]{1,12}?)呢[，,]\s*(.{2,20})$")
_CHINESE_POINTER = re.compile(
    r"它|他们|她们|(?<!其)他(?!人|们)|她|这[个款些家台种]|(?<![\u4e00-\u9fff])那[个款些家台种]|该(?:公司|产品|型号|设备|计划|企业)"
    r"|其中|(?<!尤)(?<!极)其(?![他实它余])|这里|那里|上述|刚才"
)
_NAMED = re.compile(
    r"(?<!^)(?<![.!?] )\b[A-Z][\w'-]+|\b\w*\d\w*\b|[A-Za-z]+(?=[\u4e00-\u9fff])|(?<=[\u4e00-\u9fff])[A-Za-z]+"
)
"""A name, number or model inside a question."""
_OPENS = re.compile(
    r"(?:who|whom|what|which|when|where|why|how|is|are|was|were|do|does|did|can|could|will|would|has|have)\b",
    re.IGNORECASE,
)
_ALIKE, _ALIKE_COMMON = 0.45, 0.75
"""Cosine, with what else speaks for it, from which on two phrases count as of one kind; the second for common nouns."""


def standalone(question: str, history: Sequence[str], language: str, encode: Encode) -> str:
    """The question in words that need no conversation; unchanged where it already stands alone.

    :param history: the person's earlier questions, oldest first, already standing alone.
    """
    if not history or not question.strip() or len(question) > _LONGEST or len(history[-1]) > _LONGEST:
        return question
    before = history[-1].strip()
    if language == "zh":
        return _chinese(question, before, encode)
    return _english(question, before, encode)


def _english(question: str, before: str, encode: Encode) -> str:
    rest = question[_OPENING.match(question).end() :].strip()  # type: ignore[union-attr]  # it matches the empty text
    led = _LEAD.match(question)
    bare = rest != question.strip() and not _CLAUSE.search(rest.strip(" ?.!"))
    if led or bare:
        fragment = (question[led.end() :] if led else rest).strip(" ?.!,")
        content = [w for w in words(fragment) if w not in FUNCTION_WORDS]
        plain = _ARTICLE.sub("", fragment)
        if not content:
            return _joined(before, rest, " - ") if len(rest) > 1 else question
        if len(content) <= 6 and not _CLAUSE.search(plain):
            return _replaced(before, plain, "en", encode) or _joined(before, fragment, " - ")
        if led and len(content) <= 6 and not _asks(plain):
            return _joined(before, fragment, " - ")
    if rest and _HOW.fullmatch(rest.strip(" ?.!")) and _HOW.match(before):
        return _HOW.sub(f"H{rest.strip(' ?.!')[1:]}", before, count=1)
    return _joined(before, rest, " - ") if rest and _leans(question, rest) else question


def _chinese(question: str, before: str, encode: Encode) -> str:
    topic = _CHINESE_TOPIC.match(question)
    if topic:
        about = _replaced(before, topic[1], "zh", encode) or _joined(before, topic[1], "，")
        return _joined(about, topic[2], "，")
    led = _CHINESE_LEAD.match(question)
    rest = question[led.end() :] if led else question
    tail = _CHINESE_TAIL.search(rest)
    core = (rest[: tail.start()] if tail else rest).strip("，, 的")
    opened = bool(tail and tail["open"])
    if core and len(core) <= 12 and (led or opened) and not _asks(core):
        clause = re.search(r"[了但要能会]|不|没", core)
        swapped = None if clause else _replaced(before, core, "zh", encode)
        return swapped or _joined(before, core, "，")
    pointer = _CHINESE_POINTER.search(question)
    content = [w for w in words(question) if w not in FUNCTION_WORDS]
    if pointer:
        ahead = [w for w in words(question[: pointer.start()]) if w not in FUNCTION_WORDS]
        leans = len(content) <= 10 and len(ahead) < 3
    else:
        leans = bool(_CONTINUES.match(question)) and len(content) < 7
    return _joined(before, question, "，") if leans else question


def _leans(question: str, rest: str) -> bool:
    """Whether an English question points at what was said before it, and not at something within itself."""
    content = [w for w in words(rest) if w not in FUNCTION_WORDS]
    pointer = _POINTER.search(rest)
    if pointer and len(content) <= 8:
        ahead = [w for w in words(rest[: pointer.start()]) if w not in FUNCTION_WORDS]
        if len(ahead) < 4:
            return True
    pronoun = _PRONOUN.search(rest)
    if pronoun and not _DUMMY.search(rest):
        ahead = [w for w in words(rest[: pronoun.start()]) if w not in FUNCTION_WORDS]
        if len(ahead) < 2 and len(content) <= 7:
            return True
    if len(content) < 2 and len(words(rest)) <= 4 and not _NAMED.search(rest):
        return bool(re.match(r"(?:for|with|by|in|at|on|how|why|when|where|which|what|since|until)\b", rest, re.I))
    whole = _NAMED.search(rest) and _OPENS.match(rest)
    return bool(_CONTINUES.match(question)) and len(content) < 7 and not whole


def _asks(text: str) -> bool:
    return any(pattern.search(text) for name, pattern in KINDS.items() if name not in ("how_much", "compare"))


def _joined(before: str, rest: str, mark: str) -> str:
    return f"{before.rstrip(' ?？。.!！')}{mark}{rest.strip()}"


def _replaced(before: str, plain: str, language: str, encode: Encode) -> str | None:
    """The earlier question with the phrase that is most like the fragment replaced; None if no phrase is."""
    candidates = _phrases(before, language)
    if not candidates or not plain:
        return None
    rows = encode([plain, *(text for _, _, text in candidates)])
    likeness = rows[1:] @ rows[0]
    marks = [
        float(alike) + _fits(before, candidate, plain) for alike, candidate in zip(likeness, candidates, strict=True)
    ]
    best = max(range(len(candidates)), key=marks.__getitem__)
    start, end, _ = candidates[best]
    common = language != "zh" and not any(c.isdigit() or c.isupper() for c in plain)
    if marks[best] < (_ALIKE_COMMON if common else _ALIKE) or plain.lower() in before.lower():
        return None
    return f"{before[:start]}{plain}{before[end:]}"


def _fits(before: str, candidate: tuple[int, int, str], plain: str) -> float:
    """What speaks for putting the fragment in this place, beside its meaning."""
    start, end, text = candidate
    bonus = 0.12 * (_looks(text) == _looks(plain))
    if _shape(text) == _shape(plain) and any(c.isdigit() for c in plain):
        bonus += 0.55
    if " " in plain and text[:1].isupper():
        halves = bool(re.search(r"\b[A-Z][\w'&-]* $", before[:start])) + bool(re.match(r" [A-Z]", before[end:]))
        bonus -= 0.2 * halves  # a name is replaced whole
    return bonus + 0.06 * (len(text.split()) == len(plain.split()))


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


def _shape(text: str) -> str:
    return re.sub(r"\d+", "9", text.lower()) if text.isascii() else re.sub(r"\d+", "9", text)
