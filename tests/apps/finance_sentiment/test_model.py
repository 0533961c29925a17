from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from apps.finance_sentiment.model import ARTIFACTS, FinanceModel, by_name, family, plain_name
from apps.finance_sentiment.publish import publish
from apps.finance_sentiment.sentences import MOST, PART, WHOLE, parts, spread, whole_sentiment, whole_topics
from apps.finance_sentiment.train_heads import Trained, fit_tasks
from core.backends.fake import FakeEncoder
from core.errors import ArtifactDamaged, InputError, ModelNotPrepared
from core.models.artifacts import ArtifactStore
from core.settings import CoreSettings
from tests.apps.finance_sentiment._labels import ENCODERS, sentiment_rows, topic_rows


class Counting(FakeEncoder):
    """Counts the texts it reads."""

    read = 0

    def encode(self, texts, *, batch_size=32):  # type: ignore[no-untyped-def]
        self.read += len(texts)
        return super().encode(texts, batch_size=batch_size)


@pytest.fixture(scope="module")
def trained() -> Trained:
    rows = [*sentiment_rows("en"), *sentiment_rows("zh")]
    topics = [*topic_rows("en"), *topic_rows("zh")]
    return fit_tasks({"sentiment": rows, "topics": topics}, ENCODERS)


@pytest.fixture
def model(trained: Trained) -> FinanceModel:
    return FinanceModel(trained.readings, by_name(ENCODERS))


def test_texts_of_both_languages_get_sentiment_and_topics_in_their_order(model: FinanceModel) -> None:
    texts = ["Kestrel profit fell sharply 9", "科锐 净利润大幅增长 9", "Lorne a meeting will be held 4"]
    found = model.label(texts, ["en", "zh", "en"])
    assert [labels.sentiment for labels in found] == ["negative", "positive", "neutral"]
    assert "earnings" in found[0].topics
    for labels in found:
        assert labels.negative + labels.neutral + labels.positive == pytest.approx(1.0, abs=1e-5)
        assert all(0.0 < p <= 1.0 for p in labels.topics.values())


def test_both_heads_share_one_pass_of_the_encoder(trained: Trained) -> None:
    encoder = Counting(48, name="english-int8")
    model = FinanceModel(trained.readings, by_name([encoder, ENCODERS[1]]))
    model.label(["profit fell", "profit rose"], ["en", "en"])
    assert encoder.read == 2


def test_each_company_gets_the_sentiment_of_its_own_clause(model: FinanceModel) -> None:
    found = model.label_entities({"US:A": "profit rose sharply", "US:B": "sales dropped again"}, "en")
    assert found["US:A"].sentiment == "positive"
    assert found["US:B"].sentiment == "negative"
    assert not found["US:A"].topics
    assert model.label_entities({}, "en") == {}


def test_odd_texts_are_labelled_like_any_other(model: FinanceModel) -> None:
    odd = ["", " \n", "�", "😀" * 50, "a" * 100_000, "。" * 5_000]
    found = model.label(odd, ["und"] * 3 + ["zh"] * 3)
    assert len(found) == 6
    assert all(np.isfinite([labels.negative, labels.neutral, labels.positive]).all() for labels in found)
    assert model.label([], []) == []


def test_other_languages_go_with_the_multilingual_encoder() -> None:
    assert [family(code) for code in ("en", "und", "zh", "de", "ja")] == ["en", "en", "zh", "zh", "zh"]


def test_what_is_published_says_the_same_after_loading(trained: Trained, model: FinanceModel, tmp_path: Path) -> None:
    settings = CoreSettings(home=tmp_path)
    store = ArtifactStore(settings.models_folder)
    for task in ARTIFACTS:
        publish(task, trained, store, {"file": "test"})
    loaded = FinanceModel.load(settings, encoders=ENCODERS)
    texts = ["Kestrel profit fell sharply 9", "科锐 净利润大幅增长 9"]
    before, after = model.label(texts, ["en", "zh"]), loaded.label(texts, ["en", "zh"])
    assert [a.negative for a in after] == pytest.approx([b.negative for b in before], abs=5e-3)
    assert loaded.topics == ("earnings", "markets", "operations")


def test_a_model_that_is_not_there_or_damaged_says_what_to_do(trained: Trained, tmp_path: Path) -> None:
    settings = CoreSettings(home=tmp_path)
    with pytest.raises(ModelNotPrepared, match="models prepare"):
        FinanceModel.load(settings, encoders=ENCODERS)
    artifact = publish("sentiment", trained, ArtifactStore(settings.models_folder), {})
    with pytest.raises(ModelNotPrepared, match="finance-topics"):
        FinanceModel.load(settings, encoders=ENCODERS)
    (artifact.folder / "en" / "features.json").write_text("{}", "utf-8")
    with pytest.raises(ArtifactDamaged):
        FinanceModel.load(settings, encoders=ENCODERS)


def test_other_encoders_than_it_was_trained_with_are_refused_whatever_their_precision(trained: Trained) -> None:
    FinanceModel(trained.readings, by_name([FakeEncoder(48, name="english-fp16"), ENCODERS[1]]))
    with pytest.raises(InputError, match="'english'"):
        FinanceModel(trained.readings, by_name([FakeEncoder(48, name="other-int8"), ENCODERS[1]]))
    assert plain_name(FakeEncoder(name="my-model")) == "my-model"


def test_a_long_text_is_read_by_sentence_and_its_title_weighs_twice() -> None:
    assert parts("short. text.", "en") == ["short. text."]
    text = "\n".join(f"Sentence number {i} says something of its own." for i in range(400))
    found = parts(text, "en")
    assert len(found) == MOST
    assert all(len(part) <= PART["en"] for part in found)
    assert "number 0 " in found[0]
    assert "number 399 " in found[-1]
    assert all(len(part) <= PART["zh"] for part in parts("很长的一句话没有句号" * 100, "zh"))
    assert WHOLE["en"] >= PART["en"]


def test_neutral_parts_do_not_drown_the_one_that_says_something() -> None:
    quiet, loud = [0.02, 0.96, 0.02], [0.9, 0.08, 0.02]
    found = whole_sentiment(np.array([quiet, quiet, quiet, loud, loud], np.float32))
    assert found.sum() == pytest.approx(1.0, abs=1e-5)
    assert found[0] > 0.4
    assert whole_topics(np.array([[0.9, 0.1], [0.1, 0.1]], np.float32)).tolist() == pytest.approx(
        [0.767, 0.1], abs=1e-3
    )
    assert spread([2, 1]) == [slice(0, 2), slice(2, 3)]


def test_serving_needs_neither_torch_nor_scikit_learn() -> None:
    code = (
        "import sys; import apps.finance_sentiment.model; "
        "print([m for m in ('torch', 'transformers', 'sklearn', 'pandas', 'scipy') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
