"""HTML pages as readable text: scripts, navigation, banners and other boilerplate go, headings, lists and tables stay.

Knows markup; it never runs or fetches anything. Works on a stack, so deeply nested pages are no danger.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from core.errors import UnreadableDocument
from core.text.clean import collapse, normalise
from core.text.parse.base import Draft, Parsed, Source, table_lines
from core.text.parse.decode import decode

_NEVER_READ = (
    "script,style,noscript,template,iframe,object,embed,svg,canvas,audio,video,map,button,input,select,textarea,dialog,"
    "[hidden],[aria-hidden=true]"
)
_BOILERPLATE = (
    "nav,footer,menu,[role=navigation],[role=banner],[role=contentinfo],[role=search],[role=dialog],[role=alertdialog],"
    "[role=menu],[role=menubar]"
)
_OUTSIDE_MAIN = "header,aside,[role=complementary]"
_MAIN = "main,[role=main],article"
_NAMED = re.compile(
    r"(?:^|[-_\s])(?:nav|navbar|navigation|menu|breadcrumbs?|sidebar|share|sharing|social|related|footer|pagination|pager|"
    r"skip|toc|tags?|topbar|toolbar)(?:$|[-_\s])",
    re.I,
)
_BANNER = re.compile(
    r"(?:^|[-_\s])(?:cookies?|consent|gdpr|newsletter|subscribe|popup|modal|advert\w*|ads)(?:$|[-_\s])", re.I
)
_MOST_JUDGED = 2_000  # elements; each costs its whole subtree, and a hostile page can nest them
_MOST_TABLES = 8  # one inside the other; deeper ones lay out a page, and each costs its whole subtree
_UNSEEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)
_SITE_SUFFIX = re.compile(r"\s+[|–—·»\-]\s+[^|–—·»]{1,60}$")

_SOURCE_SPACE = re.compile(r"\s+")
_HEADINGS = {f"h{level}": level for level in range(1, 7)}


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_BLOCKS = _set(
    """
    address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure
    footer form header hr html legend li main ol p pre section summary table tbody td tfoot th thead tr ul
    """
)


def parse_html(source: Source) -> Parsed:
    """One document with a section under every heading; its title is the only h1, else the page's title.

    :raises UnreadableDocument: if the file is empty, binary or shows no text without its scripts.
    """
    page = _page(decode(source.data, source.name, html=True), source.name)
    title = _title(page)
    draft = html_draft(page)
    if not draft.length:
        raise UnreadableDocument(
            f"{source.name} shows no text: it may be drawn by a script. Save the page from a browser as it is shown."
        )
    document = draft.document(id=source.document_id, source=source.name, title=title, fallback_title=source.stem)
    return Parsed((document,))


def html_draft(page: LexborHTMLParser | str, *, boilerplate: bool = False) -> Draft:
    """A draft of a page or of an HTML fragment.

    :param page: the page; its tree is changed.
    :param boilerplate: keep navigation and banners too; without text the page is read again with them.
    """
    tree = _page(page, "text") if isinstance(page, str) else page
    _remove(tree, _NEVER_READ)
    _remove_unseen(tree)
    if tree.body is None:
        return Draft()
    if boilerplate:
        return _Walker().walk(tree.body)
    original = tree.body.html or ""
    draft = _Walker().walk(_without_boilerplate(tree))
    return draft if draft.length else _Walker().walk(_page(original, "text").body)


def _page(markup: str, name: str) -> LexborHTMLParser:
    try:
        return LexborHTMLParser(markup.replace("\x00", ""))
    except (SelectolaxError, ValueError, RuntimeError) as error:
        raise UnreadableDocument(
            f"{name} cannot be read as HTML: {error}. Save it again as HTML or plain text."
        ) from error


def _title(tree: LexborHTMLParser) -> str:
    headings = tree.css("h1")
    if len(headings) == 1 and (text := _text(headings[0])):
        return text
    node = tree.css_first("title")
    title = _text(node) if node is not None else ""
    return _SITE_SUFFIX.sub("", title) or title


def _text(node: LexborNode) -> str:
    return " ".join(normalise(node.text(deep=True, separator=" ")).split())


def _remove(tree: LexborHTMLParser, selector: str) -> None:
    for node in tree.css(selector):
        if node.tag not in ("body", "html"):
            node.decompose()


def _remove_unseen(tree: LexborHTMLParser) -> None:
    for node in tree.css("[style]"):
        if node.tag not in ("body", "html") and _UNSEEN.search(node.attributes.get("style") or ""):
            node.decompose()


def _without_boilerplate(tree: LexborHTMLParser) -> LexborNode:
    """The element that holds the page's own text, cleared of what belongs to the site."""
    body = tree.body
    assert body is not None
    _remove(tree, _BOILERPLATE)
    judged = 0
    for node in tree.css("[class],[id]"):
        names = f"{node.attributes.get('class') or ''} {node.attributes.get('id') or ''}"
        if node.tag in ("body", "html", "main", "article") or len(names) > 500:
            continue
        banner, named = _BANNER.search(names), _NAMED.search(names)
        if not (banner or named):
            continue
        judged += 1
        if (banner and len(node.text()) < 2000) or (named and _is_links(node)):
            node.decompose()
        if judged >= _MOST_JUDGED:
            break
    whole = len(_text(body))
    for node in tree.css(_MAIN):
        if len(_text(node)) >= 0.4 * whole:
            return node
    _remove(tree, _OUTSIDE_MAIN)
    return body


