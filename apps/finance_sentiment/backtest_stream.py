"""Rules over a stream of texts that was read already: which alerts they give, and which of them were right.

Knows analysed texts, rules and events; reads no file and runs no model. The rule engine is the one that serves.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from apps.finance_sentiment.backtest_score import WEEK
from apps.finance_sentiment.rows import counts_of, epoch, series_of
from apps.finance_sentiment.rule_engine import Engine, Transition
from apps.finance_sentiment.rule_memory import MemoryCounts
from apps.finance_sentiment.rules import Rule
from apps.finance_sentiment.schemas import Analysed, Counts, Observation, SeriesKey, Verdict
from apps.finance_sentiment.tables import MICRO

TICK = 300
"""Seconds between two looks by the clock; a server looks more often, to the same effect but for the delay."""
EARLY, LATE = 3600, 86_400
"""An alert belongs to an event from an hour before its start, which is an estimate, to a day after its end."""
LASTS = 2 * 86_400
"""Length of an event that names no end."""
OWN_SHARE = 1 / 3
"""An alert on another series is right where at least this share of its negative stories belong to an event."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something bad that is known to have happened."""

    name: str
    key: SeriesKey
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule began to fire."""

    rule_id: str
    key: SeriesKey
    at: int
    window: Observation
    verdict: Verdict
    event: str = ""
    """Name of the event it belongs to; empty where it is false."""
    repeat: bool = False
    """Whether an earlier alert of this rule and series belongs to the same event."""


@dataclass(frozen=True, slots=True)
class StreamReport:
    """What the rules gave."""

    alerts: tuple[Alert, ...]
    """Without those of rules that look for silence."""
    silences: tuple[Alert, ...]
    found: Mapping[str, Alert]
    """The first alert on each event's own series, by the event's name."""
    events: tuple[Event, ...]
    texts: int
    weeks: float
    seconds: float
    """Time that reading and judging took."""

    def figures(self) -> dict[str, object]:
        """By name, as `triptych finance backtest stream` prints them; without events nothing is right or wrong."""
        right = sum(bool(a.event) for a in self.alerts)
        starts = {event.name: event.start for event in self.events}
        delays = [max(0, alert.at - starts[name]) for name, alert in self.found.items()]
        return {
            "alerts": len(self.alerts),
            "recall": len(self.found) / len(self.events) if self.events else None,
            "precision": right / len(self.alerts) if self.events and self.alerts else None,
            "median_delay_seconds": float(median(delays)) if delays else None,
            "texts_per_second": self.texts / self.seconds if self.seconds else None,
        }

    def by_rule(self) -> dict[str, dict[str, float]]:
        """What each rule would have cost and given."""
        starts = {event.name: event.start for event in self.events}
        rows: dict[str, dict[str, float]] = {}
        for rule in dict.fromkeys(a.rule_id for a in (*self.alerts, *self.silences)):
            its = [a for a in (*self.alerts, *self.silences) if a.rule_id == rule]
            row = rows[rule] = {"alerts": len(its), "a week": len(its) / self.weeks if self.weeks else 0.0}
            if self.events and its[0] in self.alerts:
                named = {a.event for a in its if a.event}
                row["false"] = sum(not a.event for a in its)
                row["repeats"] = sum(a.repeat for a in its)
                row["events"] = len(named)
                delays = [max(0, min(a.at for a in its if a.event == n) - starts[n]) for n in named]
                if delays:
                    row["median_delay_seconds"] = float(median(delays))
        return rows


def backtest_stream(
    texts: Iterable[Analysed], rules: Sequence[Rule], events: Sequence[Event], *, relevance: float = 0.3
) -> StreamReport:
    """Replay texts in the order in which they arrived.

    :param texts: read as they are asked for, so that the time of reading counts too.
    :param relevance: see `rows.series_of`.

    An event is found if a rule begins to fire on its own series, between an hour before its start and a day after its
    end. An alert is right if it does so, or if it is on another series and a third of its negative stories at least
    belong to an event: a surge that is about one company and one topic may be told of under both.
    """
    started = time.perf_counter()
    run = Run(rules, relevance)
    for text in texts:
        run.take(text)
    run.settle()
    return run.report(events, time.perf_counter() - started)


class Run:
    """One pass of rules over a stream."""

    def __init__(self, rules: Sequence[Rule], relevance: float = 0.3) -> None:
        """:raises InputError: if a rule does not fit."""
        self._counts = MemoryCounts()
        self._engine = Engine(rules, self._counts)
        self._dimensions = {p.rule.dimension for p in self._engine.programs}
        self._idle = {p.rule.id for p in self._engine.programs if p.idle}
        self._relevance = relevance
        self._changes: list[Transition] = []
        self._told: list[tuple[int, frozenset[SeriesKey]]] = []
        self._now = 0
        self._texts = 0

    def take(self, text: Analysed) -> None:
        """Count a text and judge the series it is in."""
        arrived, at = epoch(text.text.received_at), epoch(text.event_at)
        self._until(arrived)
        self._now = max(self._now, arrived)
        self._texts += 1
        touched = []
        negative_in = set()
        for key, labels in series_of(text, self._relevance):
            stories, copies, negative, positive, micro = counts_of(text.first, labels)
            self._counts.add(key, at, Counts(stories, copies, negative, positive, micro / MICRO), text.text.source)
            if negative:
                negative_in.add(key)
            if key.dimension in self._dimensions:
                touched.append(key)
        if negative_in:
            self._told.append((at, frozenset(negative_in)))
        for key in touched:
            self._changes += self._engine.touch(key, arrived, negative=key in negative_in)

    def settle(self) -> None:
        """Let a last tick pass."""
        self._until(self._now + TICK)

    def report(self, events: Sequence[Event], seconds: float, *, since: int = 0) -> StreamReport:
        """What came of it.

        :param seconds: time it took.
        :param since: alerts and events from this moment on, seconds since 1970; what came before is only learned from.
            An alert that belongs to an earlier event is neither right nor wrong.
        """
        self._told.sort(key=lambda pair: pair[0])
        begun = [Alert(c.rule_id, c.key, c.at, c.window, c.verdict) for c in self._changes if c.after == "firing"]
        alerts = [alert for alert in begun if alert.at >= since]
        judged: list[Alert] = []
        seen: set[tuple[str, SeriesKey, str]] = set()
        found: dict[str, Alert] = {}
        for alert in alerts:
            if alert.rule_id in self._idle:
                continue
            event = self._event(alert, events)
            if event and event.start < since:
                continue
            name = event.name if event else ""
            repeat = bool(name) and (alert.rule_id, alert.key, name) in seen
            seen.add((alert.rule_id, alert.key, name))
            judged.append(
                Alert(alert.rule_id, alert.key, alert.at, alert.window, alert.verdict, name, repeat)
            )  # fmt: skip
            if event and event.key == alert.key:
                found.setdefault(name, judged[-1])
        span = (self._now - max(since, self._counts.began())) / WEEK if self._texts else 0.0
        silences = tuple(a for a in alerts if a.rule_id in self._idle)
        asked = tuple(event for event in events if event.start >= since)
        return StreamReport(tuple(judged), silences, found, asked, self._texts, span, seconds)

    def _until(self, arrived: int) -> None:
        """Tick up to a moment; of a long silence the ticks are an hour apart after a day."""
        if not self._now:
            self._now = arrived
        at = self._now // TICK * TICK + TICK
        while at <= arrived:
            self._changes += self._engine.tick(at)
            at += TICK if at - self._now < LATE else 3600

    def _event(self, alert: Alert, events: Sequence[Event]) -> Event | None:
        """The event an alert belongs to."""
        near = [e for e in events if e.start - EARLY <= alert.at <= e.end + LATE]
        own = [e for e in near if e.key == alert.key]
        if own:
            return min(own, key=lambda e: abs(alert.at - e.start))
        first, last = (
            bisect_left(self._told, (t,), key=lambda p: (p[0],)) for t in (alert.window.start, alert.window.end)
        )
        told = [(at, keys) for at, keys in self._told[first:last] if alert.key in keys]
        for event in near:
            share = sum(event.key in keys and event.start - EARLY <= at <= event.end + EARLY for at, keys in told)
            if told and share >= OWN_SHARE * len(told):
                return event
        return None
