"""Trends, map and sources of the finance monitor in a real Chromium, on a real server with the real store."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Watched
from tests.e2e.finance import FinanceServer, ask, finance_server, visit

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FinanceServer]:
    with finance_server(tmp_path_factory.mktemp("finance"), every=8) as live:
        yield live


def test_a_stretch_is_zoomed_with_the_mouse_and_back_goes_back(monitor: FinanceServer, watched: Watched) -> None:
    page = watched.page
    visit(page, monitor, "trends")
    chart = page.get_by_role("slider", name="Stories over time")
    box = chart.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 60, steps=4)
    page.mouse.up()
    expect(page.locator(".fixed")).to_be_visible()
    assert "start=" in page.url
    page.go_back()
    expect(page.locator(".fixed")).to_have_count(0)
    expect(page.get_by_role("button", name="24 h")).to_have_attribute("aria-pressed", "true")
    assert watched.errors == []
    assert watched.violations() == []


def test_the_keyboard_reads_buckets_and_opens_their_texts(monitor: FinanceServer, page: Page) -> None:
    visit(page, monitor, "trends?bucket=21600")
    chart = page.get_by_role("slider", name="Stories over time")
    chart.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    expect(chart).to_have_attribute("aria-valuetext", re.compile(r"All texts \d+ stories, \d+% negative"))
    page.keyboard.press("Enter")
    expect(page.locator(".behind li").first).to_be_visible()
    assert "at=" in page.url
    everything = page.locator(".behind li").count()
    page.get_by_label("Sentiment").select_option("negative")
    expect(page.locator(".behind li .sentiment:not(.negative)")).to_have_count(0)
    assert 0 < page.locator(".behind li").count() < everything
    page.reload()
    expect(page.locator(".behind li .sentiment.negative").first).to_be_visible()
    chart.focus()
    for key in ("Home", "Shift+ArrowRight", "Enter"):
        page.keyboard.press(key)
    expect(page.locator(".fixed")).to_be_visible()


def test_four_series_are_compared_and_a_fifth_is_refused(monitor: FinanceServer, page: Page) -> None:
    visit(page, monitor)
    page.goto(f"{monitor.url}/finance/trends")
    page.get_by_label("All texts").select_option("entity")
    for name in ("Tesla", "Apple", "0700", "us:jpm"):
        before = page.locator(".chip.key").count()
        page.get_by_label("Name or id to compare").fill(name)
        page.get_by_label("Name or id to compare").press("Enter")
        expect(page.locator(".chip.key")).not_to_have_count(before)
    expect(page.locator(".legend .key")).to_have_text(
        [re.compile(n) for n in ("Tesla", "Apple", "Tencent", "JPMorgan")]
    )
    page.get_by_label("Name or id to compare").fill("Boeing")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("Four series")
    page.get_by_role("button", name="Remove Tesla").click()
    expect(page.locator(".legend .key")).to_have_count(3)
    page.get_by_label("Name or id to compare").fill("No Such Firm")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("No Such Firm")
    page.get_by_text("Figures as a table").click()
    expect(page.locator(".figures thead th")).to_have_count(1 + 3 * 4)
    page.reload()
    expect(page.locator(".legend .key")).to_have_count(3)


def test_the_map_leads_to_trends_and_sorts(monitor: FinanceServer, page: Page) -> None:
    visit(page, monitor, "map")
    page.get_by_role("button", name="Most negative").click()
    expect(page.get_by_role("button", name="Most negative")).to_have_attribute("aria-pressed", "true")
    shares = [int(text[:-1]) for text in page.locator(".heat td.level").all_inner_texts()]
    assert shares == sorted(shares, reverse=True)
    link = page.get_by_role("link", name="Tesla", exact=True)
    link.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".heat td.cell a:focus")).to_have_attribute("aria-label", re.compile("Tesla, .* stories"))
    page.keyboard.press("Enter")
    expect(page.locator(".behind li").first).to_be_visible()
    assert "value=US%3ATSLA" in page.url
    visit(page, monitor, "map?dimension=topic")
    expect(page.get_by_role("link", name="Earnings", exact=True)).to_be_visible()
    page.get_by_role("button", name="7 d").click()
    expect(page.locator(".heat thead .hour").nth(5)).to_be_attached()
    assert "span=day_7" in page.url


def test_a_folder_is_added_polled_paused_and_removed(monitor: FinanceServer, watched: Watched) -> None:
    page = watched.page
    folder = monitor.watched / "desk"
    folder.mkdir()
    (folder / "texts.csv").write_text("title,id\nTSLA beat everything,1\nBA misses again,2\n", encoding="utf-8")
    visit(page, monitor, "sources")
    expect(page.get_by_role("heading", name="No sources yet.")).to_be_visible()
    page.get_by_label("Name").fill("desk")
    page.get_by_label("Kind").select_option("folder")
    page.get_by_label("Folder", exact=True).fill("/etc")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("TRIPTYCH_WATCH_FOLDER")
    page.get_by_label("Folder", exact=True).fill(str(folder))
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("rowheader", name="desk")).to_be_visible()
    page.get_by_role("button", name="Poll now: desk").click()
    expect(page.locator(".told")).to_contain_text("desk: ")
    expect(page.locator(".light")).to_have_text("OK")
    page.get_by_role("button", name="Pause: desk").click()
    expect(page.locator(".light")).to_have_text("Paused")
    expect(page.get_by_role("button", name="Poll now: desk")).to_be_disabled()
    page.get_by_role("button", name="Resume: desk").click()
    expect(page.locator(".light")).to_have_text("OK")
    page.get_by_role("button", name="Remove: desk").click()
    page.get_by_role("button", name="Really remove?: desk").click()
    expect(page.get_by_role("heading", name="No sources yet.")).to_be_visible()
    assert watched.errors == []
    assert watched.violations() == []


def test_addresses_with_a_page_and_json_give_each_what_they_ask_for(monitor: FinanceServer) -> None:
    for path in ("/trends", "/sources"):
        page = ask(monitor, path, accept="text/html,*/*;q=0.8").headers
        assert (page["content-type"], page["vary"]) == ("text/html; charset=utf-8", "Accept")
        assert ask(monitor, path).headers["content-type"] == "application/json"
    assert ask(monitor, "").url.endswith("/finance/")
