"""The alerts of the finance monitor in a real Chromium, on a real server with the real store, rules and alerts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from pydantic import SecretStr

from apps.finance_sentiment.alert_life import RuleFacts
from apps.finance_sentiment.clusters import Sketch, StoryIndex
from apps.finance_sentiment.rows import Reading
from apps.finance_sentiment.rules import Rule
from apps.finance_sentiment.schemas import Incoming, Mention, SeriesKey
from core.web import WebSettings
from tests.e2e.conftest import EVIL, Watched
from tests.e2e.finance import FinanceServer, ask, finance_server, labels_of, raise_alert, visit

pytestmark = pytest.mark.browser

TESLA = "Negative surge · Tesla"


NAMELESS = """() => [...document.querySelectorAll("button, a, select, input")].filter((e) =>
  e.checkVisibility() && !(e.getAttribute("aria-label") || e.labels?.[0]?.textContent.trim() || e.textContent.trim()))
  .map((e) => e.outerHTML)"""


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[FinanceServer]:
    with finance_server(tmp_path, every=20) as live:
        raise_alert(live.store, minutes=4, evidence=True, name="Tesla")
        raise_alert(live.store, "share-shift", SeriesKey("topic", "credit"), minutes=38)
        raise_alert(live.store, "silence", SeriesKey("source", "caixin"), minutes=190, condition="no_data")
        yield live


def row(page: Page, title: str) -> Locator:
    return page.locator("tr.alert", has=page.get_by_role("link", name=title, exact=True))


def detail(server: FinanceServer, id: int) -> Any:
    return ask(server, f"/alerts/{id}").json()


def test_the_keyboard_alone_acknowledges_assigns_silences_comments_and_resolves(
    monitor: FinanceServer, watched: Watched
) -> None:
    page = watched.page
    visit(page, monitor)
    expect(page.locator("tr.alert")).to_have_count(3)
    page.keyboard.press("j")
    expect(row(page, TESLA).get_by_role("link")).to_be_focused()
    page.keyboard.press("a")
    page.keyboard.type("Li Na")
    page.keyboard.press("Enter")
    expect(row(page, TESLA).locator(".state")).to_have_text("Acknowledged")
    expect(row(page, TESLA).get_by_role("link")).to_be_focused()
    page.keyboard.press("o")
    page.keyboard.type("Wei")
    page.keyboard.press("Enter")
    expect(row(page, TESLA).locator(".owner")).to_have_text("Wei")
    page.keyboard.press("c")
    page.keyboard.type("known since Monday")
    page.keyboard.press("Control+Enter")
    expect(page.locator("p[role=status].unseen")).to_have_text(f"Comment saved: {TESLA}")
    page.keyboard.press("j")
    page.keyboard.press("s")
    page.keyboard.type("a planned sale")
    page.keyboard.press("Control+Enter")
    expect(row(page, "Share of negative shifted · Credit and default").locator(".mute")).to_have_text("silenced")
    page.keyboard.press("k")
    page.keyboard.press("r")
    page.keyboard.press("Escape")
    expect(page.locator(".act-row")).to_have_count(0)
    page.keyboard.press("r")
    page.keyboard.press("Control+Enter")
    expect(row(page, TESLA).locator(".state")).to_have_text("Resolved")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=TESLA)).to_be_visible()
    expect(page.locator(".trail")).to_contain_text("Resolved")
    told = detail(monitor, 1)
    done = [entry["action"] for entry in told["audit"] if entry["actor"] == "Li Na"]
    assert done == ["acknowledged", "assigned", "comment", "resolved"]
    assert watched.errors == []
    assert watched.violations() == []


def test_a_new_alert_and_somebody_elses_act_appear_by_themselves(monitor: FinanceServer, page: Page) -> None:
    visit(page, monitor)
    expect(page.get_by_role("button", name="Critical 1")).to_be_visible()
    raise_alert(monitor.store, key=SeriesKey("entity", "US:AAPL"), minutes=0)
    expect(page.locator("tr.alert").first).to_contain_text("Negative surge · Apple")
    expect(page.get_by_role("button", name="Critical 2")).to_be_visible()
    ask(monitor, "/alerts/1/acknowledge", {"version": detail(monitor, 1)["version"], "by": "Wei"})
    expect(row(page, TESLA).locator(".state")).to_have_text("Acknowledged")
    page.get_by_role("button", name="Firing").click()
    expect(row(page, TESLA)).to_have_count(0)


def test_texts_that_come_in_become_an_alert_on_the_page(monitor: FinanceServer, page: Page) -> None:
    visit(page, monitor, "?dimension=entity&value=US:BA")
    expect(page.get_by_role("heading", name="No alert matches these filters.")).to_be_visible()
    assert monitor.desk
    monitor.desk.service.put_rule(Rule("many", "Many bad stories", "entity", "absolute", parameters={"limit": 3}))
    words = ("probe dock hangar", "auditor letter quarter", "union strike wing", "lender covenant breach")
    told = [{"title": f"Boeing fraud: {text}, {text[::-1]}"} for text in words]
    ask(monitor, "/texts", {"texts": told})
    expect(page.locator("tr.alert").first).to_contain_text("Boeing")


def test_filters_live_in_the_address_and_outlast_a_reload(monitor: FinanceServer, page: Page) -> None:
    visit(page, monitor)
    page.get_by_role("button", name="No data").click()
    page.get_by_role("button", name=re.compile("^Warning")).click()
    page.get_by_label("About").first.select_option("source")
    page.get_by_label("Name or id").fill("caixin")
    page.get_by_label("Name or id").press("Enter")
    page.get_by_label("Order").select_option("severity")
    expect(page.locator("tr.alert")).to_have_count(1)
    for part in ("state=no_data", "severity=warning", "dimension=source", "value=caixin", "order=severity"):
        assert part in page.url
    page.reload()
    expect(page.locator("tr.alert")).to_have_count(1)
    expect(page.get_by_role("button", name="No data")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name=re.compile("^Critical")).click()
    page.get_by_role("button", name=re.compile("^Warning")).click()
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator("tr.alert")).to_have_count(3)
    assert "state" not in page.url


def test_hostile_names_titles_and_links_stay_text(monitor: FinanceServer, watched: Watched) -> None:
    page = watched.page
    now = datetime.now(UTC)
    text = Incoming("1", f"src {EVIL}", now, f"Title {EVIL}", EVIL, "javascript:window.pwned=1", now, "en")
    hostile = Mention("US:BA", EVIL, 0, 1, 0.9)
    made = Reading(text, "en", labels_of("negative", {EVIL: 0.9}), (hostile,), {}, now, "", Sketch.of(EVIL))
    monitor.store.record([made], StoryIndex(3600, 0.9), 0.3)
    facts = RuleFacts("evil", f"Rule {EVIL}", "critical")
    id = raise_alert(monitor.store, key=SeriesKey("source", f"src {EVIL}"), facts=facts, minutes=-1, evidence=True)
    ask(monitor, f"/alerts/{id}/comment", {"by": EVIL, "text": EVIL})
    visit(page, monitor)
    expect(page.get_by_text(f"Rule {EVIL} · src {EVIL}")).to_be_visible()
    visit(page, monitor, f"alert?id={id}")
    expect(page.locator(".texts .headline")).to_contain_text(EVIL)
    expect(page.locator(".comments .said")).to_have_text(EVIL)
    visit(page, monitor, "trends?dimension=source&value=" + quote(f"src {EVIL}"))
    expect(page.locator(".legend")).to_contain_text("src <img")
    visit(page, monitor, "map?dimension=source")
    expect(page.get_by_role("link", name=f"src {EVIL}", exact=True)).to_be_visible()
    assert page.evaluate("window.pwned") is None
    assert page.locator("a[href^='javascript:'], main img, main script").count() == 0
    assert watched.errors == []
    assert watched.violations() == []


def test_an_alerts_page_shows_its_frozen_evidence_and_links_go_out_safely(
    monitor: FinanceServer, watched: Watched
) -> None:
    page = watched.page
    visit(page, monitor, "alert?id=1")
    expect(page.locator(".summary")).not_to_be_empty()
    chart = page.get_by_role("slider", name="Negative stories")
    chart.focus()
    page.keyboard.press("End")
    expect(chart).to_have_attribute("aria-valuetext", re.compile("usual"))
    story = page.locator(".texts .headline a").first
    assert story.get_attribute("rel") == "noopener noreferrer"
    assert str(story.get_attribute("href")).startswith("https://news.example.com/")
    page.get_by_text("Figures as a table").click()
    assert page.locator(".figures tbody tr").count() > 10
    page.keyboard.press("c")
    page.keyboard.type("seen")
    page.get_by_label("Your name").fill("Li Na")
    page.get_by_label("Your name").press("Enter")
    expect(page.locator(".comments .said")).to_have_text("seen")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".marks .state")).to_have_text("Acknowledged")
    page.goto(f"{monitor.url}/finance/alert?id=999")
    expect(page.get_by_role("alert")).to_contain_text("999")
    assert watched.errors == []


def test_the_page_says_when_the_server_is_gone_and_goes_on_when_it_is_back(monitor: FinanceServer, page: Page) -> None:
    visit(page, monitor)
    monitor.stop()
    expect(page.locator(".lamp")).to_have_text("Connecting…")
    page.get_by_role("button", name="Resolved").click()
    expect(page.locator(".offline")).to_contain_text("asks again by itself")
    page.get_by_role("button", name="Open").click()
    raise_alert(monitor.store, "volume", SeriesKey("all"), minutes=0)
    monitor.start()
    expect(page.locator(".lamp")).to_have_text("Live", timeout=20_000)
    expect(row(page, "Unusual volume · All texts")).to_be_visible()
    expect(page.locator(".offline")).to_be_hidden()


def test_an_act_on_an_old_version_is_told_and_the_alert_is_fetched_anew(monitor: FinanceServer, page: Page) -> None:
    visit(page, monitor)
    page.route("**/alerts/stream", lambda route: route.abort())
    page.reload()
    expect(page.locator("tr.alert")).to_have_count(3)
    version = detail(monitor, 1)["version"]
    ask(monitor, "/alerts/1/resolve", {"version": version, "by": "Wei", "comment": ""})
    row(page, TESLA).get_by_role("button", name="Assign").click()
    page.get_by_label("New owner").fill("Li Na")
    page.get_by_label("Your name").fill("Li Na")
    page.get_by_label("Your name").press("Enter")
    expect(page.locator(".refused")).to_be_visible()
    expect(row(page, TESLA).locator(".state")).to_have_text("Resolved")


def test_the_admin_key_is_asked_for_once(page: Page, tmp_path: Path) -> None:
    with finance_server(
        tmp_path, every=40, web=WebSettings(chat_rate_limit="", admin_key=SecretStr("open sesame"))
    ) as s:
        raise_alert(s.store)
        visit(page, s)
        page.evaluate("localStorage.setItem('triptych.finance.by', 'Li Na')")
        page.get_by_role("button", name=re.compile("^Acknowledge:")).click()
        page.get_by_label("Admin key").fill("open sesame")
        page.keyboard.press("Enter")
        expect(row(page, TESLA).locator(".state")).to_have_text("Acknowledged")
        page.get_by_role("button", name=re.compile("^Resolve:")).click()
        page.keyboard.press("Control+Enter")
        expect(row(page, TESLA).locator(".state")).to_have_text("Resolved")


def test_chinese_and_dark_and_narrow(monitor: FinanceServer, browser: Browser) -> None:
    context = browser.new_context(locale="zh-CN", color_scheme="dark", viewport={"width": 360, "height": 740})
    page = context.new_page()
    for path in ("", "alert?id=1", "trends", "map", "sources"):
        visit(page, monitor, path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert page.evaluate(NAMELESS) == [], path
    visit(page, monitor)
    expect(row(page, "Negative surge · 特斯拉").locator(".state")).to_have_text("触发中")
    shade = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert sum(int(part) for part in shade[4:-1].split(",")) < 150
    page.get_by_role("button", name="切换到英文").click()
    expect(row(page, TESLA).locator(".state")).to_have_text("Firing")
    context.close()
