"""Run by `test_resume`: trains in child processes that kill themselves with SIGKILL, then in one that does not.

    python -m tests.core.finetune.killed BACKBONE FOLDER STEP [STEP...]

Children are forked before torch has computed anything. Prints, for every kill, the newest checkpoint it left.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import core.finetune.classifier as classifier
from core.finetune import checkpoints
from tests.core.finetune.rows import labelled

OPTIONS = {
    "epochs": 4.0,
    "batch_size": 5,
    "gradient_accumulation": 2,
    "checkpoint_every": 3,
    "evaluate_every": 4,
    "learning_rate": 2e-3,
    "threads": 1,
    "device": "cpu",
    "track": (),
    "adversarial": {"method": "fgm"},
}


def train(backbone: Path, folder: Path, kill_at: int | None) -> None:
    """One training; with `kill_at` it dies before the update after that one is done."""

    def progress(stage: str, done: int, total: int | None, /) -> None:
        if done == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    rows = labelled(48)
    args = classifier.ClassifierArgs(backbone=str(backbone), **OPTIONS)
    fitted = classifier.fit(rows[:40], rows[40:], args, cache=folder / "cache", folder=folder, progress=progress)
    fitted.save(folder / "model")


def main() -> None:
    """Every kill, then to the end; then the same without a kill beside it."""
    backbone, folder = Path(sys.argv[1]), Path(sys.argv[2])
    for kill_at, place in [
        *((int(step), folder) for step in sys.argv[3:]),
        (None, folder),
        (None, folder / "straight"),
    ]:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                train(backbone, place, kill_at)
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        newest = checkpoints.newest(folder / "checkpoints")
        print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status), newest and newest.name)


if __name__ == "__main__":
    main()
