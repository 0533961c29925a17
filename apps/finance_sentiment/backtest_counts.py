"""Surges in plain counts: one file a series, windows that people labelled, and settings judged where they were not
fitted.

Knows files of counts and the rule engine; knows no texts. Every series in turn is left out: the threshold is fitted on
the others and judged on it, so that no figure comes from a series that chose its own threshold.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from apps.finance_sentiment.backtest_score import Episode, Score, Window, score
from apps.finance_sentiment.rule_engine import Engine, Transition
from apps.finance_sentiment.rule_memory import MemoryCounts
from apps.finance_sentiment.rules import Rule
from apps.finance_sentiment.schemas import Counts, SeriesKey
from core.errors import InputError
from core.evaluate.report import put_comparison
from core.progress import Report, quiet
from core.text.parse import Limits, read_bytes
from core.text.parse.decode import decode
from core.text.table import read_csv

DAY = 86_400
GRID = (4.6, 5.0, 5.2, 5.4, 5.6, 5.8, 6.0, 6.3, 6.6, 7.0)
"""Thresholds that are tried, in spreads."""
RULE = Rule(
    "surge",
    "The count is unusual for this hour",
    "entity",
    "seasonal",
    measure="volume",
    window_seconds=900,
    clear_seconds=3600,
    cooldown_seconds=DAY,
    warmup_seconds=3 * DAY,
)
"""The rule whose threshold is fitted: three five-minute counts against the seasonal baseline; after an episode a day's
rest, because what follows within a day is the same news."""


@dataclass(frozen=True, slots=True)
class Series:
    """Counts by time."""

    name: str
    times: tuple[int, ...]
    """Ascending, seconds since 1970."""
    values: tuple[int, ...]
    windows: tuple[Window, ...]

    @property
    def seconds(self) -> int:
        """From the first count to the last."""
        return self.times[-1] - self.times[0]


def backtest_counts(
    folder: Path,
    windows: Path,
    *,
    rule: Rule = RULE,
    grid: Sequence[float] = GRID,
    quietly: bool = False,
    progress: Report = quiet,
) -> dict[str, float | None]:
    """Leave-one-series-out back-test; prints a table by series, and what the rule does as it stands.

    :param folder: one CSV a series, columns timestamp and value.
    :param windows: JSON object: name of the series -> list of [start, end].
    :param rule: of kind seasonal; its `spreads` are fitted.
    :param grid: thresholds to try, ascending.
    :param quietly: print nothing.
    :returns: recall, precision, f1, false_episodes_per_series_week, median_delay_seconds. What they mean: `Score`.
    :raises InputError: if a file is not usable, or there are not two series with windows.
    """
    series = read_series(folder, windows)
    if len(series) < 2:
        raise InputError(f"{folder} has {len(series)} series; it takes two or more to leave one out.")
    rules = [replace(rule, parameters={**rule.parameters, "spreads": x}) for x in grid]
    tried: dict[str, list[Score]] = {}
    for i, one in enumerate(series):
        tried[one.name] = []
        for j, each in enumerate(rules):
            progress("thresholds", i * len(grid) + j, len(grid) * len(series))
            tried[one.name].append(judge(one, each))
    progress("thresholds", len(grid) * len(series), len(grid) * len(series))
    chosen = {one.name: choose([tried[o.name] for o in series if o.name != one.name]) for one in series}
    judged = {name: tried[name][at] for name, at in chosen.items()}
    together = sum(judged.values(), Score())
    if not quietly:
        fixed = sum((judge(one, rule) for one in series), Score())
        rows: dict[str, Mapping[str, float]] = {
            f"{name} ({grid[chosen[name]]:g} spreads)": _shown(s) for name, s in judged.items()
        }
        rows["all, each judged by the others' threshold"] = _shown(together)
        rows[f"all, the rule as it stands ({_spreads(rule):g} spreads)"] = _shown(fixed)
        put_comparison("series", rows)
    return together.figures()


def judge(series: Series, rule: Rule) -> Score:
    """The episodes of a rule on a series, judged."""
    return score(episodes(run(series, rule), series.times[-1]), series.windows, series.seconds)


def run(series: Series, rule: Rule) -> list[Transition]:
    """Drive the rule engine with the counts of a series, each known at its timestamp."""
    counts, key = MemoryCounts(), SeriesKey(rule.dimension, "" if rule.dimension == "all" else series.name)
    engine = Engine([rule], counts)
    changes: list[Transition] = []
    for at, value in zip(series.times, series.values, strict=True):
        counts.add(key, at, Counts(value, value))
        changes += engine.touch(key, at)
    return changes


def episodes(changes: Sequence[Transition], end: int) -> list[Episode]:
    """The stretches of firing; one that goes on ends with the series."""
    found: list[Episode] = []
    for change in changes:
        if change.after == "firing":
            found.append(Episode(change.at, end))
        elif change.before == "firing":
            found[-1] = Episode(found[-1].start, change.at)
    return found


def choose(tried: Sequence[Sequence[Score]]) -> int:
    """Index of the threshold with the best F1 over all series.

    F1 jumps with single episodes, so each threshold is worth the mean of its own and its neighbours' F1.

    :param tried: for each series, the score at each threshold.
    """
    by_threshold = [sum(scores, Score()).f1 for scores in zip(*tried, strict=True)]
    padded = [by_threshold[0], *by_threshold, by_threshold[-1]]
    smooth = [sum(padded[i : i + 3]) for i in range(len(by_threshold))]
    return max(range(len(smooth)), key=lambda i: smooth[i])


def read_series(folder: Path, windows: Path) -> list[Series]:
    """The series of a folder, in order of their names.

    :raises InputError: if a file is not usable; a wrong row names its line.
    """
    try:
        labelled = json.loads(decode(read_bytes(windows, windows.name, Limits()), windows.name))
        known = {
            name: tuple(Window(instant(start), instant(end)) for start, end in pairs)
            for name, pairs in labelled.items()
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f'{windows.name} is not usable: {error}. It is a JSON object: {{"AAPL": [["2015-03-03 04:37", "2015-03-04 '
            '13:37"]]}.'
        ) from error
    files = {path.stem: path for path in sorted(folder.glob("*.csv"))}
    for name in known:
        if name not in files:
            raise InputError(f"{windows.name} has windows of {name!r}, but {folder} has no {name}.csv.")
    return [_series(path, known.get(name, ())) for name, path in files.items()]


def instant(text: str) -> int:
    """Seconds since 1970 of an ISO 8601 time; one without a zone is UTC.

    :raises ValueError: if it is none.
    """
    moment = datetime.fromisoformat(text.strip())
    return math.floor((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _series(path: Path, windows: tuple[Window, ...]) -> Series:
    table = read_csv(decode(read_bytes(path, path.name, Limits()), path.name), path.name)
    for column in ("timestamp", "value"):
        if column not in table.columns:
            raise InputError(f"{path.name} has no column {column!r}; it has {', '.join(table.columns)}.")
    if table.bad:
        raise InputError(f"{path.name}, line {table.bad[0].line}: {table.bad[0].reason}.")
    times: list[int] = []
    values: list[int] = []
    for row in table.rows:
        try:
            at, value = instant(str(row.cells["timestamp"])), float(row.cells["value"])
            if not 0 <= value < 1e15:
                raise ValueError(f"{value:g} is no count")
        except ValueError as error:
            raise InputError(f"{path.name}, line {row.line}: {error}.") from error
        if times and at <= times[-1]:
            raise InputError(f"{path.name}, line {row.line}: the time is not after that of the line before.")
        times.append(at)
        values.append(round(value))
    if len(times) < 2:
        raise InputError(f"{path.name} has {len(times)} counts; a back-test needs a series.")
    return Series(path.stem, tuple(times), tuple(values), windows)


def _spreads(rule: Rule) -> float:
    from apps.finance_sentiment.detectors import Seasonal

    return float(rule.parameters.get("spreads", Seasonal.spreads))


def _shown(s: Score) -> dict[str, float]:
    figures = {name: value for name, value in s.figures().items() if value is not None}
    return {**figures, "windows": s.windows, "episodes": s.true + s.false}
