"""The apps' own evaluations on the shared benchmark files, kept together in one result an app.

    python -m tests.benchmarks.bench_evaluate --data DIR [--app finance] [WORD...] [--write]

Runs `triptych APP evaluate ...` (and `backtest ...`) as a user would; WORDs choose rows whose name contains one. Splits
of training files are made here: 80/20, stratified, seed 17. Prints a line a row and one JSON object last; `--write`
keeps it, after every row, as `results/evaluate.json` (`evaluate_finance.json`), rows that were not run as before.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks._evaluations import DATA, ROWS
from tests.benchmarks._results import RESULTS, write

FILES = {"customer-service": "evaluate", "finance": "evaluate_finance"}


def main() -> int:
    """Run, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--app", choices=tuple(FILES), default="customer-service")
    arguments = parser.parse_args()
    file = FILES[arguments.app]
    kept = RESULTS / f"{file}.json"
    found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))["figures"] if kept.exists() else {}
    command = str(Path(sys.executable).with_name("triptych"))
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, words in ROWS[arguments.app](arguments.data, Path(folder)):
            if arguments.words and not any(word in name for word in arguments.words):
                continue
            started = time.perf_counter()
            done = subprocess.run([command, arguments.app, *words], capture_output=True, text=True, check=False)
            failed += done.returncode != 0
            if done.returncode == 0:
                found[name] = json.loads(done.stdout.strip().splitlines()[-1])
                if arguments.write:
                    write(file, found, data=DATA[arguments.app])
            said = json.dumps(found.get(name)) if done.returncode == 0 else done.stderr.strip()[-300:]
            print(f"{name} [{time.perf_counter() - started:.0f} s] {said}", flush=True)
    print(json.dumps(found))
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
