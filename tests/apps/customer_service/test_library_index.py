from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from apps.customer_service.library import Library
from apps.customer_service.model import ENGLISH
from core.backends.fake import FakeEncoder
from tests.apps.customer_service._bot import FILES
from tests.apps.customer_service._library import consistent, found, page, shelves, write


@pytest.fixture
def stocked(library: Library, tmp_path: Path) -> Library:
    library.ingest([write(tmp_path / "kb", FILES)])
    library.store.close()
    return library


def test_a_start_takes_the_index_files_if_they_are_sound(stocked: Library, tmp_path: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in stocked.folder.rglob("*") if p.is_file()}
    assert before
    again = shelves(tmp_path)
    consistent(again)
    again.save()
    assert {p: p.stat().st_mtime_ns for p in stocked.folder.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("name", ["lexical", "english", "multilingual", "content"])
@pytest.mark.parametrize("harm", ["delete", "truncate", "flip", "empty", "swap"])
def test_harmed_index_files_are_made_again_from_the_database(
    stocked: Library, tmp_path: Path, name: str, harm: str
) -> None:
    place = stocked.folder / name
    files = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
    for path in files:
        data = path.read_bytes()
        if harm == "delete":
            path.unlink()
        elif harm == "swap":
            others = sorted(p for p in stocked.folder.rglob("*") if p.is_file() and p.name == path.name and p != path)
            path.write_bytes(others[0].read_bytes() if others else data[::-1])
        elif data:
            changed = bytes([data[len(data) // 2] ^ 1])
            middle = data[: len(data) // 2] + changed + data[len(data) // 2 + 1 :]
            path.write_bytes({"truncate": data[: len(data) // 2], "flip": middle, "empty": b""}[harm])
    again = shelves(tmp_path)
    consistent(again)
    assert found(again, "early closure fee for Evergreen")[0] == "kb:fees.md"
    again.save()
    third = shelves(tmp_path)
    consistent(third)


def test_an_index_of_another_database_with_the_same_ids_is_not_believed(tmp_path: Path) -> None:
    one, two = shelves(tmp_path / "one"), shelves(tmp_path / "two")
    one.put(page("lamps"))
    two.put(page("chairs"))
    one.save()
    two.save()
    assert one.revision == two.revision
    shutil.rmtree(one.folder)
    shutil.copytree(two.folder, one.folder)
    again = shelves(tmp_path / "one")
    assert found(again, "lamps") == ["lamps"]
    vector = FakeEncoder(64, name="fake-en").encode(["lamps"])[0]
    own, made = (library.knowledge.index.dense[ENGLISH].scores_for(vector, [1]) for library in (one, again))
    assert np.allclose(own, made)


def test_an_index_that_is_behind_the_database_is_made_again(stocked: Library, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(stocked.folder, old)
    ahead = shelves(tmp_path)
    ahead.put(page("lamps"))
    ahead.save()
    shutil.rmtree(ahead.folder)
    shutil.copytree(old, ahead.folder)
    again = shelves(tmp_path)
    consistent(again)
    assert found(again, "lamps")[0] == "lamps"


def test_a_folder_that_cannot_be_written_does_not_fail_an_ingest(tmp_path: Path) -> None:
    (tmp_path / "index").write_text("a file where the folder should be")
    library = shelves(tmp_path)
    assert library.ingest([write(tmp_path / "kb", FILES)]).count("added") == 5


# Encoders


def test_a_new_encoder_gets_its_vectors(stocked: Library, tmp_path: Path) -> None:
    again = shelves(tmp_path, english=FakeEncoder(48, name="other-en"))
    assert len(again.knowledge) == 5
    assert found(again, "early closure fee for Evergreen")[0] == "kb:fees.md"  # by words
    assert again.lacking == 4
    assert again.fill() == 4
    consistent(again)
    assert shelves(tmp_path, english=FakeEncoder(48, name="other-en")).lacking == 0
    assert shelves(tmp_path).lacking == 0  # the vectors of the first one are still there


def test_filling_stops_when_it_is_told_to(stocked: Library, tmp_path: Path) -> None:
    again = shelves(tmp_path, english=FakeEncoder(48, name="other-en"))
    assert again.fill(stop=lambda: True) == 0
