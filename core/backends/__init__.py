"""Loads what the settings name. Heavy libraries are imported inside, when asked for."""

from __future__ import annotations

from core.backends.base import Encoder, Generator
from core.backends.providers import resolve_precision
from core.models.artifacts import ArtifactStore
from core.models.catalog import slug
from core.settings import CoreSettings

__all__ = ["artifact_name", "load_encoder", "load_generator"]


def artifact_name(settings: CoreSettings, name: str) -> str:
    """The published name of an encoder under these settings, as in "minilm-int8"."""
    return f"{slug(name)}-{resolve_precision(settings.precision, settings.provider)}"


def load_encoder(settings: CoreSettings, name: str | None = None) -> Encoder:
    """Open a published encoder on the provider and precision of the settings.

    :param name: a catalog name, local folder, hub id, or the name of a published encoder with or without its
        precision; None means `settings.encoder`.
    :raises ModelNotPrepared: if it was never exported.
    :raises ArtifactDamaged: if a file differs from its manifest.
    :raises ProviderUnavailable: if the provider asked for would not run it.
    """
    from core.backends.onnx import OnnxEncoder

    store = ArtifactStore(settings.models_folder)
    chosen = name or settings.encoder
    published = artifact_name(settings, chosen)
    if store.current(published) is None and store.current(slug(chosen)) is not None:
        published = slug(chosen)
    artifact = store.resolve(published)
    return OnnxEncoder(artifact.folder, provider=settings.provider, threads=settings.threads)


def load_generator(settings: CoreSettings) -> Generator | None:
    """Open the generator of the settings; None where `generator` is "none"."""
    from core.backends.generators import load

    generator: Generator | None = load(settings)
    return generator
