"""Files that are read back only if every bit is as it was written.

A folder holds `manifest.json` and the files it names. The manifest carries each file's SHA-256 and a seal over itself;
it is replaced last and in one step, so a reader finds the old set or the new one. Knows bytes and facts, nothing of
what they mean. FAISS opens damaged files without a word; hence this.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.errors import IndexDamaged

MANIFEST = "manifest.json"
FORMAT = 1


def write(folder: Path, files: Mapping[str, bytes | memoryview], facts: Mapping[str, Any]) -> None:
    """Replace what the folder holds.

    :param files: contents by logical name, as in "vectors".
    :param facts: JSON values to give back with the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = _names(folder)
    entries: dict[str, dict[str, Any]] = {}
    for name, content in files.items():
        digest = hashlib.sha256(content).hexdigest()
        path = f"{name}-{digest[:16]}-{uuid.uuid4().hex[:8]}.bin"
        _write_synced(folder / path, content)
        entries[name] = {"path": path, "bytes": len(content), "sha256": digest}
    body = {"format": FORMAT, "facts": dict(facts), "files": entries}
    text = json.dumps({**body, "seal": _seal(body)}, indent=1, sort_keys=True).encode()
    temporary = folder / f".{MANIFEST}-{uuid.uuid4().hex[:8]}"
    _write_synced(temporary, text)
    temporary.replace(folder / MANIFEST)
    _sync_folder(folder)
    for path in before - {entry["path"] for entry in entries.values()}:
        with suppress(FileNotFoundError):
            (folder / path).unlink()


def read(folder: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The files and the facts, verified.

    :raises IndexDamaged: if the manifest or a file is missing, cut, changed or exchanged.
    """
    manifest = _manifest(folder)
    while True:
        try:
            return {name: _verified(folder, entry) for name, entry in manifest["files"].items()}, manifest["facts"]
        except IndexDamaged:
            before, manifest = manifest, _manifest(folder)
            if manifest == before:
                raise  # else it was replaced meanwhile, and its old files deleted


def _verified(folder: Path, entry: Mapping[str, Any]) -> bytes:
    path = folder / str(entry["path"])
    try:
        content: bytes = path.read_bytes()
    except OSError as error:
        raise IndexDamaged(f"{path} cannot be read ({error.strerror}). Rebuild the index.") from error
    if len(content) != entry["bytes"] or hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise IndexDamaged(f"{path} differs from its manifest. Rebuild the index.")
    return content


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
        seal = manifest.pop("seal")
        intact = manifest["format"] == FORMAT and seal == _seal(manifest)
    except OSError as error:
        raise IndexDamaged(f"There is no index in {folder} ({error.strerror}). Rebuild it.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IndexDamaged(f"{path} is not a manifest. Rebuild the index.") from error
    if not intact:
        raise IndexDamaged(f"{path} was changed or is of another format. Rebuild the index.")
    return dict(manifest)


def _seal(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _names(folder: Path) -> set[str]:
    try:
        return {entry["path"] for entry in _manifest(folder)["files"].values()}
    except IndexDamaged:
        return {path.name for path in folder.glob("*.bin")}


def _write_synced(path: Path, content: bytes | memoryview) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # not every system can sync a folder
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
