"""How strict the rules should be: fitted on the first half of a stream, judged on the second.

Knows rules, analysed texts and events. One dial for all: a rule's limits move together, so that there is little to
overfit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from apps.finance_sentiment.backtest_stream import Event, Run, StreamReport, backtest_stream
from apps.finance_sentiment.rows import epoch
from apps.finance_sentiment.rules import Rule
from apps.finance_sentiment.schemas import Analysed
from core.errors import InputError
from core.progress import Report, quiet

GRID = (0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0)
"""Strictness that is tried; 1 leaves the rules as they are."""
_POWERS = ("p_value",)
_RISES = ("spreads", "threshold", "least_rise")
_TIMES = ("times", "shift")


@dataclass(frozen=True, slots=True)
class Tuned:
    """What was fitted, and what it is worth on texts it was not fitted on."""

    strictness: float
    rules: tuple[Rule, ...]
    tried: Mapping[float, StreamReport]
    """The first half, by strictness."""
    before: StreamReport
    """The second half, with the rules as they were."""
    after: StreamReport
    """The second half, with the fitted ones."""


def tune(
    texts: Sequence[Analysed],
    rules: Sequence[Rule],
    events: Sequence[Event],
    *,
    relevance: float = 0.3,
    grid: Sequence[float] = GRID,
    progress: Report = quiet,
) -> Tuned:
    """Choose the strictness with the best F1 on the first half of the time.

    On the second half the rules have learned from the first, as they would have. Among equals the strictness nearest to
    1 is taken.

    :param texts: in order of arrival.
    :raises InputError: if one half has no event.
    """
    if not texts:
        raise InputError("There are no texts to tune on.")
    times = [epoch(t.text.received_at) for t in texts]
    middle = (min(times) + max(times)) // 2
    first = [t for t, at in zip(texts, times, strict=True) if at < middle]
    early, late = [e for e in events if e.start < middle], [e for e in events if e.start >= middle]
    if not early or not late:
        raise InputError(
            f"Of {len(events)} events {len(early)} begin in the first half of the time and {len(late)} in the second; "
            "tuning needs some in each."
        )
    tried = {}
    for i, strictness in enumerate(grid):
        progress("settings", i, len(grid))
        tried[strictness] = backtest_stream(first, [stricter(r, strictness) for r in rules], early, relevance=relevance)
    progress("settings", len(grid), len(grid))
    best = max(grid, key=lambda x: (f1(tried[x]), -abs(x - 1)))
    fitted = tuple(stricter(rule, best) for rule in rules)
    after = _second(texts, fitted, events, middle, relevance)
    before = after if best == 1.0 else _second(texts, rules, events, middle, relevance)
    return Tuned(best, fitted, tried, before, after)


def f1(report: StreamReport) -> float:
    """Harmonic mean of recall and precision; 0 where there is nothing to judge."""
    figures = report.figures()
    recall, precision = figures["recall"], figures["precision"]
    if not isinstance(recall, float) or not isinstance(precision, float) or not recall + precision:
        return 0.0
    return 2 * recall * precision / (recall + precision)


def stricter(rule: Rule, strictness: float) -> Rule:
    """A rule with its limits moved.

    :param strictness: above 1 fewer alerts, below 1 more. Chances are raised to this power; spreads, thresholds, rises
        and the least evidence multiplied by it; multiples of what is usual moved away from 1.
    """
    return replace(
        rule,
        parameters=_moved(rule.parameters, strictness),
        minimum_evidence=max(1, round(rule.minimum_evidence * strictness)),
    )


def _moved(given: Mapping[str, Any], strictness: float) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name in _POWERS:
            found[name] = min(0.5, max(1e-30, value**strictness))
        elif name in _RISES:
            found[name] = min(1.0, value * strictness) if name == "least_rise" else value * strictness
        elif name in _TIMES:
            found[name] = max(1.05, 1 + (value - 1) * strictness)
        elif name == "minimum_evidence":
            found[name] = max(1, round(value * strictness))
        elif name == "parts":
            found[name] = [_moved(part, strictness) for part in value]
        elif name == "parameters":
            found[name] = _moved(value, strictness)
        else:
            found[name] = value
    return found


def _second(
    texts: Sequence[Analysed], rules: Sequence[Rule], events: Sequence[Event], middle: int, relevance: float
) -> StreamReport:
    run = Run(rules, relevance)
    for text in texts:
        run.take(text)
    run.settle()
    return run.report(events, 0.0, since=middle)
