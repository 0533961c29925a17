from __future__ import annotations

import numpy as np
import pytest

from apps.finance_sentiment.examples import Example
from apps.finance_sentiment.model import ARTIFACTS, FinanceModel, by_name
from apps.finance_sentiment.publish import publish
from apps.finance_sentiment.train_heads import Lesson, Plan, Trained, fit_tasks
from apps.finance_sentiment.tune import TRANSFORMER, Tuner
from core.backends.fake import FakeEncoder
from core.models.artifacts import ArtifactStore
from core.settings import CoreSettings
from tests.core.backends import tiny_encoder

WORDS = {"negative": "lost charged twice", "neutral": "what is the account", "positive": "card received"}
ENCODERS = (FakeEncoder(16, name="english-int8"), FakeEncoder(16, name="multilingual-int8"))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> CoreSettings:
    return CoreSettings(home=tmp_path_factory.mktemp("home"), encoder=str(tiny_encoder.source()), threads=1)


@pytest.fixture(scope="module")
def tuner(settings: CoreSettings) -> Tuner:
    quick = TRANSFORMER.model_copy(update={"epochs": 6.0, "learning_rate": 2e-3, "max_tokens": 32})
    return Tuner(settings, transformer=quick)


@pytest.fixture(scope="module")
def trained(settings: CoreSettings, tuner: Tuner) -> Trained:
    rows = [Example(f"{words} {i}", (label,)) for label, words in WORDS.items() for i in range(16)]
    topics = [Example(row.text, ("fees",) if "charged" in row.text else ("cards", "mail")) for row in rows]
    folder = settings.home / "tuned"
    plan = Plan(tuner, always=True, again=False, share=4)
    return fit_tasks({"sentiment": rows, "topics": topics}, ENCODERS, plan=plan, folder=folder)


def test_one_encoder_learns_both_tasks_and_serves_both_in_one_pass(trained: Trained) -> None:
    sentiment, topics = trained.readings["sentiment", "en"], trained.readings["topics", "en"]
    assert sentiment.tuned[0] is topics.tuned[0]
    assert sentiment.encoder == ""
    found = FinanceModel(trained.readings, by_name(ENCODERS)).label(
        ["lost charged twice 40", "card received 41"], ["en"] * 2
    )
    assert [labels.sentiment for labels in found] == ["negative", "positive"]
    assert list(found[0].topics) == ["fees"]
    assert set(found[1].topics) == {"cards", "mail"}


def test_a_published_tuned_encoder_is_opened_once_for_both_heads(settings: CoreSettings, trained: Trained) -> None:
    store = ArtifactStore(settings.models_folder)
    for task in ARTIFACTS:
        publish(task, trained, store, {}, settings.home / "tuned")
    model = FinanceModel.load(settings, encoders=ENCODERS)
    assert model.readings["sentiment", "en"].tuned[0] is model.readings["topics", "en"].tuned[0]
    before = FinanceModel(trained.readings, by_name(ENCODERS)).label(["card received"], ["en"])[0]
    assert model.label(["card received"], ["en"])[0].positive == pytest.approx(before.positive, abs=0.01)


def test_a_label_that_the_training_texts_lack_is_unlikely(tuner: Tuner) -> None:
    targets = np.array([[True, False, False], [False, False, True]] * 8)
    lesson = Lesson(("a", "b", "c"), "multi", targets)
    logits = tuner("en", ["lost card", "what fee"] * 8, {"topics": lesson}).logits(["lost card"])["topics"]
    assert logits.shape == (1, 3)
    assert logits[0, 1] < -5
