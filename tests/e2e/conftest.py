"""Chromium and servers for the tests of this folder. No Chromium is a failure, not a skip."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from apps.customer_service.schemas import DocumentIn
from tests.apps.customer_service._service import EchoService
from tests.e2e.servers import LiveServer

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
]

RETURNS = (
    "# Returns\n\nYou can return a lamp within 30 days of delivery. The lamp must be unused and in its box.\n\n"
    "## Refunds\n\nRefunds are paid within 5 working days to the card you paid with. Shipping is not refunded.\n\n"
) + "\n".join(f"Paragraph {n} about nothing much, so that this page is long." for n in range(60))

ASTRAL = "# 保修政策\n\n💡🔧 本店台灯享有𠮷祥三年保修。\n\n人为损坏🔥不在保修范围内。𝄞 发票请妥善保管。\n"

EVIL = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'

DOCUMENTS = (
    DocumentIn(id="policies/returns.md", title="Returns and refunds", text=RETURNS),
    DocumentIn(id="warranty-zh", title="保修政策", text=ASTRAL),
    DocumentIn(id="evil", title=f"{EVIL} title", text=f"Hostile words {EVIL} end here.\nMore [99] javascript:alert(1)"),
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = CHROMIUM if Path(CHROMIUM).exists() else shutil.which("chromium") or shutil.which("google-chrome")
    assert path, f"There is no Chromium at {CHROMIUM}; install it (apt-get install chromium)."
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


class Watched:
    """A page of which every console message, error and request is kept."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.console: list[str] = []
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def _heard(self, message: ConsoleMessage) -> None:
        self.console.append(f"{message.type}: {message.text}")

    def violations(self) -> list[str]:
        return [line for line in self.console if "Content Security Policy" in line or "Trusted" in line]


@pytest.fixture
def service() -> EchoService:
    return EchoService(delay=0.01, documents=DOCUMENTS)


@pytest.fixture
def server(service: EchoService) -> Iterator[LiveServer]:
    live = LiveServer(service)
    with live:
        yield live


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 800})
    context.set_default_timeout(10_000)
    yield Watched(context.new_page())
    context.close()


@pytest.fixture
def page(watched: Watched) -> Page:
    return watched.page
