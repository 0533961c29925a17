"""What every detector is: a judge of a window, and a learner of closed buckets.

Knows counts and times. Knows no rule, no alert and no clock: the rule engine tells a detector when to judge and when to
learn, and whether the rule was firing.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar, get_args

from apps.finance_sentiment.schemas import Counts, Observation, Verdict
from core.errors import InputError

Measure = Literal["volume", "negative", "share_negative", "mean_score"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
COUNTED: tuple[Measure, ...] = ("volume", "negative")
"""Measures that are whole numbers of stories."""
Direction = Literal["above", "below"]

HOUR, DAY, WEEK = 3600, 86_400, 604_800


def measured(counts: Counts, measure: Measure) -> float:
    """The number a rule looks at: stories, negative stories, their share in [0, 1], or the mean score in [-1, 1]."""
    if measure == "volume":
        return float(counts.stories)
    if measure == "negative":
        return float(counts.negative)
    return counts.share_negative if measure == "share_negative" else counts.mean_score


def evidence(counts: Counts, measure: Measure) -> int:
    """How many stories speak for a breach: the negative ones, or all where the measure is the volume."""
    return counts.stories if measure in ("volume", "mean_score") else counts.negative


def parameter(default: Any, low: float, high: float) -> Any:
    """A parameter of a detector with its default and range; both ends are allowed."""
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True, slots=True)
class Nothing:
    """The state of a detector that learns nothing."""


S = TypeVar("S")


@dataclass(frozen=True)
class Detector(ABC, Generic[S]):
    """Base of all detectors: a frozen dataclass of parameters. What it learns is a state of its own, that others keep.

    `judge`, `learn` and `skip` are pure: they return new values and change none.
    """

    kind: ClassVar[str]
    measures: ClassVar[tuple[Measure, ...]] = MEASURES
    aligned: ClassVar[bool] = False
    """Judged on the bucket that is open, rather than on a window that slides."""
    state: ClassVar[type[Any]] = Nothing
    """A dataclass of numbers, lists of numbers and None."""

    measure: Measure = "negative"
    clear_ratio: float = parameter(0.7, 0.0, 1.0)
    """How far from the usual value to the limit a firing rule must fall back before it counts as cleared."""

    @classmethod
    def made(cls, measure: Measure, clear_ratio: float, given: Mapping[str, object], where: str) -> Self:
        """A detector from the parameters of a rule.

        :param where: named in errors, as in "Rule 'x'".
        :raises InputError: if a parameter is unknown, missing, of the wrong type or out of its range.
        """
        if measure not in cls.measures:
            raise InputError(
                f"{where}: kind {cls.kind!r} cannot look at {measure!r}; it can look at {', '.join(cls.measures)}."
            )
        known = {f.name: f for f in fields(cls) if f.name not in ("measure", "clear_ratio")}
        for name in given:
            if name not in known:
                raise InputError(
                    f"{where}: kind {cls.kind!r} has no parameter {name!r}; it has {', '.join(known) or 'none'}."
                )
        for name, f in known.items():
            if f.default is MISSING and name not in given:
                raise InputError(f"{where}: kind {cls.kind!r} needs the parameter {name!r}.")
        values = {name: _checked(known[name], value, where) for name, value in given.items()}
        return cls(measure=measure, clear_ratio=clear_ratio, **values)

    @property
    def heeds_silence(self) -> bool:
        """Whether few or no stories can be a breach, as where a fall is looked for."""
        return getattr(self, "direction", "above") == "below" and self.measure in COUNTED

    def step(self, window_seconds: int) -> int:
        """Length of the buckets to learn from, in seconds: the window's own, unless a detector says otherwise."""
        return window_seconds

    def fresh(self) -> S:
        """The state before anything was learned."""
        return self.state()  # type: ignore[no-any-return]

    @abstractmethod
    def judge(self, state: S, window: Observation) -> Verdict:
        """What to think of a window, given what was learned of the time before it."""

    def learn(self, state: S, closed: Observation, firing: bool) -> S:
        """The state after one more bucket. `firing`: the bucket belongs to a surge, which is not to be learned."""
        return state

    def skip(self, state: S, start: int, seconds: int, buckets: int, firing: bool) -> S:
        """The state after `buckets` empty ones of `seconds` each, from `start` on; fast where that is possible."""
        for i in range(buckets):
            state = self.learn(state, Observation(start + i * seconds, seconds, Counts()), firing)
        return state

    def dump(self, state: S) -> dict[str, Any]:
        """The state as JSON values."""
        return asdict(state)  # type: ignore[call-overload,no-any-return]

    def load(self, body: Mapping[str, Any]) -> S:
        """The state of `dump`.

        A body of other fields, as an older version or another kind may have left it, gives a fresh state.
        """
        fresh = self.fresh()
        shapes = {f.name: getattr(fresh, f.name) for f in fields(self.state)}
        if body.keys() != shapes.keys() or any(
            isinstance(shape, list) and len(shape) != len(body[name]) for name, shape in shapes.items()
        ):
            return fresh
        return self.state(**body)  # type: ignore[no-any-return]

    def verdict(
        self, value: float, expected: float, limit: float, reason: str, *, below: bool = False, p: float | None = None
    ) -> Verdict:
        """A verdict by comparison with a limit; cleared is `clear_ratio` of the way from usual to limit."""
        clear = expected + self.clear_ratio * (limit - expected)
        if below:
            return Verdict(value <= limit, value > clear, value, expected, limit, p, reason)
        return Verdict(value >= limit, value < clear, value, expected, limit, p, reason)


def _checked(f: Any, value: object, where: str) -> object:
    choices = f.metadata.get("choices")
    if choices is not None:
        if value not in choices:
            raise InputError(f"{where}: {f.name} is {value!r}; it is one of {', '.join(choices)}.")
        return value
    whole = isinstance(f.default, int) or f.metadata.get("whole")
    if isinstance(value, bool) or not isinstance(value, int | float) or (whole and value != int(value)):
        raise InputError(f"{where}: {f.name} is {value!r}; it is a {'whole ' if whole else ''}number.")
    low, high = f.metadata.get("low", -math.inf), f.metadata.get("high", math.inf)
    if not low <= value <= high:
        raise InputError(f"{where}: {f.name} is {value:g}; it lies between {low:g} and {high:g}.")
    return int(value) if whole else float(value)
