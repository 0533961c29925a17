"""The chat page in a real Chromium against a real server."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from core.web import WebSettings
from tests.apps.customer_service._service import EchoService
from tests.e2e.conftest import EVIL, Watched
from tests.e2e.servers import LiveServer, wait_for

pytestmark = pytest.mark.browser

FINISHED = ".answered:not([aria-busy])"


def open_chat(page: Page, server: LiveServer, query: str = "") -> None:
    page.goto(f"{server.url}/customer-service/{query}")
    expect(page.locator("textarea")).to_be_visible()


def ask(page: Page, text: str) -> None:
    before = page.locator(FINISHED).count()
    page.locator("textarea").fill(text)
    page.keyboard.press("Enter")
    expect(page.locator(FINISHED)).to_have_count(before + 1)


def test_an_answer_appears_piece_by_piece(page: Page, server: LiveServer, service: EchoService) -> None:
    service.delay = 0.12
    open_chat(page, server)
    page.locator("textarea").fill("Can I return a lamp?")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Looking in the documents")).to_be_visible()
    text = page.locator(".answered .text")
    seen: set[int] = set()
    while page.locator(FINISHED).count() == 0:
        seen.add(len(text.inner_text()))
        page.wait_for_timeout(40)
    assert len(seen) >= 4, seen
    expect(text).to_contain_text("within 30 days of delivery.")
    expect(page.locator(".live")).to_contain_text("within 30 days of delivery.")
    expect(page.locator(".live")).not_to_contain_text("[1]")


def test_a_citation_opens_its_document_with_the_quote_marked(page: Page, server: LiveServer) -> None:
    open_chat(page, server)
    ask(page, "When are refunds paid to my card?")
    marker = page.locator(".answered button.marker").first
    marker.click()
    expect(page.locator(".passage mark")).to_have_text(
        "Refunds are paid within 5 working days to the card you paid with."
    )
    expect(page.locator(".passage mark")).to_be_in_viewport()
    expect(page.locator(".passage h2")).to_be_focused()
    expect(page.locator(".passage .document")).to_contain_text("Paragraph 59")
    page.keyboard.press("Escape")
    expect(page.locator(".passage")).not_to_be_visible()
    expect(marker).to_be_focused()


def test_the_mark_is_right_after_astral_characters(page: Page, server: LiveServer) -> None:
    open_chat(page, server)
    ask(page, "人为损坏在保修范围内吗")
    page.locator(".answered button.marker").first.click()
    expect(page.locator(".passage mark")).to_have_text("人为损坏🔥不在保修范围内。")
    page.keyboard.press("Escape")
    ask(page, "台灯享有几年保修")
    page.locator(".answered").last.locator("button.marker").first.click()
    expect(page.locator(".passage mark")).to_have_text("💡🔧 本店台灯享有𠮷祥三年保修。")


def test_a_changed_or_vanished_document_still_shows_what_was_quoted(
    page: Page, server: LiveServer, service: EchoService
) -> None:
    open_chat(page, server)
    ask(page, "When are refunds paid to my card?")
    id = "policies/returns.md"
    service.documents[id] = service.documents[id].model_copy(update={"text": "All is new here."})
    page.locator(".source").first.click()
    expect(page.locator(".passage")).to_contain_text("has changed since")
    expect(page.locator(".passage blockquote")).to_contain_text("within 5 working days")
    page.keyboard.press("Escape")
    del service.documents[id]
    page.locator(".source").first.click()
    expect(page.locator(".passage")).to_contain_text("not there any more")
    expect(page.locator(".passage blockquote")).to_contain_text("within 5 working days")


def test_a_refusal_looks_like_one_and_helps_on(page: Page, server: LiveServer) -> None:
    open_chat(page, server)
    ask(page, "Do spaceships fly?")
    refusal = page.locator('.answered[data-action="decline"]')
    expect(refusal).to_contain_text("Not in our documents")
    expect(refusal).to_contain_text("write to our support team")
    expect(refusal.locator(".marker")).to_have_count(0)
    expect(page.locator(".live")).to_contain_text("Not in our documents")
    refusal.get_by_role("button", name="Ask in other words").click()
    expect(page.locator("textarea")).to_have_value("Do spaceships fly?")
    expect(page.locator("textarea")).to_be_focused()


def test_a_conversation_survives_reload_and_server_restart(page: Page, server: LiveServer) -> None:
    open_chat(page, server)
    ask(page, "Can I return a lamp?")
    ask(page, "Do spaceships fly?")
    assert "conversation=" in page.url
    page.reload()
    expect(page.locator(FINISHED)).to_have_count(2)
    expect(page.locator(".source").first).to_be_visible()
    expect(page.locator('[data-action="decline"]')).to_have_count(1)
    server.stop()
    server.start()
    page.goto(f"{server.url}/customer-service/")
    expect(page.locator(FINISHED)).to_have_count(2)
    assert "conversation=" in page.url
    ask(page, "When are refunds paid to my card?")
    expect(page.locator(".asked")).to_have_count(3)


def test_a_new_conversation_begins_empty_and_the_old_one_stays_at_its_address(page: Page, server: LiveServer) -> None:
    open_chat(page, server)
    ask(page, "Can I return a lamp?")
    old = page.url
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator(".message")).to_have_count(0)
    expect(page.get_by_text("What would you like to know?")).to_be_visible()
    expect(page.locator("textarea")).to_be_focused()
    assert "conversation=" not in page.url
    ask(page, "Do spaceships fly?")
    page.goto(old)
    expect(page.locator(FINISHED)).to_have_count(1)
    expect(page.locator(".asked")).to_contain_text("return a lamp")


def test_a_conversation_that_is_gone_is_said_to_be_so(page: Page, server: LiveServer) -> None:
    open_chat(page, server, "?conversation=0123456789abcdef")
    expect(page.locator(".problem")).to_contain_text("no longer kept")
    ask(page, "Can I return a lamp?")
    assert "0123456789abcdef" not in page.url


def test_a_dead_server_is_announced_and_its_return_too(page: Page, server: LiveServer) -> None:
    open_chat(page, server)
    ask(page, "Can I return a lamp?")
    server.stop()
    page.locator("textarea").fill("When are refunds paid to my card?")
    page.keyboard.press("Enter")
    expect(page.locator(".offline")).to_contain_text("cannot be reached")
    expect(page.locator(".offline")).to_contain_text(re.compile(r"Next try in \d+ s"))
    expect(page.locator("textarea")).to_have_value("When are refunds paid to my card?")
    expect(page.locator(".asked")).to_have_count(1)
    expect(page.get_by_role("alert").first).to_contain_text("cannot be reached")
    server.start()
    expect(page.locator(".offline")).to_be_hidden(timeout=15_000)
    expect(page.locator(".live")).to_contain_text("The server is back")
    page.locator("textarea").press("Enter")
    expect(page.locator(FINISHED)).to_have_count(2)


def test_a_server_that_dies_in_the_middle_keeps_the_question_and_try_now_works(
    page: Page, server: LiveServer, service: EchoService
) -> None:
    service.delay = 0.5
    open_chat(page, server)
    page.locator("textarea").fill("When are refunds paid to my card?")
    page.keyboard.press("Enter")
    expect(page.locator(".answered .text")).to_contain_text("Refunds")
    server.stop()
    expect(page.locator(".offline")).to_be_visible()
    expect(page.locator("textarea")).to_have_value("When are refunds paid to my card?")
    page.wait_for_timeout(3500)
    service.delay = 0.01
    server.start()
    page.get_by_role("button", name="Try now").click()
    expect(page.locator(".offline")).to_be_hidden(timeout=3000)
    page.locator("textarea").press("Enter")
    expect(page.locator(FINISHED)).to_have_count(1)


def test_the_answer_can_be_stopped(page: Page, server: LiveServer, service: EchoService) -> None:
    service.delay = 0.3
    open_chat(page, server)
    page.locator("textarea").fill("When are refunds paid to my card?")
    page.keyboard.press("Enter")
    expect(page.locator(".answered .text")).to_contain_text("Refunds")
    page.get_by_role("button", name="Stop the answer").click()
    expect(page.locator(".answered")).to_contain_text("You stopped this answer.")
    wait_for(lambda: service.cancelled == 1)
    service.delay = 0.01
    ask(page, "Can I return a lamp?")


def test_too_many_and_too_long_questions_are_said_and_kept(page: Page, service: EchoService) -> None:
    with LiveServer(service, WebSettings(chat_rate_limit="1/minute")) as server:
        open_chat(page, server)
        page.locator("textarea").fill("x" * 8001)
        page.locator("textarea").press("Enter")
        expect(page.locator(".problem")).to_contain_text("8001 characters")
        ask(page, "Can I return a lamp?")
        page.locator("textarea").fill("Do spaceships fly?")
        page.locator("textarea").press("Enter")
        expect(page.locator(".problem")).to_contain_text("Too many questions")
        expect(page.locator("textarea")).to_have_value("Do spaceships fly?")


def test_hostile_text_is_shown_and_never_run(watched: Watched, server: LiveServer) -> None:
    page = watched.page
    open_chat(page, server)
    ask(page, f"Hostile words {EVIL}")
    expect(page.locator(".asked")).to_contain_text("<script>")
    expect(page.locator(".answered .text")).to_contain_text("<img src=x")
    page.locator(".source").first.click()
    expect(page.locator(".passage h2")).to_contain_text("<img src=x")
    expect(page.locator(".passage .document")).to_contain_text("<script>window.pwned=1</script>")
    page.reload()
    expect(page.locator(FINISHED)).to_have_count(1)
    assert page.evaluate("window.pwned") is None
    assert page.locator("main img, main script, main iframe").count() == 0
    assert {urlsplit(url).netloc for url in watched.requests} == {urlsplit(server.url).netloc}
    assert watched.errors == []
    assert [line for line in watched.console if line.startswith(("error", "warning"))] == []


@pytest.mark.parametrize("path", ["/", "/docs", "/customer-service/", "/customer-service/demo"])
def test_no_page_breaks_its_policy_or_asks_another_host(watched: Watched, server: LiveServer, path: str) -> None:
    page = watched.page
    page.goto(server.url + path, wait_until="networkidle")
    if path == "/docs":
        expect(page.get_by_text("/v1/chat/completions").first).to_be_visible()
    assert watched.console == [] and watched.errors == []
    assert {urlsplit(url).netloc for url in watched.requests if not url.startswith("data:")} == {
        urlsplit(server.url).netloc
    }


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
