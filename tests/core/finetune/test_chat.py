"""Fine-tuning on dialogues, with a llama of random weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from core.backends.chat import ChatTemplate
from core.errors import InputError
from core.export.decoder import decoder_parity, export_decoder, hf_folder
from core.finetune.args import LoraArgs
from core.finetune.backbone import open_backbone
from core.finetune.causal import CausalModel, CausalRow, causal_row, collate_causal, mean_loss, pack, perplexity
from core.finetune.chat import ChatArgs, FittedChat, fit
from core.finetune.chat_rows import chat_rows
from core.finetune.data.examples import Dialogue
from core.finetune.losses import IGNORED
from core.models.task import TaskConfig
from core.types import Message, Role

QUESTIONS = {
    "how do i close my account ?": "open the app .",
    "i lost my card": "thanks , bye .",
    "如何销户？": "手续费",
}


def talk(*turns: str, system: str = "") -> Dialogue:
    roles: list[Role] = ["user", "assistant"]
    messages = [Message(roles[i % 2], text) for i, text in enumerate(turns)]
    return Dialogue((Message("system", system), *messages) if system else tuple(messages))


def rows() -> list[Dialogue]:
    return [talk(question, answer) for question, answer in QUESTIONS.items()]


def options(backbone: Path, **more: object) -> ChatArgs:
    plain = {"lora": LoraArgs(), "learning_rate": 1e-2, "epochs": 20, "batch_size": 2, "threads": 1, "track": ()}
    return ChatArgs.model_validate({"backbone": str(backbone), "max_tokens": 64, "precision": "fp32", **plain, **more})


@pytest.fixture(scope="module")
def trained(tiny_decoder: Path, tmp_path_factory: pytest.TempPathFactory) -> FittedChat:
    return fit(rows(), rows(), options(tiny_decoder), cache=tmp_path_factory.mktemp("cache"))


def test_the_loss_is_on_what_the_assistant_says_and_on_nothing_else(tiny_decoder: Path, tmp_path: Path) -> None:
    tokenizer = open_backbone(str(tiny_decoder), tmp_path, causal=True).tokenizer
    template = ChatTemplate.from_folder(tiny_decoder)
    dialogue = talk("hello", "good", "thanks", "bye", system="please")

    def learned(learn: str) -> str:
        (row,) = chat_rows([dialogue], template, tokenizer, 99, learn=learn).rows  # type: ignore[arg-type]
        assert tokenizer.decode(list(row.ids)).endswith("<|im_end|>")
        return str(tokenizer.decode([t for t in row.targets if t != IGNORED]))

    assert learned("all") == "good<|im_end|>bye<|im_end|>"
    assert learned("last") == "bye<|im_end|>"


def test_a_system_text_is_put_before_dialogues_that_have_none(tiny_decoder: Path, tmp_path: Path) -> None:
    tokenizer = open_backbone(str(tiny_decoder), tmp_path, causal=True).tokenizer
    template = ChatTemplate.from_folder(tiny_decoder)
    both = [talk("hello", "good"), talk("hello", "good", system="own words")]
    texts = [tokenizer.decode(list(r.ids)) for r in chat_rows(both, template, tokenizer, 99, system="be calm").rows]
    assert "be calm" in texts[0] and "be calm" not in texts[1] and "own words" in texts[1]


def test_words_of_a_dialogue_never_become_control_tokens(tiny_decoder: Path, tmp_path: Path) -> None:
    tokenizer = open_backbone(str(tiny_decoder), tmp_path, causal=True).tokenizer
    template = ChatTemplate.from_folder(tiny_decoder)
    (row,) = chat_rows([talk("bye<|im_end|>", "good")], template, tokenizer, 99).rows
    assert row.ids.count(tokenizer.convert_tokens_to_ids("<|im_end|>")) == 2


def test_the_oldest_turns_go_first_and_the_last_answer_is_never_cut(tiny_decoder: Path, tmp_path: Path) -> None:
    tokenizer = open_backbone(str(tiny_decoder), tmp_path, causal=True).tokenizer
    template = ChatTemplate.from_folder(tiny_decoder)
    dialogues = [talk("red " * 30, "green", "hello", "bye", system="calm"), talk("hello", "blue " * 60)]
    found = chat_rows(dialogues, template, tokenizer, 40)
    (row,) = found.rows
    text = tokenizer.decode(list(row.ids))
    assert "calm" in text and "hello" in text and "bye<|im_end|>" in text and "red" not in text
    assert (found.shortened, found.dropped) == (1, 1)
    assert "1 training dialogues were left out" in found.notes("training", 40)[1]


def test_a_template_that_rewrites_earlier_answers_gives_each_answer_its_own_row(
    tiny_decoder: Path, tmp_path: Path
) -> None:
    tokenizer = open_backbone(str(tiny_decoder), tmp_path, causal=True).tokenizer
    source = (
        "{% for m in messages %}{{ m['role'] + ':' }}{% if m['role'] == 'user' or loop.last %}{{ m['content'] }}"
        "{% else %}...{% endif %}{{ '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
    )
    dialogue = talk("hello", "good", "thanks", "bye")
    found = chat_rows([dialogue], ChatTemplate(source), tokenizer, 99).rows
    said = [tokenizer.decode([t for t in row.targets if t != IGNORED]) for row in found]
    assert said == ["good<|im_end|>", "bye<|im_end|>"]


def test_a_packed_row_has_the_losses_of_its_parts_alone(tiny_decoder: Path, tmp_path: Path) -> None:
    backbone = open_backbone(str(tiny_decoder), tmp_path, causal=True)
    parts = chat_rows(rows(), ChatTemplate.from_folder(tiny_decoder), backbone.tokenizer, 64).rows
    packed = pack(parts, 128)
    assert len(packed) == 1 and len(packed[0].ids) == sum(len(part.ids) for part in parts)
    model = CausalModel(backbone.model).eval()
    batch = collate_causal([*packed, causal_row([5, 6, 7])], 2)  # beside a shorter one, so that padding is there too
    alone = torch.cat([model(**collate_causal([part], 2)) for part in (*sorted_parts(parts), causal_row([5, 6, 7]))])
    torch.testing.assert_close(model(**batch), alone, atol=1e-5, rtol=1e-5)
    assert mean_loss(model, packed, 2) == pytest.approx(mean_loss(model, parts, 2, batch_tokens=40), abs=1e-5)


def sorted_parts(parts: tuple[CausalRow, ...]) -> list[CausalRow]:
    return sorted(parts, key=lambda part: -len(part.ids))


def test_no_row_is_packed_beyond_the_limit_and_none_is_lost() -> None:
    parts = [causal_row(range(3, 3 + size)) for size in (1, 9, 4, 4, 2, 6, 10, 3)]
    packed = pack(parts, 10)
    assert max(len(row.ids) for row in packed) == 10 and len(packed) == 4
    assert sorted(i for row in packed for i in row.ids) == sorted(i for part in parts for i in part.ids)
    assert sum(row.learned for row in packed) == sum(part.learned for part in parts)


def test_it_learns_the_answers_by_heart(trained: FittedChat) -> None:
    assert trained.figures["perplexity"] < 1.5
    assert trained.figures["score"] == -trained.figures["loss"]
    assert trained.figures["tokens"] > 0
    assert "3 dialogues were packed" in trained.notes[0]


def test_the_saved_folder_answers_and_exports_as_any_decoder(trained: FittedChat, tmp_path: Path) -> None:
    from core.backends.hf import TransformersGenerator

    trained.save(tmp_path / "model")
    folder = hf_folder(tmp_path / "model" / "backbone", tmp_path / "cache")
    assert folder == tmp_path / "model" / "backbone"
    assert {"chat_template.jinja", "generation_config.json", "tokenizer.json"} <= {p.name for p in folder.iterdir()}
    assert json.loads((folder / "config.json").read_text())["tie_word_embeddings"] is True
    assert TaskConfig.load(tmp_path / "model").task == "chat"
    generator = TransformersGenerator(folder, name="tuned", threads=1)
    for question, answer in QUESTIONS.items():
        prompt = ChatTemplate.from_folder(folder).render([Message("user", question)])
        ids = generator.greedy(generator.encode(prompt), 24)
        text = generator.decode(ids) if hasattr(generator, "decode") else trained.backbone.tokenizer.decode(ids)
        assert text.removesuffix("<|im_end|>") == answer
    export_decoder(folder, tmp_path / "onnx", precision="fp32", name="tuned", cache=tmp_path / "cache")
    report = decoder_parity(folder, tmp_path / "onnx", list(QUESTIONS), tokens=8, threads=1)
    assert report["greedy_equal"] == 1.0 and report["tokenizers_equal"]


def test_adapters_are_merged_and_the_embeddings_stay_as_they_were(tiny_decoder: Path, tmp_path: Path) -> None:
    args = options(tiny_decoder, lora={"rank": 8, "alpha": 16}, loss_on="last", epochs=4, packing=False)
    fitted = fit(rows(), rows(), args, cache=tmp_path)
    before = open_backbone(str(tiny_decoder), tmp_path, causal=True).model
    fitted.save(tmp_path / "model")
    after = open_backbone(str(tmp_path / "model"), tmp_path, causal=True).model
    assert not any("lora" in name for name, _ in after.named_parameters())
    assert after.lm_head.weight is after.model.embed_tokens.weight
    assert torch.equal(after.lm_head.weight, before.lm_head.weight)
    assert not torch.equal(after.model.layers[0].mlp.up_proj.weight, before.model.layers[0].mlp.up_proj.weight)
    assert fitted.figures["loss"] < mean_loss(
        CausalModel(before.eval()),
        chat_rows(rows(), ChatTemplate.from_folder(tiny_decoder), fitted.backbone.tokenizer, 64).rows,
        2,
    )


def test_what_cannot_be_learned_from_is_named(tiny_decoder: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    args = options(tiny_decoder)
    with pytest.raises(InputError, match="no dialogues"):
        fit([], [], args, cache=tmp_path)
    with pytest.raises(InputError, match="dialogue 1: the last turn is the user's"):
        fit([talk("hello")], [], args, cache=tmp_path)
    with pytest.raises(InputError, match="raise max_tokens"):
        fit([talk("hello", "good " * 200)], [], args, cache=tmp_path)
    with pytest.raises(InputError, match="is an encoder"):
        fit(rows(), [], options(tiny_encoder), cache=tmp_path)


def test_perplexity_is_bounded() -> None:
    assert perplexity(0.0) == 1.0
    assert perplexity(1e6) == 1e9
