from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from apps.finance_sentiment.intake import IngestReport
from apps.finance_sentiment.jobs import Jobs
from apps.finance_sentiment.polite import Hosts
from apps.finance_sentiment.schemas import Incoming
from apps.finance_sentiment.store import Store
from apps.finance_sentiment.store_sources import Source, SourceStore
from core.errors import Conflict, InputError, NotFound, Overloaded, Unavailable
from core.web.outbound import Response
from tests.apps.finance_sentiment._feeds import Taker, get, item, rss
from tests.core.web._site import Page, Site, open_site, page


@dataclass(frozen=True)
class Settings:
    outbound_private: bool = False
    outbound_ports: tuple[int, ...] = ()
    watch_folder: str = ""


class Desk:
    """Jobs over a real database and a real site."""

    def __init__(self, store: Store, site: Site, folder: Path) -> None:
        self.store, self.site, self.folder, self.taker = store, site, folder, Taker()
        self.sources = SourceStore(store.engine)
        self.jobs = self.open()

    def open(self, gap: float = 0.0) -> Jobs:
        settings = Settings(watch_folder=str(self.folder))
        return Jobs(self.taker, self.store, settings, get=get, hosts=Hosts(gap))

    def feed(self, name: str = "wire", answer: Page | None = None) -> Source:
        self.site.pages[f"/{name}"] = answer or page(rss(item(2), item(1)), 200, {"ETag": '"1"'})
        return self.sources.add_source(Source(name, "feed", self.site.url(f"/{name}", f"{name}.test"), 60))

    def asked(self, name: str) -> int:
        return sum(path == f"/{name}" for _, path, _, _ in self.site.asked)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "in").mkdir()
    with open_site() as site, Store.open(f"sqlite:///{tmp_path / 'test.db'}") as store:
        yield Desk(store, site, tmp_path / "in")


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_sources_that_are_due_are_polled_and_their_texts_taken(desk: Desk) -> None:
    for name in ("a", "b", "c"):
        desk.feed(name)
    desk.jobs.start()
    until(lambda: all(s.last_success_at for s in desk.sources.sources()))
    desk.jobs.close()
    assert len(desk.taker.texts) == 6 and desk.jobs.problem == ""
    source = desk.sources.source("a")
    assert (source.texts, source.etag, source.health(time.time())) == (2, '"1"', "ok")
    assert 50 <= source.wait_seconds <= 70 and source.next_due > time.time() + 40
    assert desk.asked("a") == 1


def test_two_processes_never_poll_the_same_source(desk: Desk) -> None:
    for i in range(8):
        desk.feed(f"s{i}")
    both = [desk.open(), desk.open()]
    for jobs in both:
        jobs.start()
    until(lambda: all(s.last_success_at for s in desk.sources.sources()))
    for jobs in both:
        jobs.close()
    assert [desk.asked(f"s{i}") for i in range(8)] == [1] * 8


def test_a_poll_on_demand_tells_what_it_brought(desk: Desk) -> None:
    desk.feed(answer=page(rss(item(1), item(2, date="soon"))))
    report = desk.jobs.poll_now("wire")
    assert (report.found, report.new) == (2, 2) and "'soon' is no time" in report.problems[0]
    assert desk.sources.source("wire").problem == report.problems[0]
    assert desk.jobs.poll_now("wire").new == 0 and desk.sources.source("wire").texts == 2
    desk.sources.claim("wire", time.time())
    with pytest.raises(Conflict):
        desk.jobs.poll_now("wire")
    with pytest.raises(NotFound):
        desk.jobs.poll_now("nothing")
    desk.jobs.close()


