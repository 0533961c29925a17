"""How many stories an hour are usual: a rate that forgets, with its daily and weekly shape and its scatter.

Knows counts by time. The rate has a gamma posterior whose evidence fades with a half-life (a steady state model: West,
Harrison 1997, "Bayesian Forecasting and Dynamic Models", 10.8; Smith, Miller 1986, "A non-Gaussian state space model").
The hour of the day and the weekend multiply it, each shrunk to 1 until counts speak for more: a company with three
stories a week has no rhythm, a market has. Scatter above Poisson is the ratio of squared errors to expected counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from apps.finance_sentiment.detectors.base import DAY, HOUR

SHRINK = 12.0
"""Counts after which an hour's own factor weighs as much as 1."""
SCATTER, SCATTER_COUNTS = 1.3, 8.0
"""Variance over mean before anything is known, and the counts it weighs."""
WINSOR = 5.0
"""A bucket teaches at most this many standard deviations above what was expected, and one story."""


@dataclass(slots=True)
class Rate:
    """What was learned; decayed sums. Treated as a value: functions return new ones."""

    stories: float = 0.0
    hours: float = 0.0
    by_hour: list[float] = field(default_factory=lambda: [0.0] * 24)
    """Stories by hour of the day, UTC."""
    hours_by_hour: list[float] = field(default_factory=lambda: [0.0] * 24)
    weekend: float = 0.0
    weekend_hours: float = 0.0
    squares: float = 0.0
    expected: float = 0.0

    def copy(self) -> Rate:
        """A value of its own."""
        return Rate(
            self.stories, self.hours, self.by_hour[:], self.hours_by_hour[:],
            self.weekend, self.weekend_hours, self.squares, self.expected,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Model:
    """How a rate learns."""

    half_life: float
    """Days."""
    prior_rate: float
    """Stories an hour before anything is known."""
    prior_hours: float
    """Hours of observation this prior weighs."""

    def hourly(self, rate: Rate) -> float:
        """Stories an hour, over all hours of the week."""
        return (rate.stories + self.prior_rate * self.prior_hours) / (rate.hours + self.prior_hours)

    def expect(self, rate: Rate, start: int, seconds: int) -> float:
        """Stories expected in [start, start + seconds)."""
        base = self.hourly(rate)
        return base * sum(hours * self._factor(rate, base, at) for at, hours in _hours(start, seconds))

    def _factor(self, rate: Rate, base: float, at: int) -> float:
        hour = at // HOUR % 24
        factor = (rate.by_hour[hour] + SHRINK) / (rate.hours_by_hour[hour] * base + SHRINK)
        quiet = (rate.weekend + SHRINK) / (rate.weekend_hours * base + SHRINK)
        if _weekend(at):
            return factor * quiet
        busy = rate.hours - rate.weekend_hours
        return factor * (rate.stories - rate.weekend + SHRINK) / (busy * base + SHRINK)

    def scatter(self, rate: Rate) -> float:
        """Variance over mean of a bucket, at least 1."""
        return max(1.0, (rate.squares + SCATTER * SCATTER_COUNTS) / (rate.expected + SCATTER_COUNTS))

    def variance(self, rate: Rate, mean: float) -> float:
        """Predictive variance of a count whose mean is expected to be `mean`: scatter, and doubt about the rate."""
        return self.scatter(rate) * mean + mean * mean / (rate.stories + max(self.prior_rate * self.prior_hours, 0.5))

    def learn(self, rate: Rate, start: int, seconds: int, count: float) -> Rate:
        """One more bucket."""
        mean = self.expect(rate, start, seconds)
        count = min(count, mean + WINSOR * math.sqrt(self.variance(rate, mean)) + 1.0)
        new = self._faded(rate, 0.5 ** (seconds / (self.half_life * DAY)))
        parts = list(_hours(start, seconds))
        for at, hours in parts:
            share = count * hours * HOUR / seconds
            hour = at // HOUR % 24
            new.stories += share
            new.hours += hours
            new.by_hour[hour] += share
            new.hours_by_hour[hour] += hours
            if _weekend(at):
                new.weekend += share
                new.weekend_hours += hours
        new.squares += (count - mean) ** 2
        new.expected += mean
        return new

    def skip(self, rate: Rate, start: int, seconds: int, buckets: int) -> Rate:
        """Many empty buckets at once: exact in the rate, in whole days in its shape."""
        while buckets > 0 and buckets * seconds < DAY:
            rate = self.learn(rate, start, seconds, 0.0)
            start, buckets = start + seconds, buckets - 1
        if not buckets:
            return rate
        mean = self.hourly(rate) * seconds / HOUR
        keep = 0.5 ** (seconds / (self.half_life * DAY))
        new = self._faded(rate, keep**buckets)
        weight = (1.0 - keep**buckets) / (1.0 - keep)
        hours = seconds / HOUR * weight
        new.hours += hours
        new.weekend_hours += hours * 2 / 7
        for hour in range(24):
            new.hours_by_hour[hour] += hours / 24
        new.squares += weight * mean * mean
        new.expected += weight * mean
        return new

    def _faded(self, rate: Rate, keep: float) -> Rate:
        return Rate(
            rate.stories * keep, rate.hours * keep,
            [x * keep for x in rate.by_hour], [x * keep for x in rate.hours_by_hour],
            rate.weekend * keep, rate.weekend_hours * keep, rate.squares * keep, rate.expected * keep,
        )  # fmt: skip


def _hours(start: int, seconds: int) -> Iterator[tuple[int, float]]:
    """The clock hours of a stretch: (a second of it, hours of it that belong to the stretch)."""
    end = start + seconds
    at = start
    while at < end:
        until = min(end, (at // HOUR + 1) * HOUR)
        yield at, (until - at) / HOUR
        at = until


def _weekend(at: int) -> bool:
    return (at // DAY + 3) % 7 >= 5
