"""Loads what the settings name. Heavy libraries are imported inside, when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.backends.base import Encoder, Generator
from core.backends.providers import ProviderOptions, resolve_precision
from core.errors import InputError
from core.models.artifacts import Artifact, ArtifactStore
from core.models.catalog import slug
from core.models.task import FILE_NAME as TASK_FILE
from core.settings import CoreSettings

if TYPE_CHECKING:
    from core.backends.headed_onnx import OnnxHeads

__all__ = ["artifact_name", "has_heads", "load_encoder", "load_generator", "load_heads", "open_heads"]

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
    """Open the version in force of a published fine-tuned model; needs no torch.

    :param name: as it was published: "topics" is never "topics-int8", nor a folder of that name.
    :raises InputError: if what is published under the name is of another kind.
    :raises ModelNotPrepared: if nothing is.
    :raises ArtifactDamaged: if a file differs from its manifest.
    :raises ProviderUnavailable: if the provider asked for would not run it.
    """
    return open_heads(settings, ArtifactStore(settings.models_folder).resolve(name))


def has_heads(artifact: Artifact) -> bool:
    """Whether a published model is of a kind that `open_heads` opens; an app's own classifier of vectors is not."""
    return artifact.manifest.kind in HEADED and TASK_FILE in artifact.manifest.files


def open_heads(settings: CoreSettings, artifact: Artifact) -> OnnxHeads:
    """Open one version of a published fine-tuned model on the provider of the settings; needs no torch.

    :param artifact: as the store resolved it, its hashes checked.
    :raises InputError: if it is of another kind.
    :raises ArtifactDamaged: if its files are no such model.
    :raises ProviderUnavailable: if the provider asked for would not run it.
    """
    from core.backends.headed_onnx import OnnxHeads

    if not has_heads(artifact):
        kind = artifact.manifest.kind
        lacks = f" without {TASK_FILE}, which only its app can open" if kind in HEADED else ""
        raise InputError(f"{artifact.name!r} is a published {kind}{lacks}; this needs one of {', '.join(HEADED)}.")
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
