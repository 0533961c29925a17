"""Exported heads as they are served: the ids of training, and answers that mean what the heads mean."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.backends import load_heads
from core.backends.entities import entities
from core.backends.headed_onnx import OnnxHeads, choose, head_probabilities
from core.errors import ArtifactDamaged, InputError, ModelNotPrepared
from core.evaluate.tagging import entity_spans
from core.export.headed import export_headed
from core.models.artifacts import ArtifactStore
from core.settings import CoreSettings
from tests.core.export.conftest import MULTI, SCORE, SINGLE, TOKEN, Make, headed, tiny_decoder, tiny_encoder

__all__ = ["headed", "tiny_decoder", "tiny_encoder"]

TEXTS = (
    "how do i close my account ?",
    "",
    " ",
    "\n\n",
    "如何销户？银行卡丢了，要办新卡。",
    "card " * 5000,
    "a",
    "Why was I charged twice?? 😡",
    "[CLS] not a control token [SEP] <|im_end|>",
    "x" * 3000,
    "Ünïcödé ﬁne\u200b\u00a0print",
)


@pytest.fixture(scope="module")
def served(headed: Make, tmp_path_factory: pytest.TempPathFactory) -> dict[str, OnnxHeads]:
    made = {}
    for name, architecture, heads in (
        ("single", "encoder", (SINGLE, MULTI)),
        ("pairs", "encoder", (SCORE,)),
        ("decoder", "decoder", (SINGLE,)),
        ("decoder pairs", "decoder", (SCORE,)),
        ("tags", "encoder", (TOKEN,)),
        ("decoder tags", "decoder", (TOKEN,)),
    ):
        folder = headed(architecture, *heads, pooling="last" if architecture == "decoder" else "mean")
        out = tmp_path_factory.mktemp("served") / "model"
        export_headed(folder, {"fp32": out}, name=name.replace(" ", "-"))
        made[name] = OnnxHeads(out, threads=1)
    return made


@pytest.mark.parametrize("name", ["single", "pairs", "decoder", "decoder pairs"])
def test_ids_and_types_are_those_of_training(
    served: dict[str, OnnxHeads], tiny_encoder: Path, tiny_decoder: Path, name: str
) -> None:
    from transformers import AutoTokenizer

    from core.finetune.tokens import token_rows

    model = served[name]
    tokenizer = AutoTokenizer.from_pretrained(str(tiny_decoder if "decoder" in name else tiny_encoder))
    pairs = [*reversed(TEXTS)] if model.task.pairs else None
    wanted = token_rows(tokenizer, TEXTS, model.max_tokens, pairs)
    got = model.tokenizer.rows(TEXTS, pairs)
    for text, theirs, ours in zip(TEXTS, wanted, got, strict=True):
        assert ours.ids == theirs["input_ids"], text
        assert ours.types == theirs.get("token_type_ids", ours.types), text
        assert len(ours.ids) <= model.max_tokens


def test_logits_are_those_of_torch_whatever_shares_a_batch(served: dict[str, OnnxHeads], headed: Make) -> None:
    from transformers import AutoTokenizer

    from core.backends.headed import HeadedModel
    from core.finetune.classifier import predict

    folder = headed("encoder", SINGLE, MULTI)
    model = HeadedModel.load(folder)
    wanted = predict(model, AutoTokenizer.from_pretrained(str(folder / "backbone")), TEXTS)
    together = served["single"].logits(TEXTS)
    alone = [served["single"].logits([text]) for text in TEXTS]
    for name in ("label", "topics"):
        np.testing.assert_allclose(together[name], wanted[name], atol=1e-4)
        np.testing.assert_allclose(np.concatenate([each[name] for each in alone]), wanted[name], atol=1e-4)
    assert served["single"].logits([])["label"].shape == (0, 4)


def test_probabilities_apply_temperature_and_shift() -> None:
    logits = np.array([[2.0, 0.0, -1.0, 0.0]], np.float32)
    single = head_probabilities(SINGLE, logits)
    raised = np.exp(logits / 1.7)
    np.testing.assert_allclose(single, raised / raised.sum(), rtol=1e-6)
    score = head_probabilities(SCORE, logits[:, :1])
    assert score[0, 0] == pytest.approx(1 / (1 + np.exp(-(2 / 0.8 - 0.3))), rel=1e-6)
    assert np.isfinite(head_probabilities(MULTI, np.array([[1e4, -1e4, 0]], np.float32))).all()


def test_a_multi_head_names_every_label_over_its_own_threshold_best_first() -> None:
    assert [p.label for p in choose(MULTI, np.array([0.41, 0.49, 0.9], np.float32))] == ["anger", "money"]
    assert choose(MULTI, np.array([0.1, 0.1, 0.1], np.float32)) == []
    (best,) = choose(SINGLE, np.array([0.1, 0.6, 0.2, 0.1], np.float32))
    assert (best.label, round(best.probability, 3)) == ("card", 0.6)


def test_labels_come_by_head_in_the_order_of_the_texts(served: dict[str, OnnxHeads]) -> None:
    found = served["single"].labels(TEXTS)
    chances = served["single"].probabilities(TEXTS)["label"]
    assert [each["label"][0].label for each in found] == [SINGLE.labels[i] for i in chances.argmax(axis=1)]
    assert all(set(each) == {"label", "topics"} for each in found)


def test_a_reranker_scores_pairs_and_refuses_single_texts(served: dict[str, OnnxHeads]) -> None:
    scores = served["pairs"].scores(["what fee ?"] * 3, ["the fee is charged", "", "card " * 900])
    assert scores.shape == (3,) and ((scores > 0) & (scores < 1)).all()
    with pytest.raises(InputError, match="reads pairs of texts"):
        served["pairs"].logits(["alone"])
    with pytest.raises(InputError, match="reads single texts"):
        served["single"].logits(["a"], ["b"])
    with pytest.raises(InputError, match="1 texts and 2 second texts"):
        served["pairs"].logits(["a"], ["b", "c"])
    with pytest.raises(InputError, match=r"no score head; its heads are label \(single\)"):
        served["decoder"].scores(["a"], ["b"])


@pytest.mark.parametrize("name", ["tags", "decoder tags"])
def test_spans_are_characters_of_the_text(served: dict[str, OnnxHeads], name: str) -> None:
    texts = ["Anna Bell works in Paris, 张三在北京工作。", "", "word " * 300]
    found = served[name].spans(texts)
    assert found[1] == []
    for text, each in zip(texts, found, strict=True):
        places = [(entity.start, entity.end) for entity in each]
        assert places == sorted(places)
        for entity in each:
            quoted = text[entity.start : entity.end]
            assert quoted and quoted == quoted.strip() and entity.label in {"PER", "LOC"}
            assert 0 < entity.probability <= 1
    with pytest.raises(InputError, match="no token head"):
        served["single"].spans(["a"])


@pytest.mark.parametrize("architecture", ["encoder", "decoder"])
def test_tags_are_those_of_torch_on_long_sentences_and_odd_words(
    served: dict[str, OnnxHeads], headed: Make, architecture: str
) -> None:
    from transformers import AutoTokenizer

    from core.backends.headed import HeadedModel
    from core.finetune import tagger

    folder = headed(architecture, TOKEN, pooling="mean" if architecture == "encoder" else "last")
    model, tokenizer = HeadedModel.load(folder), AutoTokenizer.from_pretrained(str(folder / "backbone"))
    sentences = [
        ["Anna", "Bell", "of", "Acme's", "U.S.", "desk"],
        ["北京", "的", "\u200b"],
        [],
        ["card", "x" * 400] * 60,
    ]
    export = served["tags" if architecture == "encoder" else "decoder tags"]
    assert export.tags(sentences) == [tags for tags, _ in tagger.predict(model, tokenizer, sentences)]
    texts = ["Anna Bell works in Paris, 张三在北京工作。", "", "word " * 300]
    for ours, theirs in zip(export.spans(texts), tagger.find(model, tokenizer, texts), strict=True):
        assert [(e.start, e.end, e.label) for e in ours] == [(e.start, e.end, e.label) for e in theirs]


def test_entities_are_read_as_the_evaluation_reads_them() -> None:
    random.seed(5)
    alphabet = ["O", "B-PER", "I-PER", "E-PER", "S-PER", "B-LOC", "I-LOC", "PER", "LOC", "B", "I"]
    for _ in range(2000):
        tags = random.choices(alphabet, k=random.randint(0, 9))
        words = [(3 * i, 3 * i + 2) for i in range(len(tags))]
        wanted = [(3 * span.start, 3 * span.end - 1, span.type) for span in entity_spans(tags)]
        found = entities(words, tags, [1.0] * len(tags))
        assert [(e.start, e.end, e.label) for e in found] == wanted, tags
    (one,) = entities([(0, 2), (3, 5)], ["B-PER", "I-PER"], [0.5, 1.0])
    assert one.probability == 0.75


def test_a_published_model_is_opened_by_name_and_kind(headed: Make, tmp_path: Path) -> None:
    settings = CoreSettings(home=tmp_path, threads=1)
    store = ArtifactStore(settings.models_folder)
    folder = headed("encoder", SINGLE)

    def build(target: Path) -> None:
        export_headed(folder, {"int8": target}, name="intents")

    store.publish("intents-int8", build, kind="classifier")
    store.publish("plain", build, kind="classifier")
    store.publish("other", build, kind="encoder")
    assert load_heads(settings, "intents-int8").labels(["hello"]) == load_heads(settings, "plain").labels(["hello"])
    with pytest.raises(ModelNotPrepared, match="'intents'"):
        load_heads(settings, "intents")  # another name, though its precision is the settings' own
    with pytest.raises(InputError, match="'other' is a published encoder; this needs one of classifier, tagger"):
        load_heads(settings, "other")

    def without_task(target: Path) -> None:
        (target / "labels.json").write_text("[]", encoding="utf-8")

    store.publish("vectors", without_task, kind="classifier")
    with pytest.raises(InputError, match=r"without task\.json, which only its app can open"):
        load_heads(settings, "vectors")
    with pytest.raises(ModelNotPrepared):
        load_heads(settings, "nobody")


@pytest.mark.parametrize("file", ["tokens.json", "task.json", "tokenizer.json", "model.onnx"])
def test_a_damaged_file_is_named(headed: Make, tmp_path: Path, file: str) -> None:
    export_headed(headed("encoder", SINGLE), {"fp32": tmp_path / "a"})
    (tmp_path / "a" / file).write_text("{}")
    with pytest.raises(ArtifactDamaged, match=file):
        OnnxHeads(tmp_path / "a")


def test_a_graph_without_a_described_head_is_refused(headed: Make, tmp_path: Path) -> None:
    export_headed(headed("encoder", SINGLE), {"fp32": tmp_path / "a"})
    told = json.loads((tmp_path / "a" / "task.json").read_text())
    told["heads"][0]["name"] = "mood"
    (tmp_path / "a" / "task.json").write_text(json.dumps(told))
    with pytest.raises(ArtifactDamaged, match="no output for the head 'mood'"):
        OnnxHeads(tmp_path / "a")


def test_serving_heads_loads_neither_torch_nor_transformers(headed: Make, tmp_path: Path) -> None:
    export_headed(headed("encoder", SINGLE), {"fp32": tmp_path / "a"})
    code = (
        "import sys; from pathlib import Path; from core.backends.headed_onnx import OnnxHeads;"
        f"print(len(OnnxHeads(Path({str(tmp_path / 'a')!r}), threads=1).labels(['hello'])));"
        "print(sorted({'torch', 'transformers', 'sklearn', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "[]"]
