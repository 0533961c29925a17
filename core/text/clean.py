"""Raw text to text that people can read: Unicode, control characters, HTML remnants, white space, wraps, running lines.

Knows characters and lines; knows nothing of files and formats. Nothing here changes the meaning of a text:
superscripts, fractions, circled numbers and Chinese punctuation stay as they are, although plain NFKC would fold them
(10⁶ into 106).
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise

# Characters whose compatibility form means something else, or (full-width punctuation) reads worse.
_KEPT = "！（），：；？～…⋯¨¯´¸²³¹⁰ⁱ⁴-₎ₐ-ₜ¼½¾⅐-⅞⅟↉″‴⁗①-⓿❶-➓㈠-㉃㊀-㊰㎡㎥™℠˘-˝"
_KEPT_RUN = re.compile(f"([{_KEPT}]+)")
_DIGIT_COLON = re.compile(r"(?<=\d)：(?=\d)")

_LINE_ENDS = re.compile("\r\n?|[\u2028\u2029\x85\x0b]")
_DROPPED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f\ue000-\uf0b6\uf0b8-\uf8ff]+"
)
_STRAY_JOINERS = re.compile(r"(?<=[\x00-\x7f])[\u200c\u200d]+|[\u200c\u200d]+(?=[\x00-\x7f]|$)")
_SAME = {"\uf0b7": "•", "\u2010": "-", "\u2011": "-", "\u00a0": " ", "\t": " ", "\f": "\n"}
_REPLACED = re.compile("[\uf0b7\u2010\u2011\u00a0\t\f]")
_SUSPECT = re.compile("[^\n -~]")

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,9});")
_HIDDEN = ("script", "style", "template", "noscript")
_BREAKING_TAG = re.compile(
    r"<(?:/\s*(?:p|div|li|tr|h[1-6]|ul|ol|table|blockquote|section|article)|br\s*/?|hr\s*/?|li|p|div)(?:\s[^<>]{0,400})?>",
    re.I,
)
_INLINE_TAG = re.compile(
    r"</?(?:a|abbr|acronym|address|article|b|big|blockquote|body|button|center|cite|code|col|dd|del|details|div|dl|dt|em|"
    r"fieldset|figcaption|figure|font|footer|form|h[1-6]|head|header|html|i|iframe|img|input|ins|kbd|label|legend|li|link|"
    r"main|mark|meta|nav|object|ol|option|p|picture|pre|q|s|samp|section|select|small|source|span|strike|strong|sub|summary|"
    r"sup|svg|table|tbody|td|textarea|tfoot|th|thead|time|title|tr|tt|u|ul|var|video)(?:\s[^<>]{0,400})?/?>",
    re.I,
)
_SPACES = re.compile(r"[^\S\n]{2,}|[^\S\n ]")
_LINE_EDGES = re.compile(r" *\n *")
_BLANK_LINES = re.compile(r"\n{3,}")

_MARKER = re.compile(
    r"\s*(?:[-*+•‣·▪◦]\s|\d{1,3}[.)、]|[(（]?[a-zA-Z0-9一二三四五六七八九十]{1,3}[)）]\s?|[|#>]|[①-⓿])"
)
_CJK = r"\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uff60"
_CJK_EDGE = re.compile(f"[{_CJK}]")
_NUMBERS = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(
    r"\W*(?:page|p\.|seite|第)?\s*\d{1,4}\s*(?:页|頁)?\W*(?:(?:of|/|von|共|de|sur)\s*\d{1,4}\s*(?:页|頁)?\W*)?", re.I
)


def normalise(text: str) -> str:
    """NFKC where it keeps the meaning, and no control, zero-width, bidirectional or tag characters.

    Line ends become one newline, form feeds too; other white space is kept but for tabs and no-break spaces.
    """
    if text.isascii() and not _SUSPECT.search(text):
        return text
    text = _REPLACED.sub(_same, _LINE_ENDS.sub("\n", text))
    text = _DROPPED.sub("", text)
    if text.isascii():
        return text
    if not unicodedata.is_normalized("NFKC", text):
        pieces = _KEPT_RUN.split(text)
        pieces[::2] = [unicodedata.normalize("NFKC", piece) for piece in pieces[::2]]
        text = _DIGIT_COLON.sub(":", "".join(pieces))
    if "\u200c" in text or "\u200d" in text:
        text = _STRAY_JOINERS.sub("", text)
    return text.replace("\u2010", "-")


def _same(match: re.Match[str]) -> str:
    return _SAME[match[0]]


def drop_hidden(text: str) -> str:
    """Without comments and the elements nobody reads (script, style, template, noscript), their content included.

    What is never closed stays: it is more often a text that speaks of the tag than a broken page.
    """
    if "<" not in text:
        return text
    text = _cut(text, "<!--", "-->")
    lowered = text.lower() if text.isascii() else re.sub("[A-Z]", lambda m: m[0].lower(), text)
    for name in _HIDDEN:
        if f"<{name}" in lowered:
            text = _cut_element(text, lowered, name)
            lowered = text.lower() if text.isascii() else re.sub("[A-Z]", lambda m: m[0].lower(), text)
    return text


def _cut(text: str, opening: str, closing: str) -> str:
    kept, position = [], 0
    while (start := text.find(opening, position)) >= 0:
        kept.append(text[position:start])
        end = text.find(closing, start + len(opening))
        if end < 0:
            kept.append(text[start:])
            return "".join(kept)
        position = end + len(closing)
    return "".join([*kept, text[position:]])


def _cut_element(text: str, lowered: str, name: str) -> str:
    kept, position = [], 0
    for match in re.finditer(rf"<{name}(?=[\s/>])", lowered):
        if match.start() < position:
            continue
        end = lowered.find(f"</{name}", match.start())
        close = lowered.find(">", end) if end >= 0 else -1
        if close < 0:
            break
        kept.append(text[position : match.start()])
        position = close + 1
    return "".join([*kept, text[position:]])


def strip_markup(text: str) -> str:
    """HTML remnants in plain text: hidden elements and known tags go, entities become characters. `x < 5` stays."""
    if "<" in text:
        text = _INLINE_TAG.sub("", _BREAKING_TAG.sub("\n", drop_hidden(text)))
    return unescape(text)


def unescape(text: str) -> str:
    """Character references (`&amp;`, `&#39;`) that end in a semicolon become their characters; `AT&T` stays."""
    return _ENTITY.sub(lambda match: html.unescape(match[0]), text) if "&" in text else text


def collapse(text: str) -> str:
    """One space between words, none at line edges, at most one blank line, none around the text."""
    return _BLANK_LINES.sub("\n\n", _LINE_EDGES.sub("\n", _SPACES.sub(" ", text))).strip()


def clean(text: str) -> str:
    """All of it for a plain text: HTML remnants, Unicode, control characters, white space.

    :returns: text without leading or trailing white space; it may be empty.
    """
    return collapse(normalise(strip_markup(text)))


def join_lines(first: str, second: str) -> str:
    """Two halves of a wrapped line as one: no space between Chinese characters, a hyphenated word joined again."""
    if not first or not second:
        return first + second
    if _CJK_EDGE.match(first[-1]) and _CJK_EDGE.match(second[0]):
        return first + second
    if first[-1] == "-" and first[-2:-1].isalpha() and second[0].islower():
        return first + second
    return f"{first} {second}"


def unwrap(lines: Sequence[str], *, width: int | None = None) -> list[str]:
    """Undo hard line wraps in the lines of one paragraph.

    Lines belong together where every break between them was forced: the first word of the next line would not have
    fitted in the width. List items, table rows and quotes begin anew. A single break counts only if the sentence goes
    on behind it. Text without wraps comes back as it is.

    :param lines: lines without line ends.
    :param width: characters a full line holds; None takes the longest line. Above 130 nothing counts as wrapped.
    """
    full = width if width is not None else max((len(line.rstrip()) for line in lines), default=0)
    if len(lines) < 2 or full > 130 or full < 30:
        return list(lines)
    runs: list[list[str]] = []
    for line in lines:
        if not runs or _MARKER.match(line):
            runs.append([])
        runs[-1].append(line.rstrip())
    joined: list[str] = []
    for run in runs:
        if _is_wrapped(run, full):
            first, *rest = run
            joined.append(reduce(join_lines, (line.strip() for line in rest), first))
        else:
            joined += run
    return joined


def _is_wrapped(run: Sequence[str], full: int) -> bool:
    pairs = [(before, after.strip()) for before, after in pairwise(run) if after.strip()]
    if not pairs or any(len(before) + 1 + _first_word(after) <= full for before, after in pairs):
        return False
    return len(pairs) > 1 or pairs[0][1][0].islower() or bool(_CJK_EDGE.match(pairs[0][1]))


def _first_word(line: str) -> int:
    return 1 if _CJK_EDGE.match(line[0]) else len(line.split(" ", 1)[0])


def unwrap_text(text: str) -> str:
    """`unwrap` for every paragraph of a text; paragraphs are what blank lines part. The width is the text's own."""
    lines = [line.rstrip() for line in text.split("\n")]
    width = max(map(len, lines))
    if width > 130 or width < 30:
        return text
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            paragraphs[-1].append(line)
        elif paragraphs[-1]:
            paragraphs.append([])
    return "\n\n".join("\n".join(unwrap(p, width=width)) for p in paragraphs if p)


