"""The first tables: texts with stories and companies, counts by time, rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "finance_sentiment_buckets",
        sa.Column("seconds", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("stories", sa.Integer(), nullable=False),
        sa.Column("texts", sa.Integer(), nullable=False),
        sa.Column("negative", sa.Integer(), nullable=False),
        sa.Column("positive", sa.Integer(), nullable=False),
        sa.Column("score_micro", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seconds", "dimension", "start", "value", name="finance_sentiment_buckets_pk"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "finance_sentiment_buckets_series_ix",
        "finance_sentiment_buckets",
        ["seconds", "dimension", "value", "start"],
        unique=False,
    )
    op.create_table(
        "finance_sentiment_rules",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="finance_sentiment_rules_pk"),
    )
    op.create_table(
        "finance_sentiment_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="finance_sentiment_state_pk"),
    )
    op.create_table(
        "finance_sentiment_stories",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("sketch", sa.LargeBinary(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("first_event", sa.BigInteger(), nullable=False),
        sa.Column("last_event", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="finance_sentiment_stories_pk"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "finance_sentiment_texts",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("story_id", sa.BigInteger(), nullable=False),
        sa.Column("event_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("time_mark", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("first", sa.Boolean(), nullable=False),
        sa.Column("novelty", sa.Float(), nullable=False),
        sa.Column("negative", sa.Float(), nullable=False),
        sa.Column("neutral", sa.Float(), nullable=False),
        sa.Column("positive", sa.Float(), nullable=False),
        sa.Column("topics", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="finance_sentiment_texts_pk"),
        sa.UniqueConstraint("source", "external_id", name="finance_sentiment_texts_source_external_id_uq"),
        sqlite_autoincrement=True,
    )
    op.create_index("finance_sentiment_texts_event_at_ix", "finance_sentiment_texts", ["event_at"], unique=False)
    op.create_index("finance_sentiment_texts_story_id_ix", "finance_sentiment_texts", ["story_id"], unique=False)
    op.create_table(
        "finance_sentiment_mentions",
        sa.Column("text_id", BIG_KEY, nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("start_char", sa.Integer(), nullable=False),
        sa.Column("end_char", sa.Integer(), nullable=False),
        sa.Column("relevance", sa.Float(), nullable=False),
        sa.Column("negative", sa.Float(), nullable=False),
        sa.Column("neutral", sa.Float(), nullable=False),
        sa.Column("positive", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["text_id"],
            ["finance_sentiment_texts.id"],
            name="finance_sentiment_mentions_text_id_fk",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("text_id", "entity", name="finance_sentiment_mentions_pk"),
    )
    op.create_table(
        "finance_sentiment_rule_states",
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("learned_until", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("rule_id", "dimension", "value", name="finance_sentiment_rule_states_pk"),
    )
    op.create_table(
        "finance_sentiment_series_texts",
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("event_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("text_id", BIG_KEY, nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["text_id"],
            ["finance_sentiment_texts.id"],
            name="finance_sentiment_series_texts_text_id_fk",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("dimension", "value", "event_at", "text_id", name="finance_sentiment_series_texts_pk"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "finance_sentiment_series_texts_text_id_ix", "finance_sentiment_series_texts", ["text_id"], unique=False
    )
    state = sa.table("finance_sentiment_state", sa.column("id"), sa.column("revision"))
    op.bulk_insert(state, [{"id": 1, "revision": 0}])


def downgrade() -> None:
    for name in ("series_texts", "mentions", "texts", "stories", "rule_states", "rules", "buckets", "state"):
        op.drop_table(f"finance_sentiment_{name}")
