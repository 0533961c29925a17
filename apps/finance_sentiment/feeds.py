"""RSS and Atom: bytes of a feed to texts, and polite fetching of feeds.

Knows feedparser, HTTP statuses and what is polite to a host; knows no store. A broken feed is read as far as it can be.
Dates stay as the feed gives them, believable or not: what counts is decided where the text is read.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Protocol
from urllib.parse import urljoin
from xml.parsers import expat

from apps.finance_sentiment.data import Texts, parse_time
from apps.finance_sentiment.polite import Hosts
from apps.finance_sentiment.reading import LONGEST_BODY
from apps.finance_sentiment.schemas import Incoming
from apps.finance_sentiment.store_sources import Source
from core.errors import InputError, Unavailable
from core.text.parse import Problem
from core.text.parse.decode import decode
from core.web.addresses import read_url, shown
from core.web.outbound import Response

MOST_ENTRIES = 1_000
"""Entries of one feed that are read, the first ones: feeds have the newest on top."""
LONGEST_RUN = 4 * LONGEST_BODY
"""Characters of one element's text that are read."""
MOST_PROBLEMS = 20
LONGEST_BROKEN = 4 * 2**20
"""Characters of a feed that are read where it is not well-formed."""
DEEPEST = 2_000
"""Elements of such a feed that may be open at once."""

ACCEPT = "application/rss+xml, application/atom+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.1"

_DECLARED = re.compile(rb"\A\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_.:-]{1,40})[\"']")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.I)
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]{0,300}\?>")
_OPENS = re.compile(r"<(?:item|entry)[\s>]", re.I)
_CLOSES = re.compile(r"</(?:item|entry)\s*>", re.I)
_RUN = re.compile(r"[^<>]+")
_STRAY = re.compile(r"<(?!!\[CDATA\[|!--)(?![^<>]*>)")
_TAG = re.compile(r"</?([A-Za-z][\w:.-]*)(?=[\s/>])")
_HALF_ENTITY = re.compile(r"&[#\w]{0,12}\Z")
_CHINESE_DATE = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日\s*(?:(\d{1,2})[:时點点](\d{1,2})(?:[:分](\d{1,2}))?)?")
_ZONE = re.compile(r"(?<=\d)\s+(?:([+-]\d\d:?\d\d)|GMT|UTC|Z)\Z")
_CHINA = timezone(timedelta(hours=8))
_ISO = re.compile(r"\d{4}-\d\d-\d\d[ T]")
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030"}


class Get(Protocol):
    """Fetches a URL, as `core.web.outbound.fetch` with its limits bound."""

    def __call__(self, url: str, *, headers: Mapping[str, str]) -> Response:
        """The answer, whatever its status."""
        ...


@dataclass(frozen=True, slots=True)
class Polled:
    """What a poll of a feed brought."""

    texts: tuple[Incoming, ...] = ()
    problems: tuple[Problem, ...] = ()
    etag: str = ""
    last_modified: str = ""
    unchanged: bool = False
    """The feed says that it is as it was."""


def poll(source: Source, get: Get, hosts: Hosts, now: datetime, *, patience: float = 0.0) -> Polled:
    """Fetch a feed, unless it has not changed since the last time, and read it.

    After a gap without success, entries without a date count at its beginning: they are no news of this moment.

    :param patience: seconds to wait for the host's turn.
    :raises Postponed: if it is not the host's turn yet.
    :raises InputError: if the URL may not be asked, or what is there is no feed.
    :raises Unavailable: if it does not answer well; `retry_after` where its host says when.
    """
    host = read_url(source.location, ports=None).host
    headers = {"Accept": ACCEPT}
    if source.etag:
        headers["If-None-Match"] = source.etag
    if source.last_modified:
        headers["If-Modified-Since"] = source.last_modified
    with hosts.turn(host, patience):
        answer = get(source.location, headers=headers)
        if answer.status in (429, 503):
            wait = hosts.rest(host, answer.headers.get("retry-after", ""), source.failures, now)
            raise Unavailable(f"{host} wants to be left alone ({answer.status}).", retry_after=wait)
    etag = _header(answer, "etag")
    modified = _header(answer, "last-modified")
    if answer.status == 304:
        return Polled(etag=etag or source.etag, last_modified=modified or source.last_modified, unchanged=True)
    if answer.status != 200:
        raise Unavailable(f"{shown(answer.url)} answers {answer.status}.")
    gap = source.last_success_at is not None and now - source.last_success_at > timedelta(
        seconds=max(3600, 3 * source.interval_seconds)
    )
    read = read_feed(
        answer.body,
        source=source.name,
        url=answer.url,
        now=now,
        content_type=answer.headers.get("content-type", ""),
        undated=source.last_success_at if gap else None,
    )
    return Polled(read.texts, read.problems, etag, modified)


