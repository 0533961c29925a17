"""The rating page in a real Chromium against a real server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect

from core.evaluate.human import Item, RatingTask
from core.evaluate.ratings import RatingLog
from core.web import WebSettings
from core.web.rating import create_rating_app
from tests.core.evaluate.human_parts import task
from tests.e2e.conftest import EVIL, Watched
from tests.e2e.servers import free_port, wait_for

pytestmark = pytest.mark.browser


class RatingServer:
    """The page of one task; can be stopped and started again on its port."""

    def __init__(self, log: RatingLog) -> None:
        self.log = log
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/rating/"

    def start(self) -> None:
        app = create_rating_app(self.log, WebSettings())
        config = uvicorn.Config(app, host="127.0.0.1", port=self.port, log_level="error", timeout_graceful_shutdown=1)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        wait_for(lambda: self.server.started)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(timeout=10)


@pytest.fixture
def rating(tmp_path: Path) -> Iterator[RatingServer]:
    items = (
        Item("evil", f"Prompt {EVIL}", {"base": f"Left {EVIL}", "tuned": "Plain\nlines"}),
        *task(2).items,
    )
    live = RatingServer(
        RatingLog(tmp_path / "r.jsonl", RatingTask("t", "pairwise", ("base", "tuned"), items), ["anna"])
    )
    live.start()
    yield live
    live.stop()


def place(page: Page, text: str) -> None:
    """The page stands at this place and takes keys again: while it asks the server it drops them."""
    expect(page.locator("#view:not([aria-busy])")).to_be_attached()
    expect(page.get_by_role("heading", name=text)).to_be_focused()
    expect(page.locator("#view:not([aria-busy])")).to_be_attached()


def test_the_keyboard_alone_rates_everything_and_markup_stays_text(watched: Watched, rating: RatingServer) -> None:
    page = watched.page
    page.goto(rating.url)
    page.get_by_role("button", name="anna").press("Enter")
    place(page, "1 of 3")
    assert "rater=anna" in page.url
    page.keyboard.press("ArrowLeft")
    place(page, "2 of 3")
    page.keyboard.press("ArrowRight")
    place(page, "3 of 3")
    page.keyboard.press("b")
    expect(page.locator('[data-verdict="right"]')).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("2")
    place(page, "3 of 3")
    page.keyboard.press("l")
    place(page, "3 of 3")
    page.keyboard.press("1")
    place(page, "All done")
    expect(page.get_by_role("rowheader", name="tuned")).to_be_visible()
    expect(page.get_by_role("link", name="All ratings as CSV")).to_be_visible()
    assert sorted(str(r.verdict) for r in rating.log.ratings()) == ["equal", "left", "left"]
    assert page.evaluate("window.pwned") is None
    assert watched.errors == []
    assert watched.violations() == []


def test_a_rating_made_while_the_server_is_gone_goes_out_when_it_is_back(page: Page, rating: RatingServer) -> None:
    page.goto(f"{rating.url}?rater=anna")
    place(page, "1 of 3")
    rating.stop()
    page.get_by_role("button", name="Left is better").click()
    expect(page.get_by_role("alert")).to_contain_text("not saved yet")
    assert rating.log.ratings() == []
    rating.start()
    place(page, "2 of 3")
    expect(page.get_by_role("alert")).to_have_count(0)
    assert [str(r.verdict) for r in rating.log.ratings()] == ["left"]


def test_an_unknown_rater_in_the_address_is_told_and_may_choose(page: Page, rating: RatingServer) -> None:
    page.goto(f"{rating.url}?rater=eve")
    expect(page.get_by_role("alert")).to_contain_text("no rater 'eve'")
    page.get_by_role("button", name="anna").click()
    place(page, "1 of 3")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_scale_is_rated_with_digits_and_arrows_in_chinese_and_in_the_dark(browser: Browser, tmp_path: Path) -> None:
    live = RatingServer(RatingLog(tmp_path / "r.jsonl", task(1, ("a", "b", "c"))))
    live.start()
    context = browser.new_context(locale="zh-CN", color_scheme="dark")
    page = context.new_page()
    page.goto(live.url)
    page.get_by_label("您的名字").fill("小李")
    page.keyboard.press("Enter")
    place(page, "第 1 项，共 3 项")
    page.keyboard.press("5")
    place(page, "第 2 项，共 3 项")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    place(page, "第 3 项，共 3 项")
    page.get_by_role("button", name="切换到英文").click()
    page.get_by_role("button", name="Very poor").click()
    place(page, "All done")
    light = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert sum(int(part) for part in light[4:-1].split(",")) < 150
    assert sorted(int(r.verdict) for r in live.log.ratings()) == [1, 2, 5]
    assert {r.rater for r in live.log.ratings()} == {"小李"}
    context.close()
    live.stop()


def test_huge_answers_scroll_inside_and_a_narrow_screen_has_no_sideways_scroll(
    browser: Browser, tmp_path: Path
) -> None:
    items = (Item("1", "Why?" * 500, {"base": "word " * 20_000, "tuned": "x" * 90_000}),)
    live = RatingServer(
        RatingLog(tmp_path / "r.jsonl", RatingTask("t", "pairwise", ("base", "tuned"), items), ["anna"])
    )
    live.start()
    context = browser.new_context(locale="en-US", viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(f"{live.url}?rater=anna")
    place(page, "1 of 1")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.documentElement.scrollHeight < 3000")
    for control in page.locator("button:visible, a:visible").all():
        assert control.get_attribute("aria-label") or control.inner_text().strip()
    context.close()
    live.stop()
