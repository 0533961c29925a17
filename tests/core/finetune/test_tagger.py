"""Fine-tuning a tagger, with transformers of random weights."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from core.backends.headed import HeadedModel
from core.backends.headed_tokens import Pairing, RowTokenizer, TokenConfig
from core.errors import InputError
from core.finetune.backbone import open_backbone
from core.finetune.data.examples import Tagged
from core.finetune.fitted import Fitted
from core.finetune.tagger import TaggerArgs, find, fit, predict, rows_of
from core.models.task import TaskConfig

PEOPLE, FIRMS = ("Anna Bell", "Tom Reed", "张三"), ("Acme Bank", "Orion Ltd", "Nova")


def sentence(person: str, firm: str) -> Tagged:
    words: list[str] = []
    tags: list[str] = []
    for part, kind in ((person, "PER"), ("called", ""), (firm, "ORG"), ("about the loan .", "")):
        for i, word in enumerate(part.split()):
            words.append(word)
            tags.append(f"{'I' if i else 'B'}-{kind}" if kind else "O")
    return Tagged(tuple(words), tuple(tags))


ROWS = [sentence(person, firm) for person, firm in product(PEOPLE, FIRMS)]


def options(backbone: Path, **more: object) -> TaggerArgs:
    plain = {"epochs": 12, "batch_size": 4, "learning_rate": 5e-3, "head_learning_rate": 5e-3, "threads": 1}
    fixed = {"backbone": str(backbone), "max_tokens": 64, "precision": "fp32", "track": (), "evaluate_every": 99}
    return TaggerArgs.model_validate({**fixed, **plain, **more})


@pytest.fixture(scope="module")
def trained(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    return fit(ROWS, ROWS, options(tiny_encoder), cache=tmp_path_factory.mktemp("cache"))


def test_an_encoder_learns_a_rule_and_reports_every_tag(trained: Fitted) -> None:
    assert trained.figures["f1"] == trained.figures["score"] >= 0.8
    report = trained.figures["report"]
    assert set(report["entities"]["classes"]) == {"PER", "ORG"}
    assert report["tokens"]["classes"]["B-PER"]["support"] == len(ROWS)
    assert {"micro", "macro", "weighted"} <= set(report["tokens"])


def test_a_decoder_learns_the_same_rule(tiny_decoder: Path, tmp_path: Path) -> None:
    fitted = fit(ROWS, ROWS, options(tiny_decoder, class_weights="sqrt", label_smoothing=0.05), cache=tmp_path)
    assert fitted.figures["f1"] >= 0.8
    ((entity, *_),) = find(fitted.model, fitted.backbone.tokenizer, ["Tom Reed called Nova about the loan."])
    assert (entity.start, entity.end, entity.label) == (0, 8, "PER")


def test_entities_come_out_of_a_text_by_characters_also_after_saving(trained: Fitted, tmp_path: Path) -> None:
    trained.save(tmp_path)
    model = HeadedModel.load(tmp_path)
    text = "  Anna Bell called  Orion Ltd about the loan."
    tokenizer = trained.backbone.tokenizer
    (found,) = find(model, tokenizer, [text])
    assert [(text[e.start : e.end], e.label) for e in found] == [("Anna Bell", "PER"), ("Orion Ltd", "ORG")]
    assert all(0.5 < e.probability <= 1 for e in found)
    assert find(trained.model, tokenizer, [text]) == [found]
    (chinese,) = find(model, tokenizer, ["张三 called Nova about the loan."])
    assert [(e.start, e.end, e.label) for e in chinese] == [(0, 2, "PER"), (10, 14, "ORG")]


def test_every_word_given_gets_one_tag(trained: Fitted) -> None:
    words = [["Anna", "Bell", "called", "Nova"], [], ["张三"], ["\u200b"]]
    found = predict(trained.model, trained.backbone.tokenizer, words)
    assert [len(tags) for tags, _ in found] == [len(scores) for _, scores in found] == [4, 0, 1, 1]
    assert found[0][0] == ["B-PER", "I-PER", "O", "B-ORG"]
    assert find(trained.model, trained.backbone.tokenizer, ["", "  "]) == [[], []]


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_serving_makes_the_rows_that_training_saw(
    kind: str, tiny_encoder: Path, tiny_decoder: Path, tmp_path: Path
) -> None:
    folder = tiny_encoder if kind == "encoder" else tiny_decoder
    backbone = open_backbone(str(folder), tmp_path)
    words = ["Anna", "Bell", "(", "51", ")", "works", "in", "北", "京", "zqzq", "."]
    (piece,) = rows_of([words], backbone.tokenizer, TaskConfig("tagger", backbone.architecture, "mean", 64))
    pairing: Pairing = "typed" if kind == "encoder" else "joined"
    served = RowTokenizer(folder, TokenConfig("tiny", "fp32", 0, pairing), 64).words([words])[0]
    assert piece.row["input_ids"] == served.row.ids
    assert list(piece.places) == served.first


def test_long_sentences_are_cut_into_pieces_and_none_of_their_words_is_lost(tiny_encoder: Path, tmp_path: Path) -> None:
    long = Tagged(ROWS[0].words * 6, ROWS[0].tags * 6)
    fitted = fit([long], [long], options(tiny_encoder, max_tokens=12, epochs=25), cache=tmp_path)
    assert fitted.notes == ("1 sentences are longer than 12 tokens and were cut into pieces.",)
    assert fitted.figures["report"]["tokens"]["classes"]["B-PER"]["support"] == 6
    assert fitted.figures["token_accuracy"] > 0.8


def test_plain_tags_are_judged_by_their_macro_f1(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = [Tagged(("the", "fee", "rose"), ("DET", "NOUN", "VERB")), Tagged(("shares", "fell"), ("NOUN", "VERB"))]
    fitted = fit(rows, rows, options(tiny_encoder, epochs=30), cache=tmp_path)
    assert fitted.figures["score"] == fitted.figures["token_macro_f1"] >= 0.8
    assert "f1" not in fitted.figures


def test_what_cannot_be_learned_from_is_named(tiny_encoder: Path, tmp_path: Path) -> None:
    args = options(tiny_encoder)
    with pytest.raises(InputError, match="2 words and 1 tags"):
        fit([Tagged(("a", "b"), ("O",))], [], args, cache=tmp_path)
    with pytest.raises(InputError, match="0 words"):
        fit([Tagged((), ())], [], args, cache=tmp_path)
    with pytest.raises(InputError, match="only the tag 'none'"):
        fit([], [], args, cache=tmp_path)
    with pytest.raises(InputError, match="only the tag 'O'"):
        fit([Tagged(("a",), ("O",))], [], args, cache=tmp_path)
    with pytest.raises(InputError, match="'B-LOC' is in held-out rows"):
        fit(ROWS, [Tagged(("Paris",), ("B-LOC",))], args, cache=tmp_path)
