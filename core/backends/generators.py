"""Chooses the generator that the settings name.

Knows which backend reads which folder; imports a backend only when it is chosen.
"""

from __future__ import annotations

import json
from pathlib import Path

from core.backends.base import Generator
from core.errors import ArtifactDamaged, InputError, ModelNotPrepared, ProviderUnavailable
from core.models.artifacts import ArtifactStore
from core.models.catalog import EMBEDDED, slug
from core.settings import CoreSettings, Precision, Provider

DESCRIPTION = "decoder.json"
"""Written beside an exported decoder: its name, precision, provider and languages."""

_ALL = frozenset({"en", "zh"})


def decoder_precision(precision: Precision, provider: Provider) -> str:
    """Precision of an exported decoder: weights of 4 bits on the CPU, halves on CUDA, or what was asked for."""
    if precision == "auto":
        return "int4" if provider == "cpu" else "fp16"
    return "fp32" if precision == "fp16" and provider == "cpu" else precision


def load(settings: CoreSettings) -> Generator | None:
    """Open the generator of the settings.

    `generator_url` wins: a remote server that knows the model by the name in `generator`. Else `generator` is "none"
    (answers are always quotes), a folder (with `genai_config.json`: onnxruntime-genai; with `config.json`:
    transformers), or the name of a published model.

    :returns: None where there is none.
    :raises ModelNotPrepared: if the model was never exported.
    :raises ArtifactDamaged: if a file differs from its manifest or cannot be loaded.
    :raises ProviderUnavailable: if the provider asked for would not run it.
    """
    name = settings.generator
    if settings.generator_url:
        from core.backends.openai import OpenAIGenerator

        key = settings.generator_api_key
        return OpenAIGenerator(
            settings.generator_url,
            name,
            api_key=key.get_secret_value() if key else None,
            timeout=settings.generator_timeout,
            languages=frozenset(settings.generator_languages) or _ALL,
        )
    if name == "none":
        return None
    folder = Path(name).expanduser()
    if name not in EMBEDDED and folder.is_dir() and not (folder / "genai_config.json").is_file():
        if (folder / "config.json").is_file():
            from core.backends.hf import TransformersGenerator

            return TransformersGenerator(
                folder,
                name=folder.resolve().name,
                provider=settings.provider,
                threads=settings.threads,
                languages=frozenset(settings.generator_languages) or _ALL,
            )
        raise InputError(f"{folder} has neither genai_config.json nor config.json; it is no generator's folder")
    return _exported(settings, name, folder)


def _exported(settings: CoreSettings, name: str, folder: Path) -> Generator:
    from core.backends.genai import GenaiGenerator

    known: tuple[str, ...] = ()
    if name in EMBEDDED or not folder.is_dir():
        folder = ArtifactStore(settings.models_folder).resolve(slug(name)).folder
        known = EMBEDDED[name].languages if name in EMBEDDED else ()
    description = describe(folder)
    precision = description.get("precision", "")
    made_for = description.get("provider", "cpu")
    if made_for != ("cpu" if settings.provider == "cpu" else "cuda"):
        raise ProviderUnavailable(
            f"{name} was exported for {made_for} and the settings ask for {settings.provider}; "
            "run `triptych models prepare` again with these settings"
        )
    languages = settings.generator_languages or known or tuple(description.get("languages", "").split())
    title = description.get("name") or (name if name in EMBEDDED else folder.resolve().name)
    return GenaiGenerator(
        folder,
        name=f"{title}-{precision}" if precision else title,
        provider=settings.provider,
        threads=settings.threads,
        languages=frozenset(languages) or _ALL,
    )


def describe(folder: Path) -> dict[str, str]:
    """What `decoder.json` says of an exported decoder; empty where another tool exported it.

    :raises ArtifactDamaged: if it is not what an export writes.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return {str(key): str(value) for key, value in values.items()}
    except (ValueError, AttributeError) as error:
        raise ArtifactDamaged(f"{path} is not an export's description ({error}); export the model again") from error


def artifact_name(settings: CoreSettings) -> str:
    """Name under which the export of `settings.generator` is published.

    :raises ModelNotPrepared: if the settings name no model that can be exported.
    """
    if settings.generator == "none" or settings.generator_url:
        raise ModelNotPrepared("the settings name no generator of this machine; there is nothing to export")
    return slug(settings.generator)
