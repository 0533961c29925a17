"""Alert rules: what they say, and how they are read from JSON and written to it.

Knows detectors by their kinds. What a rule makes of a stream is the business of `rule_engine`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from apps.finance_sentiment.detectors import KINDS, MEASURES, Detector, Measure
from apps.finance_sentiment.schemas import DIMENSIONS, Dimension, SeriesKey
from core.errors import InputError

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
ALL, ANY = "all", "any"
COMPOSITES = (ALL, ANY)
"""Kinds whose parameter `parts` is a list of parts: `{"kind": ..., "measure": ..., "window_seconds": ...,
"minimum_evidence": ..., "parameters": ...}`, or `{"rule": id}` for what another rule looks at. `all` may have a
`p_value`, too: the product of the parts' chances must be so small."""
MINUTE, DAY = 60, 86_400
_LISTS = ("channels", "group_by", "inhibits")
_GROUPS = ("rule", "severity", "dimension", "value")
_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Part:
    """One detector on one measure and window, or several joined."""

    kind: str
    measure: Measure
    window_seconds: int
    minimum_evidence: int
    detector: Detector[Any] | None
    """None where `parts` has the detectors."""
    parts: tuple[Part, ...] = ()
    p_value: float = 1.0
    """Of kind `all`: the product of the parts' chances must be so small. Two findings of which each is merely odd are
    one that is not chance, and neither has to be beyond doubt by itself."""

    def leaves(self) -> list[Part]:
        """The parts with a detector, in order."""
        return [self] if self.detector is not None else [leaf for part in self.parts for leaf in part.leaves()]

    def longest(self) -> int:
        """The longest window of any leaf, in seconds."""
        return max(leaf.window_seconds for leaf in self.leaves())


