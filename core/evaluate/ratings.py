"""Ratings on disk: one JSON line each, on the disk before it counts.

Knows tasks and raters; nothing of HTTP. The file only ever grows: who rates a unit again adds a line, and the last one
counts. A line that a crash cut short is left as it is and skipped.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.errors import InputError, Unavailable
from core.evaluate.human import STEPS, RatingTask, Unit

Verdict = str | int
"""Side by side "left", "right" or "equal"; on the scale 1 to 5."""

LONGEST_NAME = 40
_SIDES = ("left", "right")


@dataclass(frozen=True, slots=True)
class Rating:
    """One rater's word on one unit."""

    at: str
    """UTC, ISO 8601."""
    rater: str
    unit: str
    item: str
    """Id of the item, for people."""
    shown: tuple[str, ...]
    """Systems from left to right as the rater saw them."""
    preferred: str | None = None
    """Side by side: the better system; None where both are equal."""
    score: int | None = None
    """On the scale: 1 to 5."""

    @property
    def verdict(self) -> Verdict:
        """What the rater pressed."""
        if self.score is not None:
            return self.score
        return "equal" if self.preferred is None else _SIDES[self.shown.index(self.preferred)]


def rater_name(name: str, raters: Sequence[str] = ()) -> str:
    """A rater's name, spaces around it taken off.

    :param raters: those who were asked; empty lets anybody rate.
    :raises InputError: if the name is empty, too long, has control characters, or is not among them.
    """
    plain = name.strip()
    if not 0 < len(plain) <= LONGEST_NAME or not plain.isprintable():
        raise InputError(f"A rater's name has 1 to {LONGEST_NAME} letters, digits and spaces; got {plain[:50]!r}.")
    if raters and plain not in raters:
        raise InputError(f"There is no rater {plain!r}; there are {', '.join(raters)}.")
    return plain


class RatingLog:
    """The ratings of one task in one file; safe for many threads of one process."""

    def __init__(self, path: Path, task: RatingTask, raters: Sequence[str] = ()) -> None:
        """Read what is there.

        :param path: the JSONL file; made with the first rating.
        :param raters: those who were asked; empty lets anybody rate.
        :raises InputError: if a rater's name cannot be one.
        """
        self.path = path
        self.task = task
        self.raters = tuple(dict.fromkeys(rater_name(name) for name in raters))
        self.unreadable = 0
        """Lines that are no rating, as one that a crash cut short."""
        self.strangers = 0
        """Ratings of what is not, or no longer, in the task: kept in the file, counted nowhere."""
        self._latest: dict[tuple[str, str], Rating] = {}
        self._lock = threading.Lock()
        for line in path.read_bytes().split(b"\n") if path.exists() else ():
            if line.strip():
                self._take(line)

    def add(self, rater: str, unit: str, verdict: Verdict) -> Rating:
        """Keep a rating; it is on the disk when this returns.

        :raises InputError: if there is no such rater, or the verdict does not fit the task.
        :raises NotFound: if there is no such unit.
        :raises Unavailable: if the file cannot be written; the rating does not count then.
        """
        name = rater_name(rater, self.raters)
        rating = _rating(self.task, name, self.task.unit(unit), verdict)
        with self._lock:
            self._append(_line(rating))
            self._latest[name, unit] = rating
        return rating

    def ratings(self) -> list[Rating]:
        """The rating that counts of every rater and unit, oldest first."""
        with self._lock:
            return sorted(self._latest.values(), key=lambda rating: rating.at)

    def of(self, rater: str, unit: str) -> Rating | None:
        """What the rater said of the unit, if anything."""
        with self._lock:
            return self._latest.get((rater, unit))

    def next(self, rater: str, after: str | None = None) -> Unit | None:
        """What this rater should rate now; None when all is done.

        :param after: a unit to begin behind, so that one may be left for later.
        :raises InputError: if there is no such rater.
        """
        name = rater_name(rater, self.raters)
        order = self.task.order(name)
        if after in self.task.units:
            start = order.index(str(after)) + 1
            order = order[start:] + order[:start]
        with self._lock:
            return next((self.task.units[key] for key in order if (name, key) not in self._latest), None)

    def progress(self) -> dict[str, int]:
        """Units rated by each rater who was asked or has rated."""
        with self._lock:
            counts = dict.fromkeys(self.raters, 0)
            for rater, _ in self._latest:
                counts[rater] = counts.get(rater, 0) + 1
        return counts

    def finished(self) -> bool:
        """Whether there is a rater and every rater has rated every unit."""
        counts = self.progress().values()
        return bool(counts) and min(counts) >= len(self.task.units)

    def _append(self, line: bytes) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+", buffering=0) as file:
                end = file.seek(0, os.SEEK_END)
                if end:
                    file.seek(end - 1)
                    line = line if file.read(1) == b"\n" else b"\n" + line
                if file.write(line) != len(line):
                    raise OSError("the disk took only a part of it")
                os.fsync(file.fileno())
        except OSError as error:
            why = error.strerror or error
            raise Unavailable(f"The rating was not saved: {self.path}: {why}. It does not count; try again.") from error

    def _take(self, line: bytes) -> None:
        try:
            rating = _read(json.loads(line))
        except (ValueError, KeyError, TypeError, RecursionError):
            self.unreadable += 1
            return
        unit = self.task.units.get(rating.unit)
        scored = self.task.mode == "scale"
        fits = (
            unit is not None and sorted(rating.shown) == sorted(unit.systems) and scored == (rating.score is not None)
        )
        if fits and (not self.raters or rating.rater in self.raters):
            self._latest[rating.rater, rating.unit] = rating
        else:
            self.strangers += 1


def _rating(task: RatingTask, rater: str, unit: Unit, verdict: Verdict) -> Rating:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    shown = task.shown(rater, unit.key)
    if task.mode == "pairwise":
        if verdict not in {*_SIDES, "equal"}:
            raise InputError(f"A comparison is decided with left, right or equal; got {str(verdict)[:40]!r}.")
        preferred = None if verdict == "equal" else shown[_SIDES.index(str(verdict))]
        return Rating(now, rater, unit.key, unit.item.id, shown, preferred=preferred)
    if isinstance(verdict, bool) or not isinstance(verdict, int) or not 1 <= verdict <= STEPS:
        raise InputError(f"An answer is rated from 1 to {STEPS}; got {str(verdict)[:40]!r}.")
    return Rating(now, rater, unit.key, unit.item.id, shown, score=verdict)


def _line(rating: Rating) -> bytes:
    values: dict[str, Any] = {"at": rating.at, "rater": rating.rater, "unit": rating.unit, "item": rating.item}
    values["shown"] = rating.shown
    values |= {"preferred": rating.preferred} if rating.score is None else {"score": rating.score}
    return json.dumps(values, ensure_ascii=False).encode() + b"\n"


def _read(values: Mapping[str, Any]) -> Rating:
    """:raises ValueError, KeyError, TypeError: if it is no rating."""
    at, rater, unit, item = (str(values[name]) for name in ("at", "rater", "unit", "item"))
    shown = tuple(str(system) for system in values["shown"])
    if "score" not in values:
        preferred = values["preferred"]
        if preferred is not None and preferred not in shown:
            raise ValueError(f"{preferred!r} was not shown")
        return Rating(at, rater, unit, item, shown, preferred=preferred)
    score = values["score"]
    if not isinstance(score, int) or not 1 <= score <= STEPS:
        raise ValueError(f"{score!r} is no score")
    return Rating(at, rater, unit, item, shown, score=score)
