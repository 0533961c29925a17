"""The table of sources: what is fetched and watched, and how that goes. Migrations make it; a test holds the two
together. `next_due` and `lease_until` are compared and therefore seconds since 1970.
"""

from __future__ import annotations

import sqlalchemy as sa

from apps.finance_sentiment.tables import metadata
from core.store.columns import Characters, UtcDateTime

sources = sa.Table(
    "finance_sentiment_sources",
    metadata,
    sa.Column("name", Characters, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("location", Characters, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("interval_seconds", sa.Integer, nullable=False),
    sa.Column("wait_seconds", sa.Integer, nullable=False),
    sa.Column("etag", Characters, nullable=False),
    sa.Column("last_modified", Characters, nullable=False),
    sa.Column("next_due", sa.BigInteger, nullable=False, index=True),
    sa.Column("lease_until", sa.BigInteger, nullable=False),
    sa.Column("lease_owner", sa.Text, nullable=False),
    sa.Column("last_try_at", UtcDateTime),
    sa.Column("last_success_at", UtcDateTime),
    sa.Column("last_new_at", UtcDateTime),
    sa.Column("last_error", Characters, nullable=False),
    sa.Column("problem", Characters, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("texts", sa.BigInteger, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)
"""`lease_owner` names the one poll that is under way until `lease_until`; whoever holds another name writes nothing."""
