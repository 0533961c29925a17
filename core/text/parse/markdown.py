"""Markdown as readable text: markers of emphasis, links and headings go, lists and tables stay as lines.

A line parser for what people write in support documents (CommonMark's common part, GitHub tables, front matter), some
thirty times as fast as a full one. Plain text passes through it unharmed, so rows of CSV and JSONL files use it too.
"""

from __future__ import annotations

import re

from core.text.clean import collapse, join_lines, normalise, strip_markup, unwrap
from core.text.parse.base import Draft, Parsed, Source, table_lines
from core.text.parse.decode import decode

_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))??(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_RULE = re.compile(r" {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$")
_FENCE = re.compile(r"[ \t]{0,8}(`{3,}|~{3,})[^`]*$")
_ITEM = re.compile(r"([ \t]*)([-*+•])[ \t]+(?:\[[ xX]\][ \t]+)?(?=\S)|([ \t]*)(\d{1,4}[.)])[ \t]+(?=\S)")
_QUOTE = re.compile(r"[ \t]*(?:>[ \t]?)+")
_TABLE_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_DEFINITION = re.compile(r" {0,3}\[[^\]\n]{1,100}\]:[ \t]*\S+[ \t]*(?:[\"'(].{0,200}[\"')])?[ \t]*$")
_HIDDEN = re.compile(r"<!--|<(script|style|template|noscript)(?=[\s>/]|$)", re.I)
_CELL = re.compile(r"(?<!\\)\|")

_SPECIAL = re.compile(r"[*_`~\[<&\\]|!\[")
_CODE_SPAN = re.compile(r"(?<!`)(`{1,3})(?!`)(.{1,2000}?)(?<!`)\1(?!`)")
_LINK = re.compile(
    r"!?\[([^\[\]]{0,1000})\]\([ \t]*<?([^()\s<>]{0,2000}(?:\([^()\s]{0,200}\)[^()\s]{0,500})?)>?"
    r"(?:[ \t]+[\"'(][^\"'()]{0,300}[\"')])?[ \t]*\)"
)
_REFERENCE = re.compile(r"!?\[([^\[\]]{1,1000})\]\[[^\[\]]{0,100}\]")
_FOOTNOTE = re.compile(r"\[\^[^\[\]]{1,50}\]")
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^<>\s]{1,2000})>")
_STRONG = re.compile(r"\*\*(?=[^\s*])(.{1,1000}?)(?<=\S)\*\*")
_EMPHASIS = re.compile(r"(?<![\w*\\])\*(?=[^\s*])([^*]{1,1000}?)(?<=\S)\*(?![\w*])")
_UNDERSCORES = re.compile(r"(?<![\w\\])(__?)(?=[^\s_])([^_]{1,1000}?(?:\w_\w[^_]{0,1000}?){0,20})(?<=[^\s_])\1(?!\w)")
_STRIKE = re.compile(r"~~(?=\S)(.{1,1000}?)(?<=\S)~~")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")


def parse_markdown(source: Source) -> Parsed:
    """One document with a section under every heading.

    Its title is the front matter's, else the first heading of level 1, else the file name.

    :raises UnreadableDocument: if the file is empty or binary.
    """
    text, matter = front_matter(normalise(decode(source.data, source.name)))
    title = matter.pop("title", "")
    draft = markdown_draft(text)
    document = draft.document(
        id=source.document_id, source=source.name, title=title, fallback_title=source.stem, metadata=matter
    )
    return Parsed((document,))


def front_matter(text: str) -> tuple[str, dict[str, str]]:
    """Text without the YAML block at its head, and the block's plain `key: value` lines."""
    if not text.startswith("---\n"):
        return text, {}
    end = text.find("\n---", 3)
    lines = text[4:end].split("\n") if 0 <= end < 10_000 else []
    if not lines or not all(re.match(r"[\w\- ]+:|[ \t#-]|$", line) for line in lines):
        return text, {}
    pairs = (line.partition(":") for line in lines if re.match(r"\w[\w\- ]*:\s*[^\s|>]", line))
    newline = text.find("\n", end + 1)
    body = text[newline + 1 :] if newline >= 0 else ""
    return body, {key.strip().lower(): value.strip().strip("\"'") for key, _, value in pairs}


def markdown_draft(text: str) -> Draft:
    """A draft of normalised Markdown (`core.text.clean.normalise`)."""
    return _Reader(text).read()


def inline(text: str) -> str:
    """One line without markers of emphasis, links, images, code, HTML and escapes: what a reader would see."""
    if not _SPECIAL.search(text):
        return text
    if "`" not in text:
        return _plain(text)
    pieces, position = [], 0
    for match in _CODE_SPAN.finditer(text):
        pieces += [_plain(text[position : match.start()]), match[2].strip() or match[2]]
        position = match.end()
    return "".join([*pieces, _plain(text[position:])])


def _plain(text: str) -> str:
    if "[" in text:
        text = _FOOTNOTE.sub("", _REFERENCE.sub(r"\1", _LINK.sub(_label, text)))
    if "<" in text:
        text = _AUTOLINK.sub(lambda match: match[1].removeprefix("mailto:"), text)
    if "<" in text or "&" in text:
        text = strip_markup(text).replace("\n", " ")
    if "*" in text:
        text = _EMPHASIS.sub(r"\1", _STRONG.sub(r"\1", _EMPHASIS.sub(r"\1", text)))
    if "_" in text:
        text = _UNDERSCORES.sub(r"\2", text)
    if "~~" in text:
        text = _STRIKE.sub(r"\1", text)
    return _ESCAPE.sub(r"\1", text) if "\\" in text else text


