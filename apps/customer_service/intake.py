"""One ingest: which documents are new or changed, in which batches they go in, and what became of each.

Knows documents and reports; encoding, storing and showing them is the library's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from apps.customer_service.schemas import FileReport, IngestReport
from core.errors import InputError
from core.progress import Report, quiet
from core.text import Problem
from core.types import Document

BATCH_CHARACTERS = 125_000
"""Characters that are encoded and committed together: an ingest that is killed loses at most these."""
BATCH_DOCUMENTS = 256

Commit = Callable[[], int]
"""Waits for the encoder and stores documents, all or none; how many passages they gave."""
Begin = Callable[[Sequence[Document]], Commit]
"""Cuts documents into passages and begins to encode them."""


class _Waiting(NamedTuple):
    document: Document
    place: int
    """Of its report."""


class Intake:
    """Collects documents, leaves out what is there already, hands the rest on in batches.

    While one batch is encoded, the one before it is stored and the next one is read and cut.

    :param known: SHA-256 by id of the documents that are stored.
    """

    def __init__(self, known: Mapping[str, str], begin: Begin, progress: Report = quiet) -> None:
        self.files: list[FileReport] = []
        self.passages = 0
        self.seen: set[str] = set()
        """Ids of the documents that were offered."""
        self._known, self._begin, self._progress = dict(known), begin, progress
        self._contents = {digest: id_ for id_, digest in known.items()}
        self._waiting: list[_Waiting] = []
        self._running: tuple[list[_Waiting], Commit] | None = None
        self._twins: list[_Waiting] = []
        self._characters = 0
        self._started = time.perf_counter()

    def report(self) -> IngestReport:
        """What became of everything so far, and how long it took."""
        seconds = time.perf_counter() - self._started
        return IngestReport(files=tuple(self.files), seconds=seconds, passages=self.passages)

    def problems(self, found: Sequence[Problem]) -> None:
        """Report what was not read."""
        states = {"skipped": "skipped", "duplicate": "duplicate"}
        self.files += [
            FileReport.model_validate({"source": p.source, "status": states.get(p.kind, "error"), "detail": str(p)})
            for p in found
        ]

    def offer(self, document: Document) -> None:
        """Take a document in, unless it or its text is there already."""
        known, digest, source = self._known.get(document.id), document.sha256, document.source
        if document.id in self.seen:
            self._say(source, "error", f"the id {document.id!r} comes twice; this document is left out")
            return
        self.seen.add(document.id)
        twin = self._contents.get(digest)
        if known == digest:
            self._say(source, "unchanged")
        elif known is None and twin is not None:
            self._twins.append(_Waiting(document, len(self.files)))
            self._say(source, "duplicate", f"the same text as {twin}")
        else:
            self._wait(document, "added" if known is None else "changed")

    def finish(self, gone: Sequence[str] = ()) -> None:
        """Hand on what still waits, with the duplicates of documents that are about to go or changed meanwhile.

        :param gone: ids that the caller removes afterwards.
        """
        self._flush()
        self._settle()
        for id_ in gone:
            self._known.pop(id_, None)
        for document, place in self._twins:
            digest = document.sha256
            if self._known.get(self._contents[digest]) != digest:
                self._contents[digest], self._known[document.id] = document.id, digest
                self.files[place] = FileReport(source=document.source, status="added")
                self._waiting.append(_Waiting(document, place))
        self._flush()
        self._settle()

    def removed(self, ids: Sequence[str]) -> None:
        """Report what was forgotten."""
        for id_ in ids:
            self._say(id_, "removed")

    def _wait(self, document: Document, status: str) -> None:
        self._contents[document.sha256] = document.id
        self._known[document.id] = document.sha256
        self._waiting.append(_Waiting(document, len(self.files)))
        self._say(document.source, status)
        self._characters += len(document.text)
        if self._characters >= BATCH_CHARACTERS or len(self._waiting) >= BATCH_DOCUMENTS:
            self._flush()

    def _flush(self) -> None:
        batch, self._waiting, self._characters = self._waiting, [], 0
        if batch:
            commit = self._begin([document for document, _ in batch])
            self._settle()
            self._running = batch, commit

    def _settle(self) -> None:
        if self._running is None:
            return
        (batch, commit), self._running = self._running, None
        try:
            self.passages += commit()
        except InputError:  # one document that cannot be stored must not take the others along
            for document, place in batch:
                try:
                    self.passages += self._begin([document])()
                except InputError as error:
                    self._known.pop(document.id, None)
                    self.files[place] = FileReport(source=document.source, status="error", detail=str(error))
        self._progress("passages", self.passages, None)

    def _say(self, source: str, status: str, detail: str = "") -> None:
        self.files.append(FileReport.model_validate({"source": source, "status": status, "detail": detail}))


def vanished(
    paths: Sequence[Path], sources: Mapping[str, str], seen: set[str], problems: Sequence[Problem]
) -> list[str]:
    """Ids of documents of an earlier ingest of these paths that are no longer there.

    What comes from a file that could not be read this time stays, and so does what was not ingested from a file.

    :param sources: source by id of what is stored.
    :param seen: ids that were read this time.
    """
    folders = tuple(f"{path.resolve().name}/" for path in paths if path.is_dir())
    files = {f"{path.resolve().parent.name}/{path.name}".lstrip("/") for path in paths if path.is_file()}
    broken = {p.source for p in problems if p.kind == "error"}

    def covered(id_: str, source: str) -> bool:
        file = source.partition("#")[0]
        return id_ != source and file not in broken and (source.startswith(folders) or file in files)

    return [id_ for id_, source in sources.items() if id_ not in seen and covered(id_, source)]


def free_id(title: str, digest: str, known: Mapping[str, str]) -> str:
    """An id made from a title, with a number where another text has it already.

    :param known: SHA-256 by id of what is stored.
    """
    kept = "".join(c if c.isalnum() else "-" for c in title.lower())
    stem = "-".join(part for part in kept.split("-") if part)[:80] or "document"
    names = (stem, *(f"{stem}-{number}" for number in range(2, len(known) + 3)))
    return next(name for name in names if known.get(name) in (None, digest))
