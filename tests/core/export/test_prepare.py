from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from core.backends import load_encoder
from core.backends.torch import TorchEncoder
from core.errors import ArtifactDamaged, InputError, NotFound
from core.export.prepare import prepare
from core.models.artifacts import ArtifactStore
from core.models.catalog import find
from core.settings import CoreSettings
from tests.core.backends import tiny_encoder


@pytest.fixture
def settings(tmp_path: Path) -> CoreSettings:
    folder = str(tiny_encoder.source())
    return CoreSettings(home=tmp_path, encoder=folder, multilingual_encoder=folder, generator="none")


def test_a_folder_is_exported_proved_and_published_once(settings: CoreSettings) -> None:
    heard: list[tuple[str, int, int | None]] = []
    made = prepare(settings, progress=lambda stage, done, total: heard.append((stage, done, total)))
    assert [artifact.manifest.source["precision"] for artifact in made] == ["fp32", "int8"]
    assert all(artifact.manifest.parity and artifact.manifest.parity["passed"] for artifact in made)
    assert heard[0] == ("models", 0, 1) and heard[-1] == ("models", 1, 1)
    assert "| batch 1 |" in (made[1].folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert load_encoder(settings).encode(["card"]).shape == (1, tiny_encoder.DIMENSION)

    started = time.perf_counter()
    again = prepare(settings)
    assert time.perf_counter() - started < 1 and [a.version for a in again] == ["0001", "0001"]
    assert [a.version for a in prepare(settings, force=True)] == ["0002", "0002"]


def test_a_damaged_export_is_made_again(settings: CoreSettings) -> None:
    first = prepare(settings)
    (first[1].folder / "model.onnx").write_bytes(b"damaged")
    assert [a.version for a in prepare(settings)] == ["0002", "0002"]


def test_a_model_of_ones_own_is_never_replaced_unless_it_is_named(settings: CoreSettings) -> None:
    store = ArtifactStore(settings.models_folder)
    shipped = prepare(settings)[1]

    def build(target: Path) -> None:
        (target / "model.json").write_text("[1]", encoding="utf-8")

    own = store.publish(shipped.name, build, kind="encoder", source={"task": "embedder", "run": "mine"})
    for force in (False, True):
        made = {artifact.name: artifact for artifact in prepare(settings, force=force)}
        assert made[shipped.name].version == own.version == store.current(shipped.name) and len(made) == 2
    assert store.current(made.popitem()[0]) == "0002", "the precision that is not one's own is made again"
    (own.folder / "model.json").write_text("[2]", encoding="utf-8")
    with pytest.raises(ArtifactDamaged, match="is your own, so no shipped"):
        prepare(settings)
    named = prepare(settings, [settings.encoder])
    assert [artifact.version for artifact in named] == ["0003", "0003"]


def test_what_a_killed_run_left_is_cleaned(settings: CoreSettings) -> None:
    left = settings.models_folder / ".export-killed"
    left.mkdir(parents=True)
    (left / "model.onnx").write_bytes(b"half")
    prepare(settings)
    assert not left.exists() and len(ArtifactStore(settings.models_folder).names()) == 2


def test_an_unknown_model_and_a_folder_without_one_are_clear_errors(settings: CoreSettings, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no hub id"):
        prepare(settings, ["minilmm"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError):
        prepare(settings, [str(tmp_path / "empty")])


@pytest.mark.models
def test_the_embedded_models_are_prepared_and_stay_prepared(models_home: Path) -> None:
    settings = CoreSettings(home=models_home)
    started = time.perf_counter()
    names = {artifact.name for artifact in prepare(settings)}
    assert time.perf_counter() - started < 5
    assert {"minilm-fp32", "minilm-int8", "use-m3-int8", "smollm2"} <= names


@pytest.mark.models
def test_minilm_in_int8_is_minilm(models_home: Path) -> None:
    settings = CoreSettings(home=models_home)
    texts = [f"{start} my {thing}?" for start in ("Where is", "I lost", "Why was I charged for") for thing in
             ("card", "refund", "new PIN", "transfer to a friend", "account statement of last year")]  # fmt: skip
    source = find("minilm")
    wanted = TorchEncoder(source.folder, name="minilm").encode(texts)
    cosines = (load_encoder(settings).encode(texts) * wanted).sum(axis=1)
    assert float(cosines.mean()) > 0.995 and float(cosines.min()) > 0.99
    exact = load_encoder(CoreSettings(home=models_home, precision="fp32"))
    assert np.allclose(exact.encode(texts), wanted, atol=1e-5)
