"""Conversations, a row per message, and the citations of each answer.

Knows the tables and the app's schemas. `Store` in store.py is what others use.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from apps.customer_service.rows import LONGEST_ID, citation_row, to_citation
from apps.customer_service.schemas import Action, Citation, Conversation, StoredMessage
from apps.customer_service.tables import citations, conversations, messages
from core.errors import InputError, NotFound
from core.store import retrying, transaction


class ConversationStore:
    """The part of `Store` that keeps conversations."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def create_conversation(self, conversation_id: str | None = None) -> Conversation:
        """Start an empty conversation.

        :param conversation_id: 1 to 200 characters; None makes a random one that nobody can guess.
        :raises Conflict: if it exists already.
        :raises InputError: if the id is empty or too long.
        """
        key = uuid.uuid4().hex if conversation_id is None else conversation_id
        if not 0 < len(key) <= LONGEST_ID:
            raise InputError(f"A conversation id must have 1 to {LONGEST_ID} characters, not {len(key)}.")
        now = datetime.now(UTC)
        row = {"id": key, "created_at": now, "updated_at": now, "next_ordinal": 0}
        retrying(self.engine, lambda connection: connection.execute(conversations.insert(), [row]))
        return Conversation(id=key, created_at=now)

    def append_messages(self, conversation_id: str, new: Sequence[StoredMessage]) -> int:
        """Add messages in one transaction; writers of one conversation come one after the other, none is lost.

        :returns: the ordinal of the first new message.
        :raises NotFound: if there is no such conversation.
        """
        now = datetime.now(UTC)

        def work(connection: sa.Connection) -> int:
            following = connection.execute(
                conversations.update()
                .where(conversations.c.id == conversation_id)
                .values(next_ordinal=conversations.c.next_ordinal + len(new), updated_at=now)
                .returning(conversations.c.next_ordinal)
            ).scalar_one_or_none()
            if following is None:
                raise NotFound(f"There is no conversation {conversation_id!r}.")
            first = int(following) - len(new)
            for i, message in enumerate(new):
                row = {
                    "conversation_id": conversation_id,
                    "ordinal": first + i,
                    "role": message.role,
                    "content": message.content,
                    "action": message.action,
                    "created_at": message.created_at,
                }
                message_id = connection.execute(messages.insert().values(row).returning(messages.c.id)).scalar_one()
                if message.citations:
                    rows = [citation_row(message_id, j, c) for j, c in enumerate(message.citations)]
                    connection.execute(citations.insert(), rows)
            return first

        return retrying(self.engine, work)

    def conversation(self, conversation_id: str, *, last: int | None = None) -> Conversation:
        """A conversation with its messages, oldest first.

        :param last: only this many of the latest messages; None means all.
        :raises NotFound: if there is no such conversation.
        """
        with transaction(self.engine) as connection:
            head = connection.execute(
                sa.select(conversations).where(conversations.c.id == conversation_id)
            ).one_or_none()
            if head is None:
                raise NotFound(f"There is no conversation {conversation_id!r}.")
            chosen = messages.c.conversation_id == conversation_id
            if last is not None:
                chosen &= messages.c.ordinal >= head.next_ordinal - last
            rows = connection.execute(sa.select(messages).where(chosen).order_by(messages.c.ordinal)).all()
            cited: dict[int, list[Citation]] = defaultdict(list)
            for row in connection.execute(
                sa.select(citations).join(messages).where(chosen).order_by(citations.c.message_id, citations.c.position)
            ):
                cited[row.message_id].append(to_citation(row))
        told = tuple(_message(row, cited[row.id]) for row in rows)
        return Conversation(id=head.id, created_at=head.created_at, messages=told)

    def list_conversations(self, *, limit: int = 50, offset: int = 0) -> list[Conversation]:
        """Conversations without their messages, the latest used first.

        :raises InputError: if limit is not in 0..1000 or offset is negative.
        """
        if not 0 <= limit <= 1000 or offset < 0:
            raise InputError(f"limit {limit} must be in 0..1000 and offset {offset} at least 0.")
        query = (
            sa.select(conversations)
            .order_by(conversations.c.updated_at.desc(), conversations.c.id)
            .limit(limit)
            .offset(offset)
        )
        with transaction(self.engine) as connection:
            return [Conversation(id=row.id, created_at=row.created_at) for row in connection.execute(query)]

    def delete_conversation(self, conversation_id: str) -> None:
        """Delete a conversation with its messages and citations.

        :raises NotFound: if there is no such conversation.
        """
        if self._delete_where(conversations.c.id == conversation_id) == 0:
            raise NotFound(f"There is no conversation {conversation_id!r}.")

    def delete_conversations_before(self, moment: datetime) -> int:
        """Retention: delete conversations last used before `moment` (aware); how many they were."""
        return self._delete_where(conversations.c.updated_at < moment)

    def _delete_where(self, condition: sa.ColumnElement[bool]) -> int:
        return retrying(self.engine, lambda c: c.execute(conversations.delete().where(condition)).rowcount)


def _message(row: sa.Row[Any], cited: Sequence[Citation]) -> StoredMessage:
    return StoredMessage(
        role=row.role,
        content=row.content,
        action=None if row.action is None else Action(row.action),
        citations=tuple(cited),
        created_at=row.created_at,
    )
