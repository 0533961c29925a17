from __future__ import annotations

import shutil
from pathlib import Path

from apps.customer_service.library import Library
from tests.apps.customer_service._bot import FEES, RETURNS, SILVER
from tests.apps.customer_service._library import consistent, page, states, write


def test_sync_forgets_what_vanished_from_these_folders_only(library: Library, tmp_path: Path) -> None:
    one = write(tmp_path / "one", {"a.md": RETURNS, "deep/b.md": FEES})
    two = write(tmp_path / "two", {"c.md": SILVER})
    library.put(page("by-hand"))
    library.put(page("one/by-hand"))
    library.ingest([one, two])
    (one / "deep" / "b.md").unlink()
    (two / "c.md").unlink()
    assert states(library, one, sync=True) == {"one/a.md": "unchanged", "one:deep:b.md": "removed"}
    assert set(library.store.hashes()) == {"one:a.md", "two:c.md", "by-hand", "one/by-hand"}
    consistent(library)


def test_without_sync_nothing_is_forgotten(library: Library, tmp_path: Path) -> None:
    folder = write(tmp_path / "kb", {"a.md": RETURNS, "b.md": FEES})
    library.ingest([folder])
    (folder / "b.md").unlink()
    assert states(library, folder) == {"kb/a.md": "unchanged"}
    assert len(library.store.hashes()) == 2


def test_sync_of_one_file_leaves_its_neighbours(library: Library, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "kb", {"a.md": RETURNS, "t.jsonl": '{"id": "x", "text": "X."}\n{"id": "y", "text": "Y."}'}
    )
    library.ingest([folder])
    write(folder, {"t.jsonl": '{"id": "x", "text": "X."}\n'})
    assert states(library, folder / "t.jsonl", sync=True) == {"kb/t.jsonl#1": "unchanged", "y": "removed"}
    assert set(library.store.hashes()) == {"kb:a.md", "x"}


def test_sync_keeps_the_documents_of_a_file_that_cannot_be_read_now(library: Library, tmp_path: Path) -> None:
    folder = write(tmp_path / "kb", {"a.md": RETURNS, "b.md": FEES})
    library.ingest([folder])
    (folder / "b.md").write_bytes(b"")
    assert states(library, folder, sync=True) == {"kb/a.md": "unchanged", "kb/b.md": "error"}
    assert "kb:b.md" in library.store.hashes()


def test_sync_of_an_emptied_folder_forgets_all_of_it_and_of_a_missing_one_nothing(
    library: Library, tmp_path: Path
) -> None:
    folder = write(tmp_path / "kb", {"a.md": RETURNS})
    library.ingest([folder])
    shutil.move(folder, tmp_path / "away")
    library.ingest([folder], sync=True)
    assert len(library.store.hashes()) == 1
    folder.mkdir()
    library.ingest([folder], sync=True)
    assert not library.store.hashes()
    assert len(library.knowledge) == 0
