"""Training pairs of question and passage, made from documents and labelled questions.

What a reader must learn is the near miss: the right document, the right words, and the asked thing not said. Such
passages are made here: the evidence taken out, the sentences beside it, the same event of another document, another
date or amount asked for than is told. Knows documents, sentences and questions; no model, index or store.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from apps.customer_service.data import RagQuestion
from core.errors import InputError
from core.generate.lexicon import content_words
from core.text import sentences
from core.types import Document

Origin = Literal["labelled", "deleted", "neighbour", "parallel", "changed", "made"]
"""Where a pair comes from: a labelled span; the evidence taken out; a sentence of the same document that shares most
words; the same of another document; a date or amount of the question changed; a question made from a sentence."""

_SPACE = re.compile(r"\s+")
_LEAST = 4
"""Characters under which a sentence proves nothing."""
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DATE = {
    "en": re.compile(rf"\b(?:in|on) (?:(?:{'|'.join(_MONTHS)})(?: \d{{1,2}})?,? ?)?(?:19|20)\d\d\b", re.IGNORECASE),
    "zh": re.compile(r"(?:19|20)\d\d年(?:\d{1,2}月(?:\d{1,2}日)?)?"),
}
_AMOUNT = {
    "en": re.compile(r"[$€£¥]\s?\d[\d,.]*\d?(?: (?:thousand|million|billion))?|\b\d[\d,.]*%"),
    "zh": re.compile(r"\d[\d,.]*\s?(?:万|亿|千)?(?:港元|美元|欧元|元)|\d[\d.]*%"),
}
_WHEN = {"en": "when", "zh": "什么时候"}
_HOW_MUCH = {"en": "how much", "zh": "多少"}
_MARK = {"en": "?", "zh": "？"}
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_MONTH_EN = re.compile(rf"\b(?:{'|'.join(_MONTHS)})\b")
_MONTH_ZH = re.compile(r"(?<!\d)(1[0-2]|[1-9])月")


@dataclass(frozen=True, slots=True)
class Pair:
    """A question, a passage, and whether the passage answers it."""

    question: str
    title: str
    text: str
    answers: bool
    origin: Origin
    documents: tuple[str, ...]
    """Ids of all documents it was made from: a fold that holds one of them out leaves the pair out."""


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A question that its documents no longer answer."""

    question: RagQuestion
    document: Document
    """One of the question's documents without its evidence; the others stay as they are."""


def proves(sentence: str, spans: Sequence[str]) -> bool:
    """Whether a sentence holds one of the evidence spans, or is a part of one; white space and case do not count.

    >>> proves("The fee is $50.", ["the fee is $50."]), proves("It is.", [])
    (True, False)
    """
    plain = _plain(sentence)
    return len(plain) >= _LEAST and any(plain in s or s in plain for s in map(_plain, spans) if s)


def without(text: str, spans: Sequence[str], language: str) -> str:
    """The text without its sentences that prove one of the spans, and the white space after them."""
    kept, position = [], 0
    for start, end in sentences(text, language):
        if proves(text[start:end], spans):
            kept.append(text[position:start])
            position = end + len(text[end:]) - len(text[end:].lstrip())
    return ("".join(kept) + text[position:]).strip()


def near_misses(questions: Sequence[RagQuestion], documents: Mapping[str, Document]) -> Iterator[NearMiss]:
    """For every answerable question and each of its documents, that document with the evidence gone.

    A question about two companies becomes unanswerable when one of them is silent, so each is silenced by itself.
    Questions without spans, and documents that do not have them or have nothing else, give none. The document
    that comes back has no sections and no hash: it is for learning, not for an index.
    """
    for question in questions:
        if not question.answerable:
            continue
        for id_ in question.doc_ids:
            document = documents.get(id_)
            if document is None:
                continue
            left = without(document.text, question.spans, document.language)
            if left and left != document.text.strip():
                yield NearMiss(question, replace(document, text=left, sections=(), sha256=""))


def windows(document: Document, size: int = 3) -> list[str]:
    """Runs of `size` neighbouring sentences, each sentence once in the middle.

    :raises InputError: if `size` is not odd and positive.
    """
    if size < 1 or size % 2 == 0:
        raise InputError(f"A window of {size} sentences has no middle; take 1, 3 or 5.")
    spans = sentences(document.text, document.language)
    half = size // 2
    last = len(spans) - 1
    return [
        document.text[spans[max(0, i - half)][0] : spans[min(last, i + half)][1]].strip() for i in range(len(spans))
    ]


def make_pairs(
    questions: Sequence[RagQuestion], documents: Sequence[Document], *, negatives: int = 4, size: int = 3, seed: int = 0
) -> list[Pair]:
    """Pairs for a reader: each labelled question with the windows that answer it and with near misses of each kind.

    :param negatives: windows of the same document that share most words with the question and hold no evidence, and
        half as many of other documents.
    :param size: sentences of a window, odd.
    """
    draw = random.Random(seed)
    by_id = {document.id: document for document in documents}
    cut = {id_: _Cut.of(document, size) for id_, document in by_id.items()}
    found: dict[tuple[str, str, str], Pair] = {}
    for question in questions:
        for pair in _of_question(question, by_id, cut, negatives, draw):
            found.setdefault((pair.question, pair.title, pair.text), pair)
    return list(found.values())


