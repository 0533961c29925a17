"""The published answerability checks, and the readers that some of them stand beside.

Both lie in one artifact, which is resolved once and opened whole, so that a check never meets a reader it was not
fitted beside. Knows the artifact store and its files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from apps.customer_service.settings import CustomerServiceSettings
from core.errors import ArtifactDamaged, ModelNotPrepared
from core.generate.answerability import Answerability
from core.generate.reader import JUDGED, Reader
from core.models.artifacts import ArtifactStore

CHECK = "answerability"
"""Published name of the checks; one in it for each language family, and for some a reader."""

_READERS = "readers"
_MEND = (
    f"Run `triptych models rollback {CHECK}`, `triptych customer-service train answerability` with your labelled "
    f"questions, or `triptych models prepare {CHECK}` for the shipped checks."
)


@dataclass(frozen=True, eq=False)
class Published:
    """Checks and readers of one published version."""

    checks: Mapping[str, Answerability]
    """By name: a family of languages, or "across"."""
    readers: Mapping[str, Reader]
    """By the name of the check each one stands beside; empty where none was trained."""
    version: str = ""
    """Empty where they were given, not published."""


def load_published(settings: CustomerServiceSettings) -> Published:
    """The version in force, every file of it checked against the manifest.

    :raises ModelNotPrepared: if the checks were never fitted, or there is none for English.
    :raises ArtifactDamaged: if a file differs from the manifest, a check's reader is missing, a reader has no check, or
        either was fitted on other numbers than this version computes.
    """
    artifact = ArtifactStore(settings.models_folder).resolve(CHECK)
    folder = artifact.folder
    parts = [PurePosixPath(file) for file in sorted(artifact.manifest.files) if file.endswith(".safetensors")]
    checks = {part.stem: Answerability.load(folder, part.stem) for part in parts if len(part.parts) == 1}
    if "en" not in checks:
        raise ModelNotPrepared(f"{folder} holds no check for English. Run `triptych models prepare {CHECK}`.")
    readers = {part.stem: Reader.load(folder / _READERS, part.stem) for part in parts if part.parts[0] == _READERS}
    wrong = _mismatch(checks, readers)
    if wrong:
        raise ArtifactDamaged(f"{folder}: {wrong} {_MEND}")
    return Published(checks, readers, artifact.version)


def save_checks(folder: Path, checks: Mapping[str, Answerability], readers: Mapping[str, Reader]) -> None:
    """Write checks and readers into an empty folder.

    :raises ArtifactDamaged: if a check stands beside a reader that is not given, or a reader beside no check.
    """
    wrong = _mismatch(checks, readers)
    if wrong:
        raise ArtifactDamaged(wrong)
    for name, check in checks.items():
        check.save(folder, name)
    if readers:
        (folder / _READERS).mkdir()
        for name, reader in readers.items():
            reader.save(folder / _READERS, name)


def _mismatch(checks: Mapping[str, Answerability], readers: Mapping[str, Reader]) -> str:
    """What does not fit; empty where all does."""
    for name, check in checks.items():
        if check.names == JUDGED and name not in readers:
            return f"The check {name!r} was fitted beside a reader, and there is none."
    for name in readers:
        if name not in checks:
            return f"The reader {name!r} stands beside no check of that name; there are {', '.join(sorted(checks))}."
        if checks[name].names != JUDGED:
            return f"The check {name!r} was not fitted beside the reader {name!r} that lies with it."
    return ""
