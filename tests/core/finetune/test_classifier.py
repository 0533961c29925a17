from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.backends.headed import HeadedModel, load_backbone
from core.errors import InputError, ProviderUnavailable
from core.finetune.classifier import ClassifierArgs, fit, predict
from core.finetune.data import HeadColumn, Labelled
from core.finetune.hardware import Diverged
from core.finetune.tokens import token_rows
from core.models.task import TaskConfig
from tests.core.finetune.rows import labelled


def options(backbone: Path, **more: Any) -> ClassifierArgs:
    base: dict[str, Any] = {
        "epochs": 6.0,
        "batch_size": 8,
        "learning_rate": 3e-3,
        "threads": 1,
        "device": "cpu",
        "precision": "fp32",
        "track": (),
    }
    return ClassifierArgs(backbone=str(backbone), **{**base, **more})


def test_it_learns_saves_and_says_the_same_when_opened_again(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = labelled(60)
    fitted = fit(rows[:48], rows[48:], options(tiny_encoder), cache=tmp_path)
    assert fitted.figures["accuracy"] >= 0.75
    fitted.save(tmp_path / "model")
    config = TaskConfig.load(tmp_path / "model")
    assert config.head().labels == ("card", "pin", "transfer") and config.pooling == "mean"
    texts = [row.text for row in rows[48:]]
    again = predict(HeadedModel.load(tmp_path / "model"), fitted.backbone.tokenizer, texts)
    assert np.allclose(again["label"], predict(fitted.model, fitted.backbone.tokenizer, texts)["label"], atol=1e-6)


def test_a_decoder_classifies_too(tiny_decoder: Path, tmp_path: Path) -> None:
    rows = labelled(60)
    fitted = fit(rows[:48], rows[48:], options(tiny_decoder, epochs=8.0), cache=tmp_path)
    assert fitted.model.task.architecture == "decoder" and fitted.model.task.pooling == "last"
    assert fitted.figures["accuracy"] >= 0.7


def test_two_heads_on_one_backbone_one_of_them_with_several_labels(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = [
        Labelled(
            row.text, {"topic": row.labels["label"], "tags": tuple(w for w in ("please", "thanks") if w in row.text)}
        )
        for row in labelled(120)
    ]
    heads = (HeadColumn("topic", "topic", "single"), HeadColumn("tags", "tags", "multi"))
    fitted = fit(rows[:99], rows[99:], options(tiny_encoder, epochs=24.0), cache=tmp_path, heads=heads)
    assert [h.kind for h in fitted.model.task.heads] == ["single", "multi"]
    assert fitted.figures["topic_accuracy"] >= 0.7
    assert fitted.figures["tags_micro_f1"] >= 0.6
    assert fitted.model.task.head("tags").thresholds is not None


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tiny_encoder: Path, tmp_path: Path) -> None:
    def weights(seed: int) -> Any:
        fitted = fit(labelled(16), [], options(tiny_encoder, epochs=1.0, seed=seed), cache=tmp_path)
        return fitted.model.heads.state_dict()["label.linear.weight"].numpy()

    assert np.array_equal(weights(1), weights(1))
    assert not np.array_equal(weights(1), weights(2))


def test_adapters_train_few_weights_and_are_merged(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = labelled(60)
    args = options(tiny_encoder, lora={"rank": 8, "alpha": 32}, learning_rate=1e-2, epochs=12.0)
    fitted = fit(rows[:48], rows[48:], args, cache=tmp_path)
    assert fitted.figures["accuracy"] >= 0.7
    assert not [name for name, _ in fitted.model.named_parameters() if "lora" in name]
    fitted.save(tmp_path / "model")
    texts = [row.text for row in rows[48:]]
    again = predict(HeadedModel.load(tmp_path / "model"), fitted.backbone.tokenizer, texts)
    assert np.allclose(again["label"], predict(fitted.model, fitted.backbone.tokenizer, texts)["label"], atol=1e-5)


@pytest.mark.parametrize("optimizer", ["adamw", "rmsprop", "sgd"])
@pytest.mark.parametrize("freeze", ["none", "embeddings", 1])
def test_every_optimiser_lowers_the_loss_and_frozen_layers_stay(
    optimizer: str, freeze: Any, tiny_encoder: Path, tmp_path: Path
) -> None:
    rate = {"adamw": 3e-3, "rmsprop": 1e-3, "sgd": 6e-2}[optimizer]
    args = options(tiny_encoder, optimizer=optimizer, freeze=freeze, learning_rate=rate, head_learning_rate=rate)
    fitted = fit(labelled(48), labelled(12, seed=1), args, cache=tmp_path)
    assert fitted.outcome.loss < 1.2 and fitted.figures["accuracy"] > 0.4
    if freeze != "none":
        source = load_backbone(tiny_encoder).get_input_embeddings().weight
        assert np.array_equal(source.detach(), fitted.model.get_input_embeddings().weight.detach())  # type: ignore[arg-type]


def test_a_loss_that_is_no_number_stops_with_the_fix(tiny_encoder: Path, tmp_path: Path) -> None:
    args = options(tiny_encoder, optimizer="sgd", learning_rate=10.0, head_learning_rate=10.0, clip=0.0, epochs=30.0)
    with pytest.raises(Diverged, match="Lower learning_rate"):
        fit(labelled(48), [], args, cache=tmp_path)


def test_one_label_only_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = [Labelled("i lost my card", {"label": ("card",)})] * 4
    with pytest.raises(InputError, match="only the label 'card'"):
        fit(rows, [], options(tiny_encoder), cache=tmp_path)


def test_a_held_out_label_that_training_never_saw_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'loan' is in held-out rows"):
        fit(labelled(12), [Labelled("a loan", {"label": ("loan",)})], options(tiny_encoder), cache=tmp_path)


def test_cuda_is_not_replaced_in_silence(tiny_encoder: Path, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(ProviderUnavailable, match="no CUDA device"):
        fit(labelled(12), [], options(tiny_encoder, device="cuda"), cache=tmp_path)


def test_early_stopping_ends_a_run_that_no_longer_gets_better(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = labelled(60)
    args = options(tiny_encoder, epochs=40.0, early_stopping=2)
    fitted = fit(rows[:48], rows[48:], args, cache=tmp_path)
    assert fitted.outcome.steps < 40 * 6
    assert fitted.outcome.best_step is not None and fitted.outcome.best_step < fitted.outcome.steps


def test_pairs_carry_token_types_and_decoders_part_them_by_a_blank_line(tiny_encoder: Path, tiny_decoder: Path) -> None:
    from transformers import AutoTokenizer

    encoder, decoder = (AutoTokenizer.from_pretrained(str(f)) for f in (tiny_encoder, tiny_decoder))
    (row,) = token_rows(encoder, ["my card"], 32, ["a new pin"])
    assert set(row["token_type_ids"]) == {0, 1} and len(row["input_ids"]) == len(row["token_type_ids"])
    (joined,) = token_rows(decoder, ["my card"], 32, ["a new pin"])
    assert decoder.decode(joined["input_ids"]) == "my card\n\na new pin"
    (cut,) = token_rows(encoder, ["my card " * 40], 16, ["a new pin " * 40])
    assert len(cut["input_ids"]) == 16
