"""The back-test of files: texts read by the very reader and judged by the very rules that serve.

Knows files, the reader and the engine; touches no database.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from apps.finance_sentiment.backtest_stream import LASTS, Event, StreamReport, backtest_stream
from apps.finance_sentiment.backtest_tune import Tuned, tune
from apps.finance_sentiment.clusters import StoryIndex
from apps.finance_sentiment.data import parse_time, read_table, read_texts
from apps.finance_sentiment.gazetteer import Gazetteer
from apps.finance_sentiment.reading import Reader
from apps.finance_sentiment.rows import epoch
from apps.finance_sentiment.rules import Rule
from apps.finance_sentiment.schemas import Analysed, Incoming, SeriesKey
from apps.finance_sentiment.settings import FinanceSettings
from apps.finance_sentiment.topics import TOPICS
from core.errors import InputError
from core.progress import Report, quiet
from core.text.table import called_columns

BATCH = 256


def read_events(path: Path, gazetteer: Gazetteer) -> list[Event]:
    """Known events: columns name, entity, start, and end where it is known.

    An entity is an id or ticker of the gazetteer, a topic (also as `topic:credit`), or empty for all texts.

    :raises InputError: naming the line that does not fit.
    """
    table = read_table(path)
    called_columns(table, ("name", "entity", "start"), {}, path.name)
    events = []
    for row in table.rows:
        cells = {name.strip().lower(): value for name, value in row.cells.items()}
        where = f"{path.name} line {row.line}"
        start, end = parse_time(cells["start"]), parse_time(cells.get("end"))
        if start is None:
            raise InputError(f"{where}: an event needs a start.")
        begun = epoch(start)
        key = _series(str(cells["entity"] or "").strip(), gazetteer, where)
        events.append(Event(str(cells["name"]), key, begun, epoch(end) if end else begun + LASTS))
    if table.bad:
        raise InputError(f"{path.name} line {table.bad[0].line}: {table.bad[0].reason}.")
    return events


def analysed(texts: Sequence[Incoming], reader: Reader, settings: FinanceSettings) -> Iterator[Analysed]:
    """The texts as a server would have read them, had each arrived when it was published."""
    index = StoryIndex(settings.story_window_hours * 3600, settings.story_similarity)
    opened = 0
    for start in range(0, len(texts), BATCH):
        readings = reader.read(texts[start : start + BATCH])
        draft = index.draft()
        matches = [draft.match(r.sketch, epoch(r.event_at), i) for i, r in enumerate(readings)]
        ids = {}
        for i, match in enumerate(matches):
            if match.story is None:
                opened += 1
                ids[i] = opened
        for i, (reading, match) in enumerate(zip(readings, matches, strict=True)):
            story = ids[i] if match.story is None else ids[-1 - match.story] if match.story < 0 else match.story
            yield reading.told(story, match.novelty, match.story is None)
        draft.merge(ids)


def backtest_files(
    texts: Path,
    events: Path | None,
    rules: Sequence[Rule],
    reader: Reader,
    gazetteer: Gazetteer,
    settings: FinanceSettings,
    *,
    progress: Report = quiet,
) -> tuple[StreamReport, dict[str, object]]:
    """Replay a file of texts and hold the alerts against known events.

    :returns: the report, and its figures with `texts_per_second` of reading and judging together.
    :raises InputError: if a file is not usable, or no text has a time.
    """
    known = read_events(events, gazetteer) if events else []
    arrived = _arrived(texts)
    began = time.perf_counter()
    report = backtest_stream(_counted(arrived, reader, settings, progress), rules, known)
    figures = report.figures()
    figures["texts_per_second"] = len(arrived) / max(time.perf_counter() - began, 1e-9)
    return report, figures


def tune_files(
    texts: Path,
    events: Path,
    rules: Sequence[Rule],
    reader: Reader,
    gazetteer: Gazetteer,
    settings: FinanceSettings,
    *,
    progress: Report = quiet,
) -> Tuned:
    """Fit the strictness of rules on the first half of a file of texts, and judge it on the second.

    :raises InputError: if a file is not usable, no text has a time, or a half has no event.
    """
    known = read_events(events, gazetteer)
    read = list(_counted(_arrived(texts), reader, settings, progress))
    return tune(read, rules, known, progress=progress)


def _arrived(texts: Path) -> list[Incoming]:
    """The texts that have a time, as if each had arrived then, in order."""
    arrived = [replace(t, received_at=t.published_at) for t in read_texts(texts).texts if t.published_at is not None]
    if not arrived:
        raise InputError(f"{texts.name} has no text with a time: a replay needs published_at.")
    return sorted(arrived, key=lambda t: (t.received_at, t.source, t.id))


def _counted(
    arrived: Sequence[Incoming], reader: Reader, settings: FinanceSettings, progress: Report
) -> Iterator[Analysed]:
    for i, text in enumerate(analysed(arrived, reader, settings), 1):
        if i % BATCH == 0 or i == len(arrived):
            progress("texts", i, len(arrived))
        yield text


def _series(entity: str, gazetteer: Gazetteer, where: str) -> SeriesKey:
    dimension, _, value = entity.partition(":")
    if entity in ("", "all"):
        return SeriesKey("all")
    if entity in TOPICS or (dimension == "topic" and value in TOPICS):
        return SeriesKey("topic", value or entity)
    company = gazetteer.get(entity) or gazetteer.by_ticker(entity)
    if company is None:
        raise InputError(f"{where}: {entity!r} is neither a company of the list nor a topic.")
    return SeriesKey("entity", company.id)
