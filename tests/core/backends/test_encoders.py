from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.backends import load_encoder
from core.backends.base import Encoder
from core.backends.encoder import MAX_WASTE, TOKEN_BUDGET, batches
from core.backends.fake import FakeEncoder
from core.backends.onnx import OnnxEncoder
from core.backends.providers import create_session, resolve_precision
from core.backends.torch import TorchEncoder
from core.errors import ArtifactDamaged, ModelNotPrepared, ProviderUnavailable
from core.models.artifacts import ArtifactStore
from core.settings import CoreSettings
from tests.core.backends import tiny_encoder

TEXTS = ["I lost my card", "fee?", "", "why was I charged twice, what is the fee of my account " * 3, "change my pin"]


@pytest.fixture(scope="module")
def encoders() -> dict[str, Encoder]:
    folders = tiny_encoder.exported()
    return {
        "torch": TorchEncoder(tiny_encoder.source(), name="tiny"),
        "fp32": OnnxEncoder(folders["fp32"]),
        "int8": OnnxEncoder(folders["int8"]),
        "fake": FakeEncoder(),
    }


@pytest.mark.parametrize("which", ["torch", "fp32", "int8", "fake"])
def test_every_encoder_keeps_the_contract(encoders: dict[str, Encoder], which: str) -> None:
    encoder = encoders[which]
    assert isinstance(encoder, Encoder)
    rows = encoder.encode(TEXTS, batch_size=2)
    assert rows.shape == (len(TEXTS), encoder.dimension) and rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert encoder.encode([]).shape == (0, encoder.dimension)
    batch = encoder.prepare(TEXTS)
    assert batch.input_ids.dtype == batch.attention_mask.dtype == np.int64
    assert batch.attention_mask.sum(axis=1).max() <= encoder.max_tokens
    assert batch.attention_mask[2].sum() > 0, "an empty text is the special tokens alone, never nothing"
    assert encoder.count_tokens(["", "card"])[0] == 0


@pytest.mark.parametrize("which", ["torch", "fp32", "fake"])
def test_a_vector_does_not_depend_on_its_neighbours(encoders: dict[str, Encoder], which: str) -> None:
    encoder = encoders[which]
    together = encoder.encode(TEXTS, batch_size=3)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert np.allclose(together, alone, atol=1e-5)


def test_onnx_says_what_torch_says(encoders: dict[str, Encoder]) -> None:
    wanted = encoders["torch"].encode(TEXTS)
    assert np.allclose(encoders["fp32"].encode(TEXTS), wanted, atol=1e-5)
    assert (encoders["int8"].encode(TEXTS) * wanted).sum(axis=1).mean() > 0.99


def test_a_tokenizer_file_with_truncation_inside_does_not_cut_our_texts(encoders: dict[str, Encoder]) -> None:
    assert encoders["fp32"].count_tokens(["card " * 40]) == [40]
    assert encoders["fp32"].prepare(["card " * 400]).input_ids.shape == (1, tiny_encoder.MAX_TOKENS)


def test_a_text_of_a_megabyte_costs_no_more_than_a_page(encoders: dict[str, Encoder]) -> None:
    assert encoders["fp32"].prepare(["word " * 200_000]).input_ids.shape == (1, tiny_encoder.MAX_TOKENS)


@given(st.lists(st.integers(1, 512), max_size=200), st.integers(1, 64))
def test_batches_cover_every_text_once_with_little_padding(lengths: list[int], size: int) -> None:
    found = list(batches(lengths, size))
    assert sorted(i for batch in found for i in batch.tolist()) == list(range(len(lengths)))
    for batch in found:
        chosen = [lengths[i] for i in batch]
        padded = max(chosen) * len(chosen)
        assert len(chosen) <= size and (len(chosen) == 1 or padded <= TOKEN_BUDGET)
        assert len(chosen) <= 4 or padded - sum(chosen) <= MAX_WASTE * padded


def test_cuda_that_is_not_there_is_an_error_and_not_a_warning() -> None:
    with pytest.raises(ProviderUnavailable, match="TRIPTYCH_PROVIDER=cpu"):
        OnnxEncoder(tiny_encoder.exported()["fp32"], provider="cuda")
    with pytest.raises(ProviderUnavailable, match="CUDA"):
        TorchEncoder(tiny_encoder.source(), name="tiny", provider="cuda")


def test_precision_follows_the_provider_unless_it_is_named() -> None:
    assert resolve_precision("auto", "cpu") == "int8"
    assert resolve_precision("auto", "cuda") == "fp16"
    assert resolve_precision("fp32", "cuda") == "fp32"


def test_a_file_that_is_no_model_is_a_damaged_artifact(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(ArtifactDamaged, match="cannot open"):
        create_session(tmp_path / "model.onnx")
    with pytest.raises(ArtifactDamaged, match=r"encoder\.json"):
        OnnxEncoder(tmp_path)


def test_encoders_are_opened_by_catalog_name_and_by_published_name(tmp_path: Path) -> None:
    settings = CoreSettings(home=tmp_path, threads=1)
    with pytest.raises(ModelNotPrepared, match="triptych models prepare"):
        load_encoder(settings)

    def build(folder: Path) -> None:
        for file in tiny_encoder.exported()["int8"].iterdir():
            (folder / file.name).write_bytes(file.read_bytes())

    ArtifactStore(settings.models_folder).publish("mine-int8", build, kind="encoder")
    assert load_encoder(settings, "mine").name == load_encoder(settings, "mine-int8").name == "tiny-int8"


def test_serving_imports_neither_torch_nor_transformers() -> None:
    code = (
        "import sys; from pathlib import Path; from core.backends.onnx import OnnxEncoder\n"
        "import core.backends, core.encode, core.backends.fake\n"
        "OnnxEncoder(Path(sys.argv[1])).encode(['card'])\n"
        "heavy = {'torch', 'transformers', 'onnx', 'sklearn', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    folder = tiny_encoder.exported()["int8"]
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, timeout=60)
