"""Files that survive a crash: sync, atomic replacement, advisory locks. Knows nothing of models."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from pathlib import Path
from types import TracebackType
from typing import IO


def sync_folder(folder: Path) -> None:
    """Make renames inside a folder durable (a no-op where folders cannot be opened)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sync_tree(folder: Path) -> None:
    """Make every file and folder under a folder durable."""
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    sync_folder(folder)


def replace_text(path: Path, text: str) -> None:
    """Replace a file's content in one durable step: readers see the old text or the new, also after a crash."""
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    sync_folder(path.parent)


class Lock:
    """An exclusive advisory lock on a file, held inside `with`; freed by the system when its process dies."""

    def __init__(self, path: Path, *, keep: bool = False) -> None:
        """:param keep: leave the file behind; needed where several processes wait for the same lock."""
        self.path = path
        self.keep = keep
        self._file: IO[str] | None = None

    def __enter__(self) -> Lock:
        self._file = self.path.open("w", encoding="utf-8")
        _take(self._file, wait=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            if not self.keep:
                self.path.unlink(missing_ok=True)
            self._file.close()

    @staticmethod
    def is_free(path: Path) -> bool:
        """Whether no live process holds the lock."""
        try:
            with path.open("r+", encoding="utf-8") as file:
                return _take(file, wait=False)
        except FileNotFoundError:
            return True
        except OSError:
            return False


def _take(file: IO[str], *, wait: bool) -> bool:
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True
