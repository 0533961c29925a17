"""Tagged words to entities: runs of characters with a label.

Knows tags ("B-PER", "I-PER", "O", BIOES, or plain labels such as "PER") and offsets; nothing of models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

OUTSIDE = "O"
_INSIDE = {"I", "M"}
_BEGINS = {"B", "S", "U"}
_ENDS = {"E", "L", "S", "U"}


@dataclass(frozen=True, slots=True)
class Entity:
    """What a tagger found: `text[start:end]` is a `label`."""

    start: int
    """First character."""
    end: int
    """One past the last character."""
    label: str
    probability: float
    """Mean probability of its words' tags."""


def entities(words: Sequence[tuple[int, int]], tags: Sequence[str], probabilities: Sequence[float]) -> list[Entity]:
    """The entities of a text, in order.

    An entity begins wherever marks or labels allow no other reading, so "I-PER" after "O" begins one; a tag without a
    mark joins its neighbours of the same label. This is conlleval's reading (Tjong Kim Sang and De Meulder 2003).

    :param words: characters [start, end) of every word.
    :param tags: one for every word.
    :param probabilities: of the tags.
    """
    found: list[Entity] = []
    begun, of, ended = -1, "", True
    for i, tag in enumerate([*tags, OUTSIDE]):
        mark, label = _split(tag)
        fresh = mark in _BEGINS or label != of or ended
        if begun >= 0 and (mark == OUTSIDE or fresh):
            sure = sum(probabilities[begun:i]) / (i - begun)
            found.append(Entity(words[begun][0], words[i - 1][1], of, sure))
            begun = -1
        if mark != OUTSIDE and begun < 0:
            begun = i
        of, ended = label, mark == OUTSIDE or mark in _ENDS
    return found


def _split(tag: str) -> tuple[str, str]:
    """Mark and label; a tag without a mark counts as inside."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    if tag in _INSIDE | _BEGINS | _ENDS:
        return tag, ""
    if len(tag) > 2 and tag[1] in "-_" and tag[0] in _INSIDE | _BEGINS | _ENDS:
        return tag[0], tag[2:]
    return "I", tag
