"""Unusual for this hour of this day: a robust seasonal baseline that follows level shifts and ignores surges."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

from apps.finance_sentiment.detectors.base import (
    COUNTED,
    DAY,
    HOUR,
    WEEK,
    Detector,
    Direction,
    measured,
    parameter,
)
from apps.finance_sentiment.schemas import Observation, Verdict

DAYS_FOR_HOUR, WEEKS_FOR_SLOT = 2.0, 3.0
"""Visits after which an hour of the day, and an hour of the week, weighs as much as what it is shrunk to."""
CAPPED = 6.0
"""An error widens the spread as if it were at most so many spreads."""
TRUST, TRACKED = 0.7, DAY
"""The tracking signal from which on the level is held to have shifted, and the half-life of the signal."""
FAST = DAY / 4
"""Half-life of the level while it shifts."""


@dataclass(slots=True)
class Baseline:
    """Level, shape and spread on the transformed scale. Treated as a value."""

    level: float | None = None
    seen: float = 0.0
    """Observations of the level."""
    by_hour: list[float] = field(default_factory=lambda: [0.0] * 24)
    """Difference of each hour of the day to the level."""
    hour_weight: list[float] = field(default_factory=lambda: [0.0] * 24)
    by_slot: list[float] = field(default_factory=lambda: [0.0] * 168)
    """Difference of each hour of the week to its hour of the day; Thursday midnight UTC is the first."""
    slot_weight: list[float] = field(default_factory=lambda: [0.0] * 168)
    squares: float = 0.0
    weight: float = 0.0
    error: float = 0.0
    """Smoothed error, with its sign."""
    size: float = 0.0
    """Smoothed size of the error."""
    a_day: float = 24.0
    """Observations a day."""


@dataclass(frozen=True)
class Seasonal(Detector[Baseline]):
    """Breached where a window differs from what is usual at its hour by `spreads` times the usual spread.

    Counts x are compared as y = 2 asinh(sqrt((x + 3/8) / dispersion)), which is nearly linear in small counts and
    logarithmic in large ones and gives a negative binomial count a constant variance (Anscombe 1948, "The
    transformation of Poisson, binomial and negative-binomial data"); shares and scores as they are. The baseline is
    level + hour of the day + hour of the week, each an average that forgets, the latter two shrunk to 0. Errors are
    clipped before anything learns from them. Where they keep one sign (the tracking signal of Trigg, Leach 1967,
    "Exponential smoothing with an adaptive response rate", exceeds 0.7) the level has shifted and is followed fast.

    The spread is the root mean square of errors, each capped at six spreads only: series that burst by themselves get a
    wide one, and that, rather than a finer baseline, is what keeps false alarms few.
    """

    kind: ClassVar[str] = "seasonal"
    state: ClassVar[type[Baseline]] = Baseline

    spreads: float = parameter(5.6, 0.5, 100.0)
    """Distance from the usual at which the rule is breached, in spreads."""
    dispersion: float = parameter(3.0, 0.1, 1000.0)
    """Count from which on the scale is logarithmic."""
    level_days: float = parameter(7.0, 0.05, 365.0)
    """Half-life of the level."""
    season_days: float = parameter(20.0, 1.0, 3650.0)
    """Half-life of the shape of day and week, and of the spread."""
    clip: float = parameter(0.3, 0.01, 10.0)
    """The baseline learns from an error as if it were at most this large."""
    prior_spread: float = parameter(0.4, 0.001, 10.0)
    """Spread before anything is known."""
    prior_days: float = parameter(2.0, 0.01, 365.0)
    """Days of observation that this prior weighs."""
    direction: Direction = field(default="above", metadata={"choices": ("above", "below")})

    def judge(self, state: Baseline, window: Observation) -> Verdict:
        """Compare the window with the baseline of its middle."""
        value = measured(window.counts, self.measure)
        if state.level is None:
            return Verdict(False, True, value, value, value, None, "Nothing was learned yet.")
        base, spread = self._base(state, window.start, window.seconds), self._spread(state)
        sign = 1.0 if self.direction == "above" else -1.0
        apart = (self._scale(value) - base) * sign / spread
        expected, limit = self._unscale(base), self._unscale(base + sign * self.spreads * spread)
        reason = (
            f"{self.measure.replace('_', ' ').capitalize()} is {value:.4g}; {expected:.3g} is usual at this hour, "
            f"{limit:.4g} is the limit ({apart:.2g} of {self.spreads:g} spreads away)."
        )
        breached, cleared = apart >= self.spreads, apart < self.clear_ratio * self.spreads
        return Verdict(breached, cleared, value, expected, limit, None, reason)

    def distance(self, state: Baseline, window: Observation) -> float:
        """How many spreads a window is away from usual, with its sign; 0 before anything was learned."""
        if state.level is None:
            return 0.0
        base = self._base(state, window.start, window.seconds)
        return (self._scale(measured(window.counts, self.measure)) - base) / self._spread(state)

    def learn(self, state: Baseline, closed: Observation, firing: bool) -> Baseline:
        """Update everything; a surge is left out."""
        if firing:
            return state
        y = self._scale(measured(closed.counts, self.measure))
        if state.level is None:
            return Baseline(level=y, seen=1.0, a_day=DAY / closed.seconds)
        a_day = DAY / closed.seconds
        hour, slot = _slots(closed.start, closed.seconds)
        error = y - self._base(state, closed.start, closed.seconds)
        capped = min(abs(error), CAPPED * self._spread(state))
        clipped = max(-self.clip, min(self.clip, error))
        keep = 0.5 ** (1 / (TRACKED / DAY * a_day))
        signed = state.error * keep + clipped * (1 - keep)
        size = state.size * keep + abs(clipped) * (1 - keep)
        gain = max(1 - 0.5 ** (1 / (self.level_days * a_day)), 1 / (state.seen + 1))
        shifted = state.seen >= 2 * a_day and abs(signed) > TRUST * size
        if shifted:
            gain = max(gain, 1 - 0.5 ** (1 / (FAST / DAY * a_day)))
        fade = 0.5 ** (1 / (self.season_days * a_day))
        new = Baseline(
            state.level + gain * (error if shifted else clipped), state.seen + 1.0,
            state.by_hour[:], state.hour_weight[:], state.by_slot[:], state.slot_weight[:],
            state.squares * fade + capped * capped, state.weight * fade + 1.0, signed, size, a_day,
        )  # fmt: skip
        if shifted:
            return new
        b_hour, b_slot = self._parts(state, hour, slot, a_day)
        visit = 0.5 ** (24 / (self.season_days * a_day))
        new.hour_weight[hour] = weight = state.hour_weight[hour] * visit + 1.0
        new.by_hour[hour] += (clipped + b_hour - state.by_hour[hour]) / weight
        visit = 0.5 ** (168 / (self.season_days * a_day))
        new.slot_weight[slot] = weight = state.slot_weight[slot] * visit + 1.0
        new.by_slot[slot] += (clipped + b_slot - state.by_slot[slot]) / weight
        return new

    def skip(self, state: Baseline, start: int, seconds: int, buckets: int, firing: bool) -> Baseline:
        """One by one, but of a long silence only the last four weeks."""
        left = 0 if firing else min(buckets, 4 * WEEK // seconds)
        return super().skip(state, start + (buckets - left) * seconds, seconds, left, firing)

    def _base(self, state: Baseline, start: int, seconds: int) -> float:
        hour, slot = _slots(start, seconds)
        return (state.level or 0.0) + sum(self._parts(state, hour, slot, DAY / seconds))

    def _parts(self, state: Baseline, hour: int, slot: int, a_day: float) -> tuple[float, float]:
        visits = max(1.0, a_day / 24)
        w, v = state.hour_weight[hour], state.slot_weight[slot]
        return (
            state.by_hour[hour] * w / (w + DAYS_FOR_HOUR * visits),
            state.by_slot[slot] * v / (v + WEEKS_FOR_SLOT * visits),
        )

    def _spread(self, state: Baseline) -> float:
        prior = self.prior_days * state.a_day
        return math.sqrt((state.squares + self.prior_spread**2 * prior) / (state.weight + prior))

    def _scale(self, value: float) -> float:
        if self.measure in COUNTED:
            return 2.0 * math.asinh(math.sqrt((value + 0.375) / self.dispersion))
        return value

    def _unscale(self, y: float) -> float:
        if self.measure in COUNTED:
            return max(0.0, self.dispersion * math.sinh(max(y, 0.0) / 2.0) ** 2 - 0.375)
        return y


def _slots(start: int, seconds: int) -> tuple[int, int]:
    """Hour of the day and of the week of a window's middle, UTC."""
    slot = (start + seconds // 2) // HOUR % 168
    return slot % 24, slot
