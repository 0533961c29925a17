from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core.errors import ArtifactDamaged
from core.models.artifacts import Artifact, ArtifactStore
from core.models.ownership import own_model


def shipped(source: Mapping[str, Any]) -> bool:
    return "exporter" in source


def put(store: ArtifactStore, source: Mapping[str, Any]) -> Artifact:
    def build(target: Path) -> None:
        (target / "model.json").write_text("{}", encoding="utf-8")

    return store.publish("mine", build, source=source)


def test_whose_a_model_is_says_the_version_in_force(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    assert own_model(store, "mine", shipped) is None
    put(store, {"exporter": 1})
    assert own_model(store, "mine", shipped) is None
    own = put(store, {"run": "a"})
    assert own_model(store, "mine", shipped) == own
    store.rollback("mine")
    assert own_model(store, "mine", shipped) is None


def test_a_damaged_model_of_ones_own_is_an_error_and_a_damaged_shipped_one_is_none(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    put(store, {"run": "a"})
    own = put(store, {"run": "b"})
    (own.folder / "model.json").unlink()
    with pytest.raises(ArtifactDamaged, match=r"is missing; 'mine' is your own, .*triptych models rollback mine"):
        own_model(store, "mine", shipped)
    (own.folder / "manifest.json").unlink()
    with pytest.raises(ArtifactDamaged, match="cannot be trusted"):  # the version before says whose it is
        own_model(store, "mine", shipped)
    made = put(store, {"exporter": 1})
    (made.folder / "model.json").unlink()
    assert own_model(store, "mine", shipped) is None
