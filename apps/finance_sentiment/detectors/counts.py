"""Too many stories for what is usual, by the tail of a count distribution: made for sparse series."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from apps.finance_sentiment.detectors.base import COUNTED, DAY, HOUR, Detector, Measure, measured, parameter
from apps.finance_sentiment.detectors.rate import Model, Rate
from apps.finance_sentiment.detectors.tails import negative_binomial_limit
from apps.finance_sentiment.schemas import Observation, Verdict


@dataclass(frozen=True)
class CountTail(Detector[Rate]):
    """Breached where so many stories, or more, have at most a chance of `p_value` in a window.

    The predictive distribution is negative binomial: a Poisson count whose rate is uncertain and which scatters (see
    `rate`). Its mean follows the hour and the weekday, as far as the counts show them.
    """

    kind: ClassVar[str] = "count_tail"
    measures: ClassVar[tuple[Measure, ...]] = COUNTED
    state: ClassVar[type[Rate]] = Rate

    p_value: float = parameter(1e-5, 1e-30, 0.5)
    """Chance of a false breach in one window. 1e-5 in windows of an hour is once in eleven years a series."""
    times: float = parameter(1.0, 1.0, 1000.0)
    """The limit is at least so many times the expected count: on busy series small rises are significant, not news."""
    looks: float = parameter(0.0, 0.0, 1000.0)
    """Chances are multiplied by 1 + looks * usual stories a day: every story is a look, and a series that is looked at
    ten times as often is by chance odd ten times as often. 0 corrects nothing."""
    half_life: float = parameter(21.0, 0.1, 3650.0)
    """Days after which a count weighs half."""
    prior_per_day: float = parameter(0.5, 0.0, 1e6)
    """Stories a day expected of a series of which nothing is known."""
    prior_days: float = parameter(2.0, 0.01, 365.0)
    """Days of observation that this prior weighs."""

    def model(self) -> Model:
        """How the rate learns."""
        return Model(self.half_life, self.prior_per_day / 24, self.prior_days * 24)

    def step(self, window_seconds: int) -> int:
        """An hour, or the window where it is shorter: the rate does not depend on it."""
        return min(HOUR, window_seconds)

    def judge(self, state: Rate, window: Observation) -> Verdict:
        """Compare the count with what the learned rate lets expect at this time of the week."""
        model, count = self.model(), int(measured(window.counts, self.measure))
        mean = model.expect(state, window.start, window.seconds)
        variance = model.variance(state, mean)
        looks = 1.0 + self.looks * model.hourly(state) * 24
        p, least = negative_binomial_limit(count, mean, variance, self.p_value / looks)
        p = min(1.0, p * looks)
        limit = max(float(least), math.ceil(mean * self.times))
        what = "stories" if self.measure == "volume" else "negative stories"
        reason = (
            f"{count} {what} in {_span(window.seconds)}; {mean:.3g} are usual at this time, {limit:.0f} is the limit "
            f"(chance of {count} or more: {p:.2g})."
        )
        return self.verdict(float(count), mean, limit, reason, p=p)

    def learn(self, state: Rate, closed: Observation, firing: bool) -> Rate:
        """Update the rate; a surge is left out."""
        if firing:
            return state
        return self.model().learn(state, closed.start, closed.seconds, measured(closed.counts, self.measure))

    def skip(self, state: Rate, start: int, seconds: int, buckets: int, firing: bool) -> Rate:
        """All at once."""
        return state if firing else self.model().skip(state, start, seconds, buckets)


def _span(seconds: int) -> str:
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (60, "minute")):
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds // unit} {name}{'s' if seconds > unit else ''}"
    return f"{seconds} seconds"
