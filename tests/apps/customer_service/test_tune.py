from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from apps.customer_service.data import Labelled
from apps.customer_service.evaluate_intents import evaluate_intents
from apps.customer_service.intents import ARTIFACT, TUNED_FOLDER, embed
from apps.customer_service.train import Plan, fit_intents, load_intents, plan_tuning, train_intents
from core.backends.base import Encoder
from core.backends.fake import FakeEncoder
from core.errors import InputError
from core.models.artifacts import ArtifactStore
from core.settings import CoreSettings
from core.types import FloatArray, IntArray
from tests.core.finetune.conftest import tiny_encoder

__all__ = ["tiny_encoder"]

SAID = {
    "lost_card": ["i lost my card", "my card is lost", "the card is gone", "where is my card", "i need a new card"],
    "fees": ["what is the fee", "the fee is charged twice", "why was i charged", "charged a fee", "the monthly fee"],
    "transfer": ["where is my transfer", "the transfer was not received", "my transfer is slow", "transfer to London"],
}


def labelled(times: int = 2) -> list[Labelled]:
    ends = ("please", "now", "today", "?")[:times]
    return [Labelled(f"{text} {end}", label) for label, texts in SAID.items() for text in texts for end in ends]


def secret(each: int = 10) -> list[Labelled]:
    """Messages of one word each, no word twice: an encoder that learned nothing cannot tell them apart."""
    endings = list(product("bdfghk", "ptvwxyz"))[:each]
    stems = {"lost_card": "card", "fees": "fee", "transfer": "transfer"}
    return [Labelled(f"{stem}{b}{a}", label) for label, stem in stems.items() for a, b in endings]


class Teller(FakeEncoder):
    """An encoder that learned what `secret` says, or nothing."""

    def __init__(self, knows: bool) -> None:
        super().__init__(32, name="told")
        self.knows = knows

    def encode(self, texts: Sequence[str], *, batch_size: int = 32) -> FloatArray:
        rows = np.ones((len(texts), self.dimension), dtype=np.float32)
        if self.knows:
            for row, text in zip(rows, texts, strict=True):
                kind = 1 if "card" in text else 2 if "fee" in text else 3
                row[:] = np.eye(self.dimension, dtype=np.float32)[kind]
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


class Pretend:
    """A tuner that notes what it was given."""

    def __init__(self, knows: bool = True) -> None:
        self.encoder, self.given = Teller(knows), list[int]()

    def __call__(self, texts: Sequence[str], classes: IntArray, k: int, folder: Path) -> Encoder:
        self.given.append(len(texts))
        assert len(texts) == len(classes)
        assert k == 3
        return self.encoder