def test_a_source_that_dies_is_seen_to_fail_and_its_return_brings_no_storm(desk: Desk) -> None:
    desk.feed()
    desk.jobs.poll_now("wire")
    desk.site.pages["/wire"] = page(b"gone", 500)
    for _ in range(3):
        with pytest.raises(Unavailable, match="answers 500"):
            desk.jobs.poll_now("wire")
    source = desk.sources.source("wire")
    assert source.health(time.time()) == "failing" and "answers 500" in source.last_error
    assert source.wait_seconds >= 200, "it is left alone for longer every time"
    dates = ["Mon, 02 Mar 2026 10:00:00 GMT", "Mon, 02 Mar 2026 13:00:00 GMT"]
    desk.site.pages["/wire"] = page(rss(*(item(10 + i, date=date) for i, date in enumerate(dates)), item(1)))
    assert desk.jobs.poll_now("wire").new == 2
    told = [text.published_at for (_, id), text in desk.taker.texts.items() if id in ("g10", "g11")]
    assert [moment.hour for moment in sorted(filter(None, told))] == [10, 13], "what was missed counts when it happened"
    assert desk.sources.source("wire").health(time.time()) == "ok"
    desk.jobs.close()


def test_a_feed_counts_as_read_only_when_its_texts_are_stored(desk: Desk) -> None:
    desk.feed()
    desk.taker.fail.append(Unavailable("The database is locked."))
    with pytest.raises(Unavailable):
        desk.jobs.poll_now("wire")
    assert desk.sources.source("wire").etag == ""
    assert desk.jobs.poll_now("wire").new == 2 and desk.sources.source("wire").etag == '"1"'
    desk.jobs.close()


def test_a_host_that_asks_for_rest_holds_back_only_its_own_sources(desk: Desk) -> None:
    desk.feed("busy", page(b"", 429, {"Retry-After": "300"}))
    desk.feed("free")
    again = replace(desk.sources.source("busy"), name="busy2", location=desk.site.url("/busy2", "busy.test"))
    with pytest.raises(Unavailable, match="left alone"):
        desk.jobs.poll_now("busy")
    desk.sources.add_source(again)
    desk.jobs.start()
    until(lambda: desk.sources.source("free").last_success_at is not None)
    until(lambda: desk.sources.source("busy2").next_due > 0)
    desk.jobs.close()
    source = desk.sources.source("busy2")
    assert desk.asked("busy2") == 0 and source.failures == 0 and source.next_due > time.time() + 200
    assert desk.sources.source("busy").wait_seconds >= 300


def test_a_bug_in_a_poll_is_a_failure_of_that_source_and_nothing_else(desk: Desk) -> None:
    class Odd(Taker):
        def ingest(self, texts: Sequence[Incoming]) -> IngestReport:
            raise ZeroDivisionError("odd")

    desk.feed("a")
    jobs = Jobs(Odd(), desk.store, Settings(), get=get, hosts=Hosts(0))
    jobs.start()
    until(lambda: desk.sources.source("a").failures == 1)
    assert desk.sources.source("a").last_error == "odd"
    jobs.close()


def test_a_folder_is_watched_as_a_source(desk: Desk) -> None:
    desk.sources.add_source(Source("inbox", "folder", str(desk.folder), 1))
    (desk.folder / "a.jsonl").write_text('{"title": "One"}\n{oops\n')
    desk.jobs.start()
    until((desk.folder / "done" / "a.jsonl").exists)
    until(lambda: desk.sources.source("inbox").problem != "")
    desk.jobs.close()
    source = desk.sources.source("inbox")
    assert desk.taker.titles == ["One"] and "a.jsonl line 2" in source.problem and source.texts == 1
    assert source.health(time.time()) == "ok"


def test_a_folder_that_is_gone_fails_visibly(desk: Desk) -> None:
    desk.sources.add_source(Source("inbox", "folder", str(desk.folder / "gone"), 1))
    with pytest.raises(Unavailable, match="Cannot look into the folder"):
        desk.jobs.poll_now("inbox")
    assert desk.sources.source("inbox").health(time.time()) == "failing"
    desk.jobs.close()


