from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from core.errors import InputError, ProviderUnavailable
from core.export.speed import decoder_speed, picture, race, torch_heads
from tests.core.backends import tiny_decoder
from tests.core.export.conftest import SINGLE, Make


def test_a_slower_system_has_the_greater_latency_and_every_size_is_timed() -> None:
    seen: list[int] = []

    def slow(texts: Sequence[str]) -> None:
        seen.append(len(texts))
        time.sleep(0.004)

    rows = race({"slow": slow, "fast": len}, {"short": ["a"], "long": ["b", "c"]}, batches=(1, 4), rounds=4)
    assert [(row.system, row.texts, row.batch) for row in rows[:4]] == [
        ("slow", "short", 1),
        ("fast", "short", 1),
        ("slow", "short", 4),
        ("fast", "short", 4),
    ]
    assert len(rows) == 8 and set(seen) == {1, 4}
    assert rows[0].p50_ms >= 4 > rows[1].p50_ms and rows[0].p95_ms >= rows[0].p50_ms
    assert rows[2].per_second == pytest.approx(4000 / rows[2].p50_ms, rel=0.05)
    with pytest.raises(InputError):
        race({}, {"short": ["a"]})


def test_torch_runs_the_trained_folder_and_a_missing_gpu_is_an_error(headed: Make) -> None:
    folder = headed("encoder", SINGLE)
    found = torch_heads(folder)(["hello", "how do i close my account ?"])
    assert isinstance(found, dict) and found["label"].shape == (2, 4)
    if not torch.cuda.is_available():
        with pytest.raises(ProviderUnavailable, match="nvidia-smi"):
            torch_heads(folder, device="cuda", half=True)


def test_a_decoder_writes_for_a_whole_batch() -> None:
    folder = tiny_decoder.exported()
    assert decoder_speed(folder, ["How do I close my account?", "The fee"], provider="cpu", tokens=6, threads=1) > 0


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    rows = race({"a": len, "b": len}, {"short": ["x"], "long": ["y"]}, batches=(1,), rounds=3)
    picture(rows, tmp_path / "speed.png", title="speed", losses={"a": 0.9})
    assert (tmp_path / "speed.png").read_bytes()[:4] == b"\x89PNG"
