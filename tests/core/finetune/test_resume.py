from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import core.finetune.classifier as classifier
from core.finetune import checkpoints
from core.finetune.fitted import Fitted
from tests.core.finetune.rows import labelled

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


@pytest.mark.parametrize(
    "options",
    [
        {"max_steps": 5, "schedule": "constant"},
        {"epochs": 1.5, "schedule": "polynomial", "keep_best": False},
        {"epochs": 30.0, "schedule": "constant", "early_stopping": 2, "learning_rate": 1e-4, "keep_best": False},
        {"max_steps": 5, "schedule": "constant", "precision": "bf16"},
    ],
    ids=["by updates", "by part of an epoch", "by early stopping", "in bf16"],
)
def test_a_training_killed_after_its_last_checkpoint_has_no_update_more(
    tiny_encoder: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    heard: list[int] = []

    def train() -> Fitted:
        base = {"batch_size": 8, "evaluate_every": 2, "learning_rate": 2e-3, "threads": 1, "device": "cpu", "track": ()}
        args = classifier.ClassifierArgs.model_validate({"backbone": str(tiny_encoder), **base, **options})
        rows = labelled(60)
        return classifier.fit(
            rows[:48],
            rows[48:],
            args,
            cache=tmp_path / "cache",
            folder=tmp_path / "run",
            progress=lambda stage, done, total: heard.append(done),
        )

    whole = train()
    assert heard == [*range(1, whole.outcome.steps + 1)] and whole.outcome.steps < 30
    heard.clear()
    again = train()
    assert not heard and again.outcome.steps == whole.outcome.steps
    for file in ("first", "second"):
        (whole if file == "first" else again).save(tmp_path / file)
    for file in ("backbone/model.safetensors", "heads.safetensors", "task.json"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes(), file
    assert again.figures == whole.figures and again.outcome.best_step == whole.outcome.best_step
    assert 0 < again.outcome.loss < 10 and (tmp_path / "run" / "curves.png").is_file()
