"""Watches the counts: judges the rules after every batch and by the clock, and tells the alerts what changed.

Knows the rule engine, the store and what takes changes; knows neither models nor HTTP. What a rule has learned is kept
in SQL: at every transition together with the alert, and now and then between, so that a restart goes on from there.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import sqlalchemy as sa

from apps.finance_sentiment.counting import StoreCounts
from apps.finance_sentiment.rows import MINUTE, epoch
from apps.finance_sentiment.rule_engine import Engine, Transition
from apps.finance_sentiment.rules import Rule
from apps.finance_sentiment.schemas import Analysed, SeriesKey
from apps.finance_sentiment.store import RuleState, Store
from apps.finance_sentiment.store_rules import put_rule_states
from core.errors import SuiteError
from core.store import retrying

_log = logging.getLogger(__name__)


class Alerting(Protocol):
    """What makes alerts of changes."""

    def prepare(self, rule: Rule, change: Transition) -> Any:
        """What the alert will hold, its evidence included; read before the transaction."""
        ...

    def apply(self, connection: sa.Connection, changes: Sequence[Any], now: int) -> None:
        """Write alerts and what is to be sent, within the transaction."""
        ...


class Monitor:
    """The rules over one store. Safe between threads.

    :param rules: the rules in force.
    :param clock: seconds since 1970.
    """

    def __init__(
        self,
        store: Store,
        alerting: Alerting,
        rules: Iterable[Rule],
        *,
        relevance: float = 0.3,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._alerting, self._clock = store, alerting, clock
        self._counts = StoreCounts(store, relevance)
        self._lock = threading.RLock()
        self._dirty: set[tuple[str, SeriesKey]] = set()
        self._revision = store.revision()
        self._waiting: list[Transition] = []
        self._engine = self._engine_of(rules)
        self._restore()
        self._behind = True

    @property
    def rules(self) -> list[Rule]:
        """The rules that run."""
        return [program.rule for program in self._engine.programs]

    def heard(self, texts: Sequence[Analysed], revision: int) -> None:
        """Judge the series of texts that were just stored, minute by minute of their arrival.

        The texts are stored already, so a database that fails now costs no text: the alerts wait for the next tick.

        :param revision: of the store, right after them.
        """
        if not texts:
            return
        with self._lock:
            if revision > self._revision + 1:  # another process stored texts between
                self._counts.forget()
            add = revision == self._revision + 1
            self._revision = max(self._revision, revision)
            changes: list[Transition] = []
            now = 0
            lots = [(now, self._counts.heard(lot, add=add)) for now, lot in _by_minute(texts)]
            for now, touched in lots:
                for key in sorted(touched):
                    changes += self._engine.touch(key, now)
                    self._mark(key)
                if len(lots) > 1:  # a replay: time goes on between its texts
                    changes += self._engine.tick(now)
            try:
                self._commit(changes, now)
            except SuiteError as error:
                _log.warning("alerts wait, because they could not be stored: %s", error)

    def tick(self, now: int | None = None) -> None:
        """Judge what may change without a text: what pends or fires, and silence. Keeps what was learned.

        :param now: None means the clock's time.
        """
        with self._lock:
            at = int(self._clock()) if now is None else now
            revision = self._store.revision()
            if revision != self._revision:
                self._revision = revision
                self._counts.forget()
                self._behind = True
            changes = self._catch_up(at) if self._behind else []
            self._behind = False
            self._commit([*changes, *self._engine.tick(at)], at)

    def flush(self) -> None:
        """Keep what was learned since the last time."""
        with self._lock:
            self._commit((), int(self._clock()), everything=True)

    def set_rules(self, rules: Iterable[Rule]) -> None:
        """Put other rules in force; those that stay as they are keep what they learned.

        :raises InputError: if a rule does not fit; then the rules in force stay.
        """
        with self._lock:
            self.flush()
            self._engine = self._engine_of(rules)
            self._restore()

    def _catch_up(self, now: int) -> list[Transition]:
        """Judge every series that got a text within the longest window of a rule: after a start, and when another
        process stored texts."""
        changes: list[Transition] = []
        end = (now // MINUTE + 1) * MINUTE
        for program in self._engine.programs:
            rule = program.rule
            values = None if rule.value == "*" else [rule.value]
            start = end - max(program.windows)
            for value in sorted(self._store.totals(rule.dimension, start, end, values=values)):
                key = SeriesKey(rule.dimension, value)
                changes += self._engine.look(rule.id, key, now)
                self._mark(key)
        return changes

    def _engine_of(self, rules: Iterable[Rule]) -> Engine:
        return Engine(rules, self._counts)

    def _restore(self) -> None:
        programs = {program.rule.id: program for program in self._engine.programs}
        began = self._counts.began()
        for state in self._store.rule_states():
            program = programs.get(state.rule_id)
            if program is not None and program.rule.covers(state.key):
                self._engine.restore(state.rule_id, state.key, program.load(state.body, state.learned_until, began))

    def _mark(self, key: SeriesKey) -> None:
        self._dirty.update((program.rule.id, key) for program in self._engine.programs if program.rule.covers(key))

    def _commit(self, changes: Sequence[Transition], now: int, *, everything: bool = False) -> None:
        """Store transitions with the alerts that come of them; those that cannot be stored wait."""
        self._waiting += changes
        changes = list(self._waiting)
        names = {(change.rule_id, change.key) for change in changes} | (self._dirty if everything else set())
        states = self._states(names, now)
        if not changes and not states:
            return
        by_id: Mapping[str, Rule] = {program.rule.id: program.rule for program in self._engine.programs}
        prepared = [
            self._alerting.prepare(by_id[change.rule_id], change) for change in changes if change.rule_id in by_id
        ]

        def work(connection: sa.Connection) -> None:
            put_rule_states(connection, states)
            if prepared:
                self._alerting.apply(connection, prepared, now)

        retrying(self._store.engine, work)
        self._dirty -= names
        self._waiting.clear()
        for change in changes:
            _log.info("%s on %s: %s, %s", change.rule_id, change.key, change.after, change.verdict.reason)

    def _states(self, names: Iterable[tuple[str, SeriesKey]], now: int) -> list[RuleState]:
        programs = {program.rule.id: program for program in self._engine.programs}
        found = []
        for name in names:
            track = self._engine.tracks.get(name)
            if track is not None and name[0] in programs:
                found.append(RuleState(name[0], name[1], now, programs[name[0]].dump(track)))
        return found


def _by_minute(texts: Sequence[Analysed]) -> Iterator[tuple[int, list[Analysed]]]:
    """Texts that arrived within the same minute, in order of time, each lot with its latest arrival."""
    lots: dict[int, list[Analysed]] = {}
    for text in texts:
        lots.setdefault(epoch(text.text.received_at) // MINUTE, []).append(text)
    for _, lot in sorted(lots.items()):
        yield max(epoch(text.text.received_at) for text in lot), lot
