"""Rules, silences and channels in a real Chromium, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from pydantic import SecretStr

from core.web import WebSettings
from tests.e2e.conftest import Watched
from tests.e2e.finance import FinanceServer, ask, finance_server, visit

pytestmark = pytest.mark.browser

SILENT = "A source fell silent"


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[FinanceServer]:
    with finance_server(tmp_path, every=20) as live:
        yield live


def rules(server: FinanceServer) -> dict[str, dict[str, object]]:
    return {item["rule"]["id"]: item["rule"] for item in ask(server, "/rules").json()["items"]}


def test_a_rule_is_switched_off_and_one_is_added_changed_and_deleted(monitor: FinanceServer, watched: Watched) -> None:
    page = watched.page
    visit(page, monitor, "rules")
    page.get_by_role("button", name=f"Switch off: {SILENT}").click()
    expect(page.get_by_role("button", name=f"Switch on: {SILENT}")).to_be_visible()
    assert rules(monitor)["source-silent"]["enabled"] is False
    page.get_by_role("button", name="Add a rule").click()
    area = page.locator("textarea.rule")
    area.fill("{")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".wrong")).to_contain_text("not JSON")
    area.fill('{"id": "mine", "name": "<b>Mine</b>", "kind": "absolute", "series": {"dimension": "galaxy"}}')
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".wrong")).to_contain_text("galaxy")
    area.fill(
        '{"id": "mine", "name": "<b>Mine</b>", "kind": "absolute", "series": {"dimension": "entity"},'
        ' "parameters": {"limit": 5}}'
    )
    page.get_by_role("button", name="Save").click()
    expect(page.locator("th .name", has_text="<b>Mine</b>")).to_be_visible()
    assert rules(monitor)["mine"]["parameters"] == {"limit": 5}
    page.get_by_role("button", name="Delete: <b>Mine</b>").click()
    page.get_by_role("button", name="Really delete?: <b>Mine</b>").click()
    expect(page.locator("th .name", has_text="<b>Mine</b>")).to_have_count(0)
    assert "mine" not in rules(monitor)


def test_a_channel_is_added_and_a_short_secret_is_refused(monitor: FinanceServer, watched: Watched) -> None:
    page = watched.page
    visit(page, monitor, "rules")
    form = page.locator(".adding form")
    form.get_by_label("Name", exact=True).fill("desk")
    form.get_by_label("Address", exact=True).fill("https://hooks.example.com/x")
    form.get_by_label("Secret").fill("short")
    form.get_by_role("button", name="Add").click()
    expect(page.locator(".refused")).to_contain_text("16 characters")
    form.get_by_label("Secret").fill("a much longer secret")
    form.get_by_role("button", name="Add").click()
    expect(page.locator("th .name", has_text="desk")).to_be_visible()
    assert "secret" not in page.locator("table").last.inner_text().lower()
    page.get_by_role("button", name="Delete: desk").click()
    expect(page.locator("th .name", has_text="desk")).to_have_count(0)


def test_the_page_speaks_chinese(monitor: FinanceServer, watched: Watched) -> None:
    visit(watched.page, monitor, "rules?lang=zh")
    expect(watched.page.get_by_role("heading", name="通知渠道")).to_be_visible()
    expect(watched.page.get_by_role("button", name=f"停用: {SILENT}")).to_be_visible()


def test_channels_are_shown_to_whoever_has_the_admin_key_and_nobody_is_asked_before(
    tmp_path: Path, watched: Watched
) -> None:
    key, page = "k" * 20, watched.page
    with finance_server(tmp_path, every=40, web=WebSettings(admin_key=SecretStr(key), chat_rate_limit="")) as live:
        visit(page, live, "rules")
        expect(page.get_by_text("The channels are shown with the admin key.")).to_be_visible()
        expect(page.locator("dialog")).to_have_count(0)
        page.get_by_role("button", name="Show the channels").click()
        page.get_by_label("Admin key").fill(key)
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_text("Alerts are sent nowhere yet.")).to_be_visible()
