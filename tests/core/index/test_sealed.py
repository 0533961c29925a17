from __future__ import annotations

import json
import random
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.errors import IndexDamaged
from core.index import HybridIndex, VectorIndex, sealed
from core.types import FloatArray

ENCODERS = {"dense": "minilm-int8"}


def rows(n: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).standard_normal((n, 8)).astype(np.float32)


def hybrid(seed: int = 0) -> HybridIndex:
    index = HybridIndex({"dense": 8}, exact_below=50)
    tokens = [[f"w{t}" for t in range(i % 7 + seed)] for i in range(80)]
    index.add(range(80), tokens, {"dense": rows(80, seed)})
    index.remove([3])
    return index


def flip(path: Path, at: float) -> None:
    content = bytearray(path.read_bytes())
    place = min(int(at * len(content)), len(content) - 1)
    content[place] ^= 1 << (place % 8)
    path.write_bytes(bytes(content))


def cut(path: Path, at: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: min(int(at * len(content)), len(content) - 1)])


def lengthen(path: Path, at: float) -> None:
    path.write_bytes(path.read_bytes() + bytes(int(at * 9) + 1))


def zero(path: Path, at: float) -> None:
    content = bytearray(path.read_bytes())
    place = int(at * (len(content) - 1))
    block = content[place : place + 64]
    content[place : place + 64] = bytes(255 - b for b in block)
    path.write_bytes(bytes(content))


def vanish(path: Path, at: float) -> None:
    path.unlink()


DAMAGES: list[Callable[[Path, float], None]] = [flip, cut, lengthen, zero, vanish]


@pytest.mark.parametrize("case", range(60))
def test_a_damaged_file_is_detected(tmp_path: Path, case: int) -> None:
    hybrid().save(tmp_path, revision=4, encoders=ENCODERS)
    files = sorted(p for p in tmp_path.rglob("*") if p.is_file())
    HybridIndex.load(tmp_path, encoders=ENCODERS)
    filled = [p for p in files if p.stat().st_size]
    DAMAGES[case % len(DAMAGES)](filled[case // len(DAMAGES) % len(filled)], random.Random(case).random())
    with pytest.raises(IndexDamaged, match=r"[Rr]ebuild"):
        HybridIndex.load(tmp_path, encoders=ENCODERS)


def test_a_flipped_bit_anywhere_in_the_manifest_is_detected_or_has_no_effect(tmp_path: Path) -> None:
    sealed.write(tmp_path, {"a": b"content"}, {"revision": 3})
    path = tmp_path / sealed.MANIFEST
    whole = path.read_bytes()
    expected = sealed.read(tmp_path)
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 7
        path.write_bytes(bytes(changed))
        try:
            assert sealed.read(tmp_path) == expected  # white space between values
        except IndexDamaged:
            continue


def test_files_of_another_index_are_detected(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        hybrid(seed).save(tmp_path / name, revision=4, encoders=ENCODERS)
    by_kind = [{p.name.split("-")[0]: p for p in (tmp_path / n / "dense").glob("*.bin")} for n in ("a", "b")]
    changed = [kind for kind in by_kind[0] if by_kind[0][kind].read_bytes() != by_kind[1][kind].read_bytes()]
    assert {"graph"} <= set(changed)
    for kind in changed:
        kept = by_kind[0][kind].read_bytes()
        shutil.copy(by_kind[1][kind], by_kind[0][kind])
        with pytest.raises(IndexDamaged, match="differs"):
            HybridIndex.load(tmp_path / "a", encoders=ENCODERS)
        by_kind[0][kind].write_bytes(kept)
    HybridIndex.load(tmp_path / "a", encoders=ENCODERS)


def test_two_files_that_changed_places_are_detected(tmp_path: Path) -> None:
    hybrid().save(tmp_path, revision=4, encoders=ENCODERS)
    one, two = sorted((tmp_path / "lexical").glob("*.bin"))[:2]
    first = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(first)
    with pytest.raises(IndexDamaged):
        HybridIndex.load(tmp_path, encoders=ENCODERS)


def test_parts_of_two_revisions_do_not_make_one_index(tmp_path: Path) -> None:
    hybrid(1).save(tmp_path / "a", revision=4, encoders=ENCODERS)
    hybrid(2).save(tmp_path / "b", revision=5, encoders=ENCODERS)
    shutil.rmtree(tmp_path / "a" / "dense")
    shutil.copytree(tmp_path / "b" / "dense", tmp_path / "a" / "dense")
    with pytest.raises(IndexDamaged, match="revision 5"):
        HybridIndex.load(tmp_path / "a", encoders=ENCODERS)


def test_a_manifest_that_points_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    sealed.write(tmp_path / "i", {"a": b"content"}, {})
    path = tmp_path / "i" / sealed.MANIFEST
    manifest = json.loads(path.read_text())
    manifest["files"]["a"]["path"] = "../secret"
    path.write_text(json.dumps(manifest))
    with pytest.raises(IndexDamaged):
        sealed.read(tmp_path / "i")


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"null", b"{}", b'{"seal": 1}', b"\xff\xfe", b'{"format": 1, "seal": "x"}']
)
def test_what_is_no_manifest_is_damaged(tmp_path: Path, text: bytes) -> None:
    (tmp_path / sealed.MANIFEST).write_bytes(text)
    with pytest.raises(IndexDamaged):
        sealed.read(tmp_path)


def test_a_folder_without_an_index_says_so(tmp_path: Path) -> None:
    with pytest.raises(IndexDamaged, match="no index"):
        sealed.read(tmp_path / "nowhere")


def test_saving_again_leaves_only_the_new_files_even_over_damage(tmp_path: Path) -> None:
    for revision in range(3):
        sealed.write(tmp_path, {"a": b"x" * revision, "b": b"same"}, {"revision": revision})
    assert len(list(tmp_path.iterdir())) == 3
    (tmp_path / sealed.MANIFEST).write_text("broken")
    sealed.write(tmp_path, {"a": b"new"}, {"revision": 9})
    assert sealed.read(tmp_path) == ({"a": b"new"}, {"revision": 9})
    assert len(list(tmp_path.iterdir())) == 2


def test_a_save_that_dies_half_way_leaves_the_old_index(tmp_path: Path) -> None:
    sealed.write(tmp_path, {"a": b"old"}, {"revision": 1})
    with pytest.raises(TypeError):
        sealed.write(tmp_path, {"a": b"new", "b": object()}, {"revision": 2})  # type: ignore[dict-item]
    assert sealed.read(tmp_path) == ({"a": b"old"}, {"revision": 1})


def test_readers_find_a_whole_index_while_it_is_saved_over_and_over(tmp_path: Path) -> None:
    index = VectorIndex(8)
    index.add(range(20), rows(20))
    index.save(tmp_path, revision=0, encoder="e")
    done = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not done.is_set():
            seen.append(VectorIndex.load(tmp_path, encoder="e")[1])

    reader = threading.Thread(target=read)
    reader.start()
    for revision in range(1, 40):
        index.save(tmp_path, revision=revision, encoder="e")
    done.set()
    reader.join()
    assert seen and seen == sorted(seen)
    assert VectorIndex.load(tmp_path, encoder="e")[1] == 39