@dataclass(frozen=True, slots=True)
class Rule:
    """When to alert, on which series, and for how long. Times are in seconds."""

    id: str
    """Lower-case letters, digits, `_`, `.` and `-`; names the rule for ever."""
    name: str
    """For people."""
    dimension: Dimension
    kind: str
    """A kind of detector, or `all` or `any`."""
    value: str = "*"
    """The one series of the dimension to look at; `*` looks at each by itself."""
    measure: Measure = "negative"
    window_seconds: int = 3600
    """Length of the window that is judged: whole minutes."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    minimum_evidence: int = 1
    """Fewer stories (negative ones, unless the measure is volume or mean score) are never a breach."""
    minimum_sources: int = 1
    """The negative stories of the window must come from so many sources before the rule may start to fire; where one
    source brings half of all texts anyway, it is enough."""
    most_of_one_source: float = 1.0
    """One source may bring at most this share of them and one story more, unless it brings half of all texts anyway: a
    source that cries wolf is no surge, and three stories of four prove nothing against it. 1 lets it."""
    pending_seconds: int = 0
    """A breach must last so long before the rule fires; 0 fires at once."""
    clear_ratio: float = 0.7
    """Hysteresis: a firing rule clears once the value is less than this far from usual to limit."""
    clear_seconds: int = 900
    """It must stay cleared so long before the rule stops firing."""
    cooldown_seconds: int = 3600
    """After it stopped, it cannot fire again for so long: what comes then belongs to the same incident."""
    warmup_seconds: int = 0
    """Nothing fires until so much time was seen since the first text of all."""
    adapt_seconds: int = 2 * DAY
    """A rule that fired so long takes the surge for the new usual, and learns from it."""
    severity: Severity = "warning"
    channels: tuple[str, ...] = ()
    """Channels its alerts are sent to; empty means every default channel."""
    group_by: tuple[str, ...] = ()
    """Alerts that agree in these of rule, severity, dimension, value share a notification; empty: each has its own."""
    repeat_seconds: int = 4 * 3600
    """A firing alert that nobody acknowledged is told again so often; 0 is never."""
    escalate_seconds: int = 0
    """After so long without acknowledgement the channels of escalation are told; 0 is never."""
    inhibits: tuple[str, ...] = ()
    """Rules (ids; `*` and `?` allowed) whose alerts are not sent while this one fires on the same series, or on all
    texts."""
    enabled: bool = True

    def __post_init__(self) -> None:
        """:raises InputError: naming the value and the fix, if anything does not fit."""
        where = f"Rule {self.id!r}"
        if not _ID.fullmatch(self.id):
            raise InputError(
                f"{where}: an id has 1 to 64 of a-z, 0-9, '_', '.' and '-', and starts with a letter or digit."
            )
        if not self.name.strip():
            raise InputError(f"{where} has no name. Give it one that tells people what it watches.")
        _one_of(where, "dimension", self.dimension, DIMENSIONS)
        _one_of(where, "severity", self.severity, SEVERITIES)
        _one_of(where, "kind", self.kind, (*KINDS, *COMPOSITES))
        if self.dimension == "all" and self.value not in ("*", ""):
            raise InputError(
                f"{where}: value is {self.value!r}, but there is one series of all texts. Leave value out."
            )
        if not self.value and self.dimension != "all":
            raise InputError(f"{where}: value is empty. Name a {self.dimension}, or write '*' for each.")
        ranges = {
            "minimum_evidence": (1, 1_000_000), "minimum_sources": (1, 1000), "pending_seconds": (0, 30 * DAY),
            "clear_seconds": (0, 30 * DAY), "cooldown_seconds": (0, 90 * DAY), "warmup_seconds": (0, 365 * DAY),
            "adapt_seconds": (0, 365 * DAY), "repeat_seconds": (0, 30 * DAY), "escalate_seconds": (0, 30 * DAY),
        }  # fmt: skip
        for name, (low, high) in ranges.items():
            _whole(where, name, getattr(self, name), low, high)
        for name in ("clear_ratio", "most_of_one_source"):
            share = getattr(self, name)
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
                raise InputError(f"{where}: {name} is {share!r}; it lies between 0 and 1.")

    def covers(self, key: SeriesKey) -> bool:
        """Whether the rule looks at a series."""
        return key.dimension == self.dimension and self.value in ("*", key.value)

    def to_json(self) -> dict[str, Any]:
        """All fields; `series` holds dimension and value."""
        body = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("dimension", "value")}
        body["parameters"] = dict(self.parameters)
        body |= {name: list(getattr(self, name)) for name in _LISTS}
        body["series"] = {"dimension": self.dimension, "value": self.value}
        return body

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Rule:
        """A rule from `to_json`, or from a few of its fields: `id`, `name`, `kind` and `series` are needed.

        Parameters are looked at by `read`, because a part may refer to another rule.

        :raises InputError: if a field is unknown, missing or of the wrong type.
        """
        where = f"Rule {body.get('id', '')!r}"
        names = {f.name for f in fields(cls)} - {"dimension", "value"} | {"series"}
        for name in body:
            if name not in names:
                raise InputError(f"{where} has no field {name!r}; it has {', '.join(sorted(names))}.")
        for name in ("id", "name", "kind", "series"):
            if name not in body:
                raise InputError(f"{where} needs the field {name!r}.")
        series = body["series"]
        if not isinstance(series, Mapping) or "dimension" not in series or set(series) - {"dimension", "value"}:
            raise InputError(f"{where}: series is {series!r}; write {{'dimension': 'entity', 'value': '*'}}.")
        for name in ("id", "name", "kind", "measure", "severity"):
            if not isinstance(body.get(name, ""), str):
                raise InputError(f"{where}: {name} is {body[name]!r}; it is text.")
        if not isinstance(body.get("enabled", True), bool):
            raise InputError(f"{where}: enabled is {body['enabled']!r}; it is true or false.")
        if not isinstance(body.get("parameters", {}), Mapping):
            raise InputError(f"{where}: parameters is {body['parameters']!r}; it is an object.")
        rest = {name: value for name, value in body.items() if name != "series"}
        rest |= {name: _listed(where, name, body.get(name, ())) for name in _LISTS}
        value = series.get("value", "*")
        if not isinstance(value, str):
            raise InputError(f"{where}: the value of series is {value!r}; it is text.")
        return cls(dimension=series["dimension"], value=value, **rest)


def read(rule: Rule, others: Sequence[Rule] = ()) -> Part:
    """The detectors of a rule, ready to judge.

    :param others: rules that parts may refer to by id.
    :raises InputError: if measure, window or a parameter does not fit, or rules refer to each other in a circle.
    """
    return _read(rule, {r.id: r for r in others}, (rule.id,))


def _read(rule: Rule, others: Mapping[str, Rule], path: tuple[str, ...]) -> Part:
    body = {
        "kind": rule.kind,
        "measure": rule.measure,
        "window_seconds": rule.window_seconds,
        "minimum_evidence": rule.minimum_evidence,
        "parameters": rule.parameters,
    }
    return _part(body, rule, others, path, f"Rule {rule.id!r}")


def _part(body: Mapping[str, Any], rule: Rule, others: Mapping[str, Rule], path: tuple[str, ...], where: str) -> Part:
    if "rule" in body:
        name = body["rule"]
        if name in path:
            raise InputError(f"{where}: rules refer to each other in a circle: {' -> '.join((*path, name))}.")
        if name not in others:
            raise InputError(f"{where} refers to rule {name!r}, which is not there.")
        if others[name].dimension != rule.dimension:
            raise InputError(
                f"{where} looks at each {rule.dimension}, but rule {name!r} at each {others[name].dimension}: "
                "they can be joined on the same dimension only."
            )
        return _read(others[name], others, (*path, name))
    fitting = {"kind", "measure", "window_seconds", "minimum_evidence", "parameters"}
    for name in body:
        if name not in fitting:
            raise InputError(
                f"{where} has a part with the unknown field {name!r}; it has {', '.join(sorted(fitting))}."
            )
    kind, given = body.get("kind"), body.get("parameters", {})
    _one_of(where, "kind", kind, (*KINDS, *COMPOSITES))
    measure: Measure = body.get("measure", rule.measure)
    _one_of(where, "measure", measure, MEASURES)
    window, least = body.get("window_seconds", rule.window_seconds), body.get("minimum_evidence", 1)
    _whole(where, "window_seconds", window, MINUTE, 90 * DAY)
    _whole(where, "minimum_evidence", least, 1, 1_000_000)
    if window % MINUTE:
        raise InputError(f"{where}: window_seconds is {window}; it is a whole number of minutes.")
    assert isinstance(kind, str)
    if kind not in COMPOSITES:
        detector = KINDS[kind].made(measure, rule.clear_ratio, given, where)
        return Part(kind, measure, window, least, detector)
    parts, chance = given.get("parts"), given.get("p_value", 1.0)
    known = {"parts", "p_value"} if kind == ALL else {"parts"}
    if set(given) - known or not isinstance(parts, list | tuple) or len(parts) < 2:
        also = ", and may have p_value" if kind == ALL else ""
        raise InputError(f"{where}: kind {kind!r} has the parameter parts, a list of two parts or more{also}.")
    if isinstance(chance, bool) or not isinstance(chance, int | float) or not 0 < chance <= 1:
        raise InputError(f"{where}: p_value is {chance!r}; it is above 0 and at most 1.")
    made = tuple(_part(part, rule, others, path, where) for part in parts)
    return Part(kind, measure, window, least, None, made, float(chance))


def _listed(where: str, name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise InputError(f"{where}: {name} is {value!r}; it is a list of texts.")
    for item in value if name == "group_by" else ():
        _one_of(where, name, item, _GROUPS)
    return tuple(value)


def _one_of(where: str, name: str, value: object, choices: Sequence[str]) -> None:
    if value not in choices:
        raise InputError(f"{where}: {name} is {value!r}; it is one of {', '.join(choices)}.")


def _whole(where: str, name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"{where}: {name} is {value!r}; it is a whole number between {low} and {high}.")
