"""Published models: versions, a SHA-256 manifest each, atomic publish and rollback.

    root/<name>/current              the version in force, one line
    root/<name>/versions/0001/       manifest.json and the model's files; never changed after publishing
    root/<name>/.building-<random>/  a publish under way, or what a killed one left

A reader sees the old version or the new one, never half: files are complete and synced before the version's
folder appears, and `current` is replaced in one step. Knows files and hashes, nothing of ONNX.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import ArtifactDamaged, Conflict, InputError, ModelNotPrepared, NotFound
from core.models.catalog import file_digest
from core.models.files import Lock, replace_text, sync_folder, sync_tree
from core.models.manifest import MANIFEST, Manifest, describe

ALLOWED = (".onnx", ".onnx.data", ".safetensors", ".json", ".txt", ".md", ".model", ".jinja", ".png")
"""File types that hold data only. No pickle, no code."""

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
_VERSION = re.compile(r"^\d{4,}$")
_BUILDING = ".building-"
_STALE = 3600.0

Build = Callable[[Path], Mapping[str, Any] | None]
"""Writes a model's files into the empty folder it is given; may return extra manifest values, such as "parity"."""

Names = list[str]
Findings = list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Artifact:
    """One published version of a model."""

    name: str
    version: str
    folder: Path
    manifest: Manifest
    current: bool


Artifacts = list[Artifact]


