"""Human evaluation: what is shown to whom, blind and in which order.

A task is a list of prompts with one answer a system. Two systems are compared side by side (left, right, equal), any
number is rated answer by answer from 1 to 5. Knows texts and names; nothing of files, HTTP or of where ratings are
kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from core.errors import NotFound
from core.text.table import BadRow

Mode = Literal["pairwise", "scale"]

STEPS = 5
"""The scale goes from 1 to this."""


@dataclass(frozen=True, slots=True)
class Item:
    """A prompt with the answers to it."""

    id: str
    """Its name for people, unique in its task."""
    prompt: str
    answers: Mapping[str, str]
    """Answer by system; none is empty."""
    context: str = ""
    """What a rater should know beside the prompt; may be empty."""

    @property
    def key(self) -> str:
        """16 hex digits of the content: an item that changes is another item, and its ratings no longer count."""
        return _digest("item", self.prompt, self.context, json.dumps(sorted(self.answers.items())))


@dataclass(frozen=True, slots=True)
class Unit:
    """What is rated at once: an item's two answers, or one answer."""

    key: str
    """16 hex digits; tells nothing of the systems."""
    item: Item
    systems: tuple[str, ...]
    """Two, or one; in the order of the task, not in that of the page."""


@dataclass(frozen=True)
class RatingTask:
    """All there is to rate. `core.evaluate.human_file` reads one from a file."""

    name: str
    mode: Mode
    systems: tuple[str, ...]
    items: tuple[Item, ...]
    bad: tuple[BadRow, ...] = ()
    """Rows of the file that were left out."""

    @cached_property
    def units(self) -> Mapping[str, Unit]:
        """By key, in the order of the file."""
        if self.mode == "pairwise":
            return {item.key: Unit(item.key, item, self.systems) for item in self.items}
        found = [
            Unit(_digest("answer", item.key, system), item, (system,)) for item in self.items for system in item.answers
        ]
        return {unit.key: unit for unit in found}

    def unit(self, key: str) -> Unit:
        """A unit by its key.

        :raises NotFound: if there is none, or its item has changed.
        """
        if key not in self.units:
            raise NotFound(f"There is nothing {key[:40]!r} to rate here; the file may have changed. Reload the page.")
        return self.units[key]

    def order(self, rater: str) -> list[str]:
        """Keys of all units in the order this rater meets them: shuffled, and the same at every start."""
        return sorted(self.units, key=lambda key: _digest("order", rater, key))

    def shown(self, rater: str, key: str) -> tuple[str, ...]:
        """Systems of a unit as this rater sees them, left to right.

        The hash of rater and unit throws a coin: each system stands on the left for about half of every rater's units
        and for half of the raters of every unit, and no unit changes sides when others are added.

        :raises NotFound: if there is no such unit.
        """
        systems = self.unit(key).systems
        return systems[::-1] if int(_digest("side", rater, key), 16) % 2 else systems


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
