"""The published answerability checks, and the readers that some of them stand beside.

Both lie in one artifact, so that a check is never opened with a reader it was not fitted beside. Knows the artifact
store and its files.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from apps.customer_service.settings import CustomerServiceSettings
from core.errors import ArtifactDamaged, ModelNotPrepared
from core.generate.answerability import Answerability
from core.generate.reader import JUDGED, Reader
from core.models.artifacts import ArtifactStore

CHECK = "answerability"
"""Published name of the checks; one in it for each language family, and for some a reader."""

_READERS = "readers"


def load_checks(settings: CustomerServiceSettings) -> dict[str, Answerability]:
    """The published answerability checks by name.

    :raises ModelNotPrepared: if they were never fitted.
    """
    folder = ArtifactStore(settings.models_folder).resolve(CHECK).folder
    found = {part.stem: Answerability.load(folder, part.stem) for part in sorted(folder.glob("*.safetensors"))}
    if "en" not in found:
        raise ModelNotPrepared(f"{folder} holds no check. Run `triptych models prepare`.")
    return found


def load_readers(settings: CustomerServiceSettings) -> dict[str, Reader]:
    """The published readers by family of language; empty where none was trained.

    :raises ModelNotPrepared: if no check was ever fitted.
    """
    folder = ArtifactStore(settings.models_folder).resolve(CHECK, verify=False).folder / _READERS
    return {part.stem: Reader.load(folder, part.stem) for part in sorted(folder.glob("*.safetensors"))}


def save_checks(folder: Path, checks: Mapping[str, Answerability], readers: Mapping[str, Reader]) -> None:
    """Write checks and readers into an empty folder.

    :raises ArtifactDamaged: if a check stands beside a reader that is not given.
    """
    for name, check in checks.items():
        if check.names == JUDGED and name not in readers:
            raise ArtifactDamaged(f"The check {name!r} was fitted beside a reader, and there is none.")
        check.save(folder, name)
    if readers:
        (folder / _READERS).mkdir()
        for name, reader in readers.items():
            reader.save(folder / _READERS, name)