class ArtifactStore:
    """All published models under one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def publish(
        self, name: str, build: Build, *, kind: str = "model", source: Mapping[str, Any] | None = None
    ) -> Artifact:
        """Build a new version and put it in force.

        Whatever `build` raises passes through and nothing is published.

        :param name: letters, digits, dots, dashes and underscores.
        :param build: writes the files; its return value goes into the manifest ("parity", "metadata").
        :param kind: "encoder", "generator", "classifier"...; loaders check it.
        :param source: where the model came from; compared by idempotent preparation.
        :raises InputError: if the name is no file name, or `build` wrote nothing or a type that is not allowed.
        """
        home = self._home(name)
        home.mkdir(parents=True, exist_ok=True)
        self.clean(name)
        work = home / f"{_BUILDING}{secrets.token_hex(6)}"
        with Lock(work.with_suffix(".lock")):
            work.mkdir()
            try:
                extra = dict(build(work) or {})
                with Lock(home / ".order.lock", keep=True):  # two publishers: one number each, the later one wins
                    version = f"{int(max(self._versions(name), key=int, default='0')) + 1:04d}"
                    describe(work, _collect(work), name, version, kind=kind, source=source or {}, extra=extra)
                    sync_tree(work)
                    (home / "versions").mkdir(exist_ok=True)
                    work.rename(home / "versions" / version)
                    sync_folder(home / "versions")
                    self._point(name, version)
            finally:
                shutil.rmtree(work, ignore_errors=True)
        return self.resolve(name, version)

    def resolve(self, name: str, version: str | None = None, *, verify: bool = True) -> Artifact:
        """The version in force, or the one asked for, checked against its manifest.

        :param verify: hash every file (about 1 ms per MB); False checks presence and sizes only.
        :raises ModelNotPrepared: if nothing is published under that name.
        :raises NotFound: if there is no such version.
        :raises ArtifactDamaged: if a file differs from the manifest.
        """
        current = self.current(name)
        if current is None and version is None:
            raise ModelNotPrepared(
                f"The model {name!r} is not in {self.root}. Run `triptych models prepare` to export it."
            )
        chosen = version or current or ""
        folder = self._home(name) / "versions" / chosen
        if not _VERSION.match(chosen) or not folder.is_dir():
            if version is None:
                raise ArtifactDamaged(
                    f"{self._home(name) / 'current'} names version {chosen!r}, which is not there. "
                    f"Run `triptych models rollback {name}` or publish again."
                )
            raise NotFound(f"{name!r} has no version {chosen!r}; it has {', '.join(self._versions(name)) or 'none'}.")
        manifest = Manifest.load(folder)
        manifest.check(folder, hashes=verify)
        return Artifact(name, chosen, folder, manifest, chosen == current)

    def current(self, name: str) -> str | None:
        """The version in force, or None."""
        try:
            return (self._home(name) / "current").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None

    def names(self) -> Names:
        """Names that have a published version, sorted."""
        if not self.root.is_dir():
            return []
        return sorted(p.name for p in self.root.iterdir() if _NAME.match(p.name) and self._versions(p.name))

    def list(self, name: str | None = None) -> Artifacts:
        """All versions of one model or of all, oldest first; unreadable ones are left out (`verify` reports them)."""
        found = []
        for each in [name] if name is not None else self.names():
            for version in self._versions(each):
                with contextlib.suppress(ArtifactDamaged):
                    found.append(self.resolve(each, version, verify=False))
        return found

    def verify(self, name: str | None = None) -> Findings:
        """Hash every file of every version: rows of name, version and what is wrong ("" when nothing is)."""
        rows = []
        for each in [name] if name is not None else self.names():
            for version in self._versions(each):
                try:
                    self.resolve(each, version)
                    rows.append((each, version, ""))
                except ArtifactDamaged as error:
                    rows.append((each, version, str(error)))
        return rows

    def rollback(self, name: str, version: str | None = None) -> Artifact:
        """Put an earlier version in force: the one asked for, or the newest sound one before the current.

        :raises ModelNotPrepared: if nothing is published under that name.
        :raises NotFound: if there is no such version.
        :raises Conflict: if there is no earlier version.
        :raises ArtifactDamaged: if the version asked for is damaged; the current one stays.
        """
        if version is not None:
            self.resolve(name, version)
            self._point(name, version)
            return self.resolve(name, version)
        current = self.current(name)
        if current is None:
            self.resolve(name)
        for earlier in reversed([v for v in self._versions(name) if current is None or int(v) < int(current)]):
            with contextlib.suppress(ArtifactDamaged):
                return self.rollback(name, earlier)
        raise Conflict(f"{name!r} has no sound version before {current}; nothing to roll back to.")

    def prune(self, name: str, keep: int = 2) -> Names:
        """Delete all but the newest `keep` versions and the current one; the versions deleted."""
        current = self.current(name)
        old = [v for v in self._versions(name)[: -keep or None] if v != current]
        for version in old:
            folder = self._home(name) / "versions" / version
            gone = self._home(name) / f"{_BUILDING}{secrets.token_hex(6)}"
            folder.rename(gone)  # at once out of sight, then removed in peace
            shutil.rmtree(gone, ignore_errors=True)
        return old

    def clean(self, name: str) -> int:
        """Remove what killed publishes left; builds under way are not touched. The number of folders removed."""
        removed = 0
        home = self._home(name)
        for work in list(home.glob(f"{_BUILDING}*")) if home.is_dir() else []:
            if work.suffix == ".lock":
                with contextlib.suppress(FileNotFoundError):  # its owner or another cleaner was quicker
                    if not work.with_suffix("").exists() and work.stat().st_mtime < time.time() - _STALE:
                        work.unlink()
            elif Lock.is_free(work.with_suffix(".lock")):
                shutil.rmtree(work, ignore_errors=True)
                work.with_suffix(".lock").unlink(missing_ok=True)
                removed += 1
        return removed

    def _home(self, name: str) -> Path:
        if not _NAME.match(name):
            raise InputError(f"{name!r} is no model name; use letters, digits, dots, dashes and underscores.")
        return self.root / name

    def _versions(self, name: str) -> Names:
        folder = self._home(name) / "versions"
        if not folder.is_dir():
            return []
        return sorted((p.name for p in folder.iterdir() if _VERSION.match(p.name)), key=int)

    def _point(self, name: str, version: str) -> None:
        replace_text(self._home(name) / "current", version + "\n")


def _collect(folder: Path) -> dict[str, dict[str, Any]]:
    """Size and hash of every file a build wrote.

    :raises InputError: for links, types that are not allowed, or nothing at all.
    """
    files: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise InputError(f"{relative} is a link; an artifact holds plain files only.")
        if path.is_dir():
            continue
        if not path.name.endswith(ALLOWED):
            raise InputError(f"{relative} may not be published; allowed are {', '.join(ALLOWED)}.")
        if relative != MANIFEST:
            files[relative] = {"sha256": file_digest(path), "bytes": path.stat().st_size}
    if not files:
        raise InputError("The build wrote no files; nothing to publish.")
    return files
