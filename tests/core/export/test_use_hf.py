from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.backends.headed import HeadedModel, load_backbone
from core.backends.headed_onnx import OnnxHeads
from core.backends.onnx import MODEL_FILE
from core.backends.windowed import WINDOWS, WindowedModel, register
from core.export.headed import export_headed
from core.export.use import DIMENSION, build_graph
from core.export.use_hf import build_windowed, hf_tokenizer
from core.finetune.classifier import ClassifierArgs, fit, predict
from core.finetune.data import Labelled

BRANCH, INNER = 16, 24
PIECES = ["<unk>", "\0<s>", "\0</s>", "▁", *"涨跌停了公司利润增长下降大幅会议召开", "▁profit", "▁rose", "▁fell"]


@functools.cache
def weights() -> dict[str, np.ndarray[Any, Any]]:
    """The package's arrays, random and narrow."""
    random = np.random.default_rng(0)

    def some(*shape: int) -> np.ndarray[Any, Any]:
        return np.asarray(random.normal(size=shape) / np.sqrt(shape[0]), dtype=np.float32)

    found: dict[str, np.ndarray[Any, Any]] = {
        "table": random.integers(0, 256, (len(PIECES), DIMENSION)).astype(np.uint8),
        "scale": np.full(17, 0.01, np.float32),
        "lo": np.linspace(-1.5, -1.0, 17).astype(np.float32),
        "ln_g": np.ones(DIMENSION + 3 * BRANCH, np.float32),
        "ln_b": some(DIMENSION + 3 * BRANCH),
        "cnn_W": some(DIMENSION + 3 * BRANCH, DIMENSION),
        "cnn_b": some(DIMENSION),
        "d0": some(DIMENSION, INNER),
        "d1": some(INNER, INNER),
        "p1": some(DIMENSION, INNER),
        "d2": some(INNER, DIMENSION),
        "p3": some(INNER, DIMENSION),
        "d3": some(DIMENSION, DIMENSION),
    }
    for n, _ in WINDOWS:
        found |= {f"proj{n}": some(DIMENSION, BRANCH), f"proj_b{n}": some(BRANCH)}
        found |= {f"ln_g{n}": np.ones(BRANCH, np.float32), f"ln_b{n}": some(BRANCH)}
        for layer in (1, 2):
            found |= {f"w{layer}_{n}": some(n * BRANCH, BRANCH), f"b{layer}_{n}": some(BRANCH)}
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tokenizers import Tokenizer, pre_tokenizers
    from tokenizers.models import Unigram

    register()
    path = tmp_path_factory.mktemp("windowed")
    build_windowed(weights()).save_pretrained(path)
    tokenizer = Tokenizer(Unigram([(piece, -float(i)) for i, piece in enumerate(PIECES)], unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    hf_tokenizer(tokenizer).save_pretrained(path)
    return path


def batch(*, left: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    ids, mask = torch.full((2, 9), 2), torch.zeros((2, 9), dtype=torch.int64)
    for row, n in enumerate((9, 4)):
        place = slice(9 - n, 9) if left else slice(0, n)
        ids[row, place] = torch.arange(n) % len(PIECES)
        mask[row, place] = 1
    return ids, mask


def test_it_is_the_encoder_that_is_served(folder: Path, tmp_path: Path) -> None:
    import onnx

    from core.backends.providers import create_session

    model: WindowedModel = load_backbone(folder)
    onnx.save(build_graph(weights()), str(tmp_path / MODEL_FILE))
    session = create_session(tmp_path / MODEL_FILE, "cpu", 1)
    for left in (False, True):
        ids, mask = batch(left=left)
        (wanted,) = session.run(["embedding"], {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
        with torch.inference_mode():
            found = model.embed(ids, mask)
        np.testing.assert_allclose(found.numpy(), wanted, atol=1e-5)


def test_every_position_has_the_vector_of_the_text_whatever_the_padding(folder: Path) -> None:
    model = load_backbone(folder)
    with torch.inference_mode():
        right, left = (model(*batch(left=side)).last_hidden_state for side in (False, True))
    assert right.shape == (2, 9, model.config.hidden_size)
    np.testing.assert_allclose(right[:, 0], right[:, 8], atol=1e-6)
    np.testing.assert_allclose(right[:, 0], left[:, 0], atol=1e-5)


def test_its_pieces_stay_bytes_and_are_not_trained(folder: Path) -> None:
    model = load_backbone(folder)
    assert model.embeddings.table.dtype == torch.uint8
    assert not any(name.startswith("embeddings") for name, _ in model.named_parameters())


def test_it_is_fine_tuned_and_exported_like_any_backbone(folder: Path, tmp_path: Path) -> None:
    texts = ["公司利润大幅增长", "profit rose", "公司利润下降", "profit fell"] * 8
    rows = [Labelled(text, {"sentiment": (("up", "down")[i // 2 % 2],)}) for i, text in enumerate(texts)]
    args = ClassifierArgs(
        backbone=str(folder), epochs=12, learning_rate=3e-3, max_tokens=32, threads=1, track=(), keep_best=False
    )
    fitted = fit(rows, (), args, cache=tmp_path)
    said = predict(fitted.model, fitted.backbone.tokenizer, texts[:4])["sentiment"]
    assert fitted.model.task.heads[0].labels[0] == "down"
    assert said.argmax(axis=1).tolist() == [1, 1, 0, 0]
    fitted.save(tmp_path / "trained")
    assert isinstance(HeadedModel.load(tmp_path / "trained", attention="eager").backbone, WindowedModel)
    export_headed(tmp_path / "trained", {"int8": tmp_path / "int8"}, samples=texts[:4])
    served = OnnxHeads(tmp_path / "int8", threads=1).logits(texts[:4])["sentiment"]
    assert served.argmax(axis=1).tolist() == [1, 1, 0, 0]
