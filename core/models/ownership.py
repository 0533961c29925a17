"""Whose a published model is: one that preparation made and may make again, or the company's own.

Knows manifests and what the caller says of their sources; nothing of what models do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from core.errors import ArtifactDamaged
from core.models.artifacts import Artifact, ArtifactStore
from core.models.manifest import Manifest

Shipped = Callable[[Mapping[str, Any]], bool]
"""Whether a manifest's `source` is that of a model which preparation made."""


def own_model(store: ArtifactStore, name: str, shipped: Shipped) -> Artifact | None:
    """The version in force, where the company trained or published it itself; None where preparation made it, or
    nothing is published under the name.

    :raises ArtifactDamaged: if it is the company's own and damaged. Where its manifest cannot be read either, the
        newest one that can says whose it was.
    """
    if store.current(name) is None:
        return None
    try:
        artifact = store.resolve(name)
    except ArtifactDamaged as error:
        newest = next(_manifests(store, name), None)
        if newest is None or shipped(newest.source):
            return None
        damage = str(error).rpartition(";")[0] or str(error)
        raise ArtifactDamaged(
            f"{damage}; {name!r} is your own, so no shipped model takes its place. Run `triptych models rollback "
            f"{name}`, train it again, or give its name to `triptych models prepare` to have the shipped one."
        ) from error
    return None if shipped(artifact.manifest.source) else artifact


def _manifests(store: ArtifactStore, name: str) -> Iterator[Manifest]:
    """The readable ones: of the version in force, then of the others, newest first."""
    current = store.current(name)
    folders = sorted((store.root / name / "versions").glob("[0-9]*"), key=lambda folder: int(folder.name), reverse=True)
    for folder in sorted(folders, key=lambda folder: folder.name != current):
        try:
            yield Manifest.load(folder)
        except ArtifactDamaged:
            continue
