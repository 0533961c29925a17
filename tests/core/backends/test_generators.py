"""Which generator the settings open."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.backends.genai import GenaiGenerator
from core.backends.generators import decoder_precision, load
from core.backends.hf import TransformersGenerator
from core.backends.openai import OpenAIGenerator
from core.errors import ArtifactDamaged, InputError, ModelNotPrepared, ProviderUnavailable
from core.models.artifacts import ArtifactStore
from core.settings import CoreSettings
from tests.core.backends import tiny_decoder


def _settings(home: Path, **values: object) -> CoreSettings:
    return CoreSettings.model_validate({"home": home, "threads": 1, **values})


def _publish(home: Path, name: str = "smollm2") -> None:
    def build(folder: Path) -> None:
        shutil.copytree(tiny_decoder.exported(), folder, dirs_exist_ok=True)

    ArtifactStore(home / "models").publish(name, build, kind="generator")


def test_none_means_no_generator(tmp_path: Path) -> None:
    assert load(_settings(tmp_path, generator="none")) is None


def test_a_url_means_a_remote_server_and_the_name_is_its_models(tmp_path: Path) -> None:
    settings = _settings(
        tmp_path, generator="qwen3:8b", generator_url="http://127.0.0.1:1/v1", generator_api_key="k", provider="cuda"
    )
    generator = load(settings)
    assert isinstance(generator, OpenAIGenerator)
    assert generator.name == "qwen3:8b"
    assert generator.languages == {"en", "zh"}
    generator.close()
    english = load(settings.model_copy(update={"generator_languages": ("en",)}))
    assert english is not None
    assert english.languages == {"en"}


def test_the_embedded_name_opens_its_published_export(tmp_path: Path) -> None:
    _publish(tmp_path)
    generator = load(_settings(tmp_path))
    assert isinstance(generator, GenaiGenerator)
    assert generator.name == "tiny-fp32"
    assert generator.languages == {"en"}, "the catalog knows what SmolLM2 writes"


def test_an_export_for_another_provider_is_refused(tmp_path: Path) -> None:
    _publish(tmp_path)
    with pytest.raises(ProviderUnavailable, match="exported for cpu"):
        load(_settings(tmp_path, provider="cuda"))


def test_a_model_that_was_never_exported_says_how_to(tmp_path: Path) -> None:
    with pytest.raises(ModelNotPrepared, match="prepare"):
        load(_settings(tmp_path))


def test_a_changed_export_is_refused(tmp_path: Path) -> None:
    _publish(tmp_path)
    file = next((tmp_path / "models").rglob("tokenizer_config.json"))
    file.chmod(0o644)
    file.write_text(file.read_text() + " ")
    with pytest.raises(ArtifactDamaged):
        load(_settings(tmp_path))


def test_folders_are_opened_by_what_is_in_them(tmp_path: Path) -> None:
    exported = load(_settings(tmp_path, generator=str(tiny_decoder.exported())))
    assert isinstance(exported, GenaiGenerator)
    assert exported.languages == {"en", "zh"}
    assert isinstance(load(_settings(tmp_path, generator=str(tiny_decoder.source()))), TransformersGenerator)
    with pytest.raises(InputError, match="no generator's folder"):
        load(_settings(tmp_path, generator=str(tmp_path)))


def test_precision_follows_the_provider() -> None:
    assert decoder_precision("auto", "cpu") == "int4"
    assert decoder_precision("auto", "cuda") == "fp16"
    assert decoder_precision("fp16", "cpu") == "fp32"
    assert decoder_precision("int8", "cpu") == "int8"
