"""The whole way over HTTP: texts in, an alert out, on a real store; words decide the labels."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from apps.finance_sentiment.api import create_app
from apps.finance_sentiment.rules import Rule
from apps.finance_sentiment.settings import FinanceSettings
from core.web import WebSettings
from tests.apps.finance_sentiment._reading import WordLabels

RULE = Rule(
    "tesla", "Three bad stories on Tesla", "entity", "absolute", "US:TSLA", parameters={"limit": 3}, severity="critical"
)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    settings = FinanceSettings(home=tmp_path, database_url=f"sqlite:///{tmp_path / 'f.db'}")
    with TestClient(create_app(settings, backend=WordLabels(), web=WebSettings())) as client:
        yield client


def put_rule(tmp_path: Path) -> None:
    from apps.finance_sentiment.store import Store

    with Store.open(f"sqlite:///{tmp_path / 'f.db'}") as store:
        store.put_rule(RULE.id, RULE.to_json())


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[TestClient]:
    put_rule(tmp_path)
    settings = FinanceSettings(home=tmp_path, database_url=f"sqlite:///{tmp_path / 'f.db'}")
    with TestClient(create_app(settings, backend=WordLabels(), web=WebSettings())) as client:
        yield client


BAD = (
    "Tesla pays a fine over brakes in Norway",
    "Tesla shares fall after the recall",
    "Tesla may miss its target for March",
)


def test_three_bad_stories_make_one_alert_with_its_evidence(watched: TestClient) -> None:
    sent = watched.post("/finance/texts", json={"texts": [{"title": t, "source": f"s{i}"} for i, t in enumerate(BAD)]})
    assert sent.status_code == 200 and sent.json()["negative"] == 3
    [alert] = watched.get("/finance/alerts", params={"state": "open"}).json()["items"]
    assert (alert["state"], alert["severity"], alert["value"]) == ("firing", "critical", "US:TSLA")
    assert alert["summary"]["en"].startswith("3 of 3 stories about Tesla")
    whole = watched.get(f"/finance/alerts/{alert['id']}").json()
    assert {story["title"] for story in whole["evidence"]["stories"]} == set(BAD)
    assert whole["evidence"]["totals"]["negative"] == 3
    done = watched.post(
        f"/finance/alerts/{alert['id']}/acknowledge", json={"version": alert["version"], "by": "Li Na", "comment": ""}
    )
    assert done.json()["state"] == "acknowledged"


def test_the_same_texts_again_and_copies_of_one_story_make_none(watched: TestClient) -> None:
    one = {"title": BAD[0], "source": "wire", "id": "1"}
    for _ in range(4):
        watched.post("/finance/texts", json={"texts": [one]})
    copies = [{"title": BAD[0], "source": f"copy {i}"} for i in range(50)]
    assert watched.post("/finance/texts", json={"texts": copies}).json()["stories"] == 0
    assert watched.get("/finance/alerts", params={"state": "open"}).json()["items"] == []


def test_texts_of_the_past_count_and_alert_nobody(watched: TestClient) -> None:
    past = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    texts = [{"title": t, "published_at": past, "source": "archive"} for t in BAD]
    assert watched.post("/finance/texts", json={"texts": texts}).json()["negative"] == 3
    assert watched.get("/finance/alerts", params={"state": "open"}).json()["items"] == []


def test_every_page_and_the_start_page_answer(client: TestClient) -> None:
    for path in ("/", "/finance/", "/finance/alert", "/finance/map", "/docs", "/openapi.json"):
        assert client.get(path).status_code == 200, path
    assert client.get("/readyz").json()["apps"][0]["parts"] == dict.fromkeys(
        ("database", "rules", "notifications", "sources"), "ok"
    )


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        '{"texts": 3}',
        '{"texts": [{"title": ""}]}',
        '{"texts": [' + '{"title": "x"},' * 1001 + '{"title": "x"}]}',
    ],
)
def test_a_body_that_holds_no_texts_is_refused_and_loses_nothing(client: TestClient, body: str) -> None:
    refused = client.post("/finance/texts", content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code in (413, 422)
    assert refused.headers["content-type"].startswith("application/problem+json")


def test_metrics_count_what_came_in(watched: TestClient) -> None:
    watched.post("/finance/texts", json={"texts": [{"title": t, "source": "wire"} for t in BAD]})
    told = watched.get("/metrics").text
    assert 'triptych_finance_texts_total{source="wire"} 3.0' in told
    assert 'triptych_finance_stories_total{sentiment="negative"} 3.0' in told
    assert 'triptych_finance_alerts{state="firing"} 1.0' in told


@pytest.mark.parametrize("path", ["/finance/trends", "/finance/sources"])
def test_an_address_that_is_a_page_and_json_answers_as_it_is_asked(client: TestClient, path: str) -> None:
    assert client.get(path, headers={"Accept": "text/html"}).headers["content-type"].startswith("text/html")
    params = {"dimension": "all"} if path.endswith("trends") else {}
    assert client.get(path, params=params).headers["content-type"] == "application/json"
