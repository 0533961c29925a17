"""Many small rises that add up: a cumulative sum of log-likelihood ratios."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from apps.finance_sentiment.detectors.base import COUNTED, Detector, Measure, measured, parameter
from apps.finance_sentiment.detectors.rate import Model, Rate
from apps.finance_sentiment.schemas import Counts, Observation, Verdict


@dataclass(frozen=True, slots=True)
class Sum:
    """The rate that is usual, and what spoke for a higher one since it last spoke against."""

    rate: Rate = field(default_factory=Rate)
    sum: float = 0.0


@dataclass(frozen=True)
class ChangePoint(Detector[Sum]):
    """Breached where the evidence for a rate `shift` times the usual one has added up to `threshold`.

    Each bucket adds the log-likelihood ratio of its count, x ln(shift) - mean (shift - 1), divided by the scatter; the
    sum is held at 0 from below (Page 1954, "Continuous inspection schemes"; for Poisson counts Lucas 1985, "Counted
    data CUSUM's") and at twice the threshold from above, so that it falls again once the rise is over. It finds slow
    ramps and long, low plateaus, in which no single window is remarkable.
    """

    kind: ClassVar[str] = "change_point"
    measures: ClassVar[tuple[Measure, ...]] = COUNTED
    aligned: ClassVar[bool] = True
    state: ClassVar[type[Sum]] = Sum

    shift: float = parameter(2.0, 1.05, 100.0)
    """Multiple of the usual rate that is worth an alert."""
    threshold: float = parameter(9.0, 0.5, 1000.0)
    """Evidence in nats. The usual time between false alarms is about exp(threshold) buckets or more."""
    half_life: float = parameter(21.0, 0.1, 3650.0)
    """Days after which a count weighs half in the usual rate."""
    prior_per_day: float = parameter(1.0, 0.0, 1e6)
    """Stories a day expected of a series of which nothing is known."""
    prior_days: float = parameter(3.0, 0.01, 365.0)
    """Days of observation that this prior weighs."""

    def model(self) -> Model:
        """How the usual rate learns."""
        return Model(self.half_life, self.prior_per_day / 24, self.prior_days * 24)

    def judge(self, state: Sum, window: Observation) -> Verdict:
        """The sum with the open bucket in it."""
        count = measured(window.counts, self.measure)
        mean = self.model().expect(state.rate, window.start, window.seconds)
        value = self._added(state, count, mean)
        reason = (
            f"Evidence for {self.shift:g} times the usual number of stories has added up to {value:.3g}; "
            f"the limit is {self.threshold:g}. Now {count:.0f}, usually {mean:.3g}."
        )
        return self.verdict(value, 0.0, self.threshold, reason)

    def learn(self, state: Sum, closed: Observation, firing: bool) -> Sum:
        """Add a bucket to the sum, and to the usual rate unless it belongs to a surge."""
        model, count = self.model(), measured(closed.counts, self.measure)
        added = self._added(state, count, model.expect(state.rate, closed.start, closed.seconds))
        if firing:
            return Sum(state.rate, added)
        return Sum(model.learn(state.rate, closed.start, closed.seconds, count), added)

    def skip(self, state: Sum, start: int, seconds: int, buckets: int, firing: bool) -> Sum:
        """One by one while the sum falls, then all at once."""
        while buckets and (state.sum > 0 or firing):
            state = self.learn(state, Observation(start, seconds, Counts()), firing)
            start, buckets = start + seconds, buckets - 1
        return Sum(self.model().skip(state.rate, start, seconds, buckets), 0.0) if buckets else state

    def load(self, body: Mapping[str, Any]) -> Sum:
        """The state of `dump`."""
        rate, total = body.get("rate"), body.get("sum")
        if not isinstance(total, int | float) or not isinstance(rate, dict) or rate.keys() != asdict(Rate()).keys():
            return Sum()
        return Sum(Rate(**rate), float(total))

    def _added(self, state: Sum, count: float, mean: float) -> float:
        ratio = (count * math.log(self.shift) - mean * (self.shift - 1)) / self.model().scatter(state.rate)
        return min(max(0.0, state.sum + ratio), 2 * self.threshold)
