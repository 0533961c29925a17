"""Sentences with their character offsets, and words for lexical search, in English, Chinese and mixtures.

Knows text only. Words are cut one run of a script at a time, so "iPhone 15 的价格涨了3.5%" needs no language: Latin
runs become lower-cased words, numbers stay whole, Chinese runs go to rjieba's search mode, kana and hangul become
bigrams.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache, lru_cache

_CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_CLOSING = "”’」』）】》〉"

_BOUNDARY = re.compile(
    rf"[。！？；｡]+[{_CLOSING})\]]*"
    rf"|[.!?…]+[\"'{_CLOSING})\]»]*(?=\s|$)"
    rf"|[.!?…]+(?=[{_CJK}{_CLOSING}“「『])[{_CLOSING}]*"
    r"|\n+"
)
_LAST_WORD = re.compile(r"[^\s(\[\"'“‘（「]+$")
_LIST_NUMBER = re.compile(r"\s*(?:[-*•]\s+)?(?:\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,4})\)?)$")
_NEXT_WORD = re.compile(r"\s*[\"'“‘(\[]*([^\s\"'“‘”’(\[]{0,40})")
_SOFT_LINE = re.compile(r"[^\s.!?:;。！？；：…|>][\"'”’)\]]*$")
_LIST_ITEM = re.compile(r"\s*(?:[-*+•‣·]\s|\(?[a-zA-Z0-9]{1,3}[.)]\s|\|)")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Never the end of a sentence: a name or a number follows.
_BEFORE_NAME = _set(
    """
    mr. mrs. ms. mx. dr. prof. rev. gen. sen. rep. gov. capt. col. lt. sgt. st. mt. messrs. hon. pres. supt.
    vs. v. e.g. i.e. cf. viz. al. approx. ca. no. nos. fig. figs. eq. sec. ch. vol. pp. p. art. par. para.
    incl. excl. est. ref. tel. ext. jan. feb. mar. apr. jun. jul. aug. sep. sept. oct. nov. dec. a.k.a. resp.
    z.b. bzw. nr. max. min. avg. c.f.
    """
)
# May end a sentence; it does when a word follows that usually opens one.
_MAYBE_END = _set(
    """
    inc. co. corp. ltd. llc. plc. l.p. bros. u.s. u.k. u.n. e.u. u.s.a. d.c. n.y. l.a. a.m. p.m. etc. jr. sr.
    ph.d. m.d. b.a. m.a. b.s. m.s. m.b.a. b.v. n.v. s.a. s.p.a. a.g. gmbh. dept. ave. blvd. rd. yr. yrs. hr.
    hrs. mo. mos. wk. wks. assn. bldg. intl. govt. natl. acct. amt. bal. pct. qty. a.d. b.c. est. edt. pst.
    pdt.
    """
)
_OPENERS = _set(
    """
    the a an in on at it its this that these those he she they we you i our your their his her if when while
    after before since because although however moreover furthermore additionally also as for from with by to
    and but or so then there here what how why who where which please no yes not all any each both some most
    many under over during once until unless see call visit contact use click go note make do does is are was
    were has have had can may will should must one two meanwhile finally first second third next later today
    according despite following through within between
    """
)


def sentences(text: str, language: str | None = None) -> list[tuple[int, int]]:
    """Character offsets [start, end) of the sentences of `text`, in order, without the white space around them.

    A newline ends a sentence, unless the line is plainly wrapped in mid-sentence. Decimals, abbreviations ("Inc.",
    "U.S.", "No. 5"), initials and list numbers do not. Chinese 。！？； end one, closing quotes included.

    :param language: ISO 639-1 code if known; taken for symmetry with `words`; the marks in the text decide.
    """
    found: list[tuple[int, int]] = []
    start = 0
    for match in _BOUNDARY.finditer(text):
        end = match.end()
        if end <= start:
            continue
        mark = text[match.start()]
        if mark == "\n":
            if _wraps(text, start, match.start(), end):
                continue
        elif mark == ".":
            if not _ends_here(text, start, match.start(), end):
                continue
        elif mark in "。！？；｡":
            end = _straight_quote(text, start, end)
        elif mark in "!?…" and _goes_on(text, end):
            continue
        _append(found, text, start, end)
        start = end
    _append(found, text, start, len(text))
    return found


def _append(found: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if end > start:
        found.append((start, end))


def _wraps(text: str, start: int, newline: int, end: int) -> bool:
    """Whether the newline stands inside a hard-wrapped sentence."""
    if end - newline > 1 or end >= len(text) or newline - max(start, text.rfind("\n", start, newline) + 1) < 30:
        return False
    if not (text[end].islower() or text[newline - 1] == ","):
        return False
    return bool(_SOFT_LINE.search(text, max(start, newline - 8), newline)) and not _LIST_ITEM.match(text, end)


def _ends_here(text: str, start: int, dot: int, end: int) -> bool:
    """Whether a full stop before white space ends a sentence."""
    last = _LAST_WORD.search(text, max(start, dot - 30), dot)
    word = (last[0] if last else "").lower() + "."
    if _LIST_NUMBER.match(text, start, dot):
        # "1. Verify" or "a. Verify" at the start of a line; a sentence that is only a number never ends here.
        return False
    following = _NEXT_WORD.match(text, end)
    after = following[1] if following else ""
    if not after or text[end : end + 1] == "\n":
        return True
    if text[end - 1] == "." and after[0].islower():
        return False
    if word in _BEFORE_NAME:
        return word in ("no.", "max.", "min.", "art.", "al.", "ref.", "est.") and not _is_name_or_number(after)
    if word in _MAYBE_END or (len(word) == 2 and word[0].isalpha() and text[dot - 1].isupper()):
        return after.lower().rstrip(".,:;'") in _OPENERS and text[end - 1] == "."
    return True


def _is_name_or_number(word: str) -> bool:
    return word[0].isdigit() or word[0] == "#" or (word[0].isupper() and word.lower() not in _OPENERS)


def _goes_on(text: str, end: int) -> bool:
    following = _NEXT_WORD.match(text, end)
    return bool(following and following[1] and following[1][0].islower() and "\n" not in text[end : following.end()])


def _straight_quote(text: str, start: int, end: int) -> int:
    """A straight quote behind 。 closes the sentence if one was opened in it."""
    if text[end : end + 1] in ('"', "'") and text.count(text[end], start, end) % 2:
        return end + 1
    return end


_ACRONYM = re.compile(r"\b(?:[a-z]\.){2,}")
_RUN = re.compile(
    rf"(?P<cjk>[{_CJK}]+)"
    r"|(?P<syllabic>[\u3041-\u30ff\u31f0-\u31ff\uac00-\ud7a3]+)"
    r"|(?>\d+(?:[.,:]\d+)+)%?|(?>\d+)%?(?![a-z_])"
    rf"|(?:[^\W\u3041-\u30ff\u31f0-\u31ff\uac00-\ud7a3{_CJK}]|(?<=\w)['’](?=[a-z]))+%?"
)
_ASCII_RUN = re.compile(r"(?>\d+(?:[.,:]\d+)+)%?|(?>\d+)%?(?![a-z_])|(?:\w|(?<=\w)'(?=[a-z]))+%?")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


def words(text: str, language: str | None = None, *, stem: bool = False) -> list[str]:
    """Tokens for lexical search, in order: the same word in a question and in a passage gives the same token.

    Lower case, NFKC; numbers whole ("3.5%", "2021"; "1,000" becomes "1000"); identifiers whole ("order_4821");
    Chinese in search mode, so a long word comes with the shorter ones inside it; no punctuation. A possessive 's
    is dropped.

    :param language: taken for symmetry with `sentences`; the script of each run decides.
    :param stem: fold English plurals and common endings (`light_stem`).
    """
    text = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).lower()
    if "," in text:
        text = _THOUSANDS.sub("", text)
    text = _ACRONYM.sub(lambda match: match[0].replace(".", ""), text)
    found: list[str] = []
    if text.isascii():
        found = [_plain(token) if "'" in token or "_" in token else token for token in _ASCII_RUN.findall(text)]
        return [light_stem(token) if stem else token for token in found if token]
    for match in _RUN.finditer(text):
        token = match[0]
        kind = match.lastgroup
        if kind == "cjk":
            found.extend(_cutter()(token) if len(token) > 1 else [token])
        elif kind == "syllabic":
            found.extend(token[i : i + 2] for i in range(max(1, len(token) - 1)))
        else:
            token = _plain(token)
            if token:
                found.append(light_stem(token) if stem else token)
    return found


def _plain(token: str) -> str:
    token = token.strip("_'’")
    if token.endswith(("'s", "’s")):
        return token[:-2]
    return token.replace("’", "'")


@lru_cache(maxsize=50_000)
def light_stem(word: str) -> str:
    """English word without plural, -ing, -ed and -ly endings, if at least three letters with a vowel remain.

    Plurals after Harman 1991, "How effective is suffixing?" (the S-stemmer); the rest is deliberately weak.
    """
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        word = word[:-3] + "y"
    elif word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        word = word[:-2] if word.endswith(("sses", "shes", "ches", "xes", "zes")) else word[:-1]
    elif word.endswith("s") and not word.endswith(("us", "ss", "is")):
        word = word[:-1]
    for ending in ("ingly", "edly", "ing", "ed", "ly"):
        root = word[: -len(ending)]
        if word.endswith(ending) and len(root) >= 3 and any(vowel in root for vowel in "aeiouy"):
            if root[-1] == root[-2] and root[-1] not in "lsz":
                root = root[:-1]
            return root
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


@cache
def _cutter() -> Callable[[str], list[str]]:
    """rjieba's search mode; its dictionary takes 0.2 s and 35 MB, so it is loaded with the first Chinese word."""
    import rjieba

    cut: Callable[[str], list[str]] = rjieba.cut_for_search
    return cut
