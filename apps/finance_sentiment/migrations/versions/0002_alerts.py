"""Alerts: their life, trail, evidence, silences, channels and the outbox of notifications."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
EVENTS = "finance_sentiment_alert_events"
NOT_RESOLVED = sa.text("state != 'resolved'")
INDEXES = {
    "last": ["fingerprint", "id"],
    "check": ["check_at"],
    "state": ["state", "started_at", "id"],
    "severity": ["state", "severity_rank", "started_at", "id"],
    "rule": ["rule_id", "state", "started_at", "id"],
    "series": ["value", "dimension", "state", "started_at", "id"],
    "owner": ["owner", "state", "started_at", "id"],
}


def upgrade() -> None:
    op.create_table(
        "finance_sentiment_alert_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="finance_sentiment_alert_state_pk"),
    )
    op.create_table(
        "finance_sentiment_alerts",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("severity_rank", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("condition", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("check_at", sa.BigInteger(), nullable=True),
        sa.Column("silence_id", sa.BigInteger(), nullable=True),
        sa.Column("inhibited_by", sa.BigInteger(), nullable=True),
        sa.Column("inhibits", sa.Boolean(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("summary_en", sa.Text(), nullable=False),
        sa.Column("summary_zh", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="finance_sentiment_alerts_pk"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "finance_sentiment_alerts_open_ix",
        "finance_sentiment_alerts",
        ["fingerprint"],
        unique=True,
        sqlite_where=NOT_RESOLVED,
        postgresql_where=NOT_RESOLVED,
    )
    for name, columns in INDEXES.items():
        op.create_index(f"finance_sentiment_alerts_{name}_ix", "finance_sentiment_alerts", columns, unique=False)
    op.create_table(
        EVENTS,
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="finance_sentiment_alert_events_pk"),
        sqlite_autoincrement=True,
    )
    op.create_index("finance_sentiment_alert_events_alert_ix", EVENTS, ["alert_id", "id"], unique=False)
    op.create_table(
        "finance_sentiment_alert_evidence",
        sa.Column("alert_id", BIG_KEY, nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"],
            ["finance_sentiment_alerts.id"],
            name="finance_sentiment_alert_evidence_alert_id_fk",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("alert_id", "ordinal", name="finance_sentiment_alert_evidence_pk"),
    )
    op.create_table(
        "finance_sentiment_silences",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("matchers", sa.JSON(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="finance_sentiment_silences_pk"),
        sqlite_autoincrement=True,
    )
    op.create_index("finance_sentiment_silences_ends_at_ix", "finance_sentiment_silences", ["ends_at"], unique=False)
    op.create_table(
        "finance_sentiment_channels",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="finance_sentiment_channels_pk"),
    )
    _outbox()
    _append_only()
    state = sa.table("finance_sentiment_alert_state", sa.column("id"), sa.column("revision"))
    op.bulk_insert(state, [{"id": 1, "revision": 0}])


def _outbox() -> None:
    op.create_table(
        "finance_sentiment_outbox",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("leased_by", sa.Text(), nullable=True),
        sa.Column("leased_until", sa.Float(), nullable=True),
        sa.Column("delivered_at", sa.Float(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="finance_sentiment_outbox_pk"),
        sa.UniqueConstraint("key", name="finance_sentiment_outbox_key_uq"),
        sqlite_autoincrement=True,
    )
    op.create_index("finance_sentiment_outbox_due_ix", "finance_sentiment_outbox", ["state", "due_at"], unique=False)
    op.create_index(
        "finance_sentiment_outbox_group_ix", "finance_sentiment_outbox", ["channel", "group_key", "id"], unique=False
    )
    op.create_table(
        "finance_sentiment_outbox_alerts",
        sa.Column("alert_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("outbox_id", BIG_KEY, nullable=False),
        sa.ForeignKeyConstraint(
            ["outbox_id"],
            ["finance_sentiment_outbox.id"],
            name="finance_sentiment_outbox_alerts_outbox_id_fk",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("alert_id", "outbox_id", name="finance_sentiment_outbox_alerts_pk"),
    )
    op.create_index(
        "finance_sentiment_outbox_alerts_outbox_id_ix", "finance_sentiment_outbox_alerts", ["outbox_id"], unique=False
    )


def _append_only() -> None:
    """Nobody rewrites what was done and by whom, not even this program."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER {EVENTS}_no_{verb} BEFORE {verb.upper()} ON {EVENTS} "
                "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {EVENTS}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {EVENTS}_no_change BEFORE UPDATE OR DELETE ON {EVENTS} "
        f"FOR EACH ROW EXECUTE FUNCTION {EVENTS}_refuse()"
    )


def downgrade() -> None:
    names = ("outbox_alerts", "outbox", "channels", "silences", "alert_evidence", "alert_events", "alerts")
    for name in (*names, "alert_state"):
        op.drop_table(f"finance_sentiment_{name}")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP FUNCTION {EVENTS}_refuse()")
