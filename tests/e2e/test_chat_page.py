"""The chat page in a real Chromium against a real server."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from core.web import WebSettings
from tests.apps.customer_service._service import EchoService
from tests.e2e.chat import FINISHED, ask, open_chat
from tests.e2e.conftest import EVIL, Watched
from tests.e2e.servers import LiveServer, wait_for

pytestmark = pytest.mark.browser


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