def _is_links(node: LexborNode) -> bool:
    text = len(_text(node))
    linked = sum(len(_text(link)) for link in node.css("a"))
    return not text or linked >= 0.5 * text


@dataclass(slots=True)
class _List:
    ordered: bool
    number: int = 0


class _Walker:
    """Goes through the tree once, in reading order; inline text is collected and written at the next block's edge."""

    def __init__(self) -> None:
        self.draft = Draft()
        self.pieces: list[str] = []
        self.lists: list[_List] = []
        self.marker = ""
        self.tight = False
        self.tables = 0

    def walk(self, root: LexborNode | None) -> Draft:
        stack: list[tuple[LexborNode, bool]] = [(root, True)] if root is not None else []
        while stack:
            node, entering = stack.pop()
            if not entering:
                self.leave(node)
            elif node.is_text_node:
                self.pieces.append(_SOURCE_SPACE.sub(" ", node.text_content or ""))
            elif self.enter(node):
                stack.append((node, False))
                children = []
                child = node.child
                while child is not None:
                    children.append((child, True))
                    child = child.next
                stack.extend(reversed(children))
        self.flush()
        return self.draft

    def enter(self, node: LexborNode) -> bool:
        """Open an element; whether its children are to be read."""
        tag = node.tag or ""
        if tag in _HEADINGS:
            self.flush()
            self.draft.heading(_HEADINGS[tag], _text(node))
            self.tight = False
            return False
        if tag == "br":
            self.pieces.append("\n")
            return False
        if tag == "pre":
            self.flush()
            self.write(normalise(node.text(deep=True)).strip("\n"))
            return False
        if tag == "table" and self.table(node):
            return False
        if tag in _BLOCKS:
            self.flush()
            if tag == "table":
                self.tables += 1
            elif tag in ("ul", "ol"):
                self.lists.append(_List(tag == "ol", _start(node) - 1))
            elif tag == "li":
                self.open_item()
        return bool(node.is_element_node)

    def leave(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag not in _BLOCKS:
            return
        self.flush()
        if tag == "table":
            self.tables -= 1
        elif tag in ("ul", "ol") and self.lists:
            self.lists.pop()
            self.tight = bool(self.lists)
        elif tag == "li":
            self.marker = ""

    def open_item(self) -> None:
        current = self.lists[-1] if self.lists else _List(False)
        current.number += 1
        mark = f"{current.number}." if current.ordered else "-"
        self.marker = "  " * min(max(0, len(self.lists) - 1), 6) + mark + " "

    def table(self, node: LexborNode) -> bool:
        """Write a data table; whether it was one (a table that lays out a page is read as blocks)."""
        if self.tables > _MOST_TABLES:
            return False
        if node.css_first("h1,h2,h3,h4,p + p,ul,ol,pre,div > div") is not None or len(node.css("table")) > 1:
            return False
        rows = [[_text(cell) for cell in row.css("th,td")] for row in node.css("tr")]
        if max(map(len, rows), default=0) < 2:
            return False
        self.flush()
        heads = node.css_first("tr")
        header = heads is not None and heads.css_first("th") is not None and heads.css_first("td") is None
        caption = node.css_first("caption")
        lines = [_text(caption)] if caption is not None else []
        self.write("\n".join([*lines, *table_lines(rows, header=header)]))
        return True

    def flush(self) -> None:
        text = "".join(self.pieces)
        self.pieces.clear()
        if not text or text.isspace():
            return
        lines = (" ".join(line.split()) for line in _lines(text))
        self.write("\n".join(line for line in lines if line))

    def write(self, text: str) -> None:
        if not text.strip():
            return
        if self.marker:
            self.draft.block(self.marker + text, separator="\n" if self.tight else "\n\n")
            self.marker, self.tight = "", True
        else:
            self.draft.block(text)
            self.tight = False


def _lines(text: str) -> list[str]:
    """Lines that `<br>` parted: newlines of the source were made spaces before."""
    return collapse(normalise(text)).split("\n")


def _start(node: LexborNode) -> int:
    value = node.attributes.get("start") or ""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 6 else 1
