"""What a row of the table of figures is, and how its number is shown."""

from __future__ import annotations

from collections.abc import Callable

Goal = tuple[str, float] | None
Row = tuple[str, str, str, tuple[str, ...], Goal, Callable[[float], str]]
"""English and Chinese name, result file, keys, goal, how to show it."""


def share(value: float) -> str:
    """A share or score with three digits, as in .931."""
    return f"{value:.3f}".replace("0.", ".", 1) if value < 1 else f"{value:.3f}"


def whole(value: float) -> str:
    """A count."""
    return f"{value:,.0f}"


def one(value: float) -> str:
    """One decimal."""
    return f"{value:,.1f}"


def two(value: float) -> str:
    """Two decimals."""
    return f"{value:.2f}"


def points(value: float) -> str:
    """A share as percentage points with their sign."""
    return f"{100 * value:+.1f}"


def tiny(value: float) -> str:
    """A small number."""
    return f"{value:.1e}"
