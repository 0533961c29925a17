from __future__ import annotations

import json
from pathlib import Path

import pytest

from apps.finance_sentiment.evaluate import evaluate_sentiment, evaluate_topics
from apps.finance_sentiment.train import train
from core.errors import InputError, ModelNotPrepared
from core.settings import CoreSettings
from tests.apps.finance_sentiment._labels import ENCODERS, sentiment_rows, topic_rows


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {}
    for name, rows in {"train": sentiment_rows(each=30), "test": sentiment_rows(each=8)}.items():
        found[name] = tmp_path / f"{name}.csv"
        lines = [f'"{row.text}",{row.labels[0]}' for row in rows]
        found[name].write_text("\n".join(["text,label", *lines]) + "\n", encoding="utf-8")
    for name, rows in {"topics": topic_rows(each=30), "asked": topic_rows(each=8)}.items():
        found[name] = tmp_path / f"{name}.jsonl"
        lines = [json.dumps({"text": row.text, "labels": list(row.labels)}) for row in rows]
        found[name].write_text("\n".join(lines) + "\n", encoding="utf-8")
    return found


def test_sentiment_is_measured_after_training_on_another_file(files: dict[str, Path], tmp_path: Path) -> None:
    settings = CoreSettings(home=tmp_path)
    told = evaluate_sentiment(files["test"], settings, train=files["train"], tuning="off", encoders=ENCODERS)
    assert told["accuracy"] == pytest.approx(1.0, abs=0.1)
    assert set(told) >= {"accuracy", "macro_f1", "ece", "train_seconds", "texts_per_second", "rows", "bad_rows"}
    assert told["tuned"] == 0
    assert told["rows"] == 24
    json.dumps(told)
    assert not (tmp_path / "models").exists()


def test_topics_are_measured_and_one_that_only_the_test_file_has_counts_as_missed(
    files: dict[str, Path], tmp_path: Path
) -> None:
    settings = CoreSettings(home=tmp_path)
    told = evaluate_topics(files["asked"], settings, train=files["topics"], tuning="off", encoders=ENCODERS)
    assert told["micro_f1"] == pytest.approx(1.0, abs=0.1)
    with files["asked"].open("a", encoding="utf-8") as file:
        file.write('{"text": "Kestrel profit fell sharply 1", "labels": ["unheard of"]}\n')
    worse = evaluate_topics(files["asked"], settings, train=files["topics"], tuning="off", encoders=ENCODERS)
    assert worse["macro_f1"] < 0.8  # type: ignore[operator]


def test_without_a_file_to_train_on_the_published_model_is_measured(files: dict[str, Path], tmp_path: Path) -> None:
    settings = CoreSettings(home=tmp_path)
    with pytest.raises(ModelNotPrepared):
        evaluate_sentiment(files["test"], settings, encoders=ENCODERS)
    train("sentiment", files["train"], settings, tuning="off", encoders=ENCODERS)
    train("topics", files["topics"], settings, tuning="off", encoders=ENCODERS)
    told = evaluate_sentiment(files["test"], settings, encoders=ENCODERS)
    assert told["accuracy"] == pytest.approx(1.0, abs=0.1)
    assert told["train_seconds"] is None


def test_a_test_file_without_a_good_row_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("text,label\nx,sideways\n", encoding="utf-8")
    with pytest.raises(InputError, match="no good row"):
        evaluate_sentiment(path, CoreSettings(home=tmp_path), encoders=ENCODERS)


def test_a_model_of_one_language_reads_texts_of_the_other_too(tmp_path: Path) -> None:
    settings, paths = CoreSettings(home=tmp_path), {"train": tmp_path / "zh.csv", "test": tmp_path / "mixed.csv"}
    rows = {"train": sentiment_rows("zh", 30), "test": [*sentiment_rows("zh", 8), *sentiment_rows("en", 4)]}
    for name, path in paths.items():
        lines = [f'"{row.text}",{row.labels[0]}' for row in rows[name]]
        path.write_text("\n".join(["text,label", *lines]) + "\n", encoding="utf-8")
    told = evaluate_sentiment(paths["test"], settings, train=paths["train"], tuning="off", encoders=ENCODERS)
    assert told["rows"] == 36
    assert told["accuracy"] > 0.6  # type: ignore[operator]