def _label(match: re.Match[str]) -> str:
    return match[1] or ("" if match[0].startswith("!") else match[2])


class _Reader:
    """Goes through the lines once; a paragraph or list is collected and written when it ends."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.width = max(map(len, self.lines))
        self.draft = Draft()
        self.paragraph: list[str] = []
        self.block: list[str] = []
        self.unclosed: set[str] = set()

    def read(self) -> Draft:
        i = 0
        while i < len(self.lines):
            i = self.line(i)
        self.end_block()
        return self.draft

    def line(self, i: int) -> int:
        """Read what begins at line i; returns the first line behind it."""
        line = self.lines[i]
        first = line.lstrip()[:1]
        if not first:
            self.end_block()
            return i + 1
        if "<" in line and (behind := self.hidden(i, line)):
            return behind
        if first in "#`~=-*_[" and (behind := self.marked(i, line, first)):
            return behind
        if first == ">":
            line = _QUOTE.sub("", line, count=1)
        if "|" in line and i + 1 < len(self.lines) and "|" in (below := self.lines[i + 1]) and _TABLE_RULE.match(below):
            return self.table(i)
        self.text(line)
        return i + 1

    def marked(self, i: int, line: str, first: str) -> int:
        """Read a heading, code block, rule or link definition at line i; 0 where there is none."""
        if first == "#" and (match := _HEADING.match(line)):
            self.heading(len(match[1]), match[2] or "")
            return i + 1
        if first in "`~" and (match := _FENCE.match(line)):
            return self.fence(i, match[1])
        if first in "=-" and self.paragraph and (match := _UNDERLINE.match(line)):
            text = " ".join(part.strip() for part in self.paragraph)
            self.paragraph = []
            self.heading(1 if match[1][0] == "=" else 2, text)
            return i + 1
        if first in "-*_" and _RULE.match(line):
            self.end_block()
            return i + 1
        return i + 1 if first == "[" and _DEFINITION.match(line) else 0

    def hidden(self, i: int, line: str) -> int:
        """Cut a comment, script or style that begins at line i and ends in a later one; 0 where there is none."""
        match = _HIDDEN.search(line)
        if match is None or "`" in line[: match.start()]:
            return 0
        closing = f"</{match[1].lower()}" if match[1] else "-->"
        if closing in line[match.end() :].lower() or closing in self.unclosed:
            return 0
        for j in range(i + 1, len(self.lines)):
            end = self.lines[j].lower().find(closing)
            if end >= 0:
                behind = self.lines[j].find(">", end) + 1 or len(self.lines[j])
                self.lines[j] = line[: match.start()] + self.lines[j][behind:]
                return j
        self.unclosed.add(closing)
        return 0

    def text(self, line: str) -> None:
        match = _ITEM.match(line)
        if match:
            self.end_paragraph()
            indent = (match[1] or match[3] or "").replace("\t", "    ")
            marker = "-" if match[2] else match[4]
            self.paragraph = [f"{'  ' * min(len(indent) // 2, 6)}{marker} {line[match.end() :]}"]
        elif self.paragraph and line[:1].isspace() and _ITEM.match(self.paragraph[-1]):
            self.paragraph[-1] = join_lines(self.paragraph[-1], line.strip())
        else:
            self.paragraph.append(line.strip() if self.paragraph or line[:1].isspace() else line.rstrip())

    def heading(self, level: int, text: str) -> None:
        self.end_block()
        self.draft.heading(level, collapse(inline(text)).replace("\n", " "))

    def fence(self, i: int, mark: str) -> int:
        self.end_paragraph()
        for j in range(i + 1, len(self.lines)):
            stripped = self.lines[j].strip()
            if stripped.startswith(mark) and not stripped.strip(mark[0]):
                self.block += [line.rstrip() for line in self.lines[i + 1 : j] if line.strip()]
                return j + 1
        # Never closed: the marker is dropped, the rest is read as ordinary text.
        return i + 1

    def table(self, i: int) -> int:
        self.end_paragraph()
        rows = [_cells(self.lines[i])]
        j = i + 2
        while j < len(self.lines) and "|" in self.lines[j]:
            rows.append(_cells(self.lines[j]))
            j += 1
        self.block += table_lines(rows, header=True)
        return j

    def end_paragraph(self) -> None:
        if self.paragraph:
            lines = self.paragraph
            if len(lines) > 1:
                lines = unwrap(lines, width=self.width)
            self.block += [_tidy(inline(line)) for line in lines]
            self.paragraph = []

    def end_block(self) -> None:
        self.end_paragraph()
        text = "\n".join(line for line in self.block if line)
        if text:
            self.draft.block(text)
        self.block = []


def _tidy(line: str) -> str:
    """Single spaces, the indentation kept."""
    body = line.lstrip(" ")
    return " " * (len(line) - len(body)) + " ".join(body.split()) if body else ""


def _cells(line: str) -> list[str]:
    line = line.strip()
    line = line.removeprefix("|")
    if line.endswith("|") and not line.endswith("\\|"):
        line = line[:-1]
    return [" ".join(inline(cell).split()) for cell in _CELL.split(line)]
