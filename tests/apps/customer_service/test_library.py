from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from apps.customer_service.library import Library
from core.backends.fake import FakeEncoder
from core.errors import InputError, NotFound, Unavailable
from core.types import FloatArray
from tests.apps.customer_service._bot import FEES, FILES, RETURNS, SILVER
from tests.apps.customer_service._library import consistent, found, page, shelves, states, write

# Ingest


def test_a_second_ingest_finds_everything_unchanged(library: Library, tmp_path: Path) -> None:
    folder = write(tmp_path / "kb", {"a.md": RETURNS, "b.md": FEES})
    assert set(states(library, folder).values()) == {"added"}
    consistent(library)
    revision = library.store.revision()
    report = library.ingest([folder])
    assert report.count("unchanged") == 2
    assert report.passages == 0
    assert library.store.revision() == revision


def test_a_changed_file_replaces_its_document(library: Library, tmp_path: Path) -> None:
    folder = write(tmp_path / "kb", {"a.md": RETURNS, "b.md": FEES})
    library.ingest([folder])
    write(folder, {"b.md": FEES.replace("$50", "$70")})
    assert states(library, folder) == {"kb/a.md": "unchanged", "kb/b.md": "changed"}
    assert "$70" in library.knowledge.search("closure fee", "en")[0].text
    consistent(library)


def test_a_text_that_is_there_already_is_a_duplicate(library: Library, tmp_path: Path) -> None:
    folder = write(tmp_path / "kb", {"a.md": RETURNS, "b.md": RETURNS})
    assert states(library, folder) == {"kb/a.md": "added", "kb/b.md": "duplicate"}
    assert states(library, folder) == {"kb/a.md": "unchanged", "kb/b.md": "duplicate"}


def test_a_document_that_changes_into_the_text_of_another_does_not_keep_its_old_one(
    library: Library, tmp_path: Path
) -> None:
    folder = write(tmp_path / "kb", {"a.md": RETURNS, "b.md": FEES})
    library.ingest([folder])
    write(folder, {"b.md": RETURNS})
    library.ingest([folder])
    assert not any("closure" in p.chunk.text for p in library.knowledge.passages.values())


def test_a_duplicate_takes_the_place_of_what_is_removed(library: Library, tmp_path: Path) -> None:
    folder = write(tmp_path / "kb", {"a.md": RETURNS, "b.md": RETURNS})
    library.ingest([folder])
    (folder / "a.md").unlink()
    assert states(library, folder, sync=True) == {"kb/b.md": "added", "kb:a.md": "removed"}
    assert found(library, "return a lamp")[0] == "kb:b.md"
    consistent(library)


def test_a_duplicate_takes_the_place_of_what_changes(library: Library, tmp_path: Path) -> None:
    folder = write(tmp_path / "kb", {"a.md": RETURNS, "z.md": FEES})
    library.ingest([folder])
    write(folder, {"z.md": SILVER, "b.md": FEES})
    assert states(library, folder) == {"kb/a.md": "unchanged", "kb/b.md": "added", "kb/z.md": "changed"}
    consistent(library)


def test_one_bad_file_does_not_stop_the_others(library: Library, tmp_path: Path) -> None:
    folder = write(tmp_path / "kb", {"a.md": RETURNS, "empty.md": "", "c.xyz": "?", ".hidden.md": "x"})
    (folder / "picture.md").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    report = library.ingest([folder, tmp_path / "nowhere"])
    by_source = {file.source: file for file in report.files}
    assert by_source["kb/a.md"].status == "added"
    assert by_source["kb/c.xyz"].status == by_source["kb/.hidden.md"].status == "skipped"
    assert {file.source for file in report.files if file.status == "error"} == {
        "kb/empty.md",
        "kb/picture.md",
        str(tmp_path / "nowhere"),
    }
    assert all(file.detail for file in report.files if file.status == "error")


def test_strict_takes_in_nothing_if_one_row_is_wrong(library: Library, tmp_path: Path) -> None:
    folder = write(tmp_path / "kb", {"a.md": RETURNS, "t.jsonl": '{"id": "x", "text": "Good."}\n{"id": "y"}\n'})
    with pytest.raises(InputError, match="line 2"):
        library.ingest([folder], strict=True)
    assert len(library.knowledge) == 0
    assert states(library, folder) == {"kb/a.md": "added", "kb/t.jsonl#1": "added", "kb/t.jsonl": "error"}


def test_ten_thousand_rows_with_three_bad_ones(library: Library, tmp_path: Path) -> None:
    rows = [f'{i},"Question {i}?","The answer to question {i} is the number {i}."' for i in range(10_000)]
    rows[17], rows[4_000], rows[9_999] = '17,"Empty?",', '4000,"Too","many","cells","here"', '17b,"No text",""'
    folder = write(tmp_path / "kb", {"faq.csv": "id,question,answer\n" + "\n".join(rows) + "\n"})
    report = library.ingest([folder])
    assert report.count("added") == 9_997
    assert [file.detail.split(":")[0] for file in report.files if file.status == "error"] == [
        "kb/faq.csv line 19",
        "kb/faq.csv line 4002",
        "kb/faq.csv line 10001",
    ]
    consistent(library)


def test_a_document_that_cannot_be_stored_does_not_take_its_batch_along(library: Library) -> None:
    good, bad = page("good"), page("x" * 300)
    report = library.accept([good, bad, page("also-good")])
    assert [file.status for file in report.files] == ["added", "error", "added"]
    assert "300 characters" in report.files[1].detail
    consistent(library)


def test_progress_is_told(library: Library, tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []
    library.ingest([write(tmp_path / "kb", FILES)], progress=lambda stage, done, total: told.append((stage, done)))
    assert ("files", 5) in told
    assert ("passages", 5) in told
    assert told[-1][0] == "vectors across languages"


class Breaking(FakeEncoder):
    """Fails after some texts, as a process does that runs out of memory."""

    def __init__(self, texts: int) -> None:
        super().__init__(64, name="fake-en")
        self.left = texts

    def encode(self, texts: Sequence[str], *, batch_size: int = 32) -> FloatArray:
        self.left -= len(texts)
        if self.left < 0:
            raise Unavailable("the encoder broke")
        return super().encode(texts, batch_size=batch_size)


def test_what_was_committed_before_a_failure_stays_and_the_rest_goes_in_later(tmp_path: Path) -> None:
    many = {f"{i:04}.md": f"# Page {i}\n\nThis page {i} tells about thing {i}.\n" for i in range(700)}
    folder = write(tmp_path / "kb", many)
    library = shelves(tmp_path, english=Breaking(600))
    with pytest.raises(Unavailable):
        library.ingest([folder])
    kept = len(library.knowledge)
    assert 0 < kept < 700
    again = shelves(tmp_path)
    assert len(again.knowledge) == kept
    report = again.ingest([folder])
    assert report.count("unchanged") == kept
    assert report.count("added") == 700 - kept
    consistent(again)


# One document


def test_a_document_put_is_found_and_one_removed_is_not(library: Library) -> None:
    library.put(page("lamps"))
    assert found(library, "lamps") == ["lamps"]
    consistent(library)
    library.put(page("lamps", "# lamps\n\nOnly chandeliers now.\n"))
    assert len(library.knowledge) == 1
    assert "chandeliers" in library.knowledge.search("chandeliers", "en")[0].text
    library.remove("lamps")
    assert found(library, "lamps") == []
    consistent(library)
    with pytest.raises(NotFound):
        library.remove("lamps")
