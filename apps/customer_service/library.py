"""Keeps documents in SQL and passages in memory in step: ingest, changes, start, and following other processes.

SQL is the truth; the index in memory and its files are derived and made again whenever they are missing, damaged or
behind. Knows store and knowledge; knows nothing of answers or HTTP.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from apps.customer_service.data import read_sources
from apps.customer_service.model import ENGLISH, MULTILINGUAL, Held, Knowledge, family, tokens
from apps.customer_service.passages import cut, encode
from apps.customer_service.rows import Change, Entry, StoredChunk
from apps.customer_service.schemas import FileReport, IngestReport
from apps.customer_service.store import Store
from core.backends.base import Encoder
from core.errors import IndexDamaged
from core.index.hybrid import Block, HybridIndex
from core.progress import Report, quiet
from core.text import Problem
from core.types import Chunk, Document, FloatArray

_BATCH = 512
"""Passages that are encoded and committed together: an ingest that is killed loses at most these."""

_log = logging.getLogger(__name__)


class Library:
    """The company's documents.

    :param folder: where the index files lie; derived data, safe to delete.
    """

    def __init__(self, store: Store, knowledge: Knowledge, folder: Path) -> None:
        self.store, self.knowledge, self.folder = store, knowledge, folder
        self.revision = -1
        self._writing = threading.RLock()

    def open(self) -> None:
        """Load all passages; the index files if they are sound and fresh, else built from SQL and saved."""
        with self._writing:
            revision = self.store.revision()
            held = [_held(c) for block in self.store.iter_chunks() for c in block]
            try:
                index, saved = HybridIndex.load(self.folder, encoders=self._names())
                if saved != revision or not np.array_equal(index.ids, [h.id for h in held]):
                    raise IndexDamaged("The index files are of another revision.")
                self.knowledge.restore(index, held)
            except IndexDamaged as reason:
                if held:
                    _log.info("the index is built from SQL: %s", reason)
                self._rebuild(held)
                self.revision = revision
                self.save()
            self.revision = revision

    def refresh(self) -> bool:
        """Follow what other processes did to the store; whether there was anything."""
        if self.store.revision() == self.revision:
            return False
        with self._writing:
            revision = self.store.revision()
            self._rebuild([_held(c) for block in self.store.iter_chunks() for c in block])
            self.revision = revision
        return True

    def save(self) -> None:
        """Write the index files."""
        with self._writing:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.knowledge.index.save(self.folder, revision=self.revision, encoders=self._names())

    def ingest(
        self, paths: Sequence[Path], *, sync: bool = False, strict: bool = False, progress: Report = quiet
    ) -> IngestReport:
        """Take in what is new or changed under the paths; everything committed stays, whatever happens later.

        :param sync: forget documents of an earlier ingest of these paths whose files are gone.
        :param strict: refuse all if one file or row is wrong.
        :raises InputError: if strict and something is wrong; nothing has changed then.
        """
        started = time.perf_counter()
        files: list[FileReport] = []
        known, seen = self.store.hashes(), set[str]()
        contents = {digest: id_ for id_, digest in known.items()}
        waiting: list[Document] = []
        passages = 0
        roots: set[str] = set()
        for done, (source, documents, problems) in enumerate(read_sources(paths, strict=strict), start=1):
            roots.add(source.split("/")[0].split("#")[0])
            files += [FileReport(source=p.source, status=_status(p), detail=str(p)) for p in problems]
            for document in documents:
                seen.add(document.id)
                report = _judged(document, known, contents)
                if report.status in ("added", "changed"):
                    contents[document.sha256] = document.id
                    waiting.append(document)
                files.append(report)
            progress("files", done, None)
            while len(waiting) >= _BATCH // 4:
                passages += self._take(waiting[: _BATCH // 4])
                del waiting[: _BATCH // 4]
                progress("passages", passages, None)
        if waiting:
            passages += self._take(waiting)
            progress("passages", passages, None)
        if sync:
            gone = [
                i for i, s in self.store.sources().items() if i not in seen and s.split("/")[0].split("#")[0] in roots
            ]
            self._apply(self.store.delete_documents(gone), [], {})
            files += [FileReport(source=i, status="removed") for i in gone]
        seconds = time.perf_counter() - started
        self.fill(progress)
        if passages or sync:
            self.save()
        return IngestReport(files=tuple(files), seconds=seconds, passages=passages)

    def put(self, document: Document) -> None:
        """Add or replace one document; searchable when this returns."""
        self._take([document])
        self.fill()

    def remove(self, document_id: str) -> None:
        """Forget a document.

        :raises core.errors.NotFound: if there is none.
        """
        self._apply(self.store.delete_document(document_id), [], {})

    def fill(self, progress: Report = quiet) -> int:
        """Encode passages that lack a vector of a retriever that should hold them; how many there were.

        That is what makes questions find passages of other languages, and what a changed encoder needs.
        """
        filled = 0
        for name, encoder in self._encoders().items():
            for block in self.store.iter_without_vectors(encoder.name):
                mine = [c for c in block if self._belongs(name, c.chunk)]
                if not mine:
                    continue
                rows = encode(name, [c.chunk for c in mine], self.knowledge)
                ids = np.array([c.id for c in mine], np.int64)
                with self._writing:
                    self.revision = self.store.put_vectors(encoder.name, ids, rows)
                    self.knowledge.add_vectors(name, ids, rows)
                filled += len(mine)
                progress("vectors across languages" if name == MULTILINGUAL else "vectors", filled, None)
        return filled

    def _take(self, documents: Sequence[Document]) -> int:
        """Encode and commit documents in one transaction, then show them to searches."""
        lists = cut(documents, self.knowledge)
        flat = [c for chunks in lists for c in chunks]
        by_name: dict[str, list[int]] = {}
        for row, chunk in enumerate(flat):
            by_name.setdefault(self.knowledge.encoder(chunk.language)[0], []).append(row)
        rows: dict[str, dict[int, FloatArray]] = {}
        for name, mine in by_name.items():
            encoded = encode(name, [flat[i] for i in mine], self.knowledge)
            rows[name] = dict(zip(mine, encoded, strict=True))
        entries, at = [], 0
        encoders = self._encoders()
        for document, chunks in zip(documents, lists, strict=True):
            places = range(at, at + len(chunks))
            at += len(chunks)
            vectors = {
                encoders[name].name: np.stack([found[i] for i in places])
                for name, found in rows.items()
                if chunks and all(i in found for i in places)
            }
            entries.append(Entry(document, chunks, vectors))
        with self._writing:
            change = self.store.put_documents(entries)
            sources = [d.source for d, chunks in zip(documents, lists, strict=True) for _ in chunks]
            held = [Held(int(i), c, s) for i, c, s in zip(change.added, flat, sources, strict=True)]
            self._apply(change, held, rows)
        return len(flat)

    def _apply(self, change: Change, held: Sequence[Held], rows: Mapping[str, Mapping[int, FloatArray]]) -> None:
        with self._writing:
            blocks = []
            for name, found in rows.items():
                mine = [held[i] for i in found]
                ids = np.array([h.id for h in mine], np.int64)
                blocks.append(Block(ids, [tokens(h.chunk) for h in mine], {name: np.stack(list(found.values()))}))
            self.knowledge.update(change.removed, held, blocks)
            self.revision = change.revision

    def _rebuild(self, held: Sequence[Held]) -> None:
        vectors = {name: self.store.iter_vectors(encoder.name) for name, encoder in self._encoders().items()}
        self.knowledge.rebuild(held, vectors)

    def _encoders(self) -> dict[str, Encoder]:
        pairs = {ENGLISH: self.knowledge.english, MULTILINGUAL: self.knowledge.multilingual}
        return {name: encoder for name, encoder in pairs.items() if encoder is not None}

    def _names(self) -> dict[str, str]:
        return {name: encoder.name for name, encoder in self._encoders().items()}

    def _belongs(self, name: str, chunk: Chunk) -> bool:
        return name == MULTILINGUAL or family(chunk.language) == "en" or self.knowledge.multilingual is None


def _held(stored: StoredChunk) -> Held:
    return Held(stored.id, stored.chunk, stored.source)


def _status(problem: Problem) -> str:
    return {"skipped": "unchanged", "duplicate": "duplicate"}.get(problem.kind, "error")


def _judged(document: Document, known: Mapping[str, str], contents: Mapping[str, str]) -> FileReport:
    source = document.source
    if known.get(document.id) == document.sha256:
        return FileReport(source=source, status="unchanged")
    twin = contents.get(document.sha256)
    if twin is not None and twin != document.id:
        return FileReport(source=source, status="duplicate", detail=f"the same text as {twin}")
    return FileReport(source=source, status="changed" if document.id in known else "added")
