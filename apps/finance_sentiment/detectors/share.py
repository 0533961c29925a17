"""The share of negative stories rose, whatever their number did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from apps.finance_sentiment.detectors.base import DAY, HOUR, Detector, Measure, parameter
from apps.finance_sentiment.detectors.tails import beta_binomial_tail, least_count
from apps.finance_sentiment.schemas import Observation, Verdict


@dataclass(frozen=True, slots=True)
class Tally:
    """Stories that were negative and that were not; decayed."""

    negative: float = 0.0
    other: float = 0.0


@dataclass(frozen=True)
class ShareShift(Detector[Tally]):
    """Breached where so many of a window's stories are negative that chance and the usual share do not explain it.

    The baseline is a beta distribution of decayed counts; the chance of the window's negative stories under it is
    beta-binomial, which for long baselines is the exact two-proportion test.
    """

    kind: ClassVar[str] = "share_shift"
    measures: ClassVar[tuple[Measure, ...]] = ("share_negative",)
    state: ClassVar[type[Tally]] = Tally

    p_value: float = parameter(0.001, 1e-30, 0.5)
    """Chance of a false breach in one window."""
    least_rise: float = parameter(0.15, 0.0, 1.0)
    """The share must exceed the usual one by this much: significance alone is cheap on busy series."""
    enough: float = parameter(1.0, 0.0, 1.0)
    """No higher share is asked for than this, so that a series whose news is mostly bad can get worse, too."""
    half_life: float = parameter(30.0, 0.1, 3650.0)
    """Days after which a story weighs half."""
    prior_share: float = parameter(0.25, 0.01, 0.99)
    """Share expected of a series of which nothing is known."""
    prior_stories: float = parameter(10.0, 0.1, 1e6)
    """Stories that this prior weighs."""
    most_stories: float = parameter(150.0, 1.0, 1e9)
    """The baseline weighs at most so many stories: the true share wanders, and more do not make it surer."""

    def step(self, window_seconds: int) -> int:
        """An hour, or the window where it is shorter."""
        return min(HOUR, window_seconds)

    def judge(self, state: Tally, window: Observation) -> Verdict:
        """Compare the share with the usual one."""
        stories, negative = window.counts.stories, window.counts.negative
        a = state.negative + self.prior_share * self.prior_stories
        b = state.other + (1 - self.prior_share) * self.prior_stories
        weight = min(1.0, self.most_stories / (a + b))
        a, b = a * weight, b * weight
        expected, value = a / (a + b), window.counts.share_negative
        if not stories:
            return Verdict(False, True, 0.0, expected, 1.0, None, "There are no stories in the window.")
        p = beta_binomial_tail(negative, stories, a, b)
        least = least_count(lambda k: beta_binomial_tail(k, stories, a, b), self.p_value, int(expected * stories) + 1)
        limit = max(least / stories, min(expected + self.least_rise, max(self.enough, expected)))
        if p > self.p_value:
            limit = max(limit, value + 0.5 / stories)
        reason = (
            f"{negative} of {stories} stories are negative ({value:.0%}; {expected:.0%} are usual, {min(limit, 1):.0%} "
            f"is the limit; chance of that many: {p:.2g})."
        )
        return self.verdict(value, expected, limit, reason, p=p)

    def learn(self, state: Tally, closed: Observation, firing: bool) -> Tally:
        """Add a bucket; a surge is left out."""
        if firing:
            return state
        keep = self._keep(closed.seconds)
        negative = closed.counts.negative
        return Tally(state.negative * keep + negative, state.other * keep + closed.counts.stories - negative)

    def skip(self, state: Tally, start: int, seconds: int, buckets: int, firing: bool) -> Tally:
        """Fade, all at once."""
        keep = 1.0 if firing else self._keep(seconds * buckets)
        return Tally(state.negative * keep, state.other * keep)

    def _keep(self, seconds: int) -> float:
        return float(0.5 ** (seconds / (self.half_life * DAY)))
