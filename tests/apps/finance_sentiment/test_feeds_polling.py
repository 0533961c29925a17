from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from apps.finance_sentiment.feeds import Polled, poll
from apps.finance_sentiment.polite import (
    Hosts,
    Postponed,
    read_retry_after,
    wait_after_failure,
    wait_after_success,
)
from apps.finance_sentiment.store_sources import Source
from core.errors import InputError, TooLarge, Unavailable
from tests.apps.finance_sentiment._feeds import get, item, rss
from tests.core.web._site import Site, moved, open_site, page

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def site() -> Iterator[Site]:
    with open_site() as opened:
        yield opened


def feed(site: Site, **told: object) -> Source:
    return replace(Source("wire", "feed", site.url("/feed")), **told)  # type: ignore[arg-type]


def ask(source: Source, hosts: Hosts | None = None) -> Polled:
    return poll(source, get, hosts or Hosts(0), NOW)


def test_a_feed_is_fetched_only_when_it_has_changed(site: Site) -> None:
    site.pages["/feed"] = page(rss(item(1)), 200, {"ETag": '"1"', "Last-Modified": "Mon, 02 Mar 2026 09:00:00 GMT"})
    got = ask(feed(site))
    assert len(got.texts) == 1 and not got.unchanged and "if-none-match" not in site.asked[0][2]
    site.pages["/feed"] = page(b"", 304)
    again = ask(feed(site, etag=got.etag, last_modified=got.last_modified))
    assert again == Polled(etag=got.etag, last_modified=got.last_modified, unchanged=True)
    assert site.asked[1][2]["if-none-match"] == '"1"'
    assert site.asked[1][2]["if-modified-since"] == "Mon, 02 Mar 2026 09:00:00 GMT"


def test_a_feed_that_moved_is_followed_and_one_that_leads_inside_is_not(site: Site) -> None:
    site.pages |= {"/feed": moved("/new", 301), "/new": page(rss(item(1)))}
    assert len(ask(feed(site)).texts) == 1
    site.pages["/feed"] = moved("http://169.254.169.254/latest/meta-data/")
    with pytest.raises(InputError, match="metadata"):
        ask(feed(site))


def test_a_host_that_asks_for_rest_gets_it_for_all_its_feeds(site: Site) -> None:
    hosts = Hosts(0, chance=lambda: 1.0)
    site.pages["/feed"] = page(b"", 429, {"Retry-After": "120"})
    with pytest.raises(Unavailable) as failed:
        ask(feed(site), hosts)
    assert failed.value.retry_after == 120
    with pytest.raises(Postponed) as later:
        ask(feed(site, name="other", location=site.url("/other")), hosts)
    assert 100 < (later.value.retry_after or 0) <= 120 and len(site.asked) == 1


def test_without_a_word_from_the_host_the_rest_grows_with_every_failure(site: Site) -> None:
    site.pages["/feed"] = page(b"", 503)
    waits = []
    for failures in (0, 1, 2):
        with pytest.raises(Unavailable) as failed:
            ask(feed(site, failures=failures), Hosts(0, chance=lambda: 1.0))
        waits.append(failed.value.retry_after)
    assert waits == [60, 120, 240]


@pytest.mark.parametrize("status", [401, 403, 404, 410, 500])
def test_another_status_is_a_failure_that_is_named(site: Site, status: int) -> None:
    site.pages["/feed"] = page(b"no", status)
    with pytest.raises(Unavailable, match=f"/feed answers {status}"):
        ask(feed(site))


def test_a_feed_that_is_too_large_is_refused(site: Site) -> None:
    site.pages["/feed"] = page(b"x" * (17 * 2**20))
    with pytest.raises(TooLarge):
        ask(feed(site))


def test_undated_entries_after_a_gap_count_at_its_beginning(site: Site) -> None:
    site.pages["/feed"] = page(rss(item(1, date=None)))
    before = NOW - timedelta(hours=5)
    assert ask(feed(site, last_success_at=before)).texts[0].published_at == before
    recent = NOW - timedelta(minutes=5)
    assert ask(feed(site, last_success_at=recent)).texts[0].published_at is None


def test_one_request_at_a_time_goes_to_a_host_with_a_gap_between() -> None:
    clock = [100.0]
    hosts = Hosts(2.0, clock=lambda: clock[0])
    with hosts.turn("a.test"):
        with pytest.raises(Postponed), hosts.turn("a.test"):
            pass
        with hosts.turn("b.test"):
            pass
    with pytest.raises(Postponed) as later, hosts.turn("a.test"):
        pass
    assert later.value.retry_after == 2.0
    clock[0] += 2
    with hosts.turn("a.test"):
        pass


def test_who_is_patient_waits_for_the_turn() -> None:
    hosts = Hosts(0.1)
    with hosts.turn("a.test"):
        pass
    with hosts.turn("a.test", patience=5):
        pass


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("Mon, 02 Mar 2026 12:02:00 GMT", 120.0),
        ("Mon, 02 Mar 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("9" * 30, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert read_retry_after(value, NOW) == seconds


def test_waits_grow_while_nothing_comes_and_with_failures_and_differ_a_little() -> None:
    source = Source("wire", "feed", "https://a.test/", 100, wait_seconds=100)
    assert wait_after_success(source, 3, 0.5) == 100
    assert wait_after_success(source, 0, 0.5) == 150
    assert wait_after_success(replace(source, wait_seconds=290), 0, 0.5) == 300
    assert wait_after_success(replace(source, wait_seconds=290), 1, 0.5) == 100
    assert [wait_after_failure(replace(source, failures=n), None, 0.5) for n in (0, 1, 2, 50)] == [100, 200, 400, 21600]
    assert wait_after_failure(source, 5000, 0.5) == 5000
    assert wait_after_success(source, 3, 0.0) == pytest.approx(90) and wait_after_success(
        source, 3, 1.0
    ) == pytest.approx(110)
