from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from apps.finance_sentiment.schemas import Incoming
from apps.finance_sentiment.watching import PIECE, TakenFile, WatchedFolder
from core.errors import Unavailable
from tests.apps.finance_sentiment._feeds import Taker

ROW = '{"title": "Bank fined", "published_at": "2026-03-02T09:30:00Z"}\n'


class Desk:
    """A folder with a clock that is turned by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now, self.taker = folder, 100.0, Taker()
        self.watched = self.open()

    def open(self) -> WatchedFolder:
        return WatchedFolder(self.folder, "desk", settle=2, clock=lambda: self.now)

    def look(self, later: float = 0) -> list[TakenFile]:
        self.now += later
        return list(self.watched.look(self.taker.ingest))

    def put(self, name: str, text: str | bytes = ROW) -> Path:
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_file_is_taken_when_it_has_stopped_changing_and_put_away(desk: Desk) -> None:
    path = desk.put("news.jsonl", ROW[:20])
    assert desk.look() == [] and desk.look(1) == []
    path.write_text(ROW)
    assert desk.look(1.5) == [] and desk.look(1) == []
    (taken,) = desk.look(1)
    assert (taken.name, taken.texts, taken.problems, taken.error) == ("news.jsonl", 1, (), "")
    assert desk.taker.titles == ["Bank fined"] and next(iter(desk.taker.texts))[0] == "desk"
    assert sorted(p.name for p in desk.folder.rglob("*")) == ["done", "news.jsonl"] and desk.look(9) == []


def test_all_four_formats_are_read(desk: Desk) -> None:
    desk.put("a.csv", "id,headline,date\n1,From CSV,2026-03-02\n")
    desk.put("b.jsonl", '{"id": 2, "title": "From JSONL"}\n')
    desk.put("c.json", '[{"id": 3, "title": "From JSON"}]')
    pq.write_table(pa.table({"id": ["4"], "title": ["From Parquet"]}), desk.folder / "d.parquet")
    desk.look()
    assert len(desk.look(3)) == 4
    assert sorted(desk.taker.titles) == ["From CSV", "From JSON", "From JSONL", "From Parquet"]


@pytest.mark.parametrize(
    "name", ["a.csv.part", "a.tmp", ".a.csv", "a.csv~", "~a.csv", "a.crdownload", "README.txt", "a"]
)
def test_files_that_are_not_whole_or_not_texts_are_left_alone(desk: Desk, name: str) -> None:
    desk.put(name)
    assert desk.look() == desk.look(9) == [] and (desk.folder / name).exists()


def test_links_and_folders_are_left_alone(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.csv"
    outside.write_text("title\nsecret\n")
    (desk.folder / "link.csv").symlink_to(outside)
    (desk.folder / "folder.csv").mkdir()
    assert desk.look() == desk.look(9) == [] and outside.exists()


def test_bad_rows_are_told_beside_the_file_and_the_others_are_taken(desk: Desk) -> None:
    desk.put("a.jsonl", ROW + "{broken\n" + '{"title": "x", "published_at": "soon"}\n')
    desk.look()
    (taken,) = desk.look(3)
    assert taken.texts == 1 and len(taken.problems) == 2
    told = (desk.folder / "done" / "a.jsonl.problems.txt").read_text().splitlines()
    assert told[0].startswith("a.jsonl line 2: ") and "'soon' is no time" in told[1]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.csv", b"price\n5\n", "no column of text"),
        ("a.csv", b"", "empty"),
        ("a.json", b"[1, 2", "no whole JSON"),
        ("a.jsonl", b"{oops\n", "no row could be read"),
        ("a.parquet", b"not parquet", "a.parquet"),
        ("a.csv", b"PK\x03\x04\x00\x00", "zip"),
    ],
)
def test_a_file_that_cannot_be_read_goes_to_failed_with_the_reason(
    desk: Desk, name: str, data: bytes, reason: str
) -> None:
    desk.put(name, data)
    desk.put("z.jsonl")
    desk.look()
    failed, good = sorted(desk.look(3), key=lambda t: t.name)
    assert reason in failed.error and good.texts == 1
    assert (desk.folder / "failed" / name).exists()
    assert (desk.folder / "failed" / f"{name}.problems.txt").read_text().strip()


def test_a_file_of_a_name_that_was_there_before_gets_another_one(desk: Desk) -> None:
    for _ in range(3):
        desk.put("a.jsonl")
        desk.look()
        desk.look(3)
    assert sorted(p.name for p in (desk.folder / "done").iterdir()) == ["a.2.jsonl", "a.3.jsonl", "a.jsonl"]
    assert len(desk.taker.texts) == 1


def test_a_file_whose_texts_cannot_be_stored_stays_and_is_taken_later(desk: Desk) -> None:
    desk.put("a.jsonl")
    desk.look()
    desk.taker.fail.append(Unavailable("The database is locked."))
    with pytest.raises(Unavailable, match="locked"):
        desk.look(3)
    assert (desk.folder / "a.jsonl").exists()
    assert [t.texts for t in desk.look(1)] == [1]


def test_a_process_that_dies_before_it_moves_a_file_takes_it_again_without_counting_twice(desk: Desk) -> None:
    desk.put("a.jsonl", "".join(f'{{"title": "T{i}"}}\n' for i in range(PIECE + 10)))

    def dies(texts: Sequence[Incoming]) -> None:
        desk.taker.ingest(texts)
        if desk.taker.calls == 2:
            raise KeyboardInterrupt

    desk.look()
    desk.now += 3
    with pytest.raises(KeyboardInterrupt):
        list(desk.watched.look(dies))
    desk.watched = desk.open()
    desk.look()
    assert [t.texts for t in desk.look(3)] == [PIECE + 10] and len(desk.taker.texts) == PIECE + 10


def test_a_file_that_grows_while_it_is_read_waits(desk: Desk) -> None:
    path = desk.put("a.jsonl")
    desk.look()
    desk.now += 3
    os.utime(path, ns=(1, 1))
    assert desk.look() == [] and desk.look(1) == [] and len(desk.look(2)) == 1


def test_a_folder_that_is_gone_is_named(desk: Desk) -> None:
    gone = WatchedFolder(desk.folder / "gone", "desk")
    with pytest.raises(Unavailable, match="gone: No such file"):
        list(gone.look(desk.taker.ingest))
