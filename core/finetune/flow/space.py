"""The space of a search: for every option a range or choices, from the table `[search]` of a recipe.

    [search]
    learning_rate = { low = 1e-5, high = 2e-4, log = true }
    epochs = [2, 4, 8]
    "lora.rank" = { low = 4, high = 32, step = 4 }

Knows names and numbers; the sampler is optuna's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.errors import InputError
from core.finetune.args import TrainArgs
from core.finetune.flow.recipe import make_options

_RATE = {"low": 1e-5, "high": 3e-4, "log": True}
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "classifier": {
        "learning_rate": _RATE,
        "epochs": [2, 4, 8],
        "batch_size": [16, 32],
        "layer_decay": {"low": 0.7, "high": 1.0},
        "label_smoothing": {"low": 0.0, "high": 0.2},
        "dropout": {"low": 0.0, "high": 0.3},
    },
    "tagger": {
        "learning_rate": _RATE,
        "epochs": [2, 4, 8],
        "batch_size": [8, 16, 32],
        "dropout": {"low": 0.0, "high": 0.3},
    },
    "embedder": {
        "learning_rate": _RATE,
        "epochs": [1, 2, 4],
        "batch_size": [32, 64, 128],
        "temperature": {"low": 0.02, "high": 0.2, "log": True},
    },
    "reranker": {
        "learning_rate": _RATE,
        "epochs": [1, 2, 4],
        "ranking": {"low": 0.0, "high": 1.0},
        "dropout": {"low": 0.0, "high": 0.3},
    },
    "chat": {"learning_rate": {"low": 1e-5, "high": 1e-3, "log": True}, "epochs": [1, 2, 3]},
    "pretrain": {"learning_rate": {"low": 1e-5, "high": 1e-3, "log": True}, "warmup": {"low": 0.0, "high": 0.2}},
}
"""What is tried where a recipe says nothing."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """One option: choices, or a range of whole or real numbers."""

    name: str
    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    step: float | None = None
    whole: bool = False

    def propose(self, trial: Any) -> Any:
        """A value from an `optuna.Trial`."""
        if self.choices:
            return trial.suggest_categorical(self.name, list(self.choices))
        if self.whole:
            return trial.suggest_int(self.name, int(self.low), int(self.high), step=int(self.step or 1), log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, step=self.step, log=self.log)


@dataclass(frozen=True, slots=True)
class Space:
    """All options that are tried."""

    dimensions: tuple[Dimension, ...]

    def propose(self, trial: Any) -> dict[str, Any]:
        """Values by dotted name."""
        return {dimension.name: dimension.propose(trial) for dimension in self.dimensions}

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {dimension.name: asdict(dimension) for dimension in self.dimensions}


def parse_space(table: Mapping[str, Any], task: str, kind: type[TrainArgs]) -> Space:
    """The space of a `[search]` table; of an empty one the task's usual space.

    :raises InputError: if an option is unknown, or a range empty, or an end of it out of the option's own range.
    """
    dimensions = tuple(_dimension(name, value) for name, value in _entries(table or DEFAULTS[task]))
    for dimension in dimensions:
        for value in dimension.choices or (_end(dimension, dimension.low), _end(dimension, dimension.high)):
            try:
                make_options(kind, None, {dimension.name: value})
            except InputError as error:
                raise InputError(f"[search] {dimension.name}: {error}") from error
    return Space(dimensions)


def _entries(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """(dotted name, range or choices); a table without "low" is a table of options."""
    out: list[tuple[str, Any]] = []
    for name, value in table.items():
        if isinstance(value, Mapping) and "low" not in value and "high" not in value:
            out += _entries(value, f"{prefix}{name}.")
        else:
            out.append((f"{prefix}{name}", value))
    return out


def _dimension(name: str, value: Any) -> Dimension:
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) < 2 or not all(isinstance(each, str | int | float | bool) for each in value):
            raise InputError(f"[search] {name} = {value!r}: give two or more plain values to choose from.")
        return Dimension(name, tuple(value))
    if not isinstance(value, Mapping) or not {"low", "high"} <= set(value) <= {"low", "high", "log", "step"}:
        raise InputError(f"[search] {name} = {value!r} is neither a list of choices nor {{ low, high, log, step }}.")
    low, high, log, step = value["low"], value["high"], bool(value.get("log", False)), value.get("step")
    if not all(isinstance(each, int | float) for each in (low, high)) or low >= high or (log and (low <= 0 or step)):
        raise InputError(
            f"[search] {name}: low {low!r} must be below high {high!r}; log wants low above 0 and no step."
        )
    whole = isinstance(low, int) and isinstance(high, int)
    return Dimension(name, (), float(low), float(high), log, None if step is None else float(step), whole)


def _end(dimension: Dimension, value: float) -> float | int:
    return int(value) if dimension.whole else value
