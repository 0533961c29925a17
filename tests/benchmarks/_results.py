"""How a benchmark ends: a table for people, one JSON line last, and a file with hardware, command and commit."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.models.manifest import tool_versions

RESULTS = Path(__file__).parent / "results"


def hardware() -> dict[str, Any]:
    """Processor, cores, memory in GiB, and the GPU where there is one."""
    found: dict[str, Any] = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    cpuinfo, meminfo = Path("/proc/cpuinfo"), Path("/proc/meminfo")
    if cpuinfo.is_file():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        found["processor"] = names[0].partition(":")[2].strip() if names else found["processor"]
    if meminfo.is_file():
        found["memory_gib"] = round(int(meminfo.read_text().split()[1]) / 2**20, 1)
    try:
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        found["gpu"] = subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        found["gpu"] = None
    return found


def commit() -> str:
    """Short hash of the checkout, "+" where files differ from it; "unknown" outside one."""
    here = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain"], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found + ("+" if changed else "")


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as aligned columns; floats with the digits they deserve."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [columns] + [[_cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


def write(name: str, figures: Mapping[str, Any], *, data: str = "") -> dict[str, Any]:
    """Write `results/NAME.json` and print the same as one JSON line, last on stdout.

    :param name: file name without suffix, as in "encoder".
    :param data: what was measured on, in words; folders of the machine do not belong here.
    """
    arguments = ["DIR" if Path(argument).is_dir() else argument for argument in sys.argv[1:]]
    script = Path(sys.argv[0])
    whole = {
        "benchmark": name,
        "figures": dict(figures),
        "data": data,
        "hardware": hardware(),
        "command": " ".join(["python", "-m", f"tests.benchmarks.{script.stem}", *arguments]),
        "commit": commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "tools": {"python": platform.python_version(), **tool_versions()},
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(whole, ensure_ascii=False))
    return whole


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) >= 1.0001 else f"{value:.5f}"
    return str(value)
