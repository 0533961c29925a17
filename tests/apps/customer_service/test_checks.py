from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from apps.customer_service.checks import CHECK, load_published, save_checks
from apps.customer_service.settings import CustomerServiceSettings
from core.errors import ArtifactDamaged, ModelNotPrepared
from core.generate.answerability import Answerability
from core.generate.reader import JUDGED, Reader
from core.generate.reader_features import NUMBERS
from core.heads.boosted import Boosted
from core.models.artifacts import ArtifactStore
from tests.apps.customer_service._bot import tiny_check

ROW = np.ones((3, len(NUMBERS)), np.float32)


def tiny_reader(telling: int = 0) -> Reader:
    rows = np.random.default_rng(0).uniform(0, 1, (200, len(NUMBERS))).astype(np.float32)
    return Reader(Boosted.fit(rows, (rows[:, telling] > 0.5).astype(np.int64), trees=3, leaves=4))


def beside() -> Answerability:
    return replace(tiny_check(), names=JUDGED)


def publish(home: Path, checks: Mapping[str, Answerability], readers: Mapping[str, Reader]) -> ArtifactStore:
    store = ArtifactStore(CustomerServiceSettings(home=home).models_folder)
    store.publish(CHECK, lambda folder: save_checks(folder, checks, readers), kind="check")
    return store


def publish_by_hand(home: Path, checks: Mapping[str, Answerability], readers: Mapping[str, Reader]) -> None:
    """Past `save_checks`, as an older or a foreign program would."""

    def build(folder: Path) -> None:
        (folder / "readers").mkdir()
        for name, check in checks.items():
            check.save(folder, name)
        for name, reader in readers.items():
            reader.save(folder / "readers", name)

    ArtifactStore(CustomerServiceSettings(home=home).models_folder).publish(CHECK, build, kind="check")


def test_check_and_reader_are_published_and_opened_together(tmp_path: Path) -> None:
    reader = tiny_reader()
    publish(tmp_path, {"en": beside(), "zh": tiny_check()}, {"en": reader})
    found = load_published(CustomerServiceSettings(home=tmp_path))
    assert found.version == "0001"
    assert {name: check.names == JUDGED for name, check in found.checks.items()} == {"en": True, "zh": False}
    assert set(found.readers) == {"en"}
    assert np.array_equal(found.readers["en"].read(ROW), reader.read(ROW))


def test_a_publish_in_between_never_mixes_two_versions(tmp_path: Path) -> None:
    settings = CustomerServiceSettings(home=tmp_path)
    publish(tmp_path, {"en": beside()}, {"en": tiny_reader()})
    before = load_published(settings)
    store = publish(tmp_path, {"en": tiny_check()}, {})
    assert before.checks["en"].names == JUDGED
    assert set(before.readers) == {"en"}
    assert load_published(settings).readers == {}
    store.rollback(CHECK)
    assert load_published(settings).version == before.version == "0001"


@pytest.mark.parametrize("name", ["en.safetensors", "readers/en.safetensors", "readers/en.json"])
def test_a_changed_file_of_either_is_found_by_its_hash(tmp_path: Path, name: str) -> None:
    path = publish(tmp_path, {"en": beside()}, {"en": tiny_reader()}).resolve(CHECK).folder / name
    data = bytearray(path.read_bytes())
    data[-1] ^= 1  # the same size
    path.write_bytes(data)
    with pytest.raises(ArtifactDamaged, match=f"{name} differs from its manifest"):
        load_published(CustomerServiceSettings(home=tmp_path))


def test_a_file_that_the_manifest_does_not_name_is_not_opened(tmp_path: Path) -> None:
    folder = publish(tmp_path, {"en": tiny_check()}, {}).resolve(CHECK).folder
    (folder / "readers").mkdir()
    tiny_reader().save(folder / "readers", "en")
    assert load_published(CustomerServiceSettings(home=tmp_path)).readers == {}


@pytest.mark.parametrize(
    ("with_reader", "readers", "said"),
    [
        (True, (), "fitted beside a reader, and there is none"),
        (True, ("en", "zh"), "'zh' stands beside no check"),
        (False, ("en",), "not fitted beside the reader 'en'"),
    ],
)
def test_a_pair_that_does_not_fit_is_neither_published_nor_opened(
    tmp_path: Path, with_reader: bool, readers: tuple[str, ...], said: str
) -> None:
    checks, made = {"en": beside() if with_reader else tiny_check()}, {name: tiny_reader() for name in readers}
    with pytest.raises(ArtifactDamaged, match=said):
        publish(tmp_path, checks, made)
    publish_by_hand(tmp_path, checks, made)
    with pytest.raises(ArtifactDamaged, match=said) as raised:
        load_published(CustomerServiceSettings(home=tmp_path))
    assert "triptych models rollback answerability" in str(raised.value)


def test_without_any_check_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ModelNotPrepared, match="triptych models prepare"):
        load_published(CustomerServiceSettings(home=tmp_path))
    publish(tmp_path, {"zh": tiny_check()}, {})
    with pytest.raises(ModelNotPrepared, match="holds no check for English"):
        load_published(CustomerServiceSettings(home=tmp_path))
