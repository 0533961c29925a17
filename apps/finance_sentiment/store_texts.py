"""Texts in SQL with their stories, companies and counts, all written in one transaction.

Knows the tables and plain values; knows no model. `Store` in store.py is what others use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from apps.finance_sentiment.clusters import StoryIndex
from apps.finance_sentiment.rows import (
    Reading,
    epoch,
    increments,
    mention_rows,
    series_rows,
    story_row,
    text_row,
    to_analysed,
    to_story,
)
from apps.finance_sentiment.schemas import Analysed
from apps.finance_sentiment.tables import buckets, mentions, series_texts, state, stories, texts
from core.store import retrying, transaction

PART = 500
"""Values in one IN list or rows in one statement."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch."""

    new: tuple[Analysed, ...]
    """The texts that were stored, in the order given."""
    ids: tuple[int, ...]
    """Their row ids."""
    known: int
    """Texts that had been stored before, or came twice in the batch."""
    revision: int = 0
    """Of the store, right after the batch."""


@dataclass(frozen=True, slots=True)
class StoredText:
    """A stored text and how often its story was told."""

    id: int
    text: Analysed
    copies: int
    """Texts of its story, itself included."""


class TextStore:
    """The part of `Store` that keeps texts."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def known(self, keys: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Which of these (source, id) are stored already."""
        with transaction(self.engine) as connection:
            return _known(connection, keys)

    def record(self, readings: Sequence[Reading], index: StoryIndex, relevance: float) -> Recorded:
        """Store a batch: texts, stories, companies and counts, all or nothing. Texts stored before are passed over.

        :param index: the stories of the latest past; brought up to date from SQL first, and with the batch after it.
        :param relevance: see `rows.series_of`.
        """

        def work(connection: sa.Connection) -> tuple[Recorded, Any, dict[int, int]]:
            revision = int(
                connection.execute(
                    state.update().values(revision=state.c.revision + 1).returning(state.c.revision)
                ).scalar_one()
            )
            self._follow(connection, index)
            taken = _known(connection, ((r.text.source, r.text.id) for r in readings))
            fresh: list[Reading] = []
            for reading in readings:
                key = (reading.text.source, reading.text.id)
                if key not in taken:
                    taken.add(key)
                    fresh.append(reading)
            draft = index.draft()
            matches = [draft.match(r.sketch, epoch(r.event_at), i) for i, r in enumerate(fresh)]
            opened = {i: _open(connection, fresh[i]) for i, match in enumerate(matches) if match.story is None}
            told = []
            for i, (reading, match) in enumerate(zip(fresh, matches, strict=True)):
                story = opened[i] if match.story is None else match.story
                told.append(
                    reading.told(opened[-1 - story] if story < 0 else story, match.novelty, match.story is None)
                )
            _join(connection, draft.joined(), opened)
            ids = _insert(connection, told, relevance)
            return Recorded(tuple(told), tuple(ids), len(readings) - len(fresh), revision), draft, opened

        if not readings:
            return Recorded((), (), 0)
        recorded, draft, opened = retrying(self.engine, work)
        draft.merge(opened)
        return recorded

    def load_stories(self, index: StoryIndex) -> None:
        """Fill the index with the latest stories."""
        with transaction(self.engine) as connection:
            self._follow(connection, index)

    def texts_of(
        self,
        dimension: str,
        value: str,
        start: int,
        end: int,
        *,
        limit: int = 50,
        most_negative: bool = False,
        first_only: bool = True,
    ) -> list[StoredText]:
        """Texts behind a series whose event time lies in [start, end), seconds since 1970.

        :param most_negative: by score, lowest first; else the latest first.
        :param first_only: only texts that opened their story.
        """
        at: sa.ColumnElement[Any]
        score: sa.ColumnElement[Any]
        if dimension in ("topic", "entity", "source"):
            chosen = sa.select(texts, stories.c.size).join(series_texts, series_texts.c.text_id == texts.c.id)
            at, score = series_texts.c.event_at, series_texts.c.score
            chosen = chosen.where(series_texts.c.dimension == dimension, series_texts.c.value == value)
        else:
            chosen = sa.select(texts, stories.c.size)
            at, score = texts.c.event_at, texts.c.positive - texts.c.negative
            if dimension == "language":
                chosen = chosen.where(texts.c.language == value)
        chosen = chosen.join(stories, stories.c.id == texts.c.story_id).where(at >= start, at < end)
        if first_only:
            chosen = chosen.where(texts.c.first)
        order = (score, texts.c.id) if most_negative else (at.desc(), texts.c.id.desc())
        with transaction(self.engine) as connection:
            rows = connection.execute(chosen.order_by(*order).limit(limit)).all()
            return _with_mentions(connection, rows)

    def story(self, id: int, *, limit: int = 200) -> list[StoredText]:
        """The texts of a story, its first one first."""
        query = (
            sa.select(texts, stories.c.size)
            .join(stories, stories.c.id == texts.c.story_id)
            .where(texts.c.story_id == id)
            .order_by(texts.c.id)
            .limit(limit)
        )
        with transaction(self.engine) as connection:
            return _with_mentions(connection, connection.execute(query).all())

    def count_texts(self) -> int:
        """How many texts are stored."""
        with transaction(self.engine) as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(texts)).scalar_one())

    def delete_texts_before(self, event_at: int) -> int:
        """Retention: delete texts of before this second; counts stay. How many they were."""
        return retrying(self.engine, lambda c: c.execute(texts.delete().where(texts.c.event_at < event_at)).rowcount)

    def _follow(self, connection: sa.Connection, index: StoryIndex) -> None:
        query = (
            sa.select(stories).where(stories.c.id > index.newest).order_by(stories.c.id.desc()).limit(index.capacity)
        )
        for row in reversed(connection.execute(query).all()):
            index.add(to_story(row))


