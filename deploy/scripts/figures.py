"""The table of measured figures in the READMEs, read from the committed results. Knows files and wording, no models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from figure_bot import BOT
from figure_finance import FINANCE
from figure_kinds import Row
from figure_learning import LEARNING

RESULTS = Path(__file__).resolve().parents[2] / "tests/benchmarks/results"

GROUPS: Mapping[str, tuple[Row, ...]] = {"customer-service": BOT, "learning": LEARNING, "finance": FINANCE}
"""Rows by what they are about."""


def table(chinese: bool, group: str | None = None) -> str:
    """The table of a group, or of all, in Markdown; what was not measured, or missed its goal, is said to be so."""
    rows = GROUPS[group] if group else tuple(row for each in GROUPS.values() for row in each)
    head = ("| 项目 | 实测 | 目标 |", "|---|---|---|") if chinese else ("| what | measured | goal |", "|---|---|---|")
    missed, none = ("未达标", "未测") if chinese else ("missed", "not measured")
    lines = list(head)
    for english, translated, file, keys, goal, shown in rows:
        value = _value(file, keys)
        said = none if value is None else shown(value)
        if value is not None and goal and not _met(value, goal):
            said += f" ({missed})"
        sign = {">=": "≥", "<=": "≤"}[goal[0]] + " " + shown(goal[1]) if goal else ""
        lines.append(f"| {translated if chinese else english} | {said} | {sign} |")
    return "\n".join(lines) + "\n"


def _met(value: float, goal: tuple[str, float]) -> bool:
    return value >= goal[1] if goal[0] == ">=" else value <= goal[1]


def _value(file: str, keys: tuple[str, ...]) -> float | None:
    path = RESULTS / f"{file}.json"
    if not path.exists():
        return None
    found: Any = json.loads(path.read_text(encoding="utf-8"))["figures"]
    for key in keys:
        if isinstance(found, list):  # of rows: the one that holds all the words of the key
            found = next((row for row in found if set(key.split("|")) <= set(map(str, row.values()))), None)
        else:
            found = found.get(key) if isinstance(found, Mapping) else None
    return float(found) if found is not None else None
