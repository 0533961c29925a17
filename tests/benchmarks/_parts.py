"""A long benchmark in parts: finished ones are kept in a folder, and the same command goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def part(folder: Path | None, name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `measure` gives, or what it gave before; None as a folder keeps nothing."""
    if folder is None:
        return measure()
    kept = folder / f"{name}.json"
    if kept.is_file():
        found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return found
    result = measure()
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f".{name}.json"
    fresh.write_text(json.dumps(result) + "\n", encoding="utf-8")
    fresh.replace(kept)
    return result
