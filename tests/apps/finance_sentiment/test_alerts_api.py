"""Alerts, silences and channels over HTTP, as the dashboard uses them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from apps.finance_sentiment.alert_desk import AlertDesk
from apps.finance_sentiment.alerts_api import alerts_router, follow
from apps.finance_sentiment.notify.send import sender
from apps.finance_sentiment.schemas import SeriesKey
from apps.finance_sentiment.store import Store
from core.web import Part, WebSettings, create_web_app
from tests.apps.finance_sentiment._alerts import NOW, QUICK, SURGE, change, tell
from tests.apps.finance_sentiment._sinks import hook

A = "/finance/alerts"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[AlertDesk]:
    with Store.open(f"sqlite:///{tmp_path / 'test.db'}") as store:
        yield AlertDesk(store.engine, sender(allow_private=True), QUICK, clock=lambda: NOW + 30)


def client(desk: AlertDesk, key: str | None = None) -> TestClient:
    secret = SecretStr(key) if key else None
    part = Part("finance", "/finance/", {"en": "F"}, {"en": "F."}, [alerts_router(lambda: desk, secret)], dict)
    return TestClient(create_web_app("Test", [part], WebSettings(chat_rate_limit=""), max_body_bytes=2**20))


@pytest.fixture
def http(desk: AlertDesk) -> TestClient:
    return client(desk)


def test_an_alert_is_listed_read_and_acted_upon(http: TestClient, desk: AlertDesk) -> None:
    evidence = {
        "name": "Apple", "dimension": "entity", "value": "US:AAPL", "stories": [], "last_text_at": None,
        "window": {"start": "2026-03-02T08:00:00Z", "end": "2026-03-02T09:00:00Z"}, "chart": {"measure": "negative"},
        "totals": {"stories": 20, "negative": 14}, "measured": {"value": 14.0, "expected": 2.1, "limit": 8.0},
    }  # fmt: skip
    (id,) = tell(desk.engine, change(evidence=evidence))
    page = http.get(A).json()
    (alert,) = page["items"]
    assert page["next"] is None and alert["id"] == id and alert["version"] == 1
    assert alert["rule"] == {"id": "negative-surge", "name": "Negative surge"} and alert["silenced"] is False
    assert alert["started_at"] == "2026-03-02T09:00:00Z" and alert["measured"]["value"] == 14.0
    assert alert["summary"]["en"].startswith("14 of 20 stories about Apple")
    body = {"version": 1, "by": "Li Na", "comment": "looking"}
    done = http.post(f"{A}/{id}/acknowledge", json=body)
    assert done.status_code == 200 and done.json()["state"] == "acknowledged" and done.json()["version"] == 2
    old = http.post(f"{A}/{id}/resolve", json=body)
    assert old.status_code == 409 and old.headers["content-type"] == "application/problem+json"
    assert "you saw version 1" in old.json()["detail"]
    assert http.post(f"{A}/{id}/assign", json={"version": 2, "by": "Li Na", "owner": "Wei"}).json()["owner"] == "Wei"
    assert http.post(f"{A}/{id}/comment", json={"by": "Wei", "text": "<b>hm</b>"}).status_code == 200
    silenced = http.post(f"{A}/{id}/silence", json={"by": "Wei", "reason": "known", "minutes": 60}).json()
    assert silenced["alert"]["silence_id"] == silenced["silence"]["id"] and silenced["silence"]["state"] == "active"
    assert http.post(f"{A}/{id}/resolve", json={"version": 3, "by": "Wei"}).json()["resolved_by"] == "Wei"
    detail = http.get(f"{A}/{id}").json()
    assert detail["evidence"]["name"] == "Apple" and detail["latest_evidence"] is None
    assert [c["text"] for c in detail["comments"]] == ["<b>hm</b>"] and detail["comments"][0]["author"] == "Wei"
    assert [e["action"] for e in detail["audit"]] == [
        "firing", "notified", "acknowledged", "assigned", "comment", "silenced", "resolved",
    ]  # fmt: skip
    assert set(alert) < set(detail)


def test_the_list_is_filtered_and_paged(http: TestClient, desk: AlertDesk) -> None:
    for i in range(7):
        rule = replace(SURGE, severity="critical" if i % 2 else "info")
        tell(desk.engine, change(rule=rule, key=SeriesKey("topic", f"t{i}")), now=NOW + i)
    first = http.get(A, params={"limit": 5}).json()
    rest = http.get(A, params={"limit": 5, "after": first["next"]}).json()
    assert [a["value"] for a in first["items"] + rest["items"]] == [f"t{i}" for i in reversed(range(7))]

    def values(**params: Any) -> list[str]:
        return [a["value"] for a in http.get(A, params=params).json()["items"]]

    assert values(severity="critical") == ["t5", "t3", "t1"] == values(severity=["critical", "warning"], state="open")
    assert values(order="severity", limit=4) == ["t5", "t3", "t1", "t6"]
    assert values(dimension="topic", value="t4") == ["t4"] and values(rule="x") == [] and values(state="silenced") == []
    assert values(since="2026-03-02T09:00:05Z") == ["t6", "t5"] and values(owner="") and values(owner="Wei") == []
    assert http.get(f"{A}/counts").json() == {
        "by_state": {"pending": 0, "firing": 7, "acknowledged": 0, "no_data": 0, "resolved": 0},
        "by_severity": {"info": 4, "warning": 0, "critical": 3},
        "silenced": 0,
    }


@pytest.mark.parametrize(
    "params",
    [
        {"state": "angry"}, {"limit": 0}, {"limit": 999}, {"after": "nonsense"}, {"since": "yesterday"},
        {"since": "2026-03-02T09:00:00"}, {"since": "0001-01-01T00:00:00Z"}, {"order": "x"}, {"rule": "r" * 300},
    ],
)  # fmt: skip
def test_a_wrong_question_is_a_problem_and_no_crash(http: TestClient, params: dict[str, Any]) -> None:
    reply = http.get(A, params=params)
    assert reply.status_code == 422 and reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/99/acknowledge", {"version": 1, "by": "Li"}, 404),
        ("/0/acknowledge", {"version": 1, "by": "Li"}, 422),
        ("/x/resolve", {"version": 1, "by": "Li"}, 422),
        ("/1/acknowledge", {"by": "Li"}, 422),
        ("/1/acknowledge", {"version": 1, "by": ""}, 422),
        ("/1/acknowledge", {"version": 1, "by": "system"}, 422),
        ("/1/acknowledge", {"version": 1, "by": "Li", "extra": 1}, 422),
        ("/1/comment", {"by": "Li", "text": "   "}, 422),
        ("/1/comment", {"by": "Li", "text": "x" * 2001}, 422),
        ("/1/silence", {"by": "Li", "reason": "x", "minutes": 0}, 422),
    ],
)
def test_a_wrong_act_is_refused(
    http: TestClient, desk: AlertDesk, path: str, body: dict[str, Any], status: int
) -> None:
    tell(desk.engine, change())
    assert http.post(A + path, json=body).status_code == status


def test_silences_are_made_changed_and_ended(http: TestClient, desk: AlertDesk) -> None:
    matchers = [{"field": "value", "value": "US:*"}]
    body = {"matchers": matchers, "ends_at": "2026-03-02T10:00:00Z", "reason": "earnings day", "by": "Li"}
    made = http.post("/finance/silences", json=body)
    assert made.status_code == 201 and made.json()["state"] == "active" and made.json()["matchers"] == matchers
    id = made.json()["id"]
    changed = http.put(f"/finance/silences/{id}", json=body | {"reason": "guidance day"})
    assert changed.json()["reason"] == "guidance day" == http.get(f"/finance/silences/{id}").json()["reason"]
    assert http.delete(f"/finance/silences/{id}", params={"by": "Wei"}).json()["ended_by"] == "Wei"
    assert http.get("/finance/silences", params={"state": "active"}).json()["items"] == []
    assert len(http.get("/finance/silences").json()["items"]) == 1
    assert http.put(f"/finance/silences/{id}", json=body).status_code == 409
    for wrong in (
        {"matchers": []}, {"matchers": [{"field": "x", "value": "y"}]}, {"ends_at": "2026-03-02T08:00:00Z"},
        {"ends_at": "2026-03-02T10:00:00"}, {"reason": ""}, {"starts_at": "2026-03-02T11:00:00Z"},
    ):  # fmt: skip
        assert http.post("/finance/silences", json=body | wrong).status_code == 422
    assert http.get("/finance/silences/99").status_code == 404


def test_a_channel_is_made_tested_and_never_tells_its_keys(http: TestClient, desk: AlertDesk) -> None:
    with hook() as there:
        body = {"kind": "webhook", "url": f"{there.url}/KEY-IN-URL", "secret": "SECRET-OF-THE-DESK"}
        put = http.put("/finance/channels/desk", json=body)
        assert put.status_code == 200 and put.json()["has_secret"] and put.json()["target"] == f"{there.url}/…"
        kept = http.put("/finance/channels/desk", json={"kind": "webhook", "language": "zh"})
        assert kept.json()["language"] == "zh" and desk.channel("desk").secret == "SECRET-OF-THE-DESK"
        assert http.post("/finance/channels/desk/test").json()["delivered"] is True
        tell(desk.engine, change())
        assert http.get("/finance/channels").json()["items"][0]["waiting"] == 1
        desk.deliverer.deliver_due()
    texts = [http.get(p).text for p in ("/finance/channels", "/finance/notifications")]
    assert not any(key in text for text in [put.text, kept.text, *texts] for key in ("KEY-IN-URL", "SECRET-OF"))
    (sent,) = http.get("/finance/notifications", params={"state": "delivered"}).json()["items"]
    assert sent["kind"] == "firing" and sent["alert_ids"] == [1]
    assert http.post(f"/finance/notifications/{sent['id']}/retry").status_code == 409
    assert http.delete("/finance/channels/desk").status_code == 204
    assert http.post("/finance/channels/desk/test").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "pager"}, {"kind": "slack", "url": "javascript:alert(1)"}, {"kind": "webhook", "url": "https://x.com"},
        {"kind": "email", "to": ["nobody"], "smtp": {"host": "h", "sender": "a@x.com"}}, {"kind": "email"},
        {"kind": "slack", "url": "https://x.com", "color": "red"},
    ],
)  # fmt: skip
def test_a_channel_that_cannot_work_is_a_problem(http: TestClient, body: dict[str, Any]) -> None:
    assert http.put("/finance/channels/desk", json=body).status_code == 422


def test_changing_asks_for_the_key_where_there_is_one(desk: AlertDesk) -> None:
    tell(desk.engine, change())
    http = client(desk, "the key")
    acts = [("POST", f"{A}/1/acknowledge"), ("POST", f"{A}/1/comment"), ("POST", "/finance/silences")]
    kept = [("GET", "/finance/channels"), ("PUT", "/finance/channels/x"), ("GET", "/finance/notifications")]
    assert [http.request(m, p, json={}).status_code for m, p in acts + kept] == [401] * 6
    assert [http.get(p).status_code for p in (A, f"{A}/1", f"{A}/counts", "/finance/silences")] == [200] * 4
    body = {"version": 1, "by": "Li"}
    assert http.post(f"{A}/1/acknowledge", json=body, headers={"Authorization": "Bearer the key"}).status_code == 200


def test_the_stream_tells_every_change_once_and_goes_on_where_it_broke_off(desk: AlertDesk) -> None:
    async def read(last: int | None, count: int, act: Any = None) -> list[str]:
        events = follow(desk, last)
        got = [(await anext(events)).decode()]
        if act:
            await asyncio.to_thread(act)
        for _ in range(count):
            got.append((await asyncio.wait_for(anext(events), 10)).decode())
        await events.aclose()
        return got

    (id,) = tell(desk.engine, change())
    got = asyncio.run(read(None, 2, lambda: [desk.acknowledge(id, "Li", NOW), desk.comment(id, "Li", "so", NOW)]))
    assert got[0] == 'event: ready\ndata: {"last": 2}\n\n'
    assert [text.split("\n")[:2] for text in got[1:]] == [["id: 3", "event: alert"], ["id: 4", "event: alert"]]
    body = json.loads(got[1].split("data: ")[1])
    assert body["event"]["action"] == "acknowledged" and body["alert"]["state"] == "acknowledged"
    assert [text.split("\n")[0] for text in asyncio.run(read(1, 3))[1:]] == ["id: 2", "id: 3", "id: 4"]
