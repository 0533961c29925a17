"""A rule made ready to run, what is kept of it for each series, and where its counts come from.

Knows rules and detectors. `rule_engine` runs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from apps.finance_sentiment.rules import Part, Rule, read
from apps.finance_sentiment.schemas import Counts, Observation, SeriesKey

Condition = Literal["inactive", "pending", "firing"]
LONGEST_MEMORY = 60 * 86_400
"""A series that is seen for the first time learns so much of the empty time before, and one long unseen catches up so
much, in seconds."""

NEAR = 3600
"""Stretches that are not learned and lie so near each other are one, in seconds."""


class Reader(Protocol):
    """Where counts come from."""

    def began(self) -> int:
        """Time of the first text of all, seconds since 1970."""
        ...

    def counts(self, key: SeriesKey, start: int, end: int) -> Counts:
        """Sum over [start, end): whole minutes."""
        ...

    def filled(self, key: SeriesKey, start: int, end: int, seconds: int) -> Sequence[Observation]:
        """The buckets of [start, end) that hold a text, in order; bounds are whole buckets since 1970."""
        ...

    def by_source(self, key: SeriesKey, start: int, end: int) -> Mapping[str, int]:
        """Negative stories of [start, end) by their source; all stories, where none is negative."""
        ...


@dataclass(slots=True)
class Track:
    """Where a rule stands with a series, and what it has learned of it."""

    states: list[Any]
    """One for each leaf."""
    learned: list[int]
    """End of the last bucket learned, for each leaf."""
    condition: Condition = "inactive"
    since: int = 0
    """When the condition began."""
    cleared_since: int | None = None
    quiet_until: int = 0
    """End of the cool-down."""
    clock: int = 0
    surges: list[list[int]] = field(default_factory=list)
    """Stretches of firing, [start, end]; an open one ends in 0. Also those that were not told of, because one source
    alone was loud: they are not to be learned either."""

    def leave_out(self, now: int) -> None:
        """Note that a surge is not told of; the rule does not fire."""
        if self.surges and now - self.surges[-1][1] <= NEAR:
            self.surges[-1][1] = max(self.surges[-1][1], now + 1)
        else:
            self.surges.append([now, now + 1])


@dataclass(frozen=True, slots=True)
class Program:
    """A rule with its detectors."""

    rule: Rule
    part: Part
    leaves: tuple[Part, ...]
    windows: tuple[int, ...]
    """Lengths of all windows, each once."""
    idle: bool
    """Whether silence can be a breach: such a rule has to be asked without a text, too."""
    bad_only: bool
    """Whether only a negative story can bring a breach about."""

    @classmethod
    def of(cls, rule: Rule, others: Sequence[Rule] = ()) -> Program:
        """Read a rule. :raises InputError: if it does not fit."""
        part = read(rule, others)
        leaves = tuple(part.leaves())
        windows = dict.fromkeys([*(leaf.window_seconds for leaf in leaves), part.window_seconds])
        idle = any(leaf.detector is not None and leaf.detector.heeds_silence for leaf in leaves)
        bad = all(leaf.measure in ("negative", "share_negative") for leaf in leaves) and not idle
        return cls(rule, part, leaves, tuple(windows), idle, bad)

    def track(self, now: int, began: int) -> Track:
        """A fresh one, that will learn from the first text of all on."""
        first = max(began, now - LONGEST_MEMORY)
        steps = [step_of(leaf) for leaf in self.leaves]
        return Track([detector_of(leaf).fresh() for leaf in self.leaves], [first // s * s for s in steps])

    def dump(self, track: Track) -> dict[str, Any]:
        """A track as JSON values."""
        return {
            "condition": track.condition, "since": track.since, "cleared_since": track.cleared_since,
            "quiet_until": track.quiet_until, "clock": track.clock, "surges": track.surges, "learned": track.learned,
            "kinds": [leaf.kind for leaf in self.leaves],
            "states": [detector_of(leaf).dump(s) for leaf, s in zip(self.leaves, track.states, strict=True)],
        }  # fmt: skip

    def load(self, body: Mapping[str, Any], now: int, began: int) -> Track:
        """The track of `dump`. Where the rule has other detectors now, they start afresh and the rule is inactive."""
        if body.get("kinds") != [leaf.kind for leaf in self.leaves]:
            return self.track(now, began)
        return Track(
            [detector_of(leaf).load(s) for leaf, s in zip(self.leaves, body["states"], strict=True)],
            [at // step_of(leaf) * step_of(leaf) for leaf, at in zip(self.leaves, body["learned"], strict=True)],
            body["condition"], body["since"], body["cleared_since"], body["quiet_until"], body["clock"],
            [list(surge) for surge in body["surges"]],
        )  # fmt: skip


def detector_of(leaf: Part) -> Any:
    """The detector of a part that has one."""
    assert leaf.detector is not None
    return leaf.detector


def step_of(leaf: Part) -> int:
    """Length of the buckets a part learns from, in seconds."""
    return int(detector_of(leaf).step(leaf.window_seconds))
