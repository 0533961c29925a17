from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from core.finetune import checkpoints

ROOT = Path(__file__).parents[3]
KILLS = (2, 5, 9, 10, 15)


def test_a_training_killed_five_times_ends_with_the_same_weights_bit_for_bit(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.core.finetune.killed", str(tiny_encoder), str(tmp_path), *map(str, KILLS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [int(code) for code, _ in lines] == [signal.SIGKILL] * len(KILLS) + [0, 0], done.stdout + done.stderr
    assert [name for _, name in lines[: len(KILLS)]] == ["None", "00000003", "00000006", "00000009", "00000012"]
    for file in ("backbone/model.safetensors", "heads.safetensors", "task.json"):
        assert (tmp_path / "model" / file).read_bytes() == (tmp_path / "straight" / "model" / file).read_bytes(), file
    killed, straight = (Path(p, "metrics.jsonl").read_text("utf-8") for p in (tmp_path, tmp_path / "straight"))
    assert [line.split('"step": ')[1].split(",")[0] for line in killed.splitlines()] == [
        line.split('"step": ')[1].split(",")[0] for line in straight.splitlines()
    ]


def test_what_a_killed_save_left_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "00000003").mkdir()
    (tmp_path / ".half-6").mkdir()
    (tmp_path / ".half-6" / "state.safetensors").write_bytes(b"half")
    found = checkpoints.newest(tmp_path)
    assert found is not None and found.name == "00000003"
    assert not (tmp_path / ".half-6").exists()
