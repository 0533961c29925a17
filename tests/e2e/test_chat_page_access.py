"""The chat page in a real Chromium against a real server."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.apps.customer_service._service import EchoService
from tests.e2e.chat import FINISHED, ask, open_chat
from tests.e2e.conftest import EVIL
from tests.e2e.servers import LiveServer

pytestmark = pytest.mark.browser


def test_the_keyboard_alone_is_enough(page: Page, server: LiveServer) -> None:
    open_chat(page, server)
    page.locator("body").press("Tab") if not page.locator("textarea:focus").count() else None
    expect(page.locator("textarea")).to_be_focused()
    page.keyboard.type("Can I return a lamp?")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("Please say.")
    page.keyboard.press("Enter")
    expect(page.locator(FINISHED)).to_have_count(1)
    expect(page.locator(".bubble")).to_have_text("Can I return a lamp?\nPlease say.")
    expect(page.locator("textarea")).to_be_focused()
    for _ in range(12):
        page.keyboard.press("Shift+Tab")
        if page.locator("button.source:focus").count():
            break
    expect(page.locator("button.source").last).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".passage mark")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Close the passage")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".passage")).not_to_be_visible()
    expect(page.locator("button.source").last).to_be_focused()


def test_the_skip_link_leads_to_the_box(page: Page, server: LiveServer) -> None:
    open_chat(page, server)
    page.locator(".skip").focus()
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("textarea")).to_be_focused()


def test_every_control_has_a_name(page: Page, server: LiveServer) -> None:
    open_chat(page, server)
    ask(page, "When are refunds paid to my card?")
    for control in page.locator("button:visible, a:visible, textarea:visible").all():
        name = control.get_attribute("aria-label") or control.inner_text().strip()
        assert name, control.evaluate("node => node.outerHTML")
    expect(page.get_by_role("textbox", name="Your question")).to_be_visible()
    expect(page.get_by_role("log", name="Conversation")).to_be_visible()


def test_the_page_speaks_chinese_by_the_browsers_language_and_by_choice(browser: Browser, server: LiveServer) -> None:
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    open_chat(page, server)
    expect(page.get_by_text("您想了解什么？")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    ask(page, "有飞船吗")
    expect(page.get_by_text("文档中没有答案", exact=True)).to_be_visible()
    page.get_by_role("button", name="切换到英文").click()
    expect(page.get_by_text("Not in our documents", exact=True)).to_be_visible()
    expect(page.get_by_role("textbox", name="Your question")).to_be_visible()
    page.reload()
    expect(page.get_by_role("textbox", name="Your question")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    context.close()


def test_dark_comes_from_the_system_and_a_choice_is_kept(browser: Browser, server: LiveServer) -> None:
    context = browser.new_context(locale="en-US", color_scheme="dark")
    page = context.new_page()
    open_chat(page, server)

    def ground() -> int:
        colour = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        return sum(int(n) for n in re.findall(r"\d+", str(colour))[:3])

    assert ground() < 120
    page.get_by_role("button", name=re.compile("Theme: as the system")).click()
    assert ground() > 600
    page.reload()
    assert ground() > 600
    page.get_by_role("button", name=re.compile("Theme: light")).click()
    assert ground() < 120
    context.close()


@pytest.mark.parametrize("path", ["/", "/customer-service/", "/customer-service/demo"])
def test_a_page_of_320_pixels_never_scrolls_sideways(browser: Browser, server: LiveServer, path: str) -> None:
    context = browser.new_context(locale="en-US", viewport={"width": 320, "height": 640}, has_touch=True)
    page = context.new_page()
    page.goto(server.url + path, wait_until="networkidle")
    if path == "/customer-service/":
        ask(page, f"Hostile words {EVIL} {'unbroken' * 30}")
        ask(page, "When are refunds paid to my card?")
        page.locator(".source").last.click()
        expect(page.locator(".passage mark")).to_be_in_viewport()
        expect(page.locator(".column")).to_have_js_property("inert", True)
        page.get_by_role("button", name="Close the passage").click()
        expect(page.locator(".column")).to_have_js_property("inert", False)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert page.evaluate("document.documentElement.scrollTop") == 0
    context.close()


def test_a_printed_conversation_is_whole_and_has_no_controls(page: Page, server: LiveServer) -> None:
    open_chat(page, server)
    for n in range(6):
        ask(page, f"Can I return a lamp number {n}?")
    page.emulate_media(media="print")
    expect(page.locator(".composer")).to_be_hidden()
    expect(page.locator(".suite")).to_be_hidden()
    box = page.locator(".log").bounding_box()
    assert box and box["height"] >= page.evaluate("document.querySelector('.messages').scrollHeight")
    assert page.locator(".source").first.is_visible()


def test_the_start_page_shows_what_is_ready_and_what_is_not(
    page: Page, server: LiveServer, service: EchoService
) -> None:
    page.goto(server.url)
    expect(page.locator(".state")).to_have_text("Everything is ready.")
    page.get_by_role("link", name="Open: Customer service").click()
    expect(page.locator("textarea")).to_be_visible()
    service.parts = {"encoder": "ok", "index": "is being rebuilt"}
    page.goto(server.url)
    expect(page.locator(".state")).to_contain_text("not ready")
    expect(page.locator(".app li.wrong")).to_have_text("index: is being rebuilt")
