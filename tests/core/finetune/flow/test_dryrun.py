from __future__ import annotations

from pathlib import Path

from core.finetune.flow.dryrun import Estimate, estimate
from core.finetune.flow.rows import load_data
from tests.core.finetune.files import labelled_csv, request


def dry(backbone: Path, folder: Path, **more: object) -> Estimate:
    asked = request(backbone, labelled_csv(folder / "t.csv"), batch_size=16, epochs=3.0, **more)
    return estimate(asked, load_data(asked.task, asked.data), cache=folder / "cache")


def test_steps_tokens_weights_memory_and_time_are_said_and_nothing_is_written(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    found = dry(tiny_encoder, tmp_path)
    assert (found.rows, found.updates) == (48, 9)
    assert found.trainable == found.parameters > 10_000
    assert found.memory["weights"] == 4 * found.parameters and found.memory["moments"] == 8 * found.trainable
    assert 4 < found.tokens["p50"] <= found.tokens["p95"] <= found.tokens["max"] < 20
    assert 0 < found.seconds_per_update * found.updates <= found.seconds < 60
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_adapters_learn_few_weights_and_keep_few_moments(tiny_encoder: Path, tmp_path: Path) -> None:
    found = dry(tiny_encoder, tmp_path, lora={"rank": 2}, optimizer="sgd", gradient_accumulation=2)
    assert found.trainable < found.parameters / 5 and found.updates == 6
    assert found.memory["moments"] == 4 * found.trainable
    assert dict(found.table())["weights"].endswith("learn")