def made_pairs(documents: Sequence[Document], *, most: int = 20, size: int = 3, seed: int = 0) -> list[Pair]:
    """Pairs without any label: sentences with a date or an amount become questions for it.

    For each the window around the sentence answers, and the same window with the sentence gone does not.

    :param most: questions of one document at most.
    """
    draw = random.Random(seed)
    found = []
    for document in documents:
        cut = _Cut.of(document, size)
        asked = [(i, q) for i, s in enumerate(cut.sentences) for q in clozes(s, document.title, document.language)]
        for i, question in draw.sample(asked, min(most, len(asked))):
            found.append(Pair(question, document.title, cut.windows[i], True, "made", (document.id,)))
            left = without(cut.windows[i], [cut.sentences[i]], document.language)
            if left:
                found.append(Pair(question, document.title, left, False, "deleted", (document.id,)))
    return found


def clozes(sentence: str, title: str, language: str) -> list[str]:
    """Questions for the only date and the only amount of a sentence, the rest of it standing.

    >>> clozes("In May 2021, Kestrel raised $5 million.", "Kestrel", "en")
    ['When Kestrel raised $5 million?', 'In May 2021, Kestrel raised how much?']
    """
    if language not in _DATE:
        return []
    found = []
    for pattern, word in ((_DATE[language], _WHEN[language]), (_AMOUNT[language], _HOW_MUCH[language])):
        matches = list(pattern.finditer(sentence))
        if len(matches) != 1:
            continue
        start, end = matches[0].span()
        after = sentence[end:] if start else sentence[end:].lstrip(",，")
        asked = (sentence[:start] + word + after).strip().rstrip(".。!！")
        if title and title.lower() not in asked.lower():
            asked = f"{title}: {asked}" if language == "en" else f"{title}：{asked}"
        found.append(asked[:1].upper() + asked[1:] + _MARK[language])
    return found


def changed(question: str, draw: random.Random) -> str | None:
    """The question with another month, or where it names none another year; None where it names neither.

    Only questions with exactly one of them are changed: of two, the other may still be right.
    """
    for pattern, others in (
        (_MONTH_EN, _MONTHS),
        (_MONTH_ZH, [f"{n}月" for n in range(1, 13)]),
    ):
        matches = list(pattern.finditer(question))
        if len(matches) == 1:
            return _swapped(question, matches[0], [m for m in others if m != matches[0][0]], draw)
    years = list(_YEAR.finditer(question))
    if len(years) != 1:
        return None
    year = int(years[0][0])
    return _swapped(question, years[0], [str(year + step) for step in (-3, -2, -1, 1, 2, 3)], draw)


@dataclass(frozen=True, slots=True)
class _Cut:
    """A document in sentences and windows."""

    document: Document
    sentences: list[str]
    windows: list[str]
    words: list[frozenset[str]]

    @classmethod
    def of(cls, document: Document, size: int) -> _Cut:
        each = [document.text[a:b] for a, b in sentences(document.text, document.language)]
        held = [frozenset(content_words(s, document.language)) for s in each]
        return cls(document, each, windows(document, size), held)

    def likest(self, asked: frozenset[str], spans: Sequence[str], count: int) -> list[str]:
        """Windows without evidence whose middle sentence shares most words with the question."""
        order = sorted(range(len(self.sentences)), key=lambda i: -len(asked & self.words[i]))
        clean = (without(self.windows[i], spans, self.document.language) for i in order)
        return list(dict.fromkeys(text for text in clean if text))[:count]


def _of_question(
    question: RagQuestion,
    documents: Mapping[str, Document],
    cut: Mapping[str, _Cut],
    negatives: int,
    draw: random.Random,
) -> Iterator[Pair]:
    homes = tuple(id_ for id_ in question.doc_ids if id_ in documents)
    other = changed(question.question, draw)
    for id_ in homes:
        home = cut[id_]
        title, language = home.document.title, home.document.language
        asked = frozenset(content_words(question.question, language)) - frozenset(content_words(title, language))
        for i, sentence in enumerate(home.sentences):
            if question.answerable and proves(sentence, question.spans):
                text = home.windows[i]
                yield Pair(question.question, title, text, True, "labelled", homes)
                left = without(text, question.spans, language)
                if left:
                    yield Pair(question.question, title, left, False, "deleted", homes)
                if other is not None and not any(date in text for date in _dates(other) - _dates(question.question)):
                    yield Pair(other, title, text, False, "changed", homes)
        for text in home.likest(asked, question.spans, negatives):
            yield Pair(question.question, title, text, False, "neighbour", homes)
        titles = {cut[key].document.title for key in homes}
        strangers = sorted(
            key
            for key, other_cut in cut.items()
            if other_cut.document.language == language and other_cut.document.title not in titles
        )
        for key in draw.sample(strangers, min(len(strangers), max(1, negatives // 2))):
            for text in cut[key].likest(asked, (), 1):
                yield Pair(question.question, cut[key].document.title, text, False, "parallel", (*homes, key))


def _dates(text: str) -> set[str]:
    return {match[0] for pattern in (_MONTH_EN, _MONTH_ZH, _YEAR) for match in pattern.finditer(text)}


def _swapped(question: str, match: re.Match[str], others: Sequence[str], draw: random.Random) -> str:
    return question[: match.start()] + draw.choice(others) + question[match.end() :]


def _plain(text: str) -> str:
    return _SPACE.sub("", text).lower()
