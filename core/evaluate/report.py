"""The end of every measurement: tables for people, then one JSON object on the last line of stdout.

Knows figures as names and numbers; nothing of how they came about. The drawing is `core.console`'s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from core.console import put_figures, put_json, put_table


def plain(value: object) -> object:
    """The same figures in what strict JSON knows: numpy numbers become Python's, NaN and infinities become None."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def put_comparison(title: str, rows: Mapping[str, Mapping[str, float]]) -> None:
    """A table of several candidates by the same figures, one row each, as in retrievers by recall.

    :param title: heading of the first column, as in "retriever".
    :param rows: figures by candidate; a figure that a candidate lacks is shown as "-".
    """
    names: Sequence[str] = list(dict.fromkeys(name for figures in rows.values() for name in figures))
    put_table((title, *names), [(row, *(figures.get(name, "-") for name in names)) for row, figures in rows.items()])


def put_report(
    title: str,
    figures: Mapping[str, object],
    comparisons: Mapping[str, Mapping[str, Mapping[str, float]]] | None = None,
    *,
    json_only: bool = False,
) -> None:
    """Print comparisons, then the figures as a table, then as JSON on the last line.

    :param title: what was measured.
    :param figures: nested ones are in the JSON only.
    :param comparisons: rows of `put_comparison` by title.
    :param json_only: no tables.
    """
    strict = {name: plain(value) for name, value in figures.items()}
    if json_only:
        put_json(strict)
        return
    for name, rows in (comparisons or {}).items():
        put_comparison(name, rows)
    put_figures(title, strict)
