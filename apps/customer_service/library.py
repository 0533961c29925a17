"""Keeps documents in SQL and passages in memory in step: ingest, changes, start, and following other processes.

SQL is the truth; the index in memory and its files are derived and made again whenever they are missing, damaged or
behind. Knows store and knowledge; knows nothing of answers or HTTP.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from apps.customer_service import index_files
from apps.customer_service.data import read_sources
from apps.customer_service.intake import Intake, vanished
from apps.customer_service.model import ENGLISH, MULTILINGUAL, Held, Knowledge, tokens
from apps.customer_service.passages import Stored, block_of, cut, encode, retrievers, vectors_of
from apps.customer_service.rows import Change, Entry, StoredChunk
from apps.customer_service.schemas import IngestReport
from apps.customer_service.store import Store
from core.backends.base import Encoder
from core.errors import IndexDamaged
from core.progress import Report, quiet
from core.text import Problem
from core.types import Chunk, Document, FloatArray, IntArray

_LAG = 2048
"""Passages of a running ingest that searches may lack; a quarter of the collection, where that is more."""

_log = logging.getLogger(__name__)


class Library:
    """The company's documents. Safe between threads.

    :param folder: where the index files lie; derived data, safe to delete.
    """

    def __init__(self, store: Store, knowledge: Knowledge, folder: Path) -> None:
        self.store, self.knowledge, self.folder = store, knowledge, folder
        self.revision = -1
        """Of the store, as searches see it."""
        self._known = -1
        """Of the store, with what waits to be shown."""
        self._saved = -1
        self._new: list[Stored] = []
        self._gone: list[IntArray] = []
        self._writing = threading.RLock()
        self._encoding = threading.Lock()
        """Held by an ingest and by `fill`: one of them at a time."""

    def open(self) -> None:
        """Load all passages; the index files if they are sound and of this very content, else built from SQL."""
        with self._writing:
            revision = self.store.revision()
            held = [_held(c) for block in self.store.iter_chunks() for c in block]
            try:
                self.knowledge.restore(index_files.load(self.folder, held, revision, self._names()), held)
                self._saved = revision
            except IndexDamaged as reason:
                if held:
                    _log.info("the index is built from SQL: %s", reason)
                named = self._encoders().items()
                self.knowledge.rebuild(held, {name: self.store.iter_vectors(e.name) for name, e in named})
            self.revision = self._known = revision

    def refresh(self) -> bool:
        """Follow what other processes did to the store; whether there was anything."""
        if self.store.revision() == self._known:
            return False
        with self._writing:
            self.show()
            revision = self.store.revision()
            if revision == self._known:
                return False
            there, own = self.store.chunk_ids(), self.knowledge.index.ids
            held = [_held(c) for c in self.store.chunks(np.setdiff1d(there, own))]
            self.knowledge.update(np.setdiff1d(own, there), held)
            for name, encoder in self._encoders().items():
                lacking = self._lacking(name)
                if len(lacking):
                    for ids, rows in self.store.iter_vectors(encoder.name, after=int(lacking[0]) - 1):
                        new = np.isin(ids, lacking)
                        self.knowledge.add_vectors(name, ids[new], rows[new])
            self.revision = self._known = revision
        return True

    def save(self) -> None:
        """Write the index files, unless they are of this revision already."""
        with self._writing:
            self.show()
            if self._saved == self.revision:
                return
            try:
                index_files.save(self.folder, self.knowledge, self.revision, self._names())
            except OSError as error:  # nothing is lost: the next start builds the index from SQL
                _log.warning("the index cannot be saved in %s: %s", self.folder, error)
            self._saved = self.revision

    def ingest(
        self, paths: Sequence[Path], *, sync: bool = False, strict: bool = False, progress: Report = quiet
    ) -> IngestReport:
        """Take in what is new or changed under the paths; everything committed stays, whatever happens later.

        :param sync: forget documents of an earlier ingest of these paths that are no longer there.
        :param strict: refuse all if one file or row is wrong.
        :raises core.errors.InputError: if strict and something is wrong; nothing has changed then.
        """
        with self._encoding, ThreadPoolExecutor(1, "ingest") as pool:
            intake = Intake(self.store.hashes(), lambda batch: self._begin(batch, pool), progress)
            problems: list[Problem] = []
            try:
                for done, read in enumerate(read_sources(paths, strict=strict), start=1):
                    problems += read.problems
                    intake.problems(read.problems)
                    for document in read.documents:
                        intake.offer(document)
                    progress("files", done, None)
                gone = vanished(paths, self.store.sources(), intake.seen, problems) if sync else []
                intake.finish(gone)
                if gone:
                    with self._writing:
                        self._note(self.store.delete_documents(gone))
                    intake.removed(gone)
            finally:
                self.show()
            report = intake.report()
            self._fill(progress)
        self.save()
        return report

    def accept(self, documents: Sequence[Document], problems: Sequence[Problem] = ()) -> IngestReport:
        """Take in documents of an uploaded file; searchable when this returns."""
        intake = Intake(self.store.hashes(), lambda batch: lambda: self.take(batch, across=True))
        intake.problems(problems)
        try:
            for document in documents:
                intake.offer(document)
            intake.finish()
        finally:
            self.show()
        return intake.report()

    def put(self, document: Document) -> None:
        """Add or replace one document; searchable when this returns."""
        self.take([document], across=True)
        self.show()

    def remove(self, document_id: str) -> None:
        """Forget a document.

        :raises core.errors.NotFound: if there is none.
        """
        with self._writing:
            self._note(self.store.delete_document(document_id))
            self.show()

    def fill(self, progress: Report = quiet, stop: Callable[[], bool] = lambda: False) -> int:
        """Encode passages that lack a vector of a retriever that should hold them; how many there were.

        That is what makes questions find passages of other languages, and what a changed encoder needs. Does nothing
        while an ingest runs: that ends with the same work.

        :param stop: asked between blocks.
        """
        if not self._encoding.acquire(blocking=False):
            return 0
        try:
            return self._fill(progress, stop)
        finally:
            self._encoding.release()

    def _fill(self, progress: Report, stop: Callable[[], bool] = lambda: False) -> int:
        filled = 0
        for name, encoder in self._encoders().items():
            if not len(self._lacking(name)):
                continue
            for block in self.store.iter_without_vectors(encoder.name):
                mine = [c for c in block if self._belongs(name, c.chunk)]
                if stop():
                    return filled
                if not mine:
                    continue
                rows = encode(name, [c.chunk for c in mine], self.knowledge)
                ids = np.array([c.id for c in mine], np.int64)
                with self._writing:
                    self.show()
                    revision = self.store.put_vectors(encoder.name, ids, rows)
                    if revision == self._known + 1:
                        self.revision = self._known = revision
                    self.knowledge.add_vectors(name, ids, rows)
                filled += len(mine)
                progress("vectors across languages" if name == MULTILINGUAL else "vectors", filled, None)
        return filled

    @property
    def lacking(self) -> int:
        """Vectors that `fill` would make."""
        return sum(len(self._lacking(name)) for name in self._encoders())

    def take(self, documents: Sequence[Document], *, across: bool = False) -> int:
        """Encode and commit documents in one transaction; searches see them after `show` at the latest.

        :param across: encode for questions in other languages too, instead of leaving that to `fill`.
        :returns: how many passages they gave.
        :raises core.errors.InputError: if one cannot be stored; then none is.
        """
        lists = cut(documents, self.knowledge)
        return self._commit(documents, lists, vectors_of(documents, lists, self.knowledge, across=across))

    def _begin(self, documents: Sequence[Document], pool: Executor) -> Callable[[], int]:
        """`take` in two steps: what is returned waits for the encoder and commits."""
        lists = cut(documents, self.knowledge)
        encoded = pool.submit(vectors_of, documents, lists, self.knowledge)
        return lambda: self._commit(documents, lists, encoded.result())

    def _commit(
        self,
        documents: Sequence[Document],
        lists: Sequence[Sequence[Chunk]],
        vectors: Sequence[dict[str, FloatArray]],
    ) -> int:
        encoders = self._encoders()
        entries = [
            Entry(document, chunks, {encoders[name].name: rows for name, rows in found.items()})
            for document, chunks, found in zip(documents, lists, vectors, strict=True)
        ]
        words = [[tokens(chunk) for chunk in chunks] for chunks in lists]
        with self._writing:
            change = self.store.put_documents(entries)
            ids = iter(change.added.tolist())
            new = [
                Stored([Held(next(ids), chunk, document.source) for chunk in chunks], said, found)
                for document, chunks, said, found in zip(documents, lists, words, vectors, strict=True)
            ]
            self._note(change, new)
            if sum(len(s.held) for s in self._new) >= max(_LAG, len(self.knowledge) // 4):
                self.show()
        return len(change.added)

    def show(self) -> None:
        """Let searches see everything that is committed."""
        with self._writing:
            if self._new or self._gone:
                groups: dict[tuple[str, ...], list[Stored]] = {}
                for stored in self._new:
                    if stored.held:
                        groups.setdefault(tuple(stored.rows), []).append(stored)
                blocks = [block_of(names, group) for names, group in groups.items()]
                removed = np.concatenate([np.empty(0, np.int64), *self._gone])
                self.knowledge.update(removed, [h for s in self._new for h in s.held], blocks)
                self._new, self._gone = [], []
            self.revision = self._known

    def _note(self, change: Change, new: Sequence[Stored] = ()) -> None:
        """Keep a change of this process in mind, to be shown later.

        A revision that does not follow on the last one known means that another process wrote in between: then the
        known one stays, and `refresh` finds out.
        """
        if change.revision == self._known + 1:
            self._known = change.revision
        dropped = set(change.removed.tolist())
        self._new = [s for s in self._new if not dropped.intersection(h.id for h in s.held)] + list(new)
        self._gone.append(change.removed)

    def _lacking(self, name: str) -> IntArray:
        """Ids of passages that a retriever should hold and does not, ascending."""
        passages, index = self.knowledge.passages, self.knowledge.index
        bare = np.setdiff1d(index.ids, index.dense[name].ids)
        return np.array([i for i in bare.tolist() if self._belongs(name, passages[i].chunk)], np.int64)

    def _belongs(self, name: str, chunk: Chunk) -> bool:
        return name in retrievers(self.knowledge, chunk.language)

    def _encoders(self) -> dict[str, Encoder]:
        pairs = {ENGLISH: self.knowledge.english, MULTILINGUAL: self.knowledge.multilingual}
        return {name: encoder for name, encoder in pairs.items() if encoder is not None}

    def _names(self) -> dict[str, str]:
        return {name: encoder.name for name, encoder in self._encoders().items()}


def _held(stored: StoredChunk) -> Held:
    return Held(stored.id, stored.chunk, stored.source)
