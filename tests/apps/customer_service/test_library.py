from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from apps.customer_service.library import Library
from apps.customer_service.model import ENGLISH, MULTILINGUAL, Knowledge
from apps.customer_service.settings import CustomerServiceSettings
from apps.customer_service.store import Store
from core.backends.base import Encoder
from core.backends.fake import FakeEncoder
from core.errors import InputError, NotFound, Unavailable
from core.text import parse_text
from core.types import Document, FloatArray
from tests.apps.customer_service._bot import FEES, FILES, RETURNS, SILVER, Bot


def shelves(home: Path, *, english: Encoder | None = None, multilingual: Encoder | None = None) -> Library:
    """A library over a database in `home`; a second one over the same folder stands for another process."""
    home.mkdir(parents=True, exist_ok=True)
    knowledge = Knowledge(
        english or FakeEncoder(64, name="fake-en"),
        multilingual or FakeEncoder(32, name="fake-m3"),
        CustomerServiceSettings(home=home),
    )
    library = Library(Store.open(f"sqlite:///{home / 'kb.db'}"), knowledge, home / "index")
    library.open()
    return library


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return shelves(tmp_path)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def page(name: str, text: str = "") -> Document:
    return parse_text(text or f"# {name}\n\nThis page is about {name} and nothing else.\n", id=name, title=name)


def found(library: Library, question: str) -> list[str]:
    return [p.document_id for p in library.knowledge.search(question, "en", k=20)]


def states(library: Library, *paths: Path, sync: bool = False) -> dict[str, str]:
    return {file.source: file.status for file in library.ingest(paths, sync=sync).files}


def consistent(library: Library) -> None:
    """What is searched is what is stored, vectors included."""
    ids = library.store.chunk_ids().tolist()
    assert library.knowledge.index.ids.tolist() == ids == sorted(library.knowledge.passages)
    assert library.knowledge.index.dense[MULTILINGUAL].ids.tolist() == ids
    assert library.lacking == 0
    assert library.revision == library.store.revision()


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

    def encode(self, texts: list[str], *, batch_size: int = 32) -> FloatArray:  # type: ignore[override]
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


# Sync


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


# Index files


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
    assert np.allclose(
        again.knowledge.index.dense[ENGLISH].scores_for(again.knowledge.english.encode(["x"])[0], [1]),
        one.knowledge.index.dense[ENGLISH].scores_for(one.knowledge.english.encode(["x"])[0], [1]),
    )


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


# Other processes


def test_what_another_process_does_is_followed(tmp_path: Path) -> None:
    server, command = shelves(tmp_path), shelves(tmp_path)
    assert not server.refresh()
    folder = write(tmp_path / "kb", FILES)
    command.ingest([folder])
    assert server.refresh()
    assert not server.refresh()
    consistent(server)
    assert found(server, "early closure fee for Evergreen")[0] == "kb:fees.md"
    (folder / "fees.md").unlink()
    write(folder, {"gold.md": "# Gold\n\nGold is gone.\n"})
    command.ingest([folder], sync=True)
    assert server.refresh()
    consistent(server)
    assert "kb:fees.md" not in found(server, "early closure fee for Evergreen")


def test_a_change_between_two_of_ones_own_is_not_missed(tmp_path: Path) -> None:
    one, two = shelves(tmp_path), shelves(tmp_path)
    one.put(page("lamps"))
    two.put(page("chairs"))  # before it has seen the lamps
    assert two.refresh()
    assert one.refresh()
    consistent(one)
    consistent(two)
    assert found(two, "lamps")[0] == "lamps"
    assert found(one, "chairs")[0] == "chairs"


def test_a_document_both_replaced_is_there_once(tmp_path: Path) -> None:
    one, two = shelves(tmp_path), shelves(tmp_path)
    one.put(page("lamps"))
    two.refresh()
    one.put(page("lamps", "# lamps\n\nOne says so.\n"))
    two.put(page("lamps", "# lamps\n\nTwo says so.\n"))
    one.refresh()
    two.refresh()
    consistent(one)
    consistent(two)
    assert [p.text for p in one.knowledge.search("says", "en")] == [p.text for p in two.knowledge.search("says", "en")]


def test_an_ingest_while_others_write_and_follow_loses_nothing(tmp_path: Path) -> None:
    one, two = shelves(tmp_path), shelves(tmp_path)
    folder = write(tmp_path / "kb", {f"{i}.md": f"# Page {i}\n\nThing number {i} is here.\n" for i in range(600)})
    errors: list[BaseException] = []
    stop = threading.Event()

    def follow() -> None:
        while not stop.is_set():
            try:
                one.refresh()
                two.refresh()
            except BaseException as error:
                errors.append(error)
            time.sleep(0.01)

    def put() -> None:
        for i in range(20):
            two.put(page(f"put-{i}"))

    threads = [threading.Thread(target=follow), threading.Thread(target=put)]
    for thread in threads:
        thread.start()
    report = one.ingest([folder])
    threads[1].join()
    stop.set()
    threads[0].join()
    one.refresh()
    two.refresh()
    assert not errors
    assert report.count("added") == 600
    for library in (one, two):
        assert len(library.knowledge) == 620
        library.fill()
        consistent(library)


def test_searching_while_documents_come_and_go_never_fails(library: Library) -> None:
    for i in range(30):
        library.put(page(f"page-{i}"))
    errors: list[BaseException] = []
    stop = threading.Event()

    def search() -> None:
        while not stop.is_set():
            try:
                evidence = library.knowledge.evidence("What is the page-3 page about?", "en")
                assert evidence.passages
                assert evidence.bodies
            except BaseException as error:
                errors.append(error)
                return

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(3):
        for i in range(1, 30):
            library.remove(f"page-{i}")
        for i in range(1, 30):
            library.put(page(f"page-{i}", f"# page-{i}\n\nTurn {turn} of this page about page-{i}.\n"))
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors


def test_the_bot_shares_one_library(bot: Bot) -> None:
    consistent(bot.service.library)
