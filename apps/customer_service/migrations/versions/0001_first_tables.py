"""The first tables: documents with passages and vectors, conversations with citations."""

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
        "customer_service_conversations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_ordinal", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="customer_service_conversations_pk"),
    )
    op.create_index(
        "customer_service_conversations_updated_at_ix", "customer_service_conversations", ["updated_at"], unique=False
    )
    op.create_table(
        "customer_service_documents",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sections", sa.JSON(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="customer_service_documents_pk"),
    )
    op.create_table(
        "customer_service_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("index_revision", sa.BigInteger(), nullable=False),
        sa.Column("next_chunk_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="customer_service_state_pk"),
    )
    op.create_table(
        "customer_service_chunks",
        sa.Column("id", BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("start_char", sa.Integer(), nullable=False),
        sa.Column("end_char", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("headings", sa.JSON(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=True),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["customer_service_documents.id"],
            name="customer_service_chunks_document_id_fk",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="customer_service_chunks_pk"),
        sa.UniqueConstraint("document_id", "ordinal", name="customer_service_chunks_document_id_ordinal_uq"),
    )
    op.create_table(
        "customer_service_messages",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["customer_service_conversations.id"],
            name="customer_service_messages_conversation_id_fk",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="customer_service_messages_pk"),
        sa.UniqueConstraint("conversation_id", "ordinal", name="customer_service_messages_conversation_id_ordinal_uq"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "customer_service_chunk_vectors",
        sa.Column("encoder", sa.Text(), nullable=False),
        sa.Column("chunk_id", BIG_KEY, nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["chunk_id"],
            ["customer_service_chunks.id"],
            name="customer_service_chunk_vectors_chunk_id_fk",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("encoder", "chunk_id", name="customer_service_chunk_vectors_pk"),
    )
    op.create_index(
        "customer_service_chunk_vectors_chunk_id_ix", "customer_service_chunk_vectors", ["chunk_id"], unique=False
    )
    op.create_table(
        "customer_service_citations",
        sa.Column("message_id", BIG_KEY, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("chunk_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("headings", sa.JSON(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("quote", sa.Text(), nullable=False),
        sa.Column("start_char", sa.Integer(), nullable=False),
        sa.Column("end_char", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["customer_service_messages.id"],
            name="customer_service_citations_message_id_fk",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("message_id", "position", name="customer_service_citations_pk"),
    )
    state = sa.table("customer_service_state", sa.column("id"), sa.column("index_revision"), sa.column("next_chunk_id"))
    op.bulk_insert(state, [{"id": 1, "index_revision": 0, "next_chunk_id": 1}])


def downgrade() -> None:
    op.drop_table("customer_service_citations")
    op.drop_index("customer_service_chunk_vectors_chunk_id_ix", table_name="customer_service_chunk_vectors")
    op.drop_table("customer_service_chunk_vectors")
    op.drop_table("customer_service_messages")
    op.drop_table("customer_service_chunks")
    op.drop_table("customer_service_state")
    op.drop_table("customer_service_documents")
    op.drop_index("customer_service_conversations_updated_at_ix", table_name="customer_service_conversations")
    op.drop_table("customer_service_conversations")
