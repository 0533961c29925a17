"""Run folders: what was asked, on what data, what came out; the same command again goes on where it stopped.

    <home>/runs/<name>/config.json   what was asked, and the fingerprint of the data
                       data.json     the report on the data
                       checkpoints/ evaluations.json metrics.jsonl curves.png tensorboard/
                       model/        the trained folder; there once the run is done

Knows files; nothing of training.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.errors import Conflict, InputError
from core.models.files import Lock, replace_text, sync_tree

CONFIG, DATA, MODEL = "config.json", "data.json", "model"
SEARCH = "search.db"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
LOCK, SEARCH_LOCK = ".lock", ".search.lock"
_HALF = ".model-half"
_FIGURES = ("evaluations.json", "metrics.jsonl", "curves.png", "tensorboard", "report.json", "reliability.png")
_TRAINED = (MODEL, _HALF, "checkpoints", "best.safetensors", *_FIGURES, DATA, CONFIG)  # what names the rest comes last


class Run:
    """One run folder, held by one process at a time."""

    def __init__(self, folder: Path) -> None:
        """Name a run folder.

        :raises InputError: if its name is no plain file name.
        """
        if not _NAME.fullmatch(folder.name):
            raise InputError(f"{folder.name!r} is no name of a run; use letters, digits, dots, dashes and underscores.")
        self.folder = folder

    @property
    def model(self) -> Path:
        """The trained folder; there once the run is done."""
        return self.folder / MODEL

    @property
    def done(self) -> bool:
        """Whether the run came to its end."""
        return self.model.is_dir()

    @contextmanager
    def hold(self, asked: Mapping[str, Any], *, restart: bool = False) -> Iterator[None]:
        """Open the run for this process: start it, or go on with it.

        :param asked: options and fingerprint of the data, JSON values; must be those the run began with.
        :param restart: drop what an earlier run left.
        :raises Conflict: if the folder holds a run of other options or data, or another process works in it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = self.folder / LOCK
        if not Lock.is_free(lock):
            raise Conflict(f"Another process is training in {self.folder}; wait for it, or choose another --run.")
        if not Lock.is_free(self.folder / SEARCH_LOCK):
            raise Conflict(f"A search is under way in {self.folder}; wait for it, or choose another --run.")
        with Lock(lock):
            if restart:
                self.empty()
            self._agree(json.loads(json.dumps(asked)))
            yield

    def note_data(self, report: Mapping[str, Any]) -> None:
        """Keep the report on the data."""
        replace_text(self.folder / DATA, json.dumps(report, indent=1, ensure_ascii=False) + "\n")

    def finish(self, write: Callable[[Path], None]) -> Path:
        """Let `write` fill the model folder, which appears whole or not at all.

        :returns: the folder.
        :raises OSError: if the disk is full; nothing half-written stays.
        """
        work = self.folder / _HALF
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            write(work)
            sync_tree(work)
            shutil.rmtree(self.model, ignore_errors=True)
            work.rename(self.model)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return self.model

    def empty(self) -> None:
        """Remove all that a run or a search left; for who holds the lock.

        :raises Conflict: if the folder holds files, and no run made it: such a folder is never emptied.
        """
        left = [path for path in self.folder.iterdir() if path.name not in (LOCK, SEARCH_LOCK)]
        if left and not {path.name for path in left} & {CONFIG, SEARCH}:
            raise Conflict(f"{self.folder} holds files and no run; --restart removes runs only.")
        for path in left:
            _remove(path)

    def drop_training(self) -> None:
        """Remove what a training left; a search, rows that were made, and files of others stay."""
        for name in _TRAINED:
            _remove(self.folder / name)

    def asked(self) -> Mapping[str, Any] | None:
        """What the training here was asked; None where there is none.

        :raises InputError: if its file is damaged.
        """
        path = self.folder / CONFIG
        if not path.is_file():
            return None
        try:
            known: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{path} is damaged ({error}); pass --restart to begin anew.") from error
        return known

    def _agree(self, asked: dict[str, Any]) -> None:
        known = self.asked()
        if known is None:
            replace_text(self.folder / CONFIG, json.dumps(asked, indent=1, ensure_ascii=False) + "\n")
            return
        if known != asked:
            different = sorted(_flat(known).items() ^ _flat(asked).items())
            names = sorted({name for name, _ in different})
            raise Conflict(
                f"{self.folder} holds a run with other {', '.join(names[:6])}. Choose another --run, or pass --restart "
                "to drop it."
            )


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    out: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            out |= _flat(value, f"{prefix}{key}.")
        else:
            out[f"{prefix}{key}"] = json.dumps(value, sort_keys=True)
    return out