def _header(answer: Response, name: str) -> str:
    """A header that can be sent back as it came."""
    value = answer.headers.get(name, "")
    return value if len(value) <= 500 and value.isascii() and value.isprintable() else ""


def read_feed(
    data: bytes, *, source: str, url: str, now: datetime, content_type: str = "", undated: datetime | None = None
) -> Texts:
    """The entries of a feed, oldest first.

    :param source: name of the source.
    :param url: where it was, for links without a host.
    :param now: arrival of the texts.
    :param content_type: HTTP header; a charset there wins over the one in the file.
    :param undated: time of entries that have none.
    :raises InputError: if it is no feed.
    """
    import feedparser

    markup = _DECLARATION.sub("", _decoded(data, url, content_type))
    markup, problems = _bounded(markup, source)
    if not _well_formed(markup):
        markup = _tamed(markup, url)
    headers = {"content-type": "application/xml; charset=utf-8"}  # no address: it would go into ids
    found = feedparser.parse(
        io.BytesIO(markup.encode("utf-8", "replace")),
        response_headers=headers,
        sanitize_html=False,  # markup is taken out whole where a text is read
        resolve_relative_uris=False,
    )
    entries = list(found.entries)
    if not found.version and not entries:
        start = " ".join(markup[:60].split())
        raise InputError(f"{shown(url)} is no RSS or Atom feed; it begins with {start!r}. Give the feed's own address.")
    if found.bozo:
        reason = " ".join(str(found.get("bozo_exception", "")).split())[:120]
        problems.append(Problem(source, None, f"not well-formed ({reason}); read as far as it can be"))
        if entries and _ends_inside_an_entry(markup):
            entries.pop()
            problems.append(Problem(source, None, "the last entry is cut off and waits until it is whole"))
    texts = []
    for i, entry in enumerate(entries[:MOST_ENTRIES], 1):
        try:
            text, note = _incoming(entry, source, url, now, undated)
        except InputError as error:
            problems.append(Problem(source, i, str(error).rstrip(".")))
            continue
        texts.append(text)
        if note:
            problems.append(Problem(source, i, note))
    return Texts(tuple(reversed(texts)), tuple(problems[:MOST_PROBLEMS]))


def _incoming(entry: Any, source: str, url: str, now: datetime, undated: datetime | None) -> tuple[Incoming, str]:
    """An entry as a text, and what was odd about it."""
    part = {
        key: value.strip() for key in ("id", "link", "title", "summary") if isinstance(value := _raw(entry, key), str)
    }
    title = part.get("title", "")
    contents = [c.get("value") or "" for c in _raw(entry, "content") or () if hasattr(c, "get")]
    body = max((*contents, part.get("summary", "")), key=len)
    if not title and not body.strip():
        raise InputError("the entry has no words")
    published, note = _published(entry)
    link = urljoin(url, part.get("link", "")) if part.get("link") else ""
    id = part.get("id") or _digest(link, title, "" if link else body)
    return Incoming(id, source, now, title, body, link, published or (None if note else undated)), note


def _published(entry: Any) -> tuple[datetime | None, str]:
    note = ""
    for key in ("published", "updated", "created"):
        told = _raw(entry, key)
        if isinstance(told, str) and told.strip():
            try:
                return read_date(told), ""
            except InputError:
                note = note or f"{told.strip()[:40]!r} is no time; its arrival counts"
    return None, note


