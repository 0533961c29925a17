"""Nothing comes any more, from where something should."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from apps.finance_sentiment.detectors.base import DAY, HOUR, Detector, Measure, parameter
from apps.finance_sentiment.detectors.rate import Model, Rate
from apps.finance_sentiment.schemas import Observation, Verdict

LONGEST = 14 * DAY
"""A longer silence counts as this long: the source was given up, not lost."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """How often texts come, and until when they came."""

    rate: Rate = field(default_factory=Rate)
    last: int | None = None
    """End of the last bucket that held a text, seconds since 1970; None before the first."""


@dataclass(frozen=True)
class NoData(Detector[Pulse]):
    """Breached where the silence has lasted a window, and so long that it has at most a chance of `p_value`.

    The chance is that of no text in the time since the last one, by the usual rate at these hours: a source that sleeps
    at night may, and one with a text a week is missed after weeks. Counts all texts, repeated stories too. A source
    from which nothing ever came is not missed.
    """

    kind: ClassVar[str] = "no_data"
    measures: ClassVar[tuple[Measure, ...]] = ("volume",)
    state: ClassVar[type[Pulse]] = Pulse

    p_value: float = parameter(1e-6, 1e-30, 0.5)
    """Chance of such a silence where all is well."""
    half_life: float = parameter(14.0, 0.1, 3650.0)
    """Days after which a count weighs half in the usual rate."""

    def model(self) -> Model:
        """How the usual rate learns; the prior weighs next to nothing."""
        return Model(self.half_life, 1 / 24, 1.0)

    @property
    def heeds_silence(self) -> bool:
        """It is all this detector looks for."""
        return True

    def step(self, window_seconds: int) -> int:
        """An hour, or the window where it is shorter."""
        return min(HOUR, window_seconds)

    def judge(self, state: Pulse, window: Observation) -> Verdict:
        """Compare the silence with what the rate lets expect."""
        if window.counts.texts or state.last is None:
            return Verdict(False, True, 0.0, 0.0, float(window.seconds), None, "Texts are coming.")
        model = self.model()
        since = max(state.last, window.end - LONGEST)
        silent = max(window.end - since, window.seconds)
        scatter = model.scatter(state.rate)
        expected = model.expect(state.rate, window.end - silent, silent) / scatter
        p, needed = math.exp(-expected), -math.log(self.p_value)
        hourly = model.hourly(state.rate) / scatter
        breached = p <= self.p_value
        limit = max(window.seconds, HOUR * needed / hourly)
        reason = (
            f"No text for {silent / HOUR:.3g} hours, in which {expected * scatter:.3g} are usual "
            f"(chance of none: {p:.2g})."
        )
        return Verdict(breached, False, float(silent), HOUR / hourly, limit, p, reason)

    def learn(self, state: Pulse, closed: Observation, firing: bool) -> Pulse:
        """Update rate and last sign of life; silence in which the rule fires is left out."""
        texts = closed.counts.texts
        last = closed.end if texts else state.last
        if firing or last is None:
            return Pulse(state.rate, last)
        return Pulse(self.model().learn(state.rate, closed.start, closed.seconds, texts), last)

    def skip(self, state: Pulse, start: int, seconds: int, buckets: int, firing: bool) -> Pulse:
        """All at once."""
        if firing or state.last is None:
            return state
        return Pulse(self.model().skip(state.rate, start, seconds, buckets), state.last)

    def load(self, body: Mapping[str, Any]) -> Pulse:
        """The state of `dump`."""
        rate, last = body.get("rate"), body.get("last")
        if not isinstance(rate, dict) or rate.keys() != asdict(Rate()).keys() or not isinstance(last, int | None):
            return Pulse()
        return Pulse(Rate(**rate), last)
