"""Banking77 by one command: `triptych finetune classifier`, a tenth of the training file held out, exported, published.

    python -m tests.benchmarks.bench_classifier --data DIR [--threads 2] [--set name=value ...]

The last weights are kept, so the held-out tenth judges and chooses nothing. Figures of torch, and of the published int8
model as it is served.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks._results import table, write

OPTIONS = ("epochs=6", "learning_rate=2e-4", "layer_decay=0.9", "max_tokens=96", "keep_best=false", "track=[]")


def main() -> None:
    """Run the command, print its figures, write `results/classifier.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args()
    options = [*OPTIONS, f"threads={given.threads}", *given.set]
    file = given.data / "customer_service" / "banking77_train.csv"
    with tempfile.TemporaryDirectory() as home:
        words = [
            "finetune",
            "classifier",
            "--train",
            str(file),
            "--publish",
            "banking77",
            "--held-out",
            "0.1",
            "--json",
        ]
        words += [part for option in options for part in ("--set", option)]
        command = [str(Path(sys.executable).with_name("triptych")), *words]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, "TRIPTYCH_HOME": home}
        )
        if done.returncode:
            raise SystemExit(done.stderr)
    said = json.loads(done.stdout.strip().splitlines()[-1])
    served = said["published"]["figures"]
    rows = [
        {"what": name, **{key: found[key] for key in ("rows", "accuracy", "macro_f1", "ece")}}
        for name, found in (("torch", said["figures"]), ("as served", served))
    ]
    print(table(rows))
    figures = {
        "torch": said["figures"],
        "served": served,
        "seconds": said["seconds"],
        "rows": said["rows"],
        "options": options,
        "parity": {key: said["published"]["parity"][key] for key in ("precision", "max_difference", "agreement")},
    }
    write("classifier", figures, data="Banking77 training file, own stratified tenth held out")


if __name__ == "__main__":
    main()
