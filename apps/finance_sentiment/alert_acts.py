"""What people do with alerts: acknowledge, assign, comment, resolve. Each act leaves its entry in the trail.

An act names the version it saw; if the alert has moved on since, nothing happens and the answer is Conflict, so that
nobody acknowledges what they have not seen. Knows the store's functions. `AlertStore` in alerts.py is what others use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import sqlalchemy as sa

from apps.finance_sentiment.alert_life import LOUD, Alert, Event, State, Step, act
from apps.finance_sentiment.alert_settle import Policy, settle
from apps.finance_sentiment.store_alerts import lock, one, save, trail
from core.errors import Conflict, InputError
from core.store import retrying

LONGEST_NAME, LONGEST_TEXT = 80, 2000


class AlertActs:
    """The part of `AlertStore` that people act through. `version` None means whichever there is."""

    def __init__(self, engine: sa.Engine, policy: Policy | None = None) -> None:
        self.engine = engine
        self.policy = policy or Policy()

    def acknowledge(self, id: int, by: str, now: int, *, version: int | None = None, comment: str = "") -> Alert:
        """Somebody looks after it: it is no longer repeated or escalated.

        :raises NotFound: if there is no such alert.
        :raises Conflict: if it has another version, or does not fire.
        """
        return self._move(id, "acknowledged", ("firing", "no_data"), by, now, version, comment)

    def resolve(self, id: int, by: str, now: int, *, version: int | None = None, comment: str = "") -> Alert:
        """It is over. Where the rule still fires the alert stays resolved until the rule has cleared once.

        :raises NotFound: if there is no such alert.
        :raises Conflict: if it has another version, or does not fire.
        """
        return self._move(id, "resolved", LOUD, by, now, version, comment)

    def assign(self, id: int, by: str, owner: str, now: int, *, version: int | None = None) -> Alert:
        """Give it to somebody; an empty owner gives it back.

        :raises NotFound: if there is no such alert.
        :raises Conflict: if it has another version.
        """
        owner = owner.strip()
        if len(owner) > LONGEST_NAME:
            raise InputError(f"An owner's name has at most {LONGEST_NAME} characters, not {len(owner)}.")

        def change(alert: Alert) -> Step:
            event = Event("assigned", by, alert.state, alert.state, {"owner": owner, "before": alert.owner})
            return Step(replace(alert, owner=owner, version=alert.version + 1), (event,))

        return self._act(id, by, now, version, change)

    def comment(self, id: int, by: str, text: str, now: int) -> Alert:
        """Say something about it.

        :raises NotFound: if there is no such alert.
        :raises InputError: if the text is empty or too long.
        """
        if not text.strip():
            raise InputError("The comment is empty. Write something, or leave it.")

        def change(alert: Alert) -> Step:
            return Step(alert, (Event("comment", by, alert.state, alert.state, {"text": checked_text(text)}),))

        return self._act(id, by, now, None, change)

    def _move(
        self, id: int, to: State, allowed: tuple[State, ...], by: str, now: int, version: int | None, comment: str
    ) -> Alert:
        def change(alert: Alert) -> Step:
            if alert.state not in allowed:
                who = f" by {alert.acknowledged_by}" if alert.state == "acknowledged" else ""
                raise Conflict(f"Alert {id} is {alert.state}{who}; only what is {' or '.join(allowed)} can be {to}.")
            return act(alert, to, by, now, {"comment": checked_text(comment)})

        return self._act(id, by, now, version, change)

    def _act(self, id: int, by: str, now: int, version: int | None, change: Callable[[Alert], Step]) -> Alert:
        checked_name(by)

        def work(connection: sa.Connection) -> Alert:
            lock(connection)
            alert = one(connection, id)
            if version is not None and version != alert.version:
                raise Conflict(
                    f"Alert {id} has changed since: you saw version {version}, it is {alert.version} and "
                    f"{alert.state} now. Look again."
                )
            done = change(alert)
            save(connection, done.alert)
            trail(connection, id, done.events, max(now, alert.updated_at))
            return settle(connection, [done.alert], now, self.policy)[0]

        return retrying(self.engine, work)


def checked_name(by: str) -> str:
    """The name of who acts.

    :raises InputError: if it is empty or too long, or that of the program.
    """
    if not 0 < len(by.strip()) <= LONGEST_NAME or by in ("rule", "system"):
        raise InputError(f"{by[:LONGEST_NAME]!r} names nobody: say who acts, in 1 to {LONGEST_NAME} characters.")
    return by.strip()


def checked_text(text: str) -> str:
    """A comment or reason.

    :raises InputError: if it is too long.
    """
    if len(text) > LONGEST_TEXT:
        raise InputError(f"The text has {len(text)} characters; {LONGEST_TEXT} are the most.")
    return text.strip()
