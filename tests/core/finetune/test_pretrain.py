"""Self-supervised training on plain text, with transformers of random weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import InputError
from core.finetune.backbone import open_backbone
from core.finetune.data.examples import Plain
from core.finetune.losses import IGNORED
from core.finetune.pretrain import PretrainArgs, fit
from core.finetune.pretrain_models import WordHead
from core.finetune.pretrain_rows import Vocabulary, causal_rows, deleted, masked, text_rows
from core.models.task import TaskConfig

TEXTS = [
    "i lost my card and need a new one !",
    "the fee is charged once a month .",
    "how do i close my account ?",
    "the shares of nova rose , those of delta fell on monday .",
    "can you help me change my pin ?",
    "where is my transfer ? it was not received",
    "tom reed of london called orion ltd about the loan .",
    "yes , open the app and choose settings .",
    "no , please ask at the desk .",
    "公司利润上升，股价下跌。",
]
ROWS = [Plain(text) for text in TEXTS]


def options(backbone: Path, **more: object) -> PretrainArgs:
    plain = {"batch_size": 4, "learning_rate": 5e-3, "threads": 1, "track": (), "precision": "fp32", "max_tokens": 32}
    plain["head_learning_rate"] = 5e-3
    return PretrainArgs.model_validate({"backbone": str(backbone), **plain, **more})


class Killed(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize(("objective", "epochs"), [("mlm", 16), ("denoising", 16), ("contrastive", 6)])
def test_an_encoder_learns_from_text_alone(objective: str, epochs: int, tiny_encoder: Path, tmp_path: Path) -> None:
    args = options(tiny_encoder, objective=objective, temperature=0.5, keep_best=False)
    asleep = args.model_copy(update={"max_steps": 1, "learning_rate": 1e-9, "head_learning_rate": 1e-9})
    before = fit(ROWS, ROWS, asleep, cache=tmp_path)
    after = fit(ROWS, ROWS, args.model_copy(update={"epochs": epochs, "evaluate_every": 99}), cache=tmp_path)
    assert after.figures["loss"] < 0.85 * before.figures["loss"], (before.figures, after.figures)
    assert ("perplexity" in after.figures) == (objective != "contrastive")


def test_a_decoder_learns_the_next_word(tiny_decoder: Path, tmp_path: Path) -> None:
    fitted = fit(ROWS, ROWS, options(tiny_decoder, epochs=20, keep_best=False), cache=tmp_path)
    assert fitted.config.extra == {"objective": "clm"}
    assert fitted.figures["perplexity"] < 30
    fitted.save(tmp_path / "model")
    again = open_backbone(str(tmp_path / "model"), tmp_path, causal=True).model
    assert again.lm_head.weight is again.model.embed_tokens.weight
    assert torch.equal(again.lm_head.weight, fitted.model.lm_head.weight)
    assert (tmp_path / "model" / "backbone" / "chat_template.jinja").is_file()


def test_the_folder_opens_as_a_backbone_and_pools_as_before(tiny_encoder: Path, tmp_path: Path) -> None:
    fitted = fit(ROWS, [], options(tiny_encoder, max_steps=1), cache=tmp_path)
    fitted.save(tmp_path / "model")
    opened = open_backbone(str(tmp_path / "model"), tmp_path)
    assert (opened.architecture, opened.pooling) == ("encoder", "mean")
    assert {"modules.json", "sentence_bert_config.json", "1_Pooling"} <= names(tmp_path / "model" / "backbone")
    for name, value in fitted.model.state_dict().items():
        assert torch.equal(value, opened.model.state_dict()[name])
    assert TaskConfig.load(tmp_path / "model").task == "pretrain"
    assert names(tmp_path / "model") == {"backbone", "task.json"}


def test_a_pooling_that_was_asked_for_is_kept_in_the_folder(tiny_encoder: Path, tmp_path: Path) -> None:
    args = options(tiny_encoder, objective="contrastive", pooling="cls", max_steps=1, lora={"rank": 2})
    fit(ROWS, [], args, cache=tmp_path).save(tmp_path / "model")
    opened = open_backbone(str(tmp_path / "model"), tmp_path)
    assert opened.pooling == "cls"
    assert not any("lora" in name for name in opened.model.state_dict())


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("objective", ["mlm", "denoising", "contrastive", "clm"])
def test_a_killed_run_goes_on_to_the_same_weights(
    objective: str, tiny_encoder: Path, tiny_decoder: Path, tmp_path: Path
) -> None:
    source = tiny_decoder if objective == "clm" else tiny_encoder
    args = options(source, objective=objective, max_steps=8, checkpoint_every=2, batch_size=2, max_tokens=16)

    def killed(_: str, done: int, __: int | None) -> None:
        if done == 7:  # the checkpoint of 6 stands in the middle of an epoch
            raise Killed

    whole = fit(ROWS, ROWS[:3], args, cache=tmp_path, folder=tmp_path / "whole").model.state_dict()
    with pytest.raises(Killed):
        fit(ROWS, ROWS[:3], args, cache=tmp_path, folder=tmp_path / "run", progress=killed)
    torch.manual_seed(99)
    torch.rand(5)
    resumed = fit(ROWS, ROWS[:3], args, cache=tmp_path, folder=tmp_path / "run")
    assert resumed.outcome.steps == 8
    assert all(torch.equal(value, resumed.model.state_dict()[name]) for name, value in whole.items())


def test_whole_words_are_hidden_in_the_right_share_and_otherwise_every_epoch(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    tokenizer = open_backbone(str(tiny_encoder), tmp_path).tokenizer
    vocabulary = Vocabulary.of(tokenizer)
    (row,) = text_rows(tokenizer, ["i lost zzq card and the fee is qqz charged once a month ."], 64)
    hidden, fates = [], {"mask": 0, "same": 0, "other": 0}
    for epoch in range(400):
        ids, targets = masked(row, 0.15, vocabulary, (1, epoch, 0))
        places = [i for i, target in enumerate(targets) if target != IGNORED]
        for i, word in enumerate(row.words):
            if word >= 0:
                assert all((j in places) == (i in places) for j, other in enumerate(row.words) if other == word)
            else:
                assert ids[i] == row.ids[i] and i not in places
        for i in places:
            assert targets[i] == row.ids[i]
            fate = "mask" if ids[i] == vocabulary.mask_id else "same" if ids[i] == row.ids[i] else "other"
            fates[fate] += 1
        hidden.append(len(places) / (len(row.ids) - 2))
    assert 0.1 < float(np.mean(hidden)) < 0.2
    total = sum(fates.values())
    assert 0.75 < fates["mask"] / total < 0.85
    assert 0.06 < fates["same"] / total < 0.15
    assert masked(row, 0.15, vocabulary, (1, 3, 0)) == masked(row, 0.15, vocabulary, (1, 3, 0))
    assert len({tuple(masked(row, 0.15, vocabulary, (1, epoch, 0))[1]) for epoch in range(9)}) > 3


def test_words_are_deleted_and_one_always_stays(tiny_encoder: Path, tmp_path: Path) -> None:
    tokenizer = open_backbone(str(tiny_encoder), tmp_path).tokenizer
    one, long = text_rows(tokenizer, ["card", " ".join(TEXTS[:3])], 64)
    assert deleted(one, 0.9, (1, 0, 0)) == list(one.ids)
    left = [len(deleted(long, 0.6, (1, epoch, 0))) - 2 for epoch in range(200)]
    assert 0.36 < float(np.mean(left)) / (len(long.ids) - 2) < 0.44


def test_long_texts_are_cut_into_rows_and_nothing_is_lost(
    tiny_encoder: Path, tiny_decoder: Path, tmp_path: Path
) -> None:
    encoder = open_backbone(str(tiny_encoder), tmp_path).tokenizer
    text = " ".join(TEXTS)
    rows = text_rows(encoder, [text], 16)
    inner = [i for row in rows for i in row.ids[1:-1]]
    assert inner == encoder(text, add_special_tokens=False)["input_ids"]
    assert all(len(row.ids) <= 16 and row.ids[0] == 2 and row.ids[-1] == 3 for row in rows)
    assert all(row.words[1] == 0 for row in rows)
    decoder = open_backbone(str(tiny_decoder), tmp_path).tokenizer
    packed = causal_rows(decoder, TEXTS, 32)
    assert max(len(row.ids) for row in packed) <= 32
    assert sum(row.ids.count(2) for row in packed) == len(TEXTS), "an end token behind every text"


def test_a_published_head_is_taken_where_the_file_has_one(tiny_encoder: Path, tmp_path: Path) -> None:
    from transformers import BertConfig, BertForMaskedLM

    assert not WordHead(32, 354).load_published(tiny_encoder)
    config = BertConfig.from_pretrained(tiny_encoder)
    BertForMaskedLM(config).save_pretrained(tmp_path)
    head = WordHead(32, config.vocab_size)
    assert head.load_published(tmp_path)
    assert not WordHead(32, config.vocab_size + 1).load_published(tmp_path)


def fails(rows: Sequence[Plain], args: PretrainArgs, said: str, cache: Path) -> None:
    with pytest.raises(InputError, match=said):
        fit(rows, [], args, cache=cache)


def test_what_cannot_be_trained_is_named(tiny_encoder: Path, tiny_decoder: Path, tmp_path: Path) -> None:
    fails([], options(tiny_encoder), "no texts", tmp_path)
    fails([Plain("   "), Plain("")], options(tiny_encoder), "has a token", tmp_path)
    fails([Plain("")], options(tiny_decoder), "has a token", tmp_path)
    fails(ROWS, options(tiny_encoder, objective="clm"), "needs a decoder", tmp_path)
    fails(ROWS, options(tiny_decoder, objective="mlm"), "take 'clm'", tmp_path)
    fails(ROWS[:1], options(tiny_encoder, objective="contrastive"), "two or more", tmp_path)
    still = tmp_path / "still"
    model = open_backbone(str(tiny_encoder), tmp_path)
    model.model.config.hidden_dropout_prob = model.model.config.attention_probs_dropout_prob = 0.0
    model.model.save_pretrained(still)
    model.tokenizer.save_pretrained(still)
    fails(ROWS, options(still, objective="contrastive"), "two dropouts", tmp_path)
