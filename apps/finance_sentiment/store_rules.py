"""Rules and what they have learned, in SQL, as JSON. Knows the tables; knows no detector.

`Store` in store.py is what others use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from apps.finance_sentiment.schemas import SeriesKey
from apps.finance_sentiment.tables import rule_states, rules
from core.errors import NotFound
from core.store import retrying, transaction


@dataclass(frozen=True, slots=True)
class RuleState:
    """What a rule knows of a series."""

    rule_id: str
    key: SeriesKey
    learned_until: int
    """End of the last bucket that was learned, seconds since 1970."""
    body: Mapping[str, Any]


class RuleStore:
    """The part of `Store` that keeps rules."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def list_rules(self) -> list[dict[str, Any]]:
        """Bodies of all rules, in their order."""
        with transaction(self.engine) as connection:
            return list(connection.execute(sa.select(rules.c.body).order_by(rules.c.position, rules.c.id)).scalars())

    def put_rule(self, id: str, body: Mapping[str, Any]) -> None:
        """Add a rule, or change it; a changed rule keeps what it learned."""

        def work(connection: sa.Connection) -> None:
            now = datetime.now(UTC)
            changed = rules.update().where(rules.c.id == id).values(body=dict(body), updated_at=now)
            if connection.execute(changed).rowcount == 0:
                last = connection.execute(sa.select(sa.func.coalesce(sa.func.max(rules.c.position), 0))).scalar_one()
                row = {"id": id, "position": int(last) + 1, "body": dict(body), "updated_at": now}
                connection.execute(rules.insert(), [row])

        retrying(self.engine, work)

    def add_rules(self, bodies: Sequence[Mapping[str, Any]]) -> None:
        """Add those whose id is not there yet, in one transaction."""

        def work(connection: sa.Connection) -> None:
            there = set(connection.execute(sa.select(rules.c.id)).scalars())
            new = [b for b in bodies if b["id"] not in there]
            now = datetime.now(UTC)
            if new:
                rows = [
                    {"id": b["id"], "position": len(there) + i + 1, "body": dict(b), "updated_at": now}
                    for i, b in enumerate(new)
                ]
                connection.execute(rules.insert(), rows)

        retrying(self.engine, work)

    def delete_rule(self, id: str) -> None:
        """Delete a rule and what it learned.

        :raises NotFound: if there is none.
        """

        def work(connection: sa.Connection) -> int:
            connection.execute(rule_states.delete().where(rule_states.c.rule_id == id))
            return connection.execute(rules.delete().where(rules.c.id == id)).rowcount

        if retrying(self.engine, work) == 0:
            raise NotFound(f"There is no rule {id!r}.")

    def rule_states(self) -> list[RuleState]:
        """Everything that was learned."""
        with transaction(self.engine) as connection:
            return [
                RuleState(row.rule_id, SeriesKey(row.dimension, row.value), row.learned_until, row.body)
                for row in connection.execute(sa.select(rule_states))
            ]


def put_rule_states(connection: sa.Connection, states: Iterable[RuleState]) -> None:
    """Write states within the transaction that writes what came of them."""
    rows = [
        {
            "rule_id": s.rule_id,
            "dimension": s.key.dimension,
            "value": s.key.value,
            "learned_until": s.learned_until,
            "body": dict(s.body),
        }
        for s in states
    ]
    if not rows:
        return
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(rule_states)
    changed = {"learned_until": insert.excluded.learned_until, "body": insert.excluded.body}
    keys = [rule_states.c.rule_id, rule_states.c.dimension, rule_states.c.value]
    rows.sort(key=lambda row: (row["rule_id"], row["dimension"], row["value"]))
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=changed), rows)
