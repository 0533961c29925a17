from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from apps.customer_service.data import Labelled
from apps.customer_service.evaluate_intents import evaluate_intents, intent_figures
from apps.customer_service.intents import Intent, IntentClassifier
from apps.customer_service.train import Trained, fit_intents, load_intents, spoken_label, train_intents
from core.backends.fake import FakeEncoder
from core.errors import ArtifactDamaged, InputError
from core.settings import CoreSettings

WORDS = {
    "lost_card": ["lost", "card", "stolen", "missing", "block"],
    "open_account": ["open", "account", "new", "start", "join"],
    "fees": ["fee", "cost", "price", "charge", "monthly"],
}
ODD = ["weather tomorrow in Rome", "tell me a joke", "who won the match", "play some jazz", "what is seven times six"]
ODD += ["how tall is that mountain", "translate good night", "remind me to sleep", "best pasta sauce", "sing a song"]


def labelled(strange: bool = True) -> list[Labelled]:
    rows = [
        Labelled(f"{first} {second} {extra}", label)
        for label, known in WORDS.items()
        for first in known
        for second in known
        if first != second
        for extra in ("please",)
    ]
    return rows + [Labelled(text, "oos") for text in ODD] if strange else rows


def write(path: Path, rows: list[Labelled]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows((row.text, row.label) for row in rows)
    return path


@pytest.fixture(scope="module")
def trained() -> Trained:
    return fit_intents(labelled(), [FakeEncoder()])


def test_a_message_gets_its_intent_with_a_probability(trained: Trained) -> None:
    (found,) = trained.classifier.classify(["my card is lost or stolen"])
    assert (found.label, found.nearest) == ("lost_card", "lost_card")
    assert 0.5 < found.probability <= found.in_scope <= 1


def test_a_message_of_another_world_is_rejected_and_the_nearest_intent_is_still_told(trained: Trained) -> None:
    (found,) = trained.classifier.classify(["tell me a joke about jazz"])
    assert found.label == "oos"
    assert found.nearest in WORDS
    assert found.in_scope < 0.5 < found.probability


def test_no_messages_give_no_intents(trained: Trained) -> None:
    assert trained.classifier.classify([]) == []
    assert trained.classifier.labels == ("fees", "lost_card", "open_account")


def test_an_empty_and_a_huge_message_are_answered(trained: Trained) -> None:
    assert len(trained.classifier.classify(["", "card " * 50_000])) == 2


def test_several_encoders_are_used_together() -> None:
    both = fit_intents(labelled(), [FakeEncoder(32, name="one"), FakeEncoder(48, name="two")])
    assert both.classifier.mixture.linear.weights.shape == (4, 80)
    assert both.classifier.classify(["open a new account"])[0].label == "open_account"


def test_without_out_of_scope_examples_it_trains_all_the_same() -> None:
    plain = fit_intents(labelled(strange=False), [FakeEncoder()])
    assert plain.classifier.gate.stranger is None
    assert plain.classifier.classify(["monthly fee"])[0].nearest == "fees"


def test_chinese_messages_have_intents() -> None:
    rows = [
        Labelled(f"{verb}我的{thing}", "lost_card") for verb in ("丢了", "找不到", "掉了") for thing in ("卡", "银行卡")
    ]
    rows += [Labelled(f"{verb}手续费", "fees") for verb in ("多少", "为什么收", "怎么算", "退还", "查看", "取消")]
    found = fit_intents(rows, [FakeEncoder()]).classifier.classify(["银行卡丢了", "手续费多少钱"])
    assert [intent.nearest for intent in found] == ["lost_card", "fees"]


def test_one_label_is_not_enough() -> None:
    with pytest.raises(InputError, match="at least two labels"):
        fit_intents([row for row in labelled() if row.label in ("fees", "oos")], [FakeEncoder()])


@pytest.mark.parametrize(
    ("label", "words"),
    [("card_arrival", "card arrival"), ("Refund?", "refund"), ("退货", "退货"), ("c-17", ""), ("42", ""), ("", "")],
)
def test_a_label_is_spoken_where_it_has_words(label: str, words: str) -> None:
    assert spoken_label(label) == words


def test_a_trained_classifier_is_published_and_comes_back(tmp_path: Path, trained: Trained) -> None:
    settings = CoreSettings(home=tmp_path)
    assert load_intents(settings, [FakeEncoder()]) is None
    report = train_intents(write(tmp_path / "t.csv", labelled()), settings, encoders=[FakeEncoder()])
    assert (report["labels"], report["bad_rows"], report["version"]) == (3, 0, "0001")
    loaded = load_intents(settings, [FakeEncoder()])
    assert loaded is not None
    texts = ["lost my card", "tell me a joke", "what is the fee"]
    one, two = loaded.classify(texts), trained.classifier.classify(texts)
    assert [a.label for a in one] == [b.label for b in two]
    assert [a.in_scope for a in one] == pytest.approx([b.in_scope for b in two], abs=0.01)


def test_bad_rows_are_left_out_and_told(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", labelled())
    path.write_text(path.read_text("utf-8") + ",fees\nno label,\na,b,c\n", "utf-8")
    report = train_intents(path, CoreSettings(home=tmp_path), encoders=[FakeEncoder()])
    assert report["bad_rows"] == 3
    assert report["rows"] == len(labelled())


def test_a_classifier_of_other_encoders_is_refused_by_name(tmp_path: Path, trained: Trained) -> None:
    trained.classifier.save(tmp_path)
    with pytest.raises(InputError, match="trained with 'fake'; the encoders here are other"):
        IntentClassifier.load(tmp_path, [FakeEncoder(name="other")])


def test_a_damaged_classifier_is_said_to_be_damaged(tmp_path: Path, trained: Trained) -> None:
    trained.classifier.save(tmp_path)
    (tmp_path / "intents.json").write_text("[]")
    with pytest.raises(ArtifactDamaged, match="train it again"):
        IntentClassifier.load(tmp_path, [FakeEncoder()])


def test_evaluation_gives_every_figure(tmp_path: Path) -> None:
    train = write(tmp_path / "train.csv", labelled())
    test = write(
        tmp_path / "test.csv",
        [
            Labelled("card stolen", "lost_card"),
            Labelled("account open now", "open_account"),
            Labelled("sing jazz", "oos"),
        ],
    )
    figures = evaluate_intents(train, test, CoreSettings(home=tmp_path), encoders=[FakeEncoder()])
    assert figures["accuracy"] == figures["in_scope_accuracy"] == figures["oos_recall"] == figures["auroc"] == 1.0
    assert 0 <= float(figures["ece"] or 0) < 0.6
    assert float(figures["train_seconds"] or 0) > 0
    assert float(figures["texts_per_second"] or 0) > 0


def test_rejections_are_right_for_strangers_and_wrong_for_the_others() -> None:
    rows = [Labelled("a", "x"), Labelled("b", "x"), Labelled("c", "oos"), Labelled("d", "oos")]
    found = [
        Intent("x", 0.9, 0.9, "x"),
        Intent("oos", 0.6, 0.4, "x"),
        Intent("oos", 0.8, 0.2, "x"),
        Intent("x", 0.7, 0.7, "x"),
    ]
    figures = intent_figures(rows, found)
    assert figures["accuracy"] == 0.5
    assert figures["in_scope_accuracy"] == 0.5
    assert figures["oos_recall"] == 0.5
    assert figures["oos_precision"] == 0.5
    assert figures["auroc"] == 0.75


def test_what_does_not_apply_is_none() -> None:
    figures = intent_figures([Labelled("a", "x")], [Intent("x", 0.9, 0.9, "x")])
    assert figures["oos_recall"] is None
    assert figures["auroc"] is None
    assert figures["in_scope_accuracy"] == 1.0


def test_serving_imports_neither_scikit_learn_nor_scipy_nor_torch() -> None:
    code = "import apps.customer_service.intents, sys; print([m for m in sys.argv[1:] if m in sys.modules])"
    command = [sys.executable, "-c", code, "sklearn", "scipy", "torch", "transformers"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
