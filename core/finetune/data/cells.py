"""Cells of a table to clean values: texts, lists of texts, scores. What does not fit is an InputError with the reason.

Knows one cell at a time, as CSV (text), JSON or Parquet (any value) gives it; knows no file.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from core.errors import InputError
from core.text.clean import collapse, normalise

_PARTING = re.compile(r"[;|]")


def is_empty(value: Any) -> bool:
    """Whether a cell holds nothing: null, white space, or the NaN that data frames write for null."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float) and math.isnan(value))


def check_size(value: Any, name: str, most: int) -> None:
    """:raises InputError: with its size, if the texts in a cell hold more than `most` characters."""
    size = _size(value)
    if size > most:
        raise InputError(
            f"{name!r} holds {size:,} characters; a cell may hold {most:,}. Cut the text into passages, or leave it out"
        )


def _size(value: Any) -> int:
    stack, size = [value], 0
    while stack:
        part = stack.pop()
        if isinstance(part, str):
            size += len(part)
        elif isinstance(part, list | tuple):
            stack.extend(part)
        elif isinstance(part, Mapping):
            stack.extend(part.values())
    return size


def text(cells: Mapping[str, Any], column: str, name: str, most: int) -> str:
    """A clean text that is not empty.

    :param column: what the column is called in this file; `name` is what it is called here, for messages.
    :param most: characters a cell may hold.
    :raises InputError: if it is empty, too long, or no text.
    """
    value = cells.get(column)
    check_size(value, name, most)
    if is_empty(value):
        raise InputError(f"{name!r} is empty")
    cleaned = as_text(value, name)
    if not cleaned:
        raise InputError(f"{name!r} is empty once it is cleaned")
    return cleaned


def as_text(value: Any, name: str) -> str:
    """A text, or a number as text, cleaned; it may come out empty.

    :raises InputError: if it is neither.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value in (math.inf, -math.inf):
        raise InputError(f"{name!r} is no text but {value!r:.60}")
    return collapse(normalise(str(value)))


def label(value: Any, name: str) -> str:
    """A label on one line; true and false are labels too.

    :raises InputError: if it is empty or no text.
    """
    if isinstance(value, bool):
        return str(value).lower()
    found = "" if is_empty(value) else " ".join(as_text(value, name).split())
    if not found:
        raise InputError(f"{name!r} is empty")
    return found


def labels(value: Any, name: str) -> tuple[str, ...]:
    """None or more labels, sorted, each once: a list, a JSON list as text, or a text parted by ";" or "|".

    :raises InputError: if it is none of these, or a label in it is empty.
    """
    return tuple(sorted({label(part, name) for part in texts(value, name, parted=True)}))


def texts(value: Any, name: str, *, parted: bool = False) -> tuple[Any, ...]:
    """The members of a list, of a JSON list written as text, or of a text parted by ";" or "|" where that is allowed.

    :raises InputError: if a text looks like a JSON list and is none.
    """
    if is_empty(value):
        return ()
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            if not parted:
                return (value,)
            raise InputError(f"{name!r} begins like a JSON list and is none: {str(value)[:60]!r}") from error
    if isinstance(value, str) and parted:
        return tuple(part for part in _PARTING.split(value) if part.strip())
    if isinstance(value, list | tuple):
        return tuple(value)
    return (value,)


def score(value: Any, name: str) -> float:
    """A number in [0, 1]; true is 1, false 0.

    :raises InputError: if it is no number or out of range.
    """
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name!r} must be a number from 0 to 1, not {value!r:.60}") from None
    if not 0.0 <= found <= 1.0:
        raise InputError(f"{name!r} is {found:g}; it must lie in [0, 1]. Divide by the largest score")
    return found
