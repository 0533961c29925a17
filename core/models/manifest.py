"""A version's manifest: what its files hash to, where it came from, how it was proved.

Knows JSON and hashes; nothing of versions or pointers.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.errors import ArtifactDamaged
from core.models.catalog import file_digest

MANIFEST = "manifest.json"
_TOOLS = ("triptych", "torch", "transformers", "onnx", "onnxruntime-gpu", "onnxruntime", "onnxruntime-genai-cuda")


@dataclass(frozen=True, slots=True)
class Manifest:
    """The parsed `manifest.json` of one version."""

    values: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """ "encoder", "generator", "classifier"..."""
        return str(self.values["kind"])

    @property
    def created(self) -> str:
        """ISO 8601, UTC."""
        return str(self.values["created"])

    @property
    def source(self) -> Mapping[str, Any]:
        """Where the model came from."""
        return dict(self.values["source"])

    @property
    def files(self) -> Mapping[str, Mapping[str, Any]]:
        """ "sha256" and "bytes" by relative path."""
        return dict(self.values["files"])

    @property
    def parity(self) -> Mapping[str, Any] | None:
        """The report of the comparison with torch, where one was made."""
        report = self.values.get("parity")
        return dict(report) if report is not None else None

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(int(entry["bytes"]) for entry in self.files.values())

    def check(self, folder: Path, *, hashes: bool = True) -> None:
        """Compare the folder with the manifest.

        :raises ArtifactDamaged: if a file is missing or differs.
        """
        for name, entry in self.files.items():
            path = folder / name
            if not path.is_file():
                raise ArtifactDamaged(f"{path} is missing; {_mend(folder)}")
            if path.stat().st_size != entry["bytes"] or (hashes and file_digest(path) != entry["sha256"]):
                raise ArtifactDamaged(f"{path} differs from its manifest; {_mend(folder)}")

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read and check a manifest against its own digest.

        :raises ArtifactDamaged: if it is missing, no JSON, or changed.
        """
        path = folder / MANIFEST
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            stated = values.pop("digest")
            if stated != _digest(values):
                raise ValueError("its digest does not match")
            if not isinstance(values["files"], dict):
                raise ValueError("it lists no files")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactDamaged(f"{path} cannot be trusted ({error}); {_mend(folder)}") from error
        return cls(values)


def describe(
    folder: Path,
    files: Mapping[str, Mapping[str, Any]],
    name: str,
    version: str,
    *,
    kind: str,
    source: Mapping[str, Any],
    extra: Mapping[str, Any],
) -> None:
    """Write `manifest.json` for files already hashed; `extra` may hold "parity" and "metadata"."""
    values: dict[str, Any] = {
        "format": 1,
        "name": name,
        "version": version,
        "kind": kind,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": dict(source),
        "tools": tool_versions(),
        "files": {path: dict(entry) for path, entry in files.items()},
        **extra,
    }
    values = json.loads(json.dumps(values))
    values["digest"] = _digest(values)
    (folder / MANIFEST).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def tool_versions() -> dict[str, str]:
    """Versions of the installed tools that shape an export."""
    found = {}
    for tool in _TOOLS:
        try:
            found[tool] = importlib.metadata.version(tool)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _mend(folder: Path) -> str:
    name = folder.parent.parent.name
    return f"run `triptych models prepare` to export it again, or `triptych models rollback {name}`."