def read_date(text: str) -> datetime | None:
    """A date of a feed: as `parse_time`, and "2026年3月2日 09:30", which is meant in China's time.

    :raises InputError: if it is none. Nothing is guessed: a date that is half read would move a text in time.
    """
    text = text.strip()
    found = _CHINESE_DATE.match(text)
    if found:
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
        try:
            return datetime(year, month, day, hour, minute, second, tzinfo=_CHINA).astimezone(UTC)
        except ValueError as error:
            raise InputError(f"{text[:40]!r} is no time: {error}.") from None
    if _ISO.match(text):
        text = _ZONE.sub(lambda m: m[1] or "Z", text)
    return parse_time(text)


def _raw(entry: Any, key: str) -> Any:
    """A part as it is there; feedparser's own access puts one date in the place of another."""
    return dict.get(entry, key)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


def _decoded(data: bytes, url: str, content_type: str) -> str:
    """The characters, by the declared encoding where it fits, else by what they look like."""
    in_file = _DECLARED.match(data)
    in_header = _CHARSET.search(content_type)
    declared = [in_header[1]] if in_header else []
    declared += [in_file[1].decode("ascii")] if in_file else []
    for name in declared:
        try:
            return data.decode(_WIDER.get(name.lower(), name)).removeprefix("\ufeff")
        except (UnicodeDecodeError, LookupError):
            continue
    return decode(data, shown(url))


def _bounded(markup: str, source: str) -> tuple[str, list[Problem]]:
    """The markup with not more entries, and no longer runs of text, than are read: parsing stays quick."""
    problems = []
    short = _RUN.sub(_shorter, _short_cdata(markup))
    if len(short) < len(markup):
        problems.append(Problem(source, None, f"what is over {LONGEST_RUN:,} characters was cut"))
    ends = [found.end() for found in _CLOSES.finditer(short)]
    if len(ends) > MOST_ENTRIES:
        problems.append(Problem(source, None, f"the first {MOST_ENTRIES:,} of {len(ends):,} entries were read"))
        short = short[: ends[MOST_ENTRIES - 1]] + short[ends[-1] :]
    return short, problems


def _well_formed(markup: str) -> bool:
    parser = expat.ParserCreate("utf-8", " ")
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    try:
        parser.Parse(markup.encode("utf-8", "replace"), True)
    except expat.ExpatError:
        return False
    return True


def _tamed(markup: str, url: str) -> str:
    """Broken markup without what makes the parser for such markup crawl: brackets that open nothing, endless depth.

    :raises InputError: if elements are opened in one another without end.
    """
    markup = _RUN.sub(_shorter, _STRAY.sub("&lt;", markup[:LONGEST_BROKEN]))
    depth = 0
    for tag in _TAG.finditer(markup):
        closes = tag[0][1] == "/"
        depth = 0 if closes and tag[1] in ("item", "entry") else depth + (-1 if closes else 1)
        if depth > DEEPEST:
            raise InputError(f"{shown(url)} is broken: it opens more than {DEEPEST:,} elements and closes none.")
    return markup


def _shorter(run: re.Match[str]) -> str:
    return run[0] if len(run[0]) <= LONGEST_RUN else _HALF_ENTITY.sub("", run[0][:LONGEST_RUN])


def _short_cdata(markup: str) -> str:
    parts = []
    at = 0
    while (start := markup.find("<![CDATA[", at)) >= 0 and (end := markup.find("]]>", start)) >= 0:
        parts.append(markup[at : min(end, start + LONGEST_RUN - 100)])
        at = end
    return "".join(parts) + markup[at:]


def _ends_inside_an_entry(markup: str) -> bool:
    opened = [found.start() for found in _OPENS.finditer(markup)]
    closed = [found.start() for found in _CLOSES.finditer(markup)]
    return bool(opened) and (not closed or opened[-1] > closed[-1])
