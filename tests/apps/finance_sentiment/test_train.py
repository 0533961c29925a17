from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from apps.finance_sentiment.examples import Example
from apps.finance_sentiment.model import FinanceModel
from apps.finance_sentiment.train import plan_tuning, train, unique
from apps.finance_sentiment.train_heads import Plan, fit_tasks
from core.errors import InputError
from core.models.artifacts import ArtifactStore
from core.settings import CoreSettings
from tests.apps.finance_sentiment._labels import ENCODERS, CribTuner, sentiment_rows, topic_rows


def save(path: Path, rows: Sequence[Example]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        writer.writerows((row.text, row.labels[0]) for row in rows)
    return path


def test_a_file_becomes_a_published_head_with_figures_of_held_out_rows(tmp_path: Path) -> None:
    settings = CoreSettings(home=tmp_path)
    path = save(tmp_path / "own.csv", [*sentiment_rows(), Example("broken", ("sideways",))])
    told = train("sentiment", path, settings, tuning="off", encoders=ENCODERS)
    assert told["name"] == "finance-sentiment"
    assert told["bad_rows"] == 1
    assert told["languages"] == ["en"]
    assert told["held_out"]["sentiment en"]["accuracy"] > 0.9  # type: ignore[index]


def test_a_language_that_the_file_lacks_keeps_its_head_and_rolling_back_brings_the_old_one(tmp_path: Path) -> None:
    settings = CoreSettings(home=tmp_path)
    both = save(tmp_path / "both.csv", [*sentiment_rows("en"), *sentiment_rows("zh")])
    turned = [
        Example(row.text, ("neutral",) if row.labels[0] == "positive" else row.labels) for row in sentiment_rows()
    ]
    train("sentiment", both, settings, tuning="off", encoders=ENCODERS)
    train("topics", _topics(tmp_path), settings, tuning="off", encoders=ENCODERS)
    train("sentiment", save(tmp_path / "turned.csv", turned), settings, tuning="off", encoders=ENCODERS)
    texts = ["Kestrel profit rose sharply 3", "科锐 净利润大幅增长 9"]
    found = FinanceModel.load(settings, encoders=ENCODERS).label(texts, ["en", "zh"])
    assert [labels.sentiment for labels in found] == ["neutral", "positive"]
    ArtifactStore(settings.models_folder).rollback("finance-sentiment")
    found = FinanceModel.load(settings, encoders=ENCODERS).label(texts, ["en", "zh"])
    assert [labels.sentiment for labels in found] == ["positive", "positive"]


def _topics(folder: Path) -> Path:
    import json

    path = folder / "topics.jsonl"
    lines = [json.dumps({"text": row.text, "labels": list(row.labels)}) for row in topic_rows()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_tuned_encoder_is_used_where_rows_it_has_not_seen_speak_for_it(tmp_path: Path) -> None:
    tuner = CribTuner()
    with pytest.raises(NotImplementedError, match="finance-en"):  # it is chosen, and this one cannot be served
        fit_tasks({"sentiment": _noisy()}, ENCODERS, plan=Plan(tuner), folder=tmp_path)
    assert [n for _, n in tuner.calls] == [90, 90, 90, 90, 120]  # four judgements, then all rows


def test_a_tuned_encoder_that_does_not_help_is_left_out(tmp_path: Path) -> None:
    tuner = CribTuner(useless=True)
    trained = fit_tasks({"sentiment": sentiment_rows(each=40)}, ENCODERS, plan=Plan(tuner), folder=tmp_path)
    reading = trained.readings["sentiment", "en"]
    assert not reading.tuned
    assert reading.encoder == "english"
    figures = trained.held_out["sentiment en"]
    assert figures["tuned_merit"] <= figures["plain_merit"]
    assert not list(tmp_path.iterdir())


def test_tuning_may_be_judged_on_one_part_only(tmp_path: Path) -> None:
    tuner = CribTuner(useless=True)
    rows = {"sentiment": sentiment_rows(each=40), "topics": topic_rows(each=40)}
    trained = fit_tasks(rows, ENCODERS, plan=Plan(tuner, again=False, share=5), folder=tmp_path)  # type: ignore[arg-type]
    assert [n for _, n in tuner.calls] == [96]
    assert set(trained.readings) == {("sentiment", "en"), ("topics", "en")}


def _noisy() -> list[Example]:
    """Texts whose words say nothing one by one: the label is the parity of three of them."""
    words = (("eastern", "western"), ("granite", "marble"), ("harvest", "winter"))
    said = [" ".join(words[j][i >> j & 1] for j in range(3)) for i in range(8)]
    return [
        Example(f"Co{i} {said[i % 8]} {i}", (("negative", "positive")[(i % 8).bit_count() % 2],)) for i in range(120)
    ]


def test_too_few_texts_or_one_label_only_are_refused_with_what_is_there() -> None:
    with pytest.raises(InputError, match="two labels with 2 texts"):
        fit_tasks({"sentiment": [Example("a", ("positive",))] * 5}, ENCODERS)


def test_tuning_can_be_switched_off(tmp_path: Path) -> None:
    assert plan_tuning(CoreSettings(home=tmp_path), "off") is None


def test_rows_that_say_the_same_again_count_once() -> None:
    rows = [Example("a", ("positive",), 1), Example("a", ("positive",), 2), Example("a", ("neutral",), 3)]
    assert [row.labels[0] for row in unique(rows)] == ["positive", "neutral"]
