from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from apps.finance_sentiment.clusters import StoryIndex
from apps.finance_sentiment.rows import DAY, HOUR, Reading, epoch
from apps.finance_sentiment.schemas import Labels
from apps.finance_sentiment.store import Store
from apps.finance_sentiment.trends_api import trends_router
from core.web import Part, WebSettings, create_web_app
from tests.apps.finance_sentiment._texts import BAD, GOOD, START, reading

NOW = epoch(START) + 2 * HOUR
MILD = Labels(0.5, 0.4, 0.1, {"earnings": 0.8})


class History:
    """What the routes need of the service."""

    minute_days = 35

    def __init__(self, store: Store) -> None:
        self.store = store

    def names(self) -> Mapping[str, tuple[str, str]]:
        return {"US:AAA": ("Triple A", "三甲")}


def texts() -> list[Reading]:
    told = [
        reading("1", "regulator opens probe into loans at Triple A bank today", minute=1, companies={"US:AAA": 0.9}),
        reading(
            "2",
            "record sales lift Triple A well above guidance again",
            minute=2,
            labels=GOOD,
            companies={"US:AAA": 0.9},
        ),
        reading(
            "3",
            "regulator opens probe into loans at Triple A bank today",
            minute=61,
            source="blog",
            companies={"US:AAA": 0.9},
        ),
        reading(
            "4", "Other Corp warns that orders slipped a little", minute=90, labels=MILD, companies={"HK:0001": 0.8}
        ),
        reading(
            "5",
            "two firms part: Triple A suffers and Other Corp gains",
            minute=-1500,
            labels=BAD,
            companies={"US:AAA": 0.9, "HK:0001": 0.9},
            by_entity={"HK:0001": GOOD},
        ),
    ]
    told[0] = replace(told[0], text=replace(told[0].text, url="javascript:alert(1)", body="x" * 1000))
    return told


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder: Path = tmp_path_factory.mktemp("trends")
    with Store.open(f"sqlite:///{folder / 'desk.db'}") as store:
        store.record(texts(), StoryIndex(3 * DAY, 0.6), 0.3)
        history = History(store)
        part = Part(
            "finance-sentiment",
            "/finance/",
            {"en": "F"},
            {"en": "F"},
            [trends_router(lambda: history, lambda: NOW)],
            dict,
        )
        with TestClient(create_web_app("test", [part], WebSettings())) as opened:
            yield opened


def get(client: TestClient, path: str, **query: Any) -> Any:
    answer = client.get(f"/finance/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refusal(client: TestClient, path: str, **query: Any) -> str:
    answer = client.get(f"/finance/{path}", params=query or None)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["detail"])


def test_every_bucket_is_there_and_a_story_counts_once(client: TestClient) -> None:
    found = get(client, "trends", start=NOW - 2 * HOUR, end=NOW, bucket=3600)
    (series,) = found["series"]
    assert [(b["start"], b["stories"], b["texts"], b["negative"], b["positive"]) for b in series["buckets"]] == [
        (NOW - 2 * HOUR, 2, 2, 1, 1),
        (NOW - HOUR, 1, 2, 1, 0),
    ]
    assert series["buckets"][0]["share_negative"] == 0.5
    assert series["buckets"][0]["mean_score"] == 0.0
    empty = get(client, "trends", dimension="topic", value="cyber", start=NOW - HOUR, end=NOW, bucket=60)
    assert len(empty["series"][0]["buckets"]) == 60
    assert {b["texts"] for b in empty["series"][0]["buckets"]} == {0}


