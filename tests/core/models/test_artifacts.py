from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core.errors import ArtifactDamaged, Conflict, InputError, ModelNotPrepared, NotFound, ParityFailed
from core.models.artifacts import ArtifactStore, Build


def write(text: str, name: str = "model.onnx") -> Build:
    def build(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")

    return build


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "models")


def read(store: ArtifactStore, name: str = "m") -> str:
    return (store.resolve(name).folder / "model.onnx").read_text(encoding="utf-8")


def test_a_published_model_is_found_with_its_manifest(store: ArtifactStore) -> None:
    def build(folder: Path) -> dict[str, object]:
        (folder / "model.onnx").write_bytes(b"weights")
        return {"parity": {"passed": True}}

    artifact = store.publish("m", build, kind="encoder", source={"from": "test"})
    assert artifact.version == "0001" and artifact.current
    assert artifact.manifest.kind == "encoder" and artifact.manifest.source == {"from": "test"}
    assert artifact.manifest.parity == {"passed": True} and artifact.manifest.bytes == 7
    assert store.names() == ["m"] and [a.version for a in store.list()] == ["0001"]


def test_rollback_goes_back_one_version_and_forward_by_name(store: ArtifactStore) -> None:
    store.publish("m", write("one"))
    store.publish("m", write("two"))
    assert read(store) == "two"
    assert store.rollback("m").version == "0001" and read(store) == "one"
    with pytest.raises(Conflict, match="before 0001"):
        store.rollback("m")
    assert store.rollback("m", "0002").current and read(store) == "two"


def test_rollback_steps_over_a_damaged_version(store: ArtifactStore) -> None:
    for text in ("one", "two", "three"):
        store.publish("m", write(text))
    (store.resolve("m", "0002").folder / "model.onnx").write_text("xxx", encoding="utf-8")
    assert store.rollback("m").version == "0001"


def test_a_build_that_fails_leaves_the_old_version_in_force(store: ArtifactStore) -> None:
    store.publish("m", write("old"))

    def build(folder: Path) -> None:
        (folder / "model.onnx").write_text("new", encoding="utf-8")
        raise ParityFailed("cosine .3")

    with pytest.raises(ParityFailed):
        store.publish("m", build)
    assert read(store) == "old" and not list((store.root / "m").glob(".building-*"))


@pytest.mark.parametrize("name", ["model.pkl", "run.py", "weights.pt", "model", "model.bin"])
def test_only_data_may_be_published(store: ArtifactStore, name: str) -> None:
    with pytest.raises(InputError, match="may not be published"):
        store.publish("m", write("x", name))
    assert store.names() == []


def test_links_and_empty_builds_are_refused(store: ArtifactStore) -> None:
    with pytest.raises(InputError, match="is a link"):
        store.publish("m", lambda folder: (folder / "model.onnx").symlink_to("/etc/hostname"))
    with pytest.raises(InputError, match="wrote no files"):
        store.publish("m", lambda _: None)


@pytest.mark.parametrize("name", ["", "../m", "a/b", ".hidden", "x" * 101])
def test_a_name_cannot_leave_the_store(store: ArtifactStore, name: str) -> None:
    with pytest.raises(InputError, match="no model name"):
        store.publish(name, write("x"))


@pytest.mark.parametrize("damage", ["change", "shorten", "delete", "manifest", "no manifest"])
def test_damage_is_noticed(store: ArtifactStore, damage: str) -> None:
    folder = store.publish("m", write("weights")).folder
    match damage:
        case "change":
            (folder / "model.onnx").write_text("wEights", encoding="utf-8")
        case "shorten":
            (folder / "model.onnx").write_text("w", encoding="utf-8")
        case "delete":
            (folder / "model.onnx").unlink()
        case "manifest":
            values = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            (folder / "manifest.json").write_text(json.dumps({**values, "kind": "other"}), encoding="utf-8")
        case _:
            (folder / "manifest.json").unlink()
    with pytest.raises(ArtifactDamaged, match="triptych models"):
        store.resolve("m")
    assert [bool(problem) for _, _, problem in store.verify()] == [True]


def test_what_is_not_there_is_named(store: ArtifactStore) -> None:
    with pytest.raises(ModelNotPrepared, match="triptych models prepare"):
        store.resolve("m")
    store.publish("m", write("x"))
    with pytest.raises(NotFound, match="it has 0001"):
        store.resolve("m", "0007")
    with pytest.raises(NotFound):
        store.resolve("m", "../m")
    (store.root / "m" / "current").write_text("0009\n", encoding="utf-8")
    with pytest.raises(ArtifactDamaged, match="names version '0009'"):
        store.resolve("m")


def test_prune_keeps_the_newest_and_the_one_in_force(store: ArtifactStore) -> None:
    for text in "abcd":
        store.publish("m", write(text))
    store.rollback("m", "0001")
    assert store.prune("m", keep=1) == ["0002", "0003"]
    assert [a.version for a in store.list("m")] == ["0001", "0004"]


def test_a_reader_sees_the_old_version_or_the_new_one_never_half(store: ArtifactStore) -> None:
    store.publish("m", write("0" * 1000))
    stop, seen = threading.Event(), set()

    def watch() -> None:
        while not stop.is_set():
            seen.add(read(store))

    reader = threading.Thread(target=watch)
    reader.start()
    for digit in "12345":
        store.publish("m", write(digit * 1000))
    stop.set()
    reader.join()
    assert seen <= {digit * 1000 for digit in "012345"}


def test_two_processes_that_publish_at_once_get_a_version_each(store: ArtifactStore) -> None:
    threads = [threading.Thread(target=store.publish, args=("m", write(str(i)))) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [a.version for a in store.list("m")] == [f"{i + 1:04d}" for i in range(8)]
    assert store.current("m") == "0008"


def test_what_a_killed_publish_left_is_ignored_and_cleaned(store: ArtifactStore) -> None:
    store.publish("m", write("old"))
    code = (
        "import os, sys; from pathlib import Path; from core.models.artifacts import ArtifactStore\n"
        "def build(folder):\n"
        "    (folder / 'model.onnx').write_text('half'); os.kill(os.getpid(), 9)\n"
        "ArtifactStore(Path(sys.argv[1])).publish('m', build)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(store.root)], check=False, timeout=60)
    assert done.returncode == -9
    assert read(store) == "old" and store.verify() == [("m", "0001", "")]
    assert len(list((store.root / "m").glob(".building-*[!k]"))) == 1
    assert store.clean("m") == 1 and not list((store.root / "m").glob(".building-*"))


def test_a_build_under_way_is_not_cleaned_away(store: ArtifactStore) -> None:
    started, go = threading.Event(), threading.Event()

    def build(folder: Path) -> None:
        (folder / "model.onnx").write_text("slow", encoding="utf-8")
        started.set()
        go.wait(10)

    slow = threading.Thread(target=store.publish, args=("m", build))
    slow.start()
    started.wait(10)
    assert store.clean("m") == 0
    store.publish("m", write("quick"))
    go.set()
    slow.join()
    assert read(store) == "slow"
