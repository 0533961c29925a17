"""How good alerts were, against what is known to have happened.

Knows times only. An episode is one stretch in which a rule fired, from the moment it began to fire to the moment it
stopped: the engine's hysteresis and cool-down make one of it, nothing is merged afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

WEEK = 604_800


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch of firing, seconds since 1970."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch in which something is known to have happened, seconds since 1970."""

    start: int
    end: int

    @property
    def middle(self) -> int:
        """Half-way. Where a benchmark widens a labelled moment to a window, the moment."""
        return (self.start + self.end) // 2


@dataclass(frozen=True, slots=True)
class Score:
    """Counts that add up over series."""

    true: int = 0
    """Episodes that began within a window."""
    false: int = 0
    found: int = 0
    """Windows within which an episode began."""
    windows: int = 0
    weeks: float = 0.0
    """Series-weeks of data."""
    delays: tuple[int, ...] = ()
    """Seconds from the middle of each window found to its first alert; 0 where the alert came before."""

    def __add__(self, other: Score) -> Score:
        return Score(
            self.true + other.true, self.false + other.false, self.found + other.found,
            self.windows + other.windows, self.weeks + other.weeks, self.delays + other.delays,
        )  # fmt: skip

    @property
    def recall(self) -> float:
        """Windows found, of all; 0 where there are none."""
        return self.found / self.windows if self.windows else 0.0

    @property
    def precision(self) -> float:
        """True episodes, of all; 0 where there are none."""
        return self.true / (self.true + self.false) if self.true else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision."""
        both = self.recall + self.precision
        return 2 * self.recall * self.precision / both if both else 0.0

    def figures(self) -> dict[str, float | None]:
        """By name, as `triptych finance backtest counts` prints them."""
        return {
            "recall": self.recall,
            "precision": self.precision,
            "f1": self.f1,
            "false_episodes_per_series_week": self.false / self.weeks if self.weeks else 0.0,
            "median_delay_seconds": float(median(self.delays)) if self.delays else None,
        }


def score(episodes: Sequence[Episode], windows: Sequence[Window], seconds: float) -> Score:
    """Judge the episodes of one series.

    An episode is true if it begins within a window, ends included. This is stricter than asking for an overlap, which
    one episode that never ends would satisfy for every window.

    :param seconds: length of the series.
    """
    begins = [e.start for e in episodes]
    true = sum(any(w.start <= at <= w.end for w in windows) for at in begins)
    first = [min((at for at in begins if w.start <= at <= w.end), default=None) for w in windows]
    delays = tuple(max(0, at - w.middle) for at, w in zip(first, windows, strict=True) if at is not None)
    return Score(true, len(episodes) - true, len(delays), len(windows), seconds / WEEK, delays)
