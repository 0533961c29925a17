"""A limit that people chose, and a multiple of the windows before. Both learn little or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from apps.finance_sentiment.detectors.base import Detector, Direction, Measure, Nothing, measured, parameter
from apps.finance_sentiment.schemas import Observation, Verdict


@dataclass(frozen=True)
class Absolute(Detector[Nothing]):
    """Breached at or beyond a limit."""

    kind: ClassVar[str] = "absolute"

    limit: float = field(kw_only=True)
    """Stories, share or score, as the measure is."""
    direction: Direction = field(default="above", metadata={"choices": ("above", "below")})

    def judge(self, state: Nothing, window: Observation) -> Verdict:
        """Compare. Cleared: past the limit by (1 - clear_ratio) of it."""
        value = measured(window.counts, self.measure)
        gap = (1 - self.clear_ratio) * abs(self.limit)
        if self.direction == "above":
            breached, cleared = value >= self.limit, value < self.limit - gap
        else:
            breached, cleared = value <= self.limit, value > self.limit + gap
        name = self.measure.replace("_", " ")
        reason = f"{name.capitalize()} is {value:.4g}; the rule's limit is {self.limit:.4g} or {self.direction}."
        return Verdict(breached, cleared, value, self.limit, self.limit, None, reason)


@dataclass(frozen=True, slots=True)
class Recent:
    """Values of the latest windows, newest last."""

    values: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Ratio(Detector[Recent]):
    """Breached at a multiple of the mean of the preceding windows."""

    kind: ClassVar[str] = "ratio"
    measures: ClassVar[tuple[Measure, ...]] = ("volume", "negative", "share_negative")
    state: ClassVar[type[Recent]] = Recent

    times: float = parameter(3.0, 1.01, 1000.0)
    """Multiple of the mean; with `direction` below, its divisor."""
    windows: int = parameter(8, 1, 1000)
    """How many preceding windows make the mean. Fewer than half of them: no breach."""
    floor: float = parameter(1.0, 0.0, 1e9)
    """The mean counts as at least this, or silence before would make one story a surge."""
    direction: Direction = field(default="above", metadata={"choices": ("above", "below")})

    def judge(self, state: Recent, window: Observation) -> Verdict:
        """Compare with the mean."""
        value = measured(window.counts, self.measure)
        if 2 * len(state.values) < self.windows:
            return Verdict(False, True, value, value, value, None, "Too few windows were seen to compare with.")
        expected = max(self.floor, sum(state.values) / len(state.values))
        below = self.direction == "below"
        limit = expected / self.times if below else expected * self.times
        reason = (
            f"{self.measure.replace('_', ' ').capitalize()} is {value:.4g}, {value / expected if expected else 0:.2g} "
            f"times the mean {expected:.4g} of {len(state.values)} windows; the limit is {limit:.4g}."
        )
        return self.verdict(value, expected, limit, reason, below=below)

    def learn(self, state: Recent, closed: Observation, firing: bool) -> Recent:
        """Move the window; a surge is left out."""
        if firing:
            return state
        return replace(state, values=[*state.values, measured(closed.counts, self.measure)][-self.windows :])

    def skip(self, state: Recent, start: int, seconds: int, buckets: int, firing: bool) -> Recent:
        """As many zeros, at most a full state of them."""
        return super().skip(state, start, seconds, min(buckets, self.windows), firing)

    def load(self, body: Mapping[str, Any]) -> Recent:
        """The state of `dump`; the newest of its values where the rule now looks at fewer."""
        values = body.get("values")
        return Recent([float(v) for v in values][-self.windows :]) if isinstance(values, list) else Recent()
