from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from core.backends import open_heads
from core.backends.reloading import Reloading
from core.errors import InputError
from core.export.headed import export_headed
from core.models.artifacts import ArtifactStore
from core.settings import CoreSettings
from core.web import WebSettings, create_web_app
from core.web.published import Shelf, published_part
from tests.core.export.conftest import MULTI, SCORE, SINGLE, TOKEN, Make, headed, tiny_decoder, tiny_encoder

__all__ = ["headed", "tiny_decoder", "tiny_encoder"]

TEXT = "i lost my card"


def put(home: Path, name: str, folder: Path, kind: str) -> None:
    def build(target: Path) -> None:
        export_headed(folder, {"fp32": target}, name=name)

    ArtifactStore(home / "models").publish(name, build, kind=kind)


@pytest.fixture(scope="module")
def home(headed: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    put(folder, "topics", headed("encoder", SINGLE, MULTI), "classifier")
    put(folder, "names", headed("encoder", TOKEN), "tagger")
    put(folder, "answers", headed("encoder", SCORE), "reranker")
    return folder


def client(home: Path, **settings: Any) -> TestClient:
    web = WebSettings(**settings)
    return TestClient(create_web_app("Test", [published_part(CoreSettings(home=home), web)], web))


def test_every_kind_of_model_answers_over_http(home: Path) -> None:
    with client(home) as http:
        assert [(m["name"], m["kind"]) for m in http.get("/models").json()] == [
            ("answers", "reranker"),
            ("names", "tagger"),
            ("topics", "classifier"),
        ]
        said = http.post("/models/topics/predict", json={"texts": [TEXT, ""]}).json()
        assert said["version"] == "0001" and len(said["results"]) == 2
        assert said["results"][0]["labels"]["label"][0]["label"] in SINGLE.labels
        scored = http.post("/models/answers/predict", json={"texts": [TEXT], "pairs": ["a new card"]}).json()
        assert 0 <= scored["results"][0]["labels"]["score"][0]["probability"] <= 1
        found = http.post("/models/names/predict", json={"texts": [TEXT]}).json()["results"][0]["entities"]
        assert all(0 <= each["start"] < each["end"] <= len(TEXT) for each in found)


def test_wrong_requests_say_what_is_wrong(home: Path) -> None:
    with client(home) as http:
        for path, body, status, words in (
            ("nothing", {"texts": [TEXT]}, 404, "No model 'nothing'"),
            ("topics", {"texts": []}, 422, "texts"),
            ("topics", {"texts": ["x" * 20_001]}, 422, "texts"),
            ("topics", {"texts": [TEXT], "pairs": ["a"]}, 422, "not trained on pairs"),
            ("answers", {"texts": [TEXT]}, 422, "reads pairs"),
            ("answers", {"texts": [TEXT, TEXT], "pairs": ["a"]}, 422, "every text needs one"),
            ("..%2f..%2fetc", {"texts": [TEXT]}, 404, ""),
        ):
            answer = http.post(f"/models/{path}/predict", json=body)
            assert answer.status_code == status and words in answer.text, (path, answer.text)


def test_with_an_admin_key_models_answer_only_who_sends_it(home: Path) -> None:
    with client(home, admin_key=SecretStr("s3cret")) as http:
        assert http.post("/models/topics/predict", json={"texts": [TEXT]}).status_code == 401
        key = {"Authorization": "Bearer s3cret"}
        assert http.post("/models/topics/predict", json={"texts": [TEXT]}, headers=key).status_code == 200


def test_a_version_published_meanwhile_is_taken_up_and_no_request_is_dropped(home: Path, headed: Make) -> None:
    put(home, "live", headed("encoder", SINGLE), "classifier")
    seen: list[tuple[int, str]] = []
    stop = threading.Event()
    with client(home, chat_rate_limit="") as http:

        def ask() -> None:
            while not stop.is_set():
                answer = http.post("/models/live/predict", json={"texts": [TEXT]})
                seen.append((answer.status_code, answer.json().get("version", "")))

        asking = [threading.Thread(target=ask) for _ in range(2)]
        for thread in asking:
            thread.start()
        put(home, "live", headed("encoder", SINGLE), "classifier")
        for _ in range(60):
            if any(version == "0002" for _, version in seen[-4:]):
                break
            stop.wait(0.1)
        stop.set()
        for thread in asking:
            thread.join()
    assert {status for status, _ in seen} == {200}
    assert {version for _, version in seen} == {"0001", "0002"}


def test_a_tampered_model_is_refused(home: Path, headed: Make) -> None:
    put(home, "tampered", headed("encoder", SINGLE), "classifier")
    graph = home / "models" / "tampered" / "versions" / "0001" / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    with client(home) as http:
        answer = http.post("/models/tampered/predict", json={"texts": [TEXT]})
    assert answer.status_code == 500 and "differs from its manifest" in answer.text


def test_a_name_is_that_name_and_no_other(
    home: Path, headed: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "topics", headed("encoder", SINGLE), "classifier")
    put(tmp_path, "topics-int8", headed("encoder", MULTI), "classifier")
    put(tmp_path, "names-int8", headed("encoder", TOKEN), "tagger")
    (tmp_path / "topics").mkdir()  # a folder of that name where the server runs
    monkeypatch.chdir(tmp_path)
    with client(tmp_path) as http:
        for name, head in (("topics", SINGLE.name), ("topics-int8", MULTI.name)):
            said = http.post(f"/models/{name}/predict", json={"texts": [TEXT]}).json()
            assert said["model"] == name and list(said["results"][0]["labels"]) == [head]
        assert http.post("/models/names/predict", json={"texts": [TEXT]}).status_code == 404


def test_the_version_in_an_answer_is_the_one_that_answered(home: Path, headed: Make, tmp_path: Path) -> None:
    put(tmp_path, "live", headed("encoder", SINGLE), "classifier")
    model = Reloading(lambda artifact: artifact.folder, ArtifactStore(tmp_path / "models"), "live", every=0.0)
    with model.use() as (folder, version):
        put(tmp_path, "live", headed("encoder", SINGLE), "classifier")
        with model.use() as (later, other):
            assert (later.name, other) == ("0002", "0002") and model.version == "0002"
        assert (folder.name, version) == ("0001", "0001")


def test_a_version_of_another_kind_leaves_the_old_one_answering(home: Path, headed: Make, tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "models")
    put(tmp_path, "live", headed("encoder", SINGLE), "classifier")
    model = Reloading(partial(open_heads, CoreSettings(home=tmp_path)), store, "live", every=0.0)
    put(tmp_path, "live", headed("encoder", SINGLE), "encoder")
    for _ in range(2):
        with model.use() as (heads, version):
            assert version == "0001" and heads.labels([TEXT])


def test_opening_one_model_keeps_no_other_waiting(home: Path, tmp_path: Path, headed: Make) -> None:
    put(tmp_path, "slow", headed("encoder", SINGLE), "classifier")
    put(tmp_path, "fast", headed("encoder", SINGLE), "classifier")
    shelf = Shelf(CoreSettings(home=tmp_path))
    manifest = tmp_path / "models" / "slow" / "versions" / "0001" / "manifest.json"
    told = manifest.read_bytes()
    manifest.unlink()
    os.mkfifo(manifest)  # reading it waits for a writer: a model that is slow to open
    found: list[str] = []
    opening = threading.Thread(target=lambda: found.append(shelf.say("slow", [TEXT]).version))
    opening.start()
    answering = threading.Thread(target=lambda: found.append(shelf.say("fast", [TEXT]).model))
    answering.start()
    answering.join(timeout=10)
    held = opening.is_alive()
    manifest.write_bytes(told)
    opening.join(timeout=10)
    answering.join(timeout=10)
    assert found == ["fast", "0001"] and held


def test_what_cannot_be_opened_pushes_nothing_off_the_shelf(home: Path, headed: Make, tmp_path: Path) -> None:
    put(tmp_path, "good", headed("encoder", SINGLE), "classifier")
    put(tmp_path, "encoder", headed("encoder", SINGLE), "encoder")
    shelf = Shelf(CoreSettings(home=tmp_path), most=1)
    shelf.say("good", [TEXT])
    with pytest.raises(InputError, match="published encoder"):
        shelf.say("encoder", [TEXT])
    assert list(shelf._open) == ["good"]


def test_only_so_many_models_stay_open(home: Path) -> None:
    shelf = Shelf(CoreSettings(home=home), most=1)
    for name in ("topics", "answers", "topics"):
        shelf.model(name)
    assert list(shelf._open) == ["topics"]
