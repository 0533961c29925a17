"""How the browser tests use the chat page: open it, ask, wait for the finished answer."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.e2e.servers import LiveServer

FINISHED = ".answered:not([aria-busy])"


def open_chat(page: Page, server: LiveServer, query: str = "") -> None:
    page.goto(f"{server.url}/customer-service/{query}")
    expect(page.locator("textarea")).to_be_visible()


def ask(page: Page, text: str) -> None:
    before = page.locator(FINISHED).count()
    page.locator("textarea").fill(text)
    page.keyboard.press("Enter")
    expect(page.locator(FINISHED)).to_have_count(before + 1)
