"""The tables of the customer-service bot. Migrations make them; a test holds the two together.

Names start with `customer_service_`, because the three apps may share one database.
"""

from __future__ import annotations

import sqlalchemy as sa

from core.store.columns import Characters, UtcDateTime, Vector

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

state = sa.Table(
    "customer_service_state",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("index_revision", sa.BigInteger, nullable=False),
    sa.Column("next_chunk_id", sa.BigInteger, nullable=False),
)
"""One row. Every change of passages takes its lock first, so changes come one after the other; ids are handed out
here and never used twice, so an index file knows what it lacks by comparing ids."""

documents = sa.Table(
    "customer_service_documents",
    metadata,
    sa.Column("id", Characters, primary_key=True),
    sa.Column("title", Characters, nullable=False),
    sa.Column("source", Characters, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("text", Characters, nullable=False),
    sa.Column("sections", sa.JSON, nullable=False),
    sa.Column("metadata", sa.JSON, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)

chunks = sa.Table(
    "customer_service_chunks",
    metadata,
    sa.Column("id", BigKey, primary_key=True, autoincrement=False),
    sa.Column("document_id", sa.ForeignKey(documents.c.id, ondelete="CASCADE"), nullable=False),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("start_char", sa.Integer, nullable=False),
    sa.Column("end_char", sa.Integer, nullable=False),
    sa.Column("text", Characters, nullable=False),
    sa.Column("headings", sa.JSON, nullable=False),
    sa.Column("page", sa.Integer),
    sa.Column("tokens", sa.Integer, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.UniqueConstraint("document_id", "ordinal"),
)

chunk_vectors = sa.Table(
    "customer_service_chunk_vectors",
    metadata,
    sa.Column("encoder", sa.Text, primary_key=True),
    sa.Column("chunk_id", sa.ForeignKey(chunks.c.id, ondelete="CASCADE"), primary_key=True, index=True),
    sa.Column("vector", Vector, nullable=False),
)
"""The key starts with the encoder: a rebuild reads one encoder's vectors in the order of their ids."""

conversations = sa.Table(
    "customer_service_conversations",
    metadata,
    sa.Column("id", Characters, primary_key=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False, index=True),
    sa.Column("next_ordinal", sa.Integer, nullable=False),
)

messages = sa.Table(
    "customer_service_messages",
    metadata,
    sa.Column("id", BigKey, primary_key=True),
    sa.Column("conversation_id", sa.ForeignKey(conversations.c.id, ondelete="CASCADE"), nullable=False),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("content", Characters, nullable=False),
    sa.Column("action", sa.Text),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("conversation_id", "ordinal"),
    sqlite_autoincrement=True,
)

citations = sa.Table(
    "customer_service_citations",
    metadata,
    sa.Column("message_id", sa.ForeignKey(messages.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("document_id", Characters, nullable=False),
    sa.Column("chunk_id", sa.BigInteger, nullable=False),
    sa.Column("title", Characters, nullable=False),
    sa.Column("headings", sa.JSON, nullable=False),
    sa.Column("source", Characters, nullable=False),
    sa.Column("quote", Characters, nullable=False),
    sa.Column("start_char", sa.Integer, nullable=False),
    sa.Column("end_char", sa.Integer, nullable=False),
)
"""No foreign key to the document: what was said, and on what ground, stays when the document goes."""
