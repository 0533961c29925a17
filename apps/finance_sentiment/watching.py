"""A watched folder: files of texts are taken when they are whole, and put where one sees what became of them.

Knows files; knows no store. A file is whole when it has not changed between two looks. Taken files go to `done/`, files
that cannot be read to `failed/`; beside each lies `NAME.problems.txt` where rows were wrong. A file that was taken but
not moved, because the process died, is taken again: rows have the same ids, so that nothing counts twice.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from apps.finance_sentiment.data import SUFFIXES, read_texts
from apps.finance_sentiment.schemas import Incoming
from core.errors import InputError, Unavailable
from core.text.parse import Problem

SETTLE_SECONDS = 2.0
"""A file that has not changed for so long is whole."""
PIECE = 256
"""Texts that are handed on together."""
MOST_PROBLEMS = 1_000
"""Lines of a problems file."""

_PARTIAL = (".part", ".tmp", ".crdownload", ".partial", ".swp", "~")


@dataclass(frozen=True, slots=True)
class TakenFile:
    """What became of a file."""

    name: str
    texts: int
    """Texts that were handed on."""
    problems: tuple[Problem, ...]
    moved_to: Path
    error: str = ""
    """Why nothing was taken."""


class WatchedFolder:
    """A folder that is looked at now and then, by one thread at a time.

    :param source: source of rows that name none.
    :param settle: seconds without a change after which a file is whole; 0 takes every file at once.
    :param clock: seconds that only grow.
    """

    def __init__(
        self,
        folder: Path,
        source: str,
        *,
        settle: float = SETTLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.source, self._settle, self._clock = folder, source, settle, clock
        self._seen: dict[str, tuple[tuple[int, int], float]] = {}

    def look(self, take: Callable[[Sequence[Incoming]], object]) -> Iterator[TakenFile]:
        """Take the files that are whole, oldest first, one a step.

        What `take` raises comes through, and the file stays for the next look.

        :param take: gets the texts in pieces.
        :raises Unavailable: if the folder cannot be looked at, or a file cannot be moved.
        """
        for path in self._whole():
            taken = self._take(path, take)
            if taken is not None:
                yield taken

    def _whole(self) -> list[Path]:
        now = self._clock()
        ready: list[tuple[int, str, Path]] = []
        there: dict[str, tuple[tuple[int, int], float]] = {}
        try:
            for entry in os.scandir(self.folder):
                if _is_partial(entry.name) or not entry.is_file(follow_symlinks=False):
                    continue
                state = _state(Path(entry.path))
                if state is None:
                    continue
                before = self._seen.get(entry.name)
                since = before[1] if before is not None and before[0] == state else now
                there[entry.name] = (state, since)
                if now - since >= self._settle:
                    ready.append((state[1], entry.name, Path(entry.path)))
        except OSError as error:
            raise Unavailable(f"Cannot look into the folder {self.folder}: {error.strerror}.") from error
        self._seen = there
        return [path for _, _, path in sorted(ready)]

    def _take(self, path: Path, take: Callable[[Sequence[Incoming]], object]) -> TakenFile | None:
        before = _state(path)
        if before is None:
            return None
        try:
            read = read_texts(path, source=self.source, now=datetime.now(UTC))
        except InputError as error:
            return self._put_away(path, "failed", 0, (Problem(path.name, None, str(error)),), str(error))
        except OSError as error:
            reason = f"{path.name} cannot be read: {error.strerror}."
            return self._put_away(path, "failed", 0, (Problem(path.name, None, reason),), reason)
        if _state(path) != before:
            return None  # it grew while it was read
        for start in range(0, len(read.texts), PIECE):
            take(read.texts[start : start + PIECE])
        if not read.texts and read.problems:
            return self._put_away(path, "failed", 0, read.problems, f"{path.name}: no row could be read.")
        return self._put_away(path, "done", len(read.texts), read.problems)

    def _put_away(
        self, path: Path, where: str, texts: int, problems: tuple[Problem, ...], error: str = ""
    ) -> TakenFile:
        folder = self.folder / where
        try:
            folder.mkdir(exist_ok=True)
            place = _free(folder, path.name)
            if problems:
                lines = [str(problem) for problem in problems[:MOST_PROBLEMS]]
                if len(problems) > MOST_PROBLEMS:
                    lines.append(f"... and {len(problems) - MOST_PROBLEMS:,} more")
                place.with_name(f"{place.name}.problems.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
            path.replace(place)
        except OSError as failure:
            raise Unavailable(f"Cannot move {path} to {folder}: {failure.strerror}.") from failure
        self._seen.pop(path.name, None)
        return TakenFile(path.name, texts, problems, place, error)


def _is_partial(name: str) -> bool:
    lowered = name.lower()
    return lowered.startswith((".", "~")) or lowered.endswith(_PARTIAL) or not lowered.endswith(SUFFIXES)


def _state(path: Path) -> tuple[int, int] | None:
    """Size and time of change; None where the file is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _free(folder: Path, name: str) -> Path:
    """A path that is not taken: `texts.csv`, `texts.2.csv`..."""
    path = Path(name)
    place = folder / name
    number = 2
    while place.exists():
        place = folder / f"{path.stem}.{number}{path.suffix}"
        number += 1
    return place