def _known(connection: sa.Connection, keys: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    by_source: dict[str, list[str]] = {}
    for source, id in keys:
        by_source.setdefault(source, []).append(id)
    found: set[tuple[str, str]] = set()
    for source, ids in by_source.items():
        for part in (ids[i : i + PART] for i in range(0, len(ids), PART)):
            query = sa.select(texts.c.external_id).where(texts.c.source == source, texts.c.external_id.in_(part))
            found.update((source, id) for id in connection.execute(query).scalars())
    return found


def _open(connection: sa.Connection, reading: Reading) -> int:
    row = stories.insert().values(story_row(reading)).returning(stories.c.id)
    return int(connection.execute(row).scalar_one())


def _join(connection: sa.Connection, joined: Mapping[int, Sequence[int]], opened: Mapping[int, int]) -> None:
    """Stories grow by the texts that repeat them."""
    if not joined:
        return
    grown = [
        {"b_id": opened[-1 - id] if id < 0 else id, "b_more": len(times), "b_first": min(times), "b_last": max(times)}
        for id, times in joined.items()
    ]
    first, last = stories.c.first_event, stories.c.last_event
    connection.execute(
        stories.update()
        .where(stories.c.id == sa.bindparam("b_id"))
        .values(
            size=stories.c.size + sa.bindparam("b_more"),
            first_event=sa.case((first > sa.bindparam("b_first"), sa.bindparam("b_first")), else_=first),
            last_event=sa.case((last < sa.bindparam("b_last"), sa.bindparam("b_last")), else_=last),
        ),
        sorted(grown, key=lambda row: row["b_id"]),
    )


def _insert(connection: sa.Connection, told: Sequence[Analysed], relevance: float) -> list[int]:
    if not told:
        return []
    query = texts.insert().returning(texts.c.id, sort_by_parameter_order=True)
    ids = [int(id) for id in connection.execute(query, [text_row(t) for t in told]).scalars()]
    companies = [row for id, text in zip(ids, told, strict=True) for row in mention_rows(id, text)]
    if companies:
        connection.execute(mentions.insert(), companies)
    connection.execute(
        series_texts.insert(),
        [row for id, text in zip(ids, told, strict=True) for row in series_rows(id, text, relevance)],
    )
    add_counts(connection, increments(told, relevance))
    return ids


def add_counts(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add to the buckets, which are made where they are not there yet."""
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(buckets)
    names = ("stories", "texts", "negative", "positive", "score_micro")
    statement = insert.on_conflict_do_update(
        index_elements=[buckets.c.seconds, buckets.c.dimension, buckets.c.start, buckets.c.value],
        set_={name: buckets.c[name] + insert.excluded[name] for name in names},
    )
    connection.execute(statement, rows)


def _with_mentions(connection: sa.Connection, rows: Sequence[Any]) -> list[StoredText]:
    by_text: dict[int, list[Any]] = {}
    for part in (rows[i : i + PART] for i in range(0, len(rows), PART)):
        query = sa.select(mentions).where(mentions.c.text_id.in_([row.id for row in part]))
        for found in connection.execute(query.order_by(mentions.c.relevance.desc(), mentions.c.entity)):
            by_text.setdefault(found.text_id, []).append(found)
    return [StoredText(row.id, to_analysed(row, by_text.get(row.id, ())), int(row.size)) for row in rows]
