"""The tables of texts, stories and counts. Migrations make them; a test holds the two together.

Names start with `finance_sentiment_`, because the three apps may share one database. Times that are compared or grouped
are seconds since 1970, so that both databases compute with them alike.
"""

from __future__ import annotations

import sqlalchemy as sa

from core.store.columns import Characters, UtcDateTime

metadata = sa.MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_ix",
        "uq": "%(table_name)s_%(column_0_N_name)s_uq",
        "fk": "%(table_name)s_%(column_0_N_name)s_fk",
        "pk": "%(table_name)s_pk",
    }
)

BigKey = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""SQLite numbers rows by itself only where the type is exactly INTEGER, which is 64 bits wide there."""

MICRO = 1_000_000
"""Scores are summed as whole millionths: a sum of integers does not depend on the order of arrival."""

state = sa.Table(
    "finance_sentiment_state",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
)
"""One row. Whoever takes texts in locks it first, so that stories are opened one after the other."""

texts = sa.Table(
    "finance_sentiment_texts",
    metadata,
    sa.Column("id", BigKey, primary_key=True),
    sa.Column("source", Characters, nullable=False),
    sa.Column("external_id", Characters, nullable=False),
    sa.Column("story_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("event_at", sa.BigInteger, nullable=False, index=True),
    sa.Column("received_at", UtcDateTime, nullable=False),
    sa.Column("published_at", UtcDateTime),
    sa.Column("time_mark", sa.Text, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("title", Characters, nullable=False),
    sa.Column("body", Characters, nullable=False),
    sa.Column("url", Characters, nullable=False),
    sa.Column("first", sa.Boolean, nullable=False),
    sa.Column("novelty", sa.Float, nullable=False),
    sa.Column("negative", sa.Float, nullable=False),
    sa.Column("neutral", sa.Float, nullable=False),
    sa.Column("positive", sa.Float, nullable=False),
    sa.Column("topics", sa.JSON, nullable=False),
    sa.UniqueConstraint("source", "external_id"),
    sqlite_autoincrement=True,
)

stories = sa.Table(
    "finance_sentiment_stories",
    metadata,
    sa.Column("id", BigKey, primary_key=True),
    sa.Column("sketch", sa.LargeBinary, nullable=False),
    sa.Column("facts", sa.JSON, nullable=False),
    sa.Column("source", Characters, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("first_event", sa.BigInteger, nullable=False),
    sa.Column("last_event", sa.BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
"""`sketch` and `facts`: what later texts are compared with (see `clusters`); `source`: who had it first."""

mentions = sa.Table(
    "finance_sentiment_mentions",
    metadata,
    sa.Column("text_id", sa.ForeignKey(texts.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("entity", sa.Text, primary_key=True),
    sa.Column("name", Characters, nullable=False),
    sa.Column("start_char", sa.Integer, nullable=False),
    sa.Column("end_char", sa.Integer, nullable=False),
    sa.Column("relevance", sa.Float, nullable=False),
    sa.Column("negative", sa.Float, nullable=False),
    sa.Column("neutral", sa.Float, nullable=False),
    sa.Column("positive", sa.Float, nullable=False),
)

series_texts = sa.Table(
    "finance_sentiment_series_texts",
    metadata,
    sa.Column("dimension", sa.Text, primary_key=True),
    sa.Column("value", Characters, primary_key=True),
    sa.Column("event_at", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("text_id", sa.ForeignKey(texts.c.id, ondelete="CASCADE"), primary_key=True, index=True),
    sa.Column("score", sa.Float, nullable=False),
    sqlite_with_rowid=False,
)
"""Which texts stand behind a series, by time; `score` is the sentiment that counted there."""

buckets = sa.Table(
    "finance_sentiment_buckets",
    metadata,
    sa.Column("seconds", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("dimension", sa.Text, primary_key=True),
    sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("value", Characters, primary_key=True),
    sa.Column("stories", sa.Integer, nullable=False),
    sa.Column("texts", sa.Integer, nullable=False),
    sa.Column("negative", sa.Integer, nullable=False),
    sa.Column("positive", sa.Integer, nullable=False),
    sa.Column("score_micro", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Counts of every series by minute, hour and day, held as increments. The key leads from a stretch of time to all
values of a dimension; `finance_sentiment_buckets_series_ix` leads from one value through time."""

sa.Index(
    "finance_sentiment_buckets_series_ix", buckets.c.seconds, buckets.c.dimension, buckets.c.value, buckets.c.start
)

rules = sa.Table(
    "finance_sentiment_rules",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)

rule_states = sa.Table(
    "finance_sentiment_rule_states",
    metadata,
    sa.Column("rule_id", sa.Text, primary_key=True),
    sa.Column("dimension", sa.Text, primary_key=True),
    sa.Column("value", Characters, primary_key=True),
    sa.Column("learned_until", sa.BigInteger, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
)
"""What a rule has learned of a series and where it stands with it; `learned_until`: when that was.
No foreign key: a process that has not heard yet that a rule is gone may write once more."""