def test_with_few_examples_two_quarters_are_judged_and_all_are_learned_from(tmp_path: Path) -> None:
    tuner = Pretend()
    rows = secret(8)
    trained = fit_intents(rows, [FakeEncoder()], plan=Plan(tuner, few=True), folder=tmp_path)
    names = 3
    assert tuner.given == [len(rows) * 3 // 4 + names, len(rows) * 3 // 4 + names, len(rows) + names]
    assert trained.classifier.tuned
    assert trained.held_out["tuned_merit"] > trained.held_out["plain_merit"]


def test_with_many_examples_a_tenth_stays_held_out(tmp_path: Path) -> None:
    tuner = Pretend()
    rows = secret(20)
    fit_intents(rows, [FakeEncoder()], plan=Plan(tuner, few=False), folder=tmp_path)
    assert len(tuner.given) == 1
    assert len(rows) * 0.8 < tuner.given[0] - 3 < len(rows) * 0.95


def test_a_tuned_encoder_that_does_not_help_is_dropped_unless_it_was_asked_for(tmp_path: Path) -> None:
    rows, plain = labelled(), [FakeEncoder()]
    offered = fit_intents(rows, plain, plan=Plan(Pretend(knows=False), few=True), folder=tmp_path)
    asked = fit_intents(rows, plain, plan=Plan(Pretend(knows=False), few=True, always=True), folder=tmp_path)
    assert (offered.classifier.tuned, asked.classifier.tuned) == (False, True)
    assert [e.name for e in asked.classifier.encoders] == ["told", "fake"]


def test_the_tuned_encoder_weighs_most() -> None:
    rows = embed([FakeEncoder(8), FakeEncoder(8, name="b")], ["lost card"], tuned=True)
    assert np.linalg.norm(rows[0, :8]) > 1.9 * np.linalg.norm(rows[0, 8:])


def test_without_tuning_nothing_is_planned() -> None:
    assert plan_tuning(labelled(), CoreSettings(), "off") is None


def test_an_encoder_that_is_no_transformer_is_not_tuned(tmp_path: Path) -> None:
    settings = CoreSettings(home=tmp_path, encoder="use-m3")
    assert plan_tuning(labelled(), settings, "auto") is None
    plan = plan_tuning(labelled(), settings, "contrastive")
    assert plan is not None
    with pytest.raises(InputError, match="cannot be fine-tuned"):
        fit_intents(labelled(), [FakeEncoder()], plan=plan, folder=tmp_path)


def test_how_many_examples_an_intent_has_decides_how_it_is_tuned(tiny_encoder: Path, tmp_path: Path) -> None:
    settings = CoreSettings(home=tmp_path, encoder=str(tiny_encoder))
    few = plan_tuning(labelled(2), settings, "auto")
    many = plan_tuning(
        [Labelled(f"{row.text} {i}", row.label) for row in labelled(4) for i in range(3)], settings, "auto"
    )
    asked = plan_tuning(labelled(2), settings, "full")
    assert few is not None
    assert many is not None
    assert asked is not None
    assert (few.few, many.few, asked.few) == (True, False, False)
    assert (few.always, asked.always) == (False, True)


def write(path: Path, rows: list[Labelled]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows((row.text, row.label) for row in rows)
    return path


@pytest.fixture(scope="module")
def published(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> CoreSettings:
    home = tmp_path_factory.mktemp("home")
    settings = CoreSettings(home=home, encoder=str(tiny_encoder))
    report = train_intents(write(home / "t.csv", labelled()), settings, encoders=[FakeEncoder()], tuning="full")
    assert report["tuned"] is True
    return settings


def test_a_tuned_classifier_is_published_whole_and_comes_back(published: CoreSettings) -> None:
    artifact = ArtifactStore(published.models_folder).resolve(ARTIFACT)
    assert (artifact.folder / TUNED_FOLDER / "model.onnx").is_file()
    assert artifact.manifest.values["metadata"]["tuned"] is True
    loaded = load_intents(published, [FakeEncoder()])
    assert loaded is not None
    assert [e.name for e in loaded.encoders] == ["intents-int8", "fake"]
    assert loaded.classify(["i lost my card"])[0].nearest == "lost_card"


def test_a_tuned_classifier_is_served_without_torch(published: CoreSettings) -> None:
    code = """
import sys
from pathlib import Path
from apps.customer_service.train import load_intents
from core.backends.fake import FakeEncoder
from core.settings import CoreSettings
found = load_intents(CoreSettings(home=Path(sys.argv[1])), [FakeEncoder()])
heavy = ("torch", "transformers", "sklearn")
print(found.classify(["i lost my card"])[0].nearest, [m for m in heavy if m in sys.modules])
"""
    said = subprocess.run([sys.executable, "-c", code, str(published.home)], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "lost_card []"


def test_evaluation_says_whether_an_encoder_was_tuned(tiny_encoder: Path, tmp_path: Path) -> None:
    settings = CoreSettings(home=tmp_path, encoder=str(tiny_encoder))
    train, test = write(tmp_path / "a.csv", labelled()), write(tmp_path / "b.csv", labelled(3))
    figures = evaluate_intents(train, test, settings, encoders=[FakeEncoder()], tuning="full")
    assert figures["tuned"] == 1
    assert evaluate_intents(train, test, settings, encoders=[FakeEncoder()])["tuned"] == 0