def test_work_of_others_is_done_again_and_again_whatever_fails(desk: Desk) -> None:
    done: list[int] = []

    def sometimes() -> None:
        done.append(1)
        if len(done) == 1:
            raise Overloaded("The mail server is away.")

    seen: list[str] = []

    def steady() -> None:
        seen.append(desk.jobs.problem)

    desk.jobs.every(0.2, sometimes, "mail")
    desk.jobs.start()
    desk.jobs.every(0.01, steady, "steady")
    until(lambda: len(done) >= 3)
    desk.jobs.close()
    assert "mail: The mail server is away." in seen and desk.jobs.problem == ""
    count = len(done)
    time.sleep(0.3)
    assert len(done) == count, "nothing runs after the end"


def test_a_database_that_is_gone_is_told_and_found_again(tmp_path: Path, desk: Desk) -> None:
    desk.feed()
    with desk.store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE finance_sentiment_sources RENAME TO away")
    desk.jobs.start()
    until(lambda: "sources: " in desk.jobs.problem)
    with desk.store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO finance_sentiment_sources")
    until(lambda: desk.sources.source("wire").last_success_at is not None)
    until(lambda: desk.jobs.problem == "")
    desk.jobs.close()


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://127.0.0.1/", "private or loopback"),
        ("http://169.254.169.254/", "metadata"),
        ("https://user@a.test/", "user name"),
        ("https://a.test:22/", "Port 22"),
        ("file:///etc/passwd", "http://"),
        ("x", "http://"),
    ],
)
def test_a_feed_may_not_lie_where_nobody_may_go(desk: Desk, location: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        desk.jobs.check_location("feed", location)
    desk.jobs.close()


def test_folders_are_watched_below_one_folder_only(desk: Desk) -> None:
    (desk.folder / "sub").mkdir()
    (desk.folder / "out").symlink_to("/etc")
    assert desk.jobs.check_location("folder", "sub") == str(desk.folder / "sub")
    assert desk.jobs.check_location("folder", str(desk.folder)) == str(desk.folder)
    for wrong in ("..", "/etc", "sub/../..", "out", str(desk.folder) + "x"):
        with pytest.raises(InputError, match="does not lie in"):
            desk.jobs.check_location("folder", wrong)
    with pytest.raises(InputError, match="There is no folder"):
        desk.jobs.check_location("folder", "none")
    closed = Jobs(desk.taker, desk.store, Settings())
    with pytest.raises(InputError, match="TRIPTYCH_WATCH_FOLDER"):
        closed.check_location("folder", "sub")
    desk.jobs.close()


def test_the_settings_open_private_addresses_and_more_ports(desk: Desk) -> None:
    opened = Jobs(desk.taker, desk.store, Settings(outbound_private=True, outbound_ports=(desk.site.port,)))
    desk.site.pages["/x"] = page(rss(item(1)))
    location = opened.check_location("feed", f"http://127.0.0.1:{desk.site.port}/x")
    desk.sources.add_source(Source("own", "feed", location, 60))
    assert opened.poll_now("own").new == 1
    with pytest.raises(InputError, match="metadata"):
        opened.check_location("feed", "http://169.254.169.254/")
    closed = Jobs(desk.taker, desk.store, Settings(outbound_ports=(desk.site.port,)))
    with pytest.raises(InputError, match="loopback"):
        closed.poll_now("own")


def test_the_end_waits_for_a_poll_that_is_under_way(desk: Desk) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(url: str, *, headers: Mapping[str, str]) -> Response:
        begun.set()
        assert go.wait(5)
        return get(url, headers=headers)

    desk.feed()
    jobs = Jobs(desk.taker, desk.store, Settings(), get=slow, hosts=Hosts(0))
    jobs.start()
    assert begun.wait(5)
    threading.Timer(0.2, go.set).start()
    jobs.close()
    assert desk.sources.source("wire").last_success_at is not None and desk.sources.source("wire").lease_owner == ""
