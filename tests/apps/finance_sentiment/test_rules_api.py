"""Rules over HTTP and on the command line, on a real store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from apps.__main__ import main
from apps.finance_sentiment.api import create_app
from apps.finance_sentiment.rule_defaults import default_rules
from apps.finance_sentiment.rules_api import EXAMPLE
from apps.finance_sentiment.service import Service, build_service
from apps.finance_sentiment.settings import FinanceSettings
from core.web import WebSettings
from tests.apps.finance_sentiment._reading import WordLabels

R = "/finance/rules"
BAD = ("Tesla pays a fine over brakes", "Tesla shares fall after the recall", "Tesla may miss its target")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(FinanceSettings(home=tmp_path), backend=WordLabels(), web=WebSettings())) as client:
        yield client


def tell(client: TestClient, *titles: str) -> None:
    texts = [{"title": title, "source": f"s{i}"} for i, title in enumerate(titles)]
    assert client.post("/finance/texts", json={"texts": texts}).status_code == 200


def test_the_shipped_rules_are_listed_and_cannot_be_deleted(client: TestClient) -> None:
    items = client.get(R).json()["items"]
    assert [item["rule"]["id"] for item in items] == [rule.id for rule in default_rules()]
    assert all(item["shipped"] for item in items)
    refused = client.delete(f"{R}/{items[0]['rule']['id']}")
    assert refused.status_code == 422 and "Switch it off" in refused.json()["detail"]


def test_a_rule_that_was_put_alerts_on_the_next_texts_and_not_after_it_was_deleted(client: TestClient) -> None:
    put = client.put(f"{R}/tesla", json={**EXAMPLE, "parameters": {"limit": 3}})
    assert put.status_code == 200 and put.json()["shipped"] is False
    tell(client, *BAD)
    [alert] = client.get("/finance/alerts", params={"rule": "tesla"}).json()["items"]
    assert alert["severity"] == "critical"
    assert client.delete(f"{R}/tesla").status_code == 204
    assert client.get(f"{R}/tesla").status_code == 404
    assert client.get(f"/finance/alerts/{alert['id']}").json()["rule"]["name"] == "Bad news on Tesla"


def test_a_shipped_rule_is_changed_and_reset(client: TestClient) -> None:
    first = default_rules()[0]
    changed = {**first.to_json(), "severity": "info", "enabled": False}
    assert client.put(f"{R}/{first.id}", json=changed).json()["rule"]["severity"] == "info"
    assert client.post(f"{R}/{first.id}/reset").json()["rule"] == first.to_json()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({**EXAMPLE, "kind": "magic"}, "magic"),
        ({**EXAMPLE, "limits": 3}, "limits"),
        ({**EXAMPLE, "parameters": {"limit": "many"}}, "limit"),
        ({**EXAMPLE, "window_seconds": 61}, "window_seconds"),
        ({**EXAMPLE, "series": {"dimension": "galaxy"}}, "galaxy"),
        ({}, "name"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused_and_named(client: TestClient, body: dict[str, object], said: str) -> None:
    answer = client.put(f"{R}/mine", json=body)
    assert answer.status_code == 422 and said in answer.json()["detail"]
    assert client.get(f"{R}/mine").status_code == 404


def test_changing_rules_needs_the_admin_key_where_one_is_set(tmp_path: Path) -> None:
    web = WebSettings(admin_key=SecretStr("k" * 20))
    with TestClient(create_app(FinanceSettings(home=tmp_path), backend=WordLabels(), web=web)) as client:
        assert client.get(R).status_code == 200
        assert client.put(f"{R}/mine", json=EXAMPLE).status_code == 401
        key = {"Authorization": f"Bearer {'k' * 20}"}
        assert client.put(f"{R}/mine", json=EXAMPLE, headers=key).status_code == 200


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRIPTYCH_HOME", str(tmp_path))
    return tmp_path


def test_rules_are_put_switched_and_deleted_on_the_command_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = home / "rule.json"
    file.write_text(json.dumps({"id": "tesla", **EXAMPLE}), encoding="utf-8")
    assert main(["finance", "rules", "put", str(file)]) == 0
    assert main(["finance", "rules", "off", "tesla"]) == 0
    capsys.readouterr()
    assert main(["finance", "rules", "show", "tesla"]) == 0
    assert json.loads(capsys.readouterr().out)["enabled"] is False
    assert main(["finance", "rules", "on", "tesla"]) == 0
    assert main(["finance", "rules", "delete", "tesla"]) == 0
    capsys.readouterr()
    assert main(["finance", "rules", "list", "--json"]) == 0
    assert [rule["id"] for rule in json.loads(capsys.readouterr().out)] == [rule.id for rule in default_rules()]


def test_a_list_with_one_bad_rule_changes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = home / "rules.json"
    bad = {"id": "second", **EXAMPLE, "parameters": {"parts": [{"rule": "third"}, {"rule": "first"}]}, "kind": "all"}
    file.write_text(json.dumps([{"id": "first", **EXAMPLE}, bad]), encoding="utf-8")
    assert main(["finance", "rules", "put", str(file)]) == 1
    assert "third" in capsys.readouterr().err
    assert main(["finance", "rules", "show", "first"]) == 1


def test_a_running_service_takes_up_what_another_process_changed(home: Path) -> None:
    service: Service = build_service(FinanceSettings(home=home), WordLabels())
    try:
        assert main(["finance", "rules", "off", default_rules()[0].id]) == 0
        service.tick()
        assert not service.rules()[0].enabled
    finally:
        service.close()
