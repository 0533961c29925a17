"""Exports of a tiny llama, and what stops a bad one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from core.errors import InputError, ModelError, ParityFailed
from core.export.decoder import check_parity, decoder_parity, export_decoder, hf_folder
from tests.core.backends import tiny_decoder

PROMPTS = ["How do I close my account?", "如何销户？ 😀", "a"]


def test_a_float_export_says_token_for_token_what_torch_says() -> None:
    report = decoder_parity(tiny_decoder.source(), tiny_decoder.exported(), PROMPTS, tokens=16, threads=1)
    assert report["greedy_equal"] == report["first_token_agreement"] == 1.0
    assert report["perplexity_ratio"] == pytest.approx(1, abs=1e-3)
    assert report["max_logit_difference"] < 1e-3
    assert report["tokenizers_equal"]
    check_parity(report)


def test_a_quantised_export_is_measured_and_described() -> None:
    folder = tiny_decoder.exported("int4")
    report = decoder_parity(tiny_decoder.source(), folder, PROMPTS, tokens=16, threads=1)
    assert report["precision"] == "int4"
    assert report["perplexity_ratio"] > 1
    assert 0 <= report["first_token_agreement"] <= 1
    described = json.loads((folder / "decoder.json").read_text())
    assert (described["name"], described["provider"], described["languages"]) == ("tiny", "cpu", "en zh")
    assert not list(folder.parent.glob(".decoder-*")), "no scratch folder is left"


def test_an_export_of_other_weights_fails_parity(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    other = tmp_path / "other"
    shutil.copytree(tiny_decoder.source(), other)
    model = AutoModelForCausalLM.from_pretrained(other, dtype=torch.float32)
    torch.nn.init.normal_(model.model.layers[0].mlp.down_proj.weight)
    model.save_pretrained(other)
    report = decoder_parity(other, tiny_decoder.exported(), PROMPTS, tokens=8, threads=1)
    with pytest.raises(ParityFailed, match="nothing is published"):
        check_parity(report)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tokenizers_equal": False}, "tokenizer"),
        ({"greedy_equal": 0.5}, "greedy texts"),
        ({"perplexity_ratio": 1.1}, "perplexity"),
    ],
)
def test_each_failing_figure_refuses_the_export(change: dict[str, object], said: str) -> None:
    good = {"precision": "fp32", "tokenizers_equal": True, "greedy_equal": 1.0, "perplexity_ratio": 1.0}
    check_parity(good)
    with pytest.raises(ParityFailed, match=said):
        check_parity({**good, **change})


def test_what_cannot_be_exported_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no fp16 decoder for cpu"):
        export_decoder(tiny_decoder.source(), tmp_path / "out", precision="fp16", provider="cpu")
    with pytest.raises(InputError, match="CUDA graphs are for provider cuda"):
        export_decoder(tiny_decoder.source(), tmp_path / "out", precision="fp32", provider="cpu", cuda_graph=True)
    with pytest.raises(InputError, match="is no decoder"):
        export_decoder(tmp_path, tmp_path / "out", precision="int4", provider="cpu")
    full = tmp_path / "full"
    full.mkdir()
    (full / "file").touch()
    with pytest.raises(InputError, match="not empty"):
        export_decoder(tiny_decoder.source(), full, precision="int4", provider="cpu")
    (tmp_path / "a.gguf").write_bytes(b"GGUF but not really")
    with pytest.raises(InputError, match="cannot be read as a decoder"):
        hf_folder(tmp_path, tmp_path / "cache")
    (tmp_path / "b.gguf").touch()
    with pytest.raises(InputError, match="2 GGUF files"):
        hf_folder(tmp_path, tmp_path / "cache")


def test_a_failing_builder_shows_the_end_of_its_log(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny_decoder.source(), broken)
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps({**config, "architectures": ["NobodyForCausalLM"]}))
    with pytest.raises(ModelError, match=r"(?s)exit code.*Error"):
        export_decoder(broken, tmp_path / "out", precision="fp32", provider="cpu")
    assert not (tmp_path / "out").exists()


def test_cuda_graphs_are_written_into_the_export_and_read_by_the_server(tmp_path: Path) -> None:
    from core.backends.genai import _cuda_options

    export_decoder(tiny_decoder.source(), tmp_path / "out", precision="fp16", provider="cuda", cuda_graph=True)
    assert _cuda_options(tmp_path / "out")["enable_cuda_graph"] == "1"
    assert _cuda_options(tiny_decoder.exported()) == {}


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft reads transformers' old name
def test_an_adapter_merged_into_the_weights_is_exported_with_them(tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_pretrained(tiny_decoder.source(), dtype=torch.float32)
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False))
    merged = tmp_path / "merged"
    shutil.copytree(tiny_decoder.source(), merged)
    adapted.merge_and_unload().save_pretrained(merged)
    export_decoder(merged, tmp_path / "out", precision="fp32", provider="cpu")
    report = decoder_parity(merged, tmp_path / "out", PROMPTS, tokens=8, threads=1)
    check_parity(report)
    with pytest.raises(ParityFailed):
        check_parity(decoder_parity(tiny_decoder.source(), tmp_path / "out", PROMPTS, tokens=8, threads=1))


@pytest.mark.models
def test_the_embedded_gguf_is_converted_once_and_its_float_export_is_exact(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from core.models.catalog import find

    source = find("smollm2").folder
    folder = hf_folder(source, tmp_path)
    assert capfd.readouterr().err == "", "no progress bars of libraries"
    before = (folder / "model.safetensors").stat().st_mtime_ns
    assert hf_folder(source, tmp_path) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == before
    export_decoder(source, tmp_path / "fp32", precision="fp32", provider="cpu", cache=tmp_path)
    report = decoder_parity(folder, tmp_path / "fp32", ["What is the capital of France?"], tokens=8)
    check_parity(report)
    assert report["greedy_equal"] == 1.0
