from __future__ import annotations

import json
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from core.backends import load_heads, open_heads
from core.errors import ArtifactDamaged, Conflict
from core.finetune.flow.learn import Learned, learn
from core.finetune.flow.publish import Published, changed, commit, publish
from core.finetune.runs import Run
from core.models.artifacts import ArtifactStore
from core.settings import CoreSettings
from tests.core.finetune.files import labelled_csv, request


def trained(backbone: Path, folder: Path, name: str, **more: Any) -> tuple[Learned, Any]:
    file = folder / "t.csv"
    if not file.is_file():
        labelled_csv(file)
        labelled_csv(folder / "v.csv", 30, seed=5)
    asked = request(backbone, file, folder / "v.csv", **more)
    return learn(asked, Run(folder / "runs" / name), cache=folder / "cache"), asked.args


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def good(tiny_encoder: Path, home: Path) -> tuple[Learned, Any]:
    return trained(tiny_encoder, home, "good")


@pytest.fixture(scope="module")
def published(good: tuple[Learned, Any], home: Path) -> Published:
    return publish(*good, ArtifactStore(home / "models"), "topics")


def test_what_is_published_is_proved_measured_and_served_without_torch(
    published: Published, good: tuple[Learned, Any], home: Path
) -> None:
    assert published.artifact.version == "0001" and published.parity["passed"] is True
    assert published.exported is not None and published.exported.figures["accuracy"] > 0.7
    heads = load_heads(CoreSettings(home=home), "topics")
    rows = good[0].data.test
    said = [found["label"][0].label for found in heads.labels([row.text for row in rows])]
    assert sum(a == row.label() for a, row in zip(said, rows, strict=True)) > 0.7 * len(rows)


def test_the_card_says_data_base_options_figures_parity_hardware_and_commit(
    published: Published, good: tuple[Learned, Any]
) -> None:
    text = (published.artifact.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert good[0].data.report.fingerprint in text and good[0].data.test_fingerprint in text
    for part in ("Licence of the base model", "| epochs | 10 |", "| transfer | ", "threads", "ece"):
        assert part in text, part
    assert "curves.png" in text and (published.artifact.folder / "curves.png").stat().st_size > 1000
    assert (commit() or "no checkout") in text or commit() is None
    assert changed(good[1])["epochs"] == 10.0 and "weight_decay" not in changed(good[1])
    assert published.artifact.manifest.source["data"] == good[0].data.report.fingerprint


def test_a_worse_model_is_not_put_in_force_unless_forced_and_can_be_rolled_back(
    published: Published, tiny_encoder: Path, home: Path
) -> None:
    store = ArtifactStore(home / "models")
    worse = trained(tiny_encoder, home, "worse", max_steps=1)
    with pytest.raises(Conflict, match=r"topics 0001, which is in force, scored [01]\.\d+ on"):
        publish(*worse, store, "topics")
    assert store.current("topics") == "0001" and not list((home / "models" / "topics").glob(".building-*"))
    assert publish(*worse, store, "topics", force=True).artifact.version == "0002"
    assert store.rollback("topics").version == "0001"


def test_a_tampered_model_is_refused_by_its_hash(good: tuple[Learned, Any], tmp_path: Path) -> None:
    artifact = publish(*good, ArtifactStore(tmp_path / "models"), "topics", precision="fp32").artifact
    file = artifact.folder / "task.json"
    told = json.loads(file.read_text(encoding="utf-8"))
    told["heads"][0]["labels"].reverse()
    file.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    with pytest.raises(ArtifactDamaged, match=r"task\.json differs"):
        load_heads(CoreSettings(home=tmp_path), "topics")


def test_publishing_while_others_ask_drops_no_request(
    published: Published, good: tuple[Learned, Any], home: Path
) -> None:
    from core.backends.reloading import Reloading

    store, settings = ArtifactStore(home / "models"), CoreSettings(home=home)
    heads = Reloading(partial(open_heads, settings), store, "topics", every=0.01)
    started, stop = store.current("topics"), threading.Event()
    answers: list[str] = []
    problems: list[BaseException] = []

    def ask() -> None:
        while not stop.is_set():
            try:
                with heads.use() as (model, _):
                    answers.append(model.labels(["i lost my card"])[0]["label"][0].label)
            except BaseException as error:
                problems.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        publish(*good, store, "topics", force=True)
    while heads.version != store.current("topics") and not problems:
        stop.wait(0.01)
    stop.set()
    for thread in threads:
        thread.join()
    assert not problems and set(answers) == {"card"}
    assert store.current("topics") != started and heads.version == store.current("topics")
