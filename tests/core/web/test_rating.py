from __future__ import annotations

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from core.evaluate.ratings import RatingLog
from core.web import WebSettings
from core.web.rating import create_rating_app
from tests.core.evaluate.human_parts import task


@pytest.fixture
def log(tmp_path: Path) -> RatingLog:
    return RatingLog(tmp_path / "r.jsonl", task(3), ["anna", "ben"])


def client(log: RatingLog, web: WebSettings | None = None) -> TestClient:
    return TestClient(create_rating_app(log, web or WebSettings()), raise_server_exceptions=False)


def rate_all(http: TestClient, rater: str, verdict: Any = "left") -> int:
    count = 0
    found = http.get("/rating/next", params={"rater": rater}).json()
    while found["unit"]:
        body = {"rater": rater, "unit": found["unit"]["unit"], "verdict": verdict}
        found = http.post("/rating/ratings", json=body).json()
        count += 1
    return count


def test_the_page_is_served_under_the_suites_policy(log: RatingLog) -> None:
    with client(log) as http:
        page = http.get("/rating/")
        assert page.status_code == 200
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert http.get("/rating").url.path == "/rating/"
        for name in ("rating.js", "rating-words.js", "rating-server.js", "rating-results.js", "rating.css"):
            assert http.get(f"/static/core/{name}").status_code == 200
        assert http.get("/readyz").json()["apps"][0]["path"] == "/rating/"


def test_a_rater_goes_through_everything_blind(log: RatingLog) -> None:
    with client(log) as http:
        assert http.get("/rating/task").json() == {
            "mode": "pairwise", "units": 3, "raters": ["anna", "ben"], "steps": 5,
        }  # fmt: skip
        reply = http.get("/rating/next", params={"rater": "anna"})
        assert reply.headers["cache-control"] == "no-store"
        assert not any(system in reply.text for system in log.task.systems)
        unit = reply.json()["unit"]
        shown = log.task.shown("anna", unit["unit"])
        assert unit["answers"] == [log.task.units[unit["unit"]].item.answers[system] for system in shown]
        assert rate_all(http, "anna") == 3
        assert http.get("/rating/progress").json() == {"total": 3, "raters": {"anna": 3, "ben": 0}, "finished": False}
    assert all(rating.verdict == "left" for rating in log.ratings())


def test_a_rating_may_be_looked_at_again_and_changed(log: RatingLog) -> None:
    key = log.task.order("anna")[0]
    with client(log) as http:
        http.post("/rating/ratings", json={"rater": "anna", "unit": key, "verdict": "left"})
        assert http.get(f"/rating/units/{key}", params={"rater": "anna"}).json()["verdict"] == "left"
        assert http.get(f"/rating/units/{key}", params={"rater": "ben"}).json()["verdict"] is None
        found = http.post("/rating/ratings", json={"rater": "anna", "unit": key, "verdict": "equal"}).json()
    assert found["done"] == 1
    assert [rating.preferred for rating in log.ratings()] == [None]


def test_results_wait_until_every_rater_is_done(log: RatingLog) -> None:
    with client(log) as http:
        rate_all(http, "anna")
        for path in ("results", "export.csv", "export.json"):
            reply = http.get(f"/rating/{path}")
            assert reply.status_code == 409
            assert "every rater is done" in reply.json()["detail"]
        rate_all(http, "ben", "right")
        assert set(http.get("/rating/results").json()["systems"]) == {"base", "tuned"}
        table = http.get("/rating/export.csv")
        assert table.headers["content-type"].startswith("text/csv")
        assert len(list(csv.reader(io.StringIO(table.text)))) == 7
        assert len(http.get("/rating/export.json").json()["ratings"]) == 6


def test_with_an_admin_key_the_results_are_its_holders_at_any_time(log: RatingLog) -> None:
    with client(log, WebSettings(admin_key=SecretStr("secret"))) as http:
        key = log.task.order("anna")[0]
        http.post("/rating/ratings", json={"rater": "anna", "unit": key, "verdict": "left"})
        assert http.get("/rating/results").status_code == 401
        assert http.get("/rating/results", headers={"Authorization": "Bearer secret"}).json()["ratings"] == 1


def test_a_scale_shows_one_answer_at_a_time(tmp_path: Path) -> None:
    log = RatingLog(tmp_path / "r.jsonl", task(2, ("a", "b", "c")))
    with client(log) as http:
        assert len(http.get("/rating/next", params={"rater": "任何人"}).json()["unit"]["answers"]) == 1
        assert rate_all(http, "任何人", 4) == 6
        assert http.get("/rating/results").json()["systems"]["b"]["mean"]["value"] == 4.0


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"rater": "eve"}, 422, "no rater 'eve'"),
        ({"rater": ""}, 422, "1 to 40"),
        ({"rater": "x" * 500}, 422, "rater"),
        ({"unit": "0" * 16}, 404, "nothing '0000"),
        ({"verdict": "best"}, 422, "verdict"),
        ({"verdict": 3}, 422, "left, right or equal"),
        ({"verdict": "3"}, 422, "verdict"),
        ({"verdict": True}, 422, "verdict"),
        ({"verdict": 2.0}, 422, "verdict"),
        ({"verdict": None}, 422, "verdict"),
        ({"unit": None}, 422, "unit"),
    ],
)
def test_a_wrong_rating_is_refused_and_not_kept(log: RatingLog, change: dict[str, Any], status: int, said: str) -> None:
    body = {"rater": "anna", "unit": next(iter(log.task.units)), "verdict": "left", **change}
    with client(log) as http:
        reply = http.post("/rating/ratings", json=body)
    assert reply.status_code == status
    assert said in reply.text
    assert not log.path.exists()


def test_rubbish_and_huge_bodies_are_refused(log: RatingLog) -> None:
    with client(log) as http:
        assert http.post("/rating/ratings", content=b"{").status_code == 422
        assert http.post("/rating/ratings", content=b"x" * 100_000).status_code == 413
        assert http.get("/rating/next").status_code == 422
        assert http.get("/rating/next", params={"rater": "eve"}).status_code == 422
        assert http.get("/rating/units/nope", params={"rater": "anna"}).status_code == 404
        other = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
        assert http.post("/rating/ratings", json={}, headers=other).status_code == 403


def test_many_raters_at_once_lose_nothing(tmp_path: Path) -> None:
    log = RatingLog(tmp_path / "r.jsonl", task(12))
    with client(log) as http, ThreadPoolExecutor(6) as pool:
        assert list(pool.map(lambda n: rate_all(http, f"rater {n}", "equal"), range(6))) == [12] * 6
    again = RatingLog(log.path, task(12))
    assert (len(again.ratings()), again.unreadable, again.finished()) == (72, 0, True)


def test_a_disk_that_does_not_take_the_rating_is_503(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    log = RatingLog(tmp_path / "file" / "r.jsonl", task(1))
    with client(log) as http:
        body = {"rater": "anna", "unit": next(iter(log.task.units)), "verdict": "left"}
        reply = http.post("/rating/ratings", json=body)
        assert http.get("/readyz").status_code == 503
    assert reply.status_code == 503
    assert "was not saved" in reply.json()["detail"]