def test_several_series_come_in_the_order_asked_over_the_same_buckets(client: TestClient) -> None:
    found = get(client, "trends", dimension="entity", value=["HK:0001", "US:AAA", "US:ZZZ"])
    assert [s["value"] for s in found["series"]] == ["HK:0001", "US:AAA", "US:ZZZ"]
    assert {len(s["buckets"]) for s in found["series"]} == {(found["end"] - found["start"]) // found["bucket"]}


def test_auto_takes_longer_buckets_where_stories_are_few(client: TestClient) -> None:
    assert get(client, "trends")["bucket"] == 3600
    assert get(client, "trends", dimension="topic", value="cyber")["bucket"] == 900


def test_the_map_names_the_greatest_first_with_change_and_cells(client: TestClient) -> None:
    found = get(client, "heatmap", start=NOW - DAY, end=NOW)
    assert [(r["value"], r["stories"], r["negative"]) for r in found["rows"]] == [("US:AAA", 2, 1), ("HK:0001", 1, 1)]
    assert found["rows"][0]["change"] == {"stories": 1, "share_negative": -0.5, "mean_score": 0.75}
    assert found["rows"][1]["change"]["share_negative"] == 1.0
    assert found["bucket"] == HOUR
    assert len(found["rows"][0]["cells"]) == 24
    assert found["rows"][0]["cells"][-2:] == [[2, 1, 0.0], [0, 0, 0.0]]
    assert get(client, "heatmap", limit=1)["values"] == 2
    assert get(client, "heatmap", start="2000-01-01", end="2000-01-02")["rows"] == []


def test_texts_are_those_of_the_series_with_the_sentiment_that_counted_there(client: TestClient) -> None:
    found = get(client, "texts", dimension="entity", value="HK:0001", start=NOW - 2 * DAY, end=NOW)["texts"]
    assert [(t["title"][:9], t["sentiment"]) for t in found] == [("Other Cor", "negative"), ("two firms", "positive")]
    worst = get(client, "texts", order="most_negative", start=NOW - DAY, end=NOW)["texts"]
    assert [t["score"] for t in worst] == [-0.75, -0.4, 0.75]
    assert worst[0]["copies"] == 2
    good = get(client, "texts", sentiment="positive", start=NOW - DAY, end=NOW)["texts"]
    assert [t["score"] for t in good] == [0.75]
    assert len(get(client, "texts", copies=True, start=NOW - DAY, end=NOW)["texts"]) == 4


def test_a_text_is_cut_in_lists_and_never_carries_a_link_that_runs(client: TestClient) -> None:
    (text,) = [t for t in get(client, "texts", start=NOW - DAY)["texts"] if t["copies"] == 2]
    assert (len(text["body"]), text["cut"], text["url"]) == (600, True, "")
    story = get(client, f"stories/{text['story']}")
    assert [(t["source"], t["first"]) for t in story["texts"]] == [("wire", True), ("blog", False)]
    assert len(story["texts"][0]["body"]) == 1000


def test_names_are_of_topics_companies_and_what_was_seen(client: TestClient) -> None:
    found = get(client, "names")
    assert found["entities"] == [{"value": "US:AAA", "en": "Triple A", "zh": "三甲"}]
    assert {"value": "credit", "en": "Credit and default", "zh": "信用与违约"} in found["topics"]
    assert (found["sources"], found["languages"]) == (["blog", "wire"], ["en"])


def test_what_cannot_be_answered_is_refused_with_the_reason(client: TestClient) -> None:
    assert "value=" in refusal(client, "trends", dimension="entity")
    assert "'all' has no values" in refusal(client, "trends", value="x")
    assert "13 values are too many" in refusal(client, "trends", dimension="topic", value=[str(n) for n in range(13)])
    assert "no topic" in refusal(client, "trends", dimension="topic", value="a\x00b")
    assert "no entity" in refusal(client, "trends", dimension="entity", value="x" * 201)
    assert "outside the years" in refusal(client, "texts", start="12")
    assert "not before" in refusal(client, "heatmap", start=NOW, end=NOW)
    assert "bucket" in refusal(client, "trends", bucket="61")
    for path in (
        "trends?dimension=mood",
        "heatmap?dimension=all",
        "heatmap?limit=0",
        "texts?limit=201",
        "texts?sentiment=sad",
        "texts?order=random",
        "stories/0",
        f"stories/{2**63}",
        "stories/x",
    ):
        refusal(client, path)
    missing = client.get("/finance/stories/999")
    assert (missing.status_code, "no story 999" in missing.json()["detail"]) == (404, True)
