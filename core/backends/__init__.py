"""Loads what the settings name. Heavy libraries are imported inside, when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.backends.base import Encoder, Generator
from core.backends.providers import ProviderOptions, resolve_precision
from core.errors import InputError
from core.models.artifacts import Artifact, ArtifactStore
from core.models.catalog import slug
from core.settings import CoreSettings

if TYPE_CHECKING:
    from core.backends.headed_onnx import OnnxHeads

__all__ = ["artifact_name", "load_encoder", "load_generator", "load_heads"]

HEADED = ("classifier", "tagger", "reranker")
"""Kinds of published models that have heads."""


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

    artifact = _resolve(settings, name or settings.encoder)
    return OnnxEncoder(
        artifact.folder, provider=settings.provider, threads=settings.threads, options=_options(settings, artifact)
    )


def load_heads(settings: CoreSettings, name: str) -> OnnxHeads:
    """Open a published fine-tuned model on the provider and precision of the settings; needs no torch.

    :param name: the name of a published classifier, tagger or reranker, with or without its precision.
    :raises InputError: if what is published under the name is of another kind.
    :raises ModelNotPrepared: if nothing is.
    :raises ArtifactDamaged: if a file differs from its manifest.
    :raises ProviderUnavailable: if the provider asked for would not run it.
    """
    from core.backends.headed_onnx import OnnxHeads

    artifact = _resolve(settings, name)
    kind = artifact.manifest.kind
    if kind not in HEADED:
        raise InputError(f"{artifact.name!r} is a published {kind}; this needs one of {', '.join(HEADED)}.")
    return OnnxHeads(
        artifact.folder, provider=settings.provider, threads=settings.threads, options=_options(settings, artifact)
    )


def _resolve(settings: CoreSettings, name: str) -> Artifact:
    """The published model of that name in the settings' precision, else of that very name."""
    store = ArtifactStore(settings.models_folder)
    published = artifact_name(settings, name)
    if store.current(published) is None and store.current(slug(name)) is not None:
        published = slug(name)
    return store.resolve(published)


def _options(settings: CoreSettings, artifact: Artifact) -> ProviderOptions:
    """TensorRT's engines belong to one version on one machine; they lie outside the published folder."""
    return ProviderOptions(engines=settings.home / "cache" / "tensorrt" / artifact.name / artifact.version)


def load_generator(settings: CoreSettings) -> Generator | None:
    """Open the generator of the settings; None where `generator` is "none"."""
    from core.backends.generators import load

    generator: Generator | None = load(settings)
    return generator