def running_lines(pages: Sequence[Sequence[str]], *, edge: int = 3) -> list[set[int]]:
    """Indices of header and footer lines on each page: page numbers, and lines repeated at the edge of most pages.

    Lines are compared with their numbers masked, so "Page 3 of 10" repeats. A line counts as repeated when it stands
    among the first or last `edge` lines of at least half the pages and of at least three; it is dropped when nothing
    but dropped lines stands between it and the edge. An empty string is a line that must stay (a heading).
    """
    counts: Counter[str] = Counter()
    for lines in pages:
        counts.update({_mask(lines[i]) for side in _edges(lines, edge) for i in side})
    needed = max(3, (len(pages) + 1) // 2)
    found = []
    for lines in pages:
        drop: set[int] = set()
        for side in _edges(lines, edge):
            for i in side:
                number = len(pages) > 1 and bool(lines[i]) and _PAGE_NUMBER.fullmatch(lines[i])
                if not number and (not lines[i] or counts[_mask(lines[i])] < needed):
                    break
                drop.add(i)
        found.append(drop)
    return found


def _edges(lines: Sequence[str], edge: int) -> tuple[range, range]:
    """Indices from the top inwards and from the bottom inwards. A short page has narrow edges, or it could vanish."""
    deep = edge if len(lines) > 2 * edge else min(1, len(lines) // 2)
    return range(deep), range(len(lines) - 1, len(lines) - 1 - deep, -1)


def _mask(line: str) -> str:
    return _NUMBERS.sub("#", line.strip().casefold())
