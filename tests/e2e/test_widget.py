"""The widget on somebody else's site: another origin, another style, a policy of its own."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from core.web import WebSettings
from tests.apps.customer_service._service import EchoService
from tests.e2e.conftest import DOCUMENTS, EVIL, Watched
from tests.e2e.servers import HostSite, LiveServer

pytestmark = pytest.mark.browser

FINISHED = ".answered:not([aria-busy])"

HOSTILE = """
html { font-size: 50%; } * { letter-spacing: 3px; } body { font: italic 30px/3 serif; color: red; }
button { background: crimson !important; text-transform: uppercase; display: none !important; }
div, section, dialog { border: 9px solid lime !important; }
"""


class Shop:
    """A host site together with the chat server it embeds."""

    def __init__(self) -> None:
        self.server = LiveServer(EchoService(delay=0.01, documents=DOCUMENTS))
        self.attributes = 'data-lang="en" data-title="Shop help"'
        self.style = ""
        self.site = HostSite(self.page)

    def page(self) -> str:
        return (
            '<!doctype html><html lang="de"><head><meta charset="utf-8"><title>Shop</title>'
            '<link rel="icon" href="data:,">'
            f"<style>{self.style}</style>"
            f'<script src="{self.server.url}/widget.js" async {self.attributes}></script></head>'
            f"<body><h1>Shop</h1><p>Good things.</p></body></html>"
        )

    def allow(self, *origins: str) -> None:
        self.server.web = WebSettings(chat_rate_limit="", allowed_origins=origins)


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    with shop.site:
        shop.allow(shop.site.url)
        with shop.server:
            yield shop


def ask(page: Page, text: str) -> None:
    before = page.locator(FINISHED).count()
    page.locator("textarea").fill(text)
    page.keyboard.press("Enter")
    expect(page.locator(FINISHED)).to_have_count(before + 1)


def test_it_answers_on_another_origin_and_shows_the_passage(watched: Watched, shop: Shop) -> None:
    page = watched.page
    page.goto(shop.site.url)
    page.get_by_role("button", name="Ask us").click()
    expect(page.get_by_role("dialog", name="Shop help")).to_be_visible()
    expect(page.locator("textarea")).to_be_focused()
    ask(page, "When are refunds paid to my card?")
    page.locator(".source").first.click()
    expect(page.locator(".passage mark")).to_contain_text("within 5 working days")
    page.keyboard.press("Escape")
    expect(page.locator(".passage")).not_to_be_visible()
    expect(page.locator(".panel")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".panel")).to_be_hidden()
    expect(page.locator(".launcher")).to_be_focused()
    hosts = {urlsplit(url).netloc for url in watched.requests if not url.startswith("data:")}
    assert hosts == {urlsplit(shop.site.url).netloc, urlsplit(shop.server.url).netloc}
    assert watched.console == [] and watched.errors == []


def test_it_resumes_after_a_reload_and_can_begin_anew(page: Page, shop: Shop) -> None:
    page.goto(shop.site.url)
    page.get_by_role("button", name="Ask us").click()
    ask(page, "Can I return a lamp?")
    page.reload()
    page.get_by_role("button", name="Ask us").click()
    expect(page.locator(FINISHED)).to_have_count(1)
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator(".message")).to_have_count(0)


def test_a_dead_server_leaves_the_host_page_whole(page: Page, shop: Shop) -> None:
    shop.server.stop()
    page.goto(shop.site.url)
    expect(page.get_by_role("heading", name="Shop")).to_be_visible()
    expect(page.locator("triptych-widget")).to_have_count(0)


def test_a_server_that_dies_before_the_opening_is_said_and_can_be_tried_again(page: Page, shop: Shop) -> None:
    page.goto(shop.site.url)
    expect(page.locator(".launcher")).to_be_visible()
    shop.server.stop()
    page.locator(".launcher").click()
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached now")
    shop.server.start()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("textarea")).to_be_focused()
    expect(page.locator(".fallback")).to_be_hidden()
    ask(page, "Can I return a lamp?")


def test_a_server_that_dies_while_open_shows_the_banner(page: Page, shop: Shop) -> None:
    page.goto(shop.site.url)
    page.locator(".launcher").click()
    ask(page, "Can I return a lamp?")
    shop.server.stop()
    page.locator("textarea").fill("Do spaceships fly?")
    page.keyboard.press("Enter")
    expect(page.locator(".offline")).to_contain_text("cannot be reached")
    expect(page.locator("textarea")).to_have_value("Do spaceships fly?")
    shop.server.start()
    expect(page.locator(".offline")).to_be_hidden(timeout=15_000)


def test_one_name_is_all_that_is_added_to_the_host_page(page: Page, shop: Shop) -> None:
    page.goto("about:blank")
    page.goto(shop.site.url)
    page.locator(".launcher").click()
    ask(page, "Can I return a lamp?")
    names = page.evaluate(
        """() => { const frame = document.createElement('iframe'); document.body.append(frame);
        const known = new Set(Object.getOwnPropertyNames(frame.contentWindow)); frame.remove();
        return Object.getOwnPropertyNames(window).filter(name => !known.has(name) && isNaN(name)); }"""
    )
    assert [n for n in names if not n.startswith("__")] == ["TriptychWidget"]
    assert page.evaluate("document.body.children.length") == 3
    assert page.evaluate("document.head.children.length") == 5


def test_the_host_pages_style_stays_outside(page: Page, shop: Shop) -> None:
    shop.style = HOSTILE
    page.goto(shop.site.url)
    launcher = page.locator(".launcher")
    expect(launcher).to_be_visible()
    launcher.click()
    ask(page, "Can I return a lamp?")
    text = page.locator(".answered .text")
    expect(text).to_have_css("letter-spacing", "normal")
    expect(text).to_have_css("font-style", "normal")
    expect(text).to_have_css("font-size", "15px")
    expect(page.locator(".panel")).to_have_css("border-top-width", "1px")


def test_it_works_where_the_host_page_has_a_strict_policy(browser: Browser, shop: Shop) -> None:
    policy = f"default-src 'none'; script-src {shop.server.url}; connect-src {shop.server.url}; img-src data:"
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    with HostSite(shop.page, {"Content-Security-Policy": policy}) as strict:
        shop.server.stop()
        shop.allow(strict.url)
        shop.server.start()
        page.goto(strict.url)
        page.locator(".launcher").click()
        ask(page, "Can I return a lamp?")
        expect(page.locator(".panel")).to_have_css("position", "fixed")
        page.locator(".source").first.click()
        expect(page.locator(".passage mark")).to_be_visible()
    assert [line for line in heard if "widget" in line or shop.server.url in line] == []
    context.close()


def test_a_site_that_is_not_named_gets_a_word_and_nothing_else(page: Page, shop: Shop) -> None:
    shop.server.stop()
    shop.allow()
    shop.server.start()
    page.goto(shop.site.url)
    page.locator(".launcher").click()
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached now")


def test_it_speaks_the_language_it_is_told(page: Page, shop: Shop) -> None:
    shop.attributes = 'data-lang="zh" data-title="灯具客服"'
    page.goto(shop.site.url)
    page.get_by_role("button", name="咨询我们").click()
    expect(page.get_by_role("dialog", name="灯具客服")).to_be_visible()
    ask(page, "有飞船吗")
    expect(page.get_by_text("文档中没有答案", exact=True)).to_be_visible()


def test_hostile_text_does_not_run_on_the_host_page(page: Page, shop: Shop) -> None:
    page.goto(shop.site.url)
    page.locator(".launcher").click()
    ask(page, f"Hostile words {EVIL}")
    page.locator(".source").first.click()
    expect(page.locator(".passage .document")).to_contain_text("<script>window.pwned=1</script>")
    assert page.evaluate("window.pwned") is None


def test_what_is_typed_does_not_reach_the_host_pages_shortcuts(page: Page, shop: Shop) -> None:
    page.goto(shop.site.url)
    page.evaluate("() => { window.pressed = 0; document.addEventListener('keydown', () => { window.pressed += 1; }); }")
    page.locator(".launcher").click()
    expect(page.locator("textarea")).to_be_focused()
    page.keyboard.type("refund")
    assert page.evaluate("window.pressed") == 0


def test_on_a_phone_it_fills_the_screen(browser: Browser, shop: Shop) -> None:
    context = browser.new_context(locale="en-US", viewport={"width": 320, "height": 600}, has_touch=True)
    page = context.new_page()
    page.goto(shop.site.url)
    page.locator(".launcher").click()
    ask(page, "When are refunds paid to my card?")
    assert page.locator(".panel").bounding_box() == {"x": 0, "y": 0, "width": 320, "height": 600}
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.get_by_role("button", name="Close the chat").click()
    expect(page.locator(".launcher")).to_be_visible()
    context.close()
